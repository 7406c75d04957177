// The commands of a queue (src/backend/native/queue.ts): numbers, first a code, then what the kernel takes, in the
// order of its parameters in kernels.h; memory is a byte offset into the arena. TypeScript has checked each size
// against its buffer; here an offset must lie in the arena and an index in its table.
#pragma once
#include <chrono>

#include "fused-commands.h"
#include "job.h"

// How many axes there are, and a row of numbers for each operand of a walk along them.
inline int take_rank(Job& job) {
  const int64_t rank = job.integer();
  if (rank < 0 || rank > 8) throw std::runtime_error("too many axes");
  return (int)rank;
}
inline void take_axes(Job& job, int rank, int64_t* out) {
  for (int i = 0; i < rank; ++i) out[i] = job.integer();
}

inline void run_copy(Job& job) {
  const auto* x = take<const uint32_t*>(job);
  auto* y = take<uint32_t*>(job);
  const int rank = take_rank(job);
  int64_t shape[8];
  Walk from, to;
  take_axes(job, rank, shape);
  from.offset = job.integer(), take_axes(job, rank, from.strides);
  to.offset = job.integer(), take_axes(job, rank, to.strides);
  job.table->copy(job.run, x, y, rank, shape, &from, &to);
}

inline void run_binary(Job& job) {
  const int fn = take<int>(job);
  const float *a, *b;
  float* y;
  take_all(job, a, b, y);
  const int rank = take_rank(job);
  int64_t shape[8], a_strides[8], b_strides[8];
  take_axes(job, rank, shape), take_axes(job, rank, a_strides), take_axes(job, rank, b_strides);
  job.table->binary(job.run, fn, a, b, y, rank, shape, a_strides, b_strides);
}

// Kernels of a precision, in the order of codes.ts; null: those of f32.
inline const Narrow* narrow_of(const Job& job, int precision) {
  if (precision < 0 || precision > 2) throw std::runtime_error("no such precision");
  return precision == 0 ? nullptr : precision == 1 ? job.table->bf16 : job.table->int8;
}

inline void run_matmul(Job& job) {
  MatmulCall c;
  take_all(job, c.a, c.b, c.y);
  take_all(job, c.m, c.n, c.k, c.transpose_a, c.transpose_b, c.batch, c.stride_a, c.stride_b);
  c.bias = job.optional();
  take_all(job, c.epilogue, c.fn);
  c.x = job.optional(), c.sums = job.optional(), c.packed = job.optional();
  const int precision = take<int>(job);
  const bool activation = c.fn == kRelu || c.fn == kGelu || c.fn == kGeluTanh;
  if ((c.epilogue == kActivate || c.epilogue == kSlope) && !activation)
    throw std::runtime_error("an epilogue is gelu, geluTanh or relu");
  const Narrow* narrow = narrow_of(job, precision);
  job.flops = 2. * c.m * c.n * c.k * c.batch;
  (narrow == nullptr ? job.table->matmul : narrow->matmul)(job.run, &c);
}

inline void run_pack(Job& job) {
  const int precision = take<int>(job);
  const float* b;
  float* y;
  int64_t k, n;
  int transpose_b;
  take_all(job, b, y, k, n, transpose_b);
  const Narrow* narrow = narrow_of(job, precision);
  (narrow == nullptr ? job.table->pack : narrow->pack)(job.run, b, y, k, n, transpose_b);
}

inline void run_unpack(Job& job) {
  const float* packed;
  float* b;
  int64_t k, n;
  int transpose_b;
  take_all(job, packed, b, k, n, transpose_b);
  job.table->unpack(job.run, packed, b, k, n, transpose_b);
}

inline void run_dropout(Job& job) {
  const float* x;
  float* y;
  int64_t rows, cols;
  double rate;
  RandomKey key;
  take_all(job, x, y, rows, cols, rate);
  take_key(job, &key);
  job.table->dropout(job.run, x, y, rows, cols, rate, &key);
}

inline void check_sequences(const AttentionCall& c) {
  const int32_t *rows = c.offsets, *queries = c.query_offsets;
  bool rising = rows[0] == 0 && rows[c.sequences] == c.rows, within = queries[0] == 0;
  within &= queries[c.sequences] == c.query_rows;
  for (int64_t s = 0; s < c.sequences; ++s) {
    const int64_t length = (int64_t)rows[s + 1] - rows[s];
    rising &= length >= 0 && length <= c.max_seq;
    within &= queries[s + 1] >= queries[s] && queries[s + 1] <= c.query_rows;
    for (int64_t i = queries[s]; c.places != nullptr && within && i < queries[s + 1]; ++i)
      within &= c.places[i] >= 0 && c.places[i] < length;
  }
  if (!rising) throw std::runtime_error("its sequences do not lie end to end, or one is longer than the longest");
  if (!within) throw std::runtime_error("its queries do not lie end to end, or one is no row of its sequence");
}

inline AttentionCall take_attention(Job& job) {
  AttentionCall c;
  take_all(job, c.q, c.k, c.v, c.key_bias);
  const bool some = take<int>(job) != 0;
  take_all(job, c.offsets, c.query_offsets, c.places, c.rows, c.query_rows, c.sequences, c.heads, c.head_dim, c.max_seq,
           c.scale, c.dropout_rate);
  take_key(job, &c.key);
  if (!some) c.places = nullptr;
  check_sequences(c);
  return c;
}

