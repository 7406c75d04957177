// Products of 8-bit numbers with sums in 32 bits: AVX512_VNNI.
#include <immintrin.h>

#include "kernels.h"
#include "vec.inl"

// sum += a0 b0 + a1 b1 + a2 b2 + a3 b3 in each lane, which holds four numbers, those of a without a sign.
static inline IVec dot(IVec sum, IVec a, IVec b) {
  return (IVec)_mm512_dpbusd_epi32((__m512i)sum, (__m512i)a, (__m512i)b);
}

#include "roof_narrow.inl"

static double loop(int64_t rounds) { return dot_loop<IVec, 4>(rounds); }

extern "C" const Narrow BG_NARROW = {"avx512_vnni", loop};
