// All kernels of one instruction set and their table. isa_*.cc gives VL (floats a vector), MR x NV (rows and vectors of
// the product's tile), BG_ISA and BG_TABLE. The table is the only symbol that leaves the object: a second copy of a
// shared function, compiled for a better processor, must never reach the linker.
#include "kernels.h"
#include "vec.inl"
#include "transpose.inl"
#include "math.inl"
#include "gelu.inl"
#include "elementwise.inl"
#include "reduce.inl"
#include "indexing.inl"
#include "softmax.inl"
#include "loss.inl"
#include "normalize.inl"
#include "optimizer.inl"
#include "random.inl"
#include "fused.inl"

static const int64_t kPair = 1;
#include "gemm_pack.inl"
#include "gemm_finish.inl"
#include "gemm_tile.inl"
#include "gemm_floats.inl"
#include "gemm_task.inl"
#include "gemm_streams.inl"
#include "gemm.inl"
#include "small.inl"
#include "attention_floats.inl"
#include "attention_head.inl"
#include "attention.inl"
#include "attention_grad.inl"
#include "roof.inl"
#include "narrow.inl"

static const Narrow kBf16 = {nullptr, fma_loop, matmul_bf16, pack_bf16, attention};
static const Narrow kInt8 = {kInt8By, int8_loop, matmul_int8, pack_int8, nullptr};

extern "C" const KernelTable BG_TABLE = {
    .isa = BG_ISA,
    .vector_length = VL,
    .bf16 = &kBf16,
    .int8 = &kInt8,
    .fill = fill,
    .fill_i32 = fill_i32,
    .copy = copy,
    .accumulate = accumulate,
    .unary = unary,
    .unary_grad = unary_grad,
    .binary = binary,
    .where = where,
    .reduce = reduce,
    .argmax = argmax,
    .matmul = matmul,
    .pack = pack_once,
    .unpack = unpack,
    .softmax = softmax,
    .softmax_grad = softmax_grad,
    .log_softmax = log_softmax,
    .log_softmax_grad = log_softmax_grad,
    .layer_norm = layer_norm,
    .layer_norm_grad = layer_norm_grad,
    .cross_entropy = cross_entropy,
    .cross_entropy_grad = cross_entropy_grad,
    .cross_entropy_in_place = cross_entropy_in_place,
    .residual_norm = residual_norm,
    .residual_norm_grad = residual_norm_grad,
    .embedding_norm = embedding_norm,
    .embedding_norm_grad = embedding_norm_grad,
    .gather = gather,
    .scatter_add = scatter_add,
    .dropout = dropout,
    .attention = attention,
    .attention_grad = attention_grad,
    .sum_squares = sum_squares,
    .adamw = adamw,
    .fma_loop = fma_loop,
    .move_loop = move_loop,
};
