// Products of bfloat16 numbers, the upper halves of floats, with sums in f32: AVX512_BF16. Products are those
// of gemm.inl, attention's those of small.inl.
#include <immintrin.h>

#pragma GCC diagnostic ignored "-Wunused-function"  // of these files only what the product needs is used
#include "kernels.h"
#include "vec.inl"
#include "transpose.inl"
#include "math.inl"
#include "gelu.inl"
#include "elementwise.inl"
#include "reduce.inl"
#include "random.inl"

static const int64_t kPair = 2;
#include "gemm_pack.inl"
#include "gemm_finish.inl"
#include "gemm_tile.inl"
#include "gemm_bf16.inl"
#include "gemm_task.inl"
#include "gemm_streams.inl"
#include "gemm.inl"
#include "small.inl"
#include "attention_bf16.inl"
#include "attention_head.inl"
#include "attention.inl"
#include "roof_narrow.inl"

static double loop(int64_t rounds) { return dot_loop<Vec, 2, multiply_add>(rounds); }

extern "C" const Narrow BG_NARROW = {"avx512_bf16", loop, matmul, pack_once, attention};
