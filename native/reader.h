// Reads the numbers of a queue. Nothing is trusted: whatever they are, a kernel gets memory of the arena only.
#pragma once
#include <math.h>
#include <stdint.h>

#include <stdexcept>
#include <string>

#include "arena.h"
#include "kernels.h"

class Reader {
 public:
  Reader(const double* words, int64_t count, const Arena& arena) : at_(words), end_(words + count), arena_(arena) {}

  bool done() const { return at_ == end_; }
  double number() {
    if (at_ == end_) throw std::runtime_error("the queue ends within it");
    return *at_++;
  }
  int64_t integer() {
    const double x = number();
    if (!(fabs(x) <= 9007199254740992.0) || x != (double)(int64_t)x) throw std::runtime_error("not an integer");
    return (int64_t)x;
  }
  int64_t size() {
    const int64_t n = integer();
    if (n < 0 || n > kMost) throw std::runtime_error("a size out of range");
    return n;
  }
  int below(int count) {
    const int64_t n = integer();
    if (n < 0 || n >= count) throw std::runtime_error("an unknown function or rank");
    return (int)n;
  }
  void sizes(int rank, int64_t* out) {
    for (int i = 0; i < rank; ++i) out[i] = size();
  }
  void integers(int rank, int64_t* out) {
    for (int i = 0; i < rank; ++i) out[i] = integer();
  }
  uint32_t word() { return (uint32_t)(uint64_t)integer(); }

  // `count` elements of four bytes.
  float* floats(int64_t count) { return (float*)inside(integer(), 0, count); }
  int32_t* ints(int64_t count) { return (int32_t*)inside(integer(), 0, count); }
  const float* floats_or_null(int64_t count) {
    const int64_t offset = integer();
    return offset < 0 ? nullptr : (const float*)inside(offset, 0, count);
  }
  // Memory that a walk over `shape` stays within; null where the shape holds nothing.
  char* walked(int rank, const int64_t* shape, int64_t first, const int64_t* strides) {
    int64_t low = first, high = first;
    bool empty = false;
    for (int i = 0; i < rank; ++i) {
      empty |= shape[i] == 0;
      const int64_t reach = times(shape[i] - 1, strides[i]);
      (reach < 0 ? low : high) += reach;
      if (low < -kMost || high > kMost) throw std::runtime_error("a walk that leaves its memory");
    }
    const int64_t offset = integer();
    return empty ? nullptr : inside(offset, low, high + 1);
  }
  static int64_t times(int64_t a, int64_t b) {
    int64_t product;
    if (__builtin_mul_overflow(a, b, &product)) throw std::runtime_error("sizes whose product overflows");
    return product;
  }

 private:
  static const int64_t kMost = (int64_t)1 << 40;

  // Elements low .. high - 1 of the tensor at `offset`.
  char* inside(int64_t offset, int64_t low, int64_t high) const {
    if (high > kMost || offset % 4 != 0 || offset / 4 + low < 0 || offset / 4 + high > arena_.committed() / 4)
      throw std::runtime_error("memory outside the arena");
    return arena_.base() + offset;
  }

  const double *at_, *end_;
  const Arena& arena_;
};

// Every id is a row of a table of `limit` rows, or `other`.
inline void check_ids(const int32_t* ids, int64_t n, int64_t limit, int64_t other) {
  for (int64_t i = 0; i < n; ++i) {
    const int64_t id = ids[i];
    if ((id < 0 || id >= limit) && id != other)
      throw std::runtime_error("id " + std::to_string(id) + " at position " + std::to_string(i) + " is not one of " +
                               std::to_string(limit));
  }
}
