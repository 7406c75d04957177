// Products of 8-bit numbers with sums in 32 bits: AVX512_VNNI.
#include <immintrin.h>

#pragma GCC diagnostic ignored "-Wunused-function"  // of these files only what the product needs is used
#include "kernels.h"
#include "vec.inl"
#include "math.inl"
#include "gelu.inl"
#include "elementwise.inl"
#include "roof.inl"

// Loops over registers: unrolled before the compiler decides what lives in one.
#define BG_UNROLL _Pragma("GCC unroll 16")
static const int64_t NR = NV * VL;
static const int64_t kInt8Rows = 14, kInt8Piece = 128 * 1024, kInt8Depth = 1 << 30, kInBytes = 0;

// Bytes as they come: sum_p q_ip w_pj has z_i sum_p w_pj too much.
typedef uint8_t Number;
static const int64_t kPrepared = 0;
static const bool kFromZero = false;
static inline int32_t term_of_row(Number*, int64_t, int32_t zero) { return zero; }
static inline int32_t term_of_column(const int8_t* w, int64_t n) {
  int32_t sum = 0;
  for (int64_t p = 0; p < n; ++p) sum += w[p];
  return sum;
}
static inline IVec whole_of(IVec sum, IVec of_columns, int32_t of_row) { return sum - of_columns * of_row; }
static inline void put_word(int32_t* words, int64_t column, const uint8_t* q) {
  __builtin_memcpy(words + column, q, 4);
}

#include "int8_round.inl"

// sum += a0 b0 + a1 b1 + a2 b2 + a3 b3 in each lane, which holds four numbers, those of a without a sign.
static inline IVec dot_int8(IVec sum, IVec a, IVec b) {
  return (IVec)_mm512_dpbusd_epi32((__m512i)sum, (__m512i)a, (__m512i)b);
}

static inline const int32_t* prepare(const int32_t* words, int64_t, int32_t*) { return words; }

template <int R>
static __attribute__((noinline)) void int8_tile(const Int8Tile& t) {
  IVec sum[R][NV];
  BG_UNROLL for (int r = 0; r < R; ++r) {
    BG_UNROLL for (int v = 0; v < NV; ++v) sum[r][v] = IVec{};
    __builtin_prefetch(t.y + r * t.stride_y, 1);
    __builtin_prefetch(t.y + r * t.stride_y + NR - 1, 1);
  }
  const uint8_t* a = t.a;
  const int32_t* b = t.b;
  for (int64_t p = 0; p < t.words; ++p, a += kWord, b += NR) {
    if (p < t.lines) __builtin_prefetch(t.ahead + 64 * p);
    IVec column[NV];
    BG_UNROLL for (int v = 0; v < NV; ++v) column[v] = (IVec)load((const float*)b + v * VL);
    BG_UNROLL for (int r = 0; r < R; ++r) {
      int32_t word;
      __builtin_memcpy(&word, a + r * t.stride_a, kWord);
      const IVec row = IVec{} + word;
      BG_UNROLL for (int v = 0; v < NV; ++v) sum[r][v] = dot_int8(sum[r][v], row, column[v]);
    }
  }
  scale_tile<R>(t, sum);
}

#include "gemm_int8.inl"
#include "roof_narrow.inl"

static double loop(int64_t rounds) { return dot_loop<IVec, 4, dot_int8>(rounds); }

extern "C" const Narrow BG_NARROW = {"avx512_vnni", loop, matmul_int8, pack_int8, nullptr};
