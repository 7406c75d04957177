// A queue that is being read: numbers and places in memory, in the order in which they were written.
#pragma once
#include <math.h>
#include <stdint.h>

#include <stdexcept>
#include <string>
#include <tuple>

#include "arena.h"
#include "kernels.h"

struct Job {
  const KernelTable* table;
  const Run* run;
  const Arena* arena;
  const double *at, *end;
  double flops = 0;  // of the command that ran last, where it counts them

  double number() {
    if (at == end) throw std::runtime_error("the queue ends within it");
    return *at++;
  }
  int64_t integer() {
    const double x = number();
    if (!(fabs(x) <= 9007199254740992.0) || x != floor(x)) throw std::runtime_error("not an integer");
    return (int64_t)x;
  }
  char* memory() {
    const int64_t offset = integer();
    if (offset < 0 || offset > arena->committed() || offset % 4 != 0)
      throw std::runtime_error("memory outside the arena");
    return arena->base() + offset;
  }
  // -1: no such buffer.
  float* optional() {
    if (at == end || *at != -1) return (float*)memory();
    ++at;
    return nullptr;
  }
};

template <class T>
inline T take(Job& job) {
  if constexpr (std::is_pointer_v<T>) return (T)job.memory();
  else if constexpr (std::is_integral_v<T>) return (T)job.integer();
  else return (T)job.number();
}

// Fills variables in the order of the queue.
template <class... T>
inline void take_all(Job& job, T&... out) {
  ((out = take<T>(job)), ...);
}

// A kernel that takes nothing but numbers and memory.
template <auto kernel>
struct Plain;
template <class... Parameters, void (*KernelTable::*kernel)(const Run*, Parameters...)>
struct Plain<kernel> {
  static void run(Job& job) {
    const std::tuple<Parameters...> values{take<Parameters>(job)...};  // braces keep the order
    std::apply([&](Parameters... value) { (job.table->*kernel)(job.run, value...); }, values);
  }
};

inline void take_key(Job& job, RandomKey* key) {
  take_all(job, key->seed_low, key->seed_high, key->stream, key->step, key->row);
}
