// The table of kernels that one instruction set provides; isa_*.cc fill one each, dispatch.cc picks the best.
// Plain C types only: the files behind it are compiled once per ISA and must include no C++ standard header.
// All memory is contiguous, row-major, 64-byte aligned at the start of a tensor (views may begin anywhere) and outputs
// never overlap inputs. Sums are cut into chunks by shape alone, never by thread count: any number of threads gives
// the same bits, and a row's result does not depend on the other rows. Contracts are those of src/backend/backend.ts.
#pragma once
#include <stdint.h>

// Work on [begin, end).
typedef void (*RangeFn)(void* context, int64_t begin, int64_t end);

// What a kernel may ask of its surroundings.
struct Run {
  // Calls fn for chunks [i, min(i + grain, n)), i = 0, grain, 2 * grain ..., in any order on any thread; returns when
  // all are done.
  void (*parallel_for)(int64_t n, int64_t grain, RangeFn fn, void* context);
  // At least `bytes` of 64-byte aligned scratch of the calling thread, valid until its next call with the same slot
  // (0..7). Grows once and is kept, so a step that was run before allocates nothing.
  void* (*scratch)(int slot, int64_t bytes);
  int threads;
};

struct Walk {
  int64_t offset;
  int64_t strides[8];
};

struct RandomKey {
  uint32_t seed_low, seed_high, stream, step;
  int64_t row;  // index of the first row within the global batch
};

// What happens to t, an element of a product with its bias: y = fn(t), y = t fn'(x), y += t.
enum EpilogueKind { kNone, kActivate, kSlope, kAddTo };

struct MatmulCall {
  const float *a, *b;
  float* y;
  int64_t m, n, k;
  int transpose_a, transpose_b;
  int64_t batch, stride_a, stride_b;
  const float* bias;    // [n] or null
  int epilogue, fn;     // fn: kRelu, kGelu or kGeluTanh
  float* x;             // kActivate: receives t, or null; kSlope: what fn was applied to
  float* sums;          // [m] or null: sums of the rows of op(a), added to with kAddTo
  const float* packed;  // b as `pack` laid it out, and b is not read; or null
};

struct AttentionCall {
  const float *q, *k, *v, *key_bias;
  const int32_t *offsets, *query_offsets;
  const int32_t* places;  // null: every row is a query
  int64_t rows, query_rows, sequences, heads, head_dim, max_seq;
  float scale;
  double dropout_rate;  // 0: none
  RandomKey key;
};

// Dropout within a kernel: row i draws the numbers of row i, or of row rows[i]. Rate 0: none.
struct RowDropout {
  double rate;
  RandomKey key;
  const int32_t* rows;  // or null
};

// LayerNorm of x (through dropout) + residual.
struct ResidualNormCall {
  const float *x, *residual, *gamma, *beta;
  int64_t rows, cols;
  float eps;
  RowDropout dropout;
};

// Dropout of LayerNorm of the sum of one row of each table: words, positions, types.
struct EmbeddingNormCall {
  const float* tables[3];
  const int32_t* ids[3];
  const float *gamma, *beta;
  int64_t rows, cols;
  float eps;
  RowDropout dropout;
};

// Rows of logits become their gradient; results [2, rows]: losses, hits; sums [cols] of the gradient.
struct CrossEntropyInPlaceCall {
  float* logits;
  const int32_t* labels;
  float *results, *sums;
  int64_t rows, cols;
  int32_t ignore_index;
  float scale;
};

struct AdamWCall {
  float *param, *m, *v;
  const float *grad, *sum_squares;
  int64_t length;
  double grad_scale, max_norm, lr, beta1, beta2, eps, weight_decay, correction1, correction2;
};

// Codes of elementwise functions; src/backend/native/codes.ts has the same order by name.
enum UnaryFn {
  kNeg,
  kAbs,
  kExp,
  kLog,
  kSqrt,
  kRsqrt,
  kSquare,
  kReciprocal,
  kTanh,
  kSigmoid,
  kRelu,
  kErf,
  kGelu,
  kGeluTanh,
  kAddScalar,
  kMulScalar,
  kPowScalar,
  kUnaryCount
};
enum BinaryFn { kAdd, kSub, kMul, kDiv, kMaximum, kMinimum, kEqual, kGreater, kLess, kBinaryCount };
// Ways to move memory, for the measured bandwidth; "past": past the caches. Add is y += x.
enum MoveWay {
  kMoveRead,
  kMoveWrite,
  kMoveWritePast,
  kMoveScale,
  kMoveCopy,
  kMoveCopyPast,
  kMoveAdd,
  kMoveTriad,
  kMoveTriadPast,
  kMoveCount
};
enum ReduceFn { kSum, kMax, kMin };

// Arithmetic on numbers of fewer bits. `by` names what multiplies them faster than floats; null: this instruction set
// has nothing that does, and wider arithmetic gives the same results, slower.
struct Narrow {
  const char* by;
  // Multiply-adds in registers, for the measured peak: their number of operations.
  double (*loop)(int64_t rounds);
  // As those of KernelTable; int8 for an a that is not transposed and one b under all of it. 8-bit numbers are packed
  // in (k / 4 + 2) * (n + 64) floats, bf16 numbers in k / 2 * (n + 64) where there is an instruction, k / 4 and k / 2
  // rounded up.
  void (*matmul)(const Run*, const MatmulCall*);
  void (*pack)(const Run*, const float* b, float* y, int64_t k, int64_t n, int transpose_b);
  // In bf16 alone; without an instruction that of KernelTable.
  void (*attention)(const Run*, const AttentionCall*, float* y, float* lse);
};

