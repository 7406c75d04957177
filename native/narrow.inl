// Products of numbers with fewer bits, where no instruction multiplies them: the same results by wider arithmetic.
#if defined(__x86_64__)
#include <immintrin.h>
#endif

// bf16: both operands are rounded into scratch, and multiplied as floats.

// The nearest number whose lower 16 bits are 0, ties to even; NaN stays NaN.
static inline Vec round_bf16(Vec x) {
  const UVec bits = (UVec)x, near = (bits + 0x7fff + ((bits >> 16) & 1)) & 0xffff0000u;
  return x == x ? (Vec)near : (Vec)((bits | 0x400000u) & 0xffff0000u);
}

static const float* round_all(const Run* run, const float* x, int64_t n, int slot) {
  float* y = (float*)run->scratch(slot, n * 4);
  map(run, n, y, [=](int64_t i, int64_t count) { return round_bf16(load_count(x + i, count)); });
  return y;
}

static void matmul_bf16(const Run* run, const MatmulCall* call) {
  MatmulCall c = *call;
  if (c.m == 0 || c.n == 0 || c.batch == 0) return;
  c.sums = nullptr;
  c.a = round_all(run, c.a, (c.batch - 1) * c.stride_a + c.m * c.k, 4);
  c.b = round_all(run, c.b, (c.batch - 1) * c.stride_b + c.k * c.n, 5);
  matmul(run, &c);
  if (call->sums != nullptr) sum_rows(run, *call);
}

static void pack_bf16(const Run* run, const float* b, float* y, int64_t k, int64_t n, int transpose_b) {
  pack_once(run, round_all(run, b, k * n, 5), y, k, n, transpose_b);
}

// 8 bits: pairs of 16-bit numbers, four products a word.
static const int64_t kInt8Rows = VL == 16 ? 10 : 4, kInt8Piece = 128 * 1024;

// sum += a0 b0 + a1 b1 + a2 b2 + a3 b3 in each lane, which holds four numbers, those of a without a sign.
static inline IVec dot_int8(IVec sum, IVec a, IVec b) {
#if defined(__x86_64__)
  typedef int16_t Short __attribute__((vector_size(4 * VL)));
  const Short even = ((Short)b << 8) >> 8, odd = (Short)b >> 8;
  const IVec low = a & 0xff00ff, high = (IVec)((UVec)a >> 8) & 0xff00ff;
#if VL == 16
  return sum + (IVec)_mm512_madd_epi16((__m512i)low, (__m512i)even) +
         (IVec)_mm512_madd_epi16((__m512i)high, (__m512i)odd);
#elif VL == 8
  return sum + (IVec)_mm256_madd_epi16((__m256i)low, (__m256i)even) +
         (IVec)_mm256_madd_epi16((__m256i)high, (__m256i)odd);
#else
  return sum + (IVec)_mm_madd_epi16((__m128i)low, (__m128i)even) + (IVec)_mm_madd_epi16((__m128i)high, (__m128i)odd);
#endif
#else
  for (int i = 0; i < 4; ++i) sum += ((a >> (8 * i)) & 0xff) * ((b << (24 - 8 * i)) >> 24);
  return sum;
#endif
}

#include "gemm_int8.inl"
