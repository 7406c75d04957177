// The power of 2 inside attention, which no kernel gives away: compiled for each instruction set with the flags of its
// kernels, as a function of the name BG_POWERS.
#include "kernels.h"
#include "vec.inl"

#include "math.inl"

extern "C" void BG_POWERS(const float* x, float* y, int64_t n) {
  for (int64_t i = 0; i < n; i += VL) store_count(y + i, vexp2(load_count(x + i, least(VL, n - i))), least(VL, n - i));
}