struct KernelTable {
  const char* isa;  // "base" "avx2" "avx512" "neon"
  int vector_length;
  const Narrow *bf16, *int8;
  void (*fill)(const Run*, float* y, int64_t n, float value);
  void (*fill_i32)(const Run*, int32_t* y, int64_t n, int32_t value);
  // 32-bit elements of any type.
  void (*copy)(const Run*, const uint32_t* x, uint32_t* y, int rank, const int64_t* shape, const Walk* from,
               const Walk* to);
  void (*accumulate)(const Run*, const float* x, float* y, int64_t n);
  void (*unary)(const Run*, int fn, const float* x, float* y, int64_t n, float c);
  void (*unary_grad)(const Run*, int fn, const float* x, const float* y, const float* d_y, float* d_x, int64_t n,
                     float c);
  void (*binary)(const Run*, int fn, const float* a, const float* b, float* y, int rank, const int64_t* shape,
                 const int64_t* strides_a, const int64_t* strides_b);
  void (*where)(const Run*, const float* condition, const float* a, const float* b, float* y, int64_t n);
  void (*reduce)(const Run*, int fn, const float* x, float* y, int64_t outer, int64_t size, int64_t inner);
  void (*argmax)(const Run*, const float* x, int32_t* y, int64_t rows, int64_t cols);
  void (*matmul)(const Run*, const MatmulCall*);
  // op(b) [k, n] for MatmulCall::packed, in k * (n + 64) floats.
  void (*pack)(const Run*, const float* b, float* y, int64_t k, int64_t n, int transpose_b);
  // b again, bit for bit, of what `pack` made of it.
  void (*unpack)(const Run*, const float* packed, float* b, int64_t k, int64_t n, int transpose_b);
  void (*softmax)(const Run*, const float* x, float* y, int64_t rows, int64_t cols);
  void (*softmax_grad)(const Run*, const float* y, const float* d_y, float* d_x, int64_t rows, int64_t cols);
  void (*log_softmax)(const Run*, const float* x, float* y, int64_t rows, int64_t cols);
  void (*log_softmax_grad)(const Run*, const float* y, const float* d_y, float* d_x, int64_t rows, int64_t cols);
  void (*layer_norm)(const Run*, const float* x, const float* gamma, const float* beta, float* y, float* mean,
                     float* rstd, int64_t rows, int64_t cols, float eps);
  void (*layer_norm_grad)(const Run*, const float* x, const float* gamma, const float* mean, const float* rstd,
                          const float* d_y, float* d_x, float* d_gamma, float* d_beta, int64_t rows, int64_t cols);
  void (*cross_entropy)(const Run*, const float* logits, const int32_t* labels, float* losses, float* lse, int64_t rows,
                        int64_t cols, int32_t ignore_index);
  void (*cross_entropy_grad)(const Run*, const float* logits, const int32_t* labels, const float* lse,
                             const float* d_losses, float* d_logits, int64_t rows, int64_t cols, int32_t ignore_index);
  void (*cross_entropy_in_place)(const Run*, const CrossEntropyInPlaceCall*);
  void (*residual_norm)(const Run*, const ResidualNormCall*, float* y, float* mean, float* rstd);
  void (*residual_norm_grad)(const Run*, const ResidualNormCall*, const float* mean, const float* rstd,
                             const float* d_y, float* d_x, float* d_residual, float* d_gamma, float* d_beta);
  void (*embedding_norm)(const Run*, const EmbeddingNormCall*, float* y, float* mean, float* rstd);
  void (*embedding_norm_grad)(const Run*, const EmbeddingNormCall*, const float* mean, const float* rstd,
                              const float* d_y, float* d_sum, float* d_gamma, float* d_beta);
  void (*gather)(const Run*, const float* table, const int32_t* ids, float* y, int64_t rows, int64_t width);
  void (*scatter_add)(const Run*, const int32_t* ids, const float* d_y, float* d_table, int64_t rows, int64_t width,
                      int64_t table_rows);
  void (*dropout)(const Run*, const float* x, float* y, int64_t rows, int64_t cols, double rate, const RandomKey* key);
  void (*attention)(const Run*, const AttentionCall*, float* y, float* lse);
  void (*attention_grad)(const Run*, const AttentionCall*, const float* y, const float* lse, const float* d_y,
                         float* d_q, float* d_k, float* d_v);
  void (*sum_squares)(const Run*, const float* x, int64_t n, float* out);
  void (*adamw)(const Run*, const AdamWCall*);
  // Multiply-adds in registers, for the measured peak: their number of floating-point operations.
  double (*fma_loop)(int64_t rounds);
  // Moves n floats at a 64-byte aligned p in one of the ways, `rounds` times: how many bytes, each access counted.
  double (*move_loop)(int way, float* p, int64_t n, int64_t rounds);
};

extern "C" const KernelTable bg_kernels_base;
extern "C" const KernelTable bg_kernels_avx2;
extern "C" const KernelTable bg_kernels_avx512;
extern "C" const KernelTable bg_kernels_neon;
// What only some processors with AVX-512 have; dispatch.cc puts it into their table.
extern "C" const Narrow bg_bf16_avx512, bg_int8_avx512;
