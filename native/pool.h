// A fork-join pool of threads, and scratch memory that belongs to each of them.
#pragma once
#include "kernels.h"

// What kernels are handed. `threads` starts as BG_THREADS, or else as the number of cores this process may use.
const Run* bg_run();

// False, and nothing changes, unless 1 <= threads <= 256. Not to be called while kernels run.
bool bg_set_threads(int threads);

// Cores this process may use: neither hyperthreads nor what a container withholds count.
int bg_cores();
