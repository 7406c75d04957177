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

#include "int8_pairs.inl"