// Of so many products of [queries, head_dim] by [head_dim, keys], or as large ones.
inline double attention_flops(const AttentionCall& c, int products) {
  double scores = 0;
  for (int64_t s = 0; s < c.sequences; ++s)
    scores += (double)(c.offsets[s + 1] - c.offsets[s]) * (c.query_offsets[s + 1] - c.query_offsets[s]);
  return 2. * products * c.heads * c.head_dim * scores;
}

inline void run_attention(Job& job) {
  const bool bf16 = take<int>(job) != 0;
  const AttentionCall call = take_attention(job);
  job.flops = attention_flops(call, 2);
  float *y, *lse;
  take_all(job, y, lse);
  (bf16 ? job.table->bf16->attention : job.table->attention)(job.run, &call, y, lse);
}

inline void run_attention_grad(Job& job) {
  const AttentionCall call = take_attention(job);
  job.flops = attention_flops(call, 5);
  const float *y, *lse, *d_y;
  float *d_q, *d_k, *d_v;
  take_all(job, y, lse, d_y, d_q, d_k, d_v);
  job.table->attention_grad(job.run, &call, y, lse, d_y, d_q, d_k, d_v);
}

inline void run_adamw(Job& job) {
  AdamWCall c;
  take_all(job, c.param, c.m, c.v, c.grad, c.sum_squares, c.length, c.grad_scale, c.max_norm, c.lr, c.beta1, c.beta2,
           c.eps, c.weight_decay, c.correction1, c.correction2);
  job.table->adamw(job.run, &c);
}

// Stands in front of a kernel that looks ids up: each must be below `limit`, or `other`.
inline void check_ids(Job& job) {
  const int32_t* ids;
  int64_t count, limit, other;
  take_all(job, ids, count, limit, other);
  for (int64_t i = 0; i < count; ++i) {
    if ((uint32_t)ids[i] >= (uint64_t)limit && ids[i] != other)
      throw std::runtime_error("id " + std::to_string(ids[i]) + " at position " + std::to_string(i) +
                               ", but there are " + std::to_string(limit) + " rows");
  }
}

struct Command {
  const char* name;
  void (*run)(Job&);
};

// A command's code is its place here; codes.ts lists the same names in the same order.
inline constexpr Command kCommands[] = {
    {"fill", Plain<&KernelTable::fill>::run},
    {"fillI32", Plain<&KernelTable::fill_i32>::run},
    {"copy", run_copy},
    {"accumulate", Plain<&KernelTable::accumulate>::run},
    {"unary", Plain<&KernelTable::unary>::run},
    {"unaryGrad", Plain<&KernelTable::unary_grad>::run},
    {"binary", run_binary},
    {"where", Plain<&KernelTable::where>::run},
    {"reduce", Plain<&KernelTable::reduce>::run},
    {"argmax", Plain<&KernelTable::argmax>::run},
    {"matmul", run_matmul},
    {"pack", run_pack},
    {"unpack", run_unpack},
    {"softmax", Plain<&KernelTable::softmax>::run},
    {"softmaxGrad", Plain<&KernelTable::softmax_grad>::run},
    {"logSoftmax", Plain<&KernelTable::log_softmax>::run},
    {"logSoftmaxGrad", Plain<&KernelTable::log_softmax_grad>::run},
    {"layerNorm", Plain<&KernelTable::layer_norm>::run},
    {"layerNormGrad", Plain<&KernelTable::layer_norm_grad>::run},
    {"crossEntropy", Plain<&KernelTable::cross_entropy>::run},
    {"crossEntropyGrad", Plain<&KernelTable::cross_entropy_grad>::run},
    {"crossEntropyInPlace", run_cross_entropy_in_place},
    {"residualNorm", run_residual_norm},
    {"residualNormGrad", run_residual_norm_grad},
    {"embeddingNorm", run_embedding_norm},
    {"embeddingNormGrad", run_embedding_norm_grad},
    {"checkIds", check_ids},
    {"gather", Plain<&KernelTable::gather>::run},
    {"scatterAdd", Plain<&KernelTable::scatter_add>::run},
    {"dropout", run_dropout},
    {"attention", run_attention},
    {"attentionGrad", run_attention_grad},
    {"sumSquares", Plain<&KernelTable::sum_squares>::run},
    {"adamw", run_adamw},
};
inline constexpr int kCommandCount = sizeof kCommands / sizeof kCommands[0];

// Where a queue leaves how long its commands took: for each its code, when it began and ended (milliseconds from the
// start of the queue), and its flops.
struct Marks {
  static const int kEach = 4;
  double *at, *end;  // both null: nobody wants to know
  std::chrono::steady_clock::time_point start = std::chrono::steady_clock::now();

  double now() const {
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  }
  void put(int64_t code, double begin, double flops) {
    if (end - at < kEach) throw std::runtime_error("more commands than marks");
    *at++ = (double)code, *at++ = begin, *at++ = now(), *at++ = flops;
  }
};

// Runs a whole queue. What ran before a refused command stays done.
inline void run_queue(const KernelTable* table, const Run* run, const Arena& arena, const double* words, int64_t count,
                      Marks marks) {
  Job job = {table, run, &arena, words, words + count};
  while (job.at != job.end) {
    const int64_t code = job.integer();
    if (code < 0 || code >= kCommandCount) throw std::runtime_error("no command has the code " + std::to_string(code));
    try {
      if (marks.at == nullptr) {
        kCommands[code].run(job);
        continue;
      }
      const double begin = marks.now();
      job.flops = 0;
      kCommands[code].run(job);
      marks.put(code, begin, job.flops);
    } catch (const std::runtime_error& error) {
      throw std::runtime_error(std::string(kCommands[code].name) + ": " + error.what());
    }
  }
}
