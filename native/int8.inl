// Products of 8-bit numbers with sums in 32 bits: AVX512_VNNI.
#include <immintrin.h>

#pragma GCC diagnostic ignored "-Wunused-function"  // of these files only what the product needs is used
#include "kernels.h"
#include "vec.inl"
#include "math.inl"
#include "gelu.inl"
#include "elementwise.inl"
#include "roof.inl"

// sum += a0 b0 + a1 b1 + a2 b2 + a3 b3 in each lane, which holds four numbers, those of a without a sign.
static inline IVec dot_int8(IVec sum, IVec a, IVec b) {
  return (IVec)_mm512_dpbusd_epi32((__m512i)sum, (__m512i)a, (__m512i)b);
}

// Loops over registers: unrolled before the compiler decides what lives in one.
#define BG_UNROLL _Pragma("GCC unroll 16")
static const int64_t NR = NV * VL;
static const int64_t kInt8Rows = 14, kInt8Piece = 128 * 1024;

#include "gemm_int8.inl"
#include "roof_narrow.inl"

static double loop(int64_t rounds) { return dot_loop<IVec, 4, dot_int8>(rounds); }

extern "C" const Narrow BG_NARROW = {"avx512_vnni", loop, matmul_int8, pack_int8, nullptr};
