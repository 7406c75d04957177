// Which kernels run here, and how fast their arithmetic can be at most.
#pragma once
#include "kernels.h"

// The instruction sets this processor and its operating system run, best first; null ends the list.
const KernelTable* const* bg_isas();

// The best table (wanted = null), or the one called `wanted`: "base" "avx2" "avx512" "neon". Null with a sentence in
// *error if there is no such set or the processor lacks it; the table in use then stays. Not to be called while kernels
// run.
const KernelTable* bg_select(const char* wanted, const char** error);

// Measured GFLOP/s of multiply-adds in registers on numbers of 32, 16 (bf16) or 8 bits with the table in use: no kernel
// can be faster. Takes about 0.2 s.
double bg_peak(int threads, int bits);

// Measured GB/s of the fastest way to move memory over and over within `bytes` at a 64-byte aligned p, each thread in a
// part of its own, as kernels have them: no kernel can be faster. Leaves 1 in all of p. Takes about 0.2 s, more where a
// pass over p takes some milliseconds.
double bg_bandwidth(float* p, int64_t bytes);
