// Jobs of all sizes on the pool of threads, from several callers at a time and with changing numbers of threads. Built
// with ThreadSanitizer by scripts/sanitize.sh: elements are plain memory, so a job that ends too early is a race.
#include "pool.h"

#include <stdio.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

namespace {

std::atomic<int> failures{0};

void fail(const char* what, int64_t n, int64_t grain) {
  ++failures;
  printf("FAILED: %s, %ld elements in chunks of %ld\n", what, (long)n, (long)grain);
}

struct Job {
  std::vector<int> times;
  int64_t grain;
};

void count(void* context, int64_t begin, int64_t end) {
  Job& job = *static_cast<Job*>(context);
  if (begin % job.grain != 0 || end - begin > job.grain) fail("a chunk is cut elsewhere", end, job.grain);
  // Scratch belongs to the thread: who writes into another's is seen.
  int* own = static_cast<int*>(bg_run()->scratch(0, 4 * (end - begin)));
  for (int64_t i = begin; i < end; ++i) own[i - begin] = 1;
  for (int64_t i = begin; i < end; ++i) job.times[(size_t)i] += own[i - begin];
}

void run_job(int64_t n, int64_t grain) {
  Job job = {std::vector<int>((size_t)n, 0), grain};
  bg_run()->parallel_for(n, grain, count, &job);
  for (const int times : job.times)
    if (times != 1) return fail("an element was not done once", n, grain);
}

void run_jobs() {
  for (int round = 0; round < 20; ++round)
    for (const int64_t n : {0, 1, 2, 3, 17, 256, 1000})
      for (const int64_t grain : {1, 2, 7, 300}) run_job(n, grain);
}

}  // namespace

int main() {
  for (const int threads : {1, 2, 3, 8, 2, 4}) {
    if (!bg_set_threads(threads)) fail("threads refused", threads, 1);
    run_jobs();
    // A second caller finds the pool busy and works alone.
    std::thread other(run_jobs);
    run_jobs();
    other.join();
    // Long enough for the workers to fall asleep.
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  if (bg_set_threads(0) || bg_set_threads(257)) fail("no such number of threads", 0, 1);
  printf(failures > 0 ? "pool: WRONG\n" : "pool: every element once, with 1 to 8 threads and 2 callers\n");
  return failures > 0 ? 1 : 0;
}
