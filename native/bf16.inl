// Products of bfloat16 numbers, the upper halves of floats, with sums in f32: AVX512_BF16.
#include <immintrin.h>

#include "kernels.h"
#include "vec.inl"

// sum += a_even b_even + a_odd b_odd in each lane, which holds two numbers. Subnormal numbers count as 0.
static inline Vec dot(Vec sum, Vec a, Vec b) { return (Vec)_mm512_dpbf16_ps((__m512)sum, (__m512bh)a, (__m512bh)b); }

#include "roof_narrow.inl"

static double loop(int64_t rounds) { return dot_loop<Vec, 2>(rounds); }

extern "C" const Narrow BG_NARROW = {"avx512_bf16", loop};
