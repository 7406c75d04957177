// The commands of a queue (src/backend/native/queue.ts): a code, then sizes, then byte offsets into the arena and
// constants, in the order in which the functions below read them. codes.ts lists the same names in the same order.
#pragma once
#include "reader.h"

static const int64_t kNone = INT64_MIN;  // no id is excepted

struct Job {
  const KernelTable* table;
  const Run* run;
  Reader& in;
};

inline void run_fill(Job& job) {
  const int64_t n = job.in.size();
  float* y = job.in.floats(n);
  job.table->fill(job.run, y, n, (float)job.in.number());
}

inline void run_fill_i32(Job& job) {
  const int64_t n = job.in.size();
  int32_t* y = job.in.ints(n);
  job.table->fill_i32(job.run, y, n, (int32_t)job.in.integer());
}

inline void run_copy(Job& job) {
  int64_t shape[8];
  Walk from, to;
  const int rank = job.in.below(9);
  job.in.sizes(rank, shape);
  from.offset = job.in.integer();
  job.in.integers(rank, from.strides);
  to.offset = job.in.integer();
  job.in.integers(rank, to.strides);
  const uint32_t* x = (const uint32_t*)job.in.walked(rank, shape, from.offset, from.strides);
  uint32_t* y = (uint32_t*)job.in.walked(rank, shape, to.offset, to.strides);
  if (y != nullptr) job.table->copy(job.run, x, y, rank, shape, &from, &to);
}

inline void run_accumulate(Job& job) {
  const int64_t n = job.in.size();
  const float* x = job.in.floats(n);
  job.table->accumulate(job.run, x, job.in.floats(n), n);
}

inline void run_unary(Job& job) {
  const int fn = job.in.below(kUnaryCount);
  const int64_t n = job.in.size();
  const float* x = job.in.floats(n);
  float* y = job.in.floats(n);
  job.table->unary(job.run, fn, x, y, n, (float)job.in.number());
}

inline void run_unary_grad(Job& job) {
  const int fn = job.in.below(kUnaryCount);
  const int64_t n = job.in.size();
  const float* x = job.in.floats(n);
  const float* y = job.in.floats(n);
  const float* d_y = job.in.floats(n);
  float* d_x = job.in.floats(n);
  job.table->unary_grad(job.run, fn, x, y, d_y, d_x, n, (float)job.in.number());
}

inline void run_binary(Job& job) {
  int64_t shape[8], a_strides[8], b_strides[8];
  const int fn = job.in.below(kBinaryCount);
  const int rank = job.in.below(9);
  job.in.sizes(rank, shape);
  job.in.integers(rank, a_strides);
  job.in.integers(rank, b_strides);
  const float* a = (const float*)job.in.walked(rank, shape, 0, a_strides);
  const float* b = (const float*)job.in.walked(rank, shape, 0, b_strides);
  int64_t n = 1;
  for (int i = 0; i < rank; ++i) n = Reader::times(n, shape[i]);
  float* y = job.in.floats(n);
  if (n > 0) job.table->binary(job.run, fn, a, b, y, rank, shape, a_strides, b_strides);
}

inline void run_where(Job& job) {
  const int64_t n = job.in.size();
  const float* condition = job.in.floats(n);
  const float* a = job.in.floats(n);
  const float* b = job.in.floats(n);
  job.table->where(job.run, condition, a, b, job.in.floats(n), n);
}

inline void run_reduce(Job& job) {
  const int fn = job.in.below(kMin + 1);
  const int64_t outer = job.in.size(), size = job.in.size(), inner = job.in.size();
  const float* x = job.in.floats(Reader::times(outer, Reader::times(size, inner)));
  job.table->reduce(job.run, fn, x, job.in.floats(Reader::times(outer, inner)), outer, size, inner);
}

inline void run_argmax(Job& job) {
  const int64_t rows = job.in.size(), cols = job.in.size();
  const float* x = job.in.floats(Reader::times(rows, cols));
  job.table->argmax(job.run, x, job.in.ints(rows), rows, cols);
}

inline void run_matmul(Job& job) {
  MatmulCall call;
  Reader& in = job.in;
  call.m = in.size(), call.n = in.size(), call.k = in.size();
  call.transpose_a = in.below(2), call.transpose_b = in.below(2);
  call.batch = in.size(), call.stride_a = in.size(), call.stride_b = in.size();
  const int64_t last = call.batch - 1;
  call.a = in.floats(last < 0 ? 0 : Reader::times(last, call.stride_a) + Reader::times(call.m, call.k));
  call.b = in.floats(last < 0 ? 0 : Reader::times(last, call.stride_b) + Reader::times(call.k, call.n));
  call.y = in.floats(Reader::times(call.batch, Reader::times(call.m, call.n)));
  call.bias = in.floats_or_null(call.n);
  job.table->matmul(job.run, &call);
}

// softmax and log_softmax: [rows, cols] to the same.
typedef void (*RowsFn)(const Run*, const float*, float*, int64_t, int64_t);
inline void run_rows(Job& job, RowsFn fn) {
  const int64_t rows = job.in.size(), cols = job.in.size(), n = Reader::times(rows, cols);
  const float* x = job.in.floats(n);
  fn(job.run, x, job.in.floats(n), rows, cols);
}
inline void run_softmax(Job& job) { run_rows(job, job.table->softmax); }
inline void run_log_softmax(Job& job) { run_rows(job, job.table->log_softmax); }

typedef void (*RowsGradFn)(const Run*, const float*, const float*, float*, int64_t, int64_t);
inline void run_rows_grad(Job& job, RowsGradFn fn) {
  const int64_t rows = job.in.size(), cols = job.in.size(), n = Reader::times(rows, cols);
  const float* y = job.in.floats(n);
  const float* d_y = job.in.floats(n);
  fn(job.run, y, d_y, job.in.floats(n), rows, cols);
}
inline void run_softmax_grad(Job& job) { run_rows_grad(job, job.table->softmax_grad); }
inline void run_log_softmax_grad(Job& job) { run_rows_grad(job, job.table->log_softmax_grad); }

inline void run_layer_norm(Job& job) {
  const int64_t rows = job.in.size(), cols = job.in.size(), n = Reader::times(rows, cols);
  const float* x = job.in.floats(n);
  const float* gamma = job.in.floats(cols);
  const float* beta = job.in.floats(cols);
  float* y = job.in.floats(n);
  float* mean = job.in.floats(rows);
  float* rstd = job.in.floats(rows);
  job.table->layer_norm(job.run, x, gamma, beta, y, mean, rstd, rows, cols, (float)job.in.number());
}

inline void run_layer_norm_grad(Job& job) {
  const int64_t rows = job.in.size(), cols = job.in.size(), n = Reader::times(rows, cols);
  const float* x = job.in.floats(n);
  const float* gamma = job.in.floats(cols);
  const float* mean = job.in.floats(rows);
  const float* rstd = job.in.floats(rows);
  const float* d_y = job.in.floats(n);
  float* d_x = job.in.floats(n);
  float* d_gamma = job.in.floats(cols);
  float* d_beta = job.in.floats(cols);
  job.table->layer_norm_grad(job.run, x, gamma, mean, rstd, d_y, d_x, d_gamma, d_beta, rows, cols);
}

inline void run_cross_entropy(Job& job) {
  const int64_t rows = job.in.size(), cols = job.in.size(), ignore = job.in.integer();
  const float* logits = job.in.floats(Reader::times(rows, cols));
  const int32_t* labels = job.in.ints(rows);
  float* losses = job.in.floats(rows);
  float* lse = job.in.floats(rows);
  check_ids(labels, rows, cols, ignore);
  job.table->cross_entropy(job.run, logits, labels, losses, lse, rows, cols, (int32_t)ignore);
}

inline void run_cross_entropy_grad(Job& job) {
  const int64_t rows = job.in.size(), cols = job.in.size(), ignore = job.in.integer(), n = Reader::times(rows, cols);
  const float* logits = job.in.floats(n);
  const int32_t* labels = job.in.ints(rows);
  const float* lse = job.in.floats(rows);
  const float* d_losses = job.in.floats(rows);
  float* d_logits = job.in.floats(n);
  check_ids(labels, rows, cols, ignore);
  job.table->cross_entropy_grad(job.run, logits, labels, lse, d_losses, d_logits, rows, cols, (int32_t)ignore);
}

inline void run_gather(Job& job) {
  const int64_t rows = job.in.size(), width = job.in.size(), table_rows = job.in.size();
  const float* table = job.in.floats(Reader::times(table_rows, width));
  const int32_t* ids = job.in.ints(rows);
  float* y = job.in.floats(Reader::times(rows, width));
  check_ids(ids, rows, table_rows, kNone);
  job.table->gather(job.run, table, ids, y, rows, width);
}

inline void run_scatter_add(Job& job) {
  const int64_t rows = job.in.size(), width = job.in.size(), table_rows = job.in.size();
  const int32_t* ids = job.in.ints(rows);
  const float* d_y = job.in.floats(Reader::times(rows, width));
  float* d_table = job.in.floats(Reader::times(table_rows, width));
  check_ids(ids, rows, table_rows, kNone);
  job.table->scatter_add(job.run, ids, d_y, d_table, rows, width, table_rows);
}

inline RandomKey random_key(Reader& in) {
  RandomKey key;
  key.seed_low = in.word(), key.seed_high = in.word(), key.stream = in.word(), key.step = in.word();
  key.row = in.integer();
  return key;
}

inline void run_dropout(Job& job) {
  const int64_t rows = job.in.size(), cols = job.in.size(), n = Reader::times(rows, cols);
  const double rate = job.in.number();
  const RandomKey key = random_key(job.in);
  const float* x = job.in.floats(n);
  job.table->dropout(job.run, x, job.in.floats(n), rows, cols, rate, &key);
}

inline AttentionCall attention_call(Reader& in) {
  AttentionCall call;
  call.rows = in.size(), call.sequences = in.size(), call.heads = in.size(), call.head_dim = in.size();
  call.max_seq = in.size(), call.scale = (float)in.number(), call.dropout_rate = in.number();
  call.key = random_key(in);
  const int64_t n = Reader::times(call.rows, Reader::times(call.heads, call.head_dim));
  call.q = in.floats(n), call.k = in.floats(n), call.v = in.floats(n);
  call.key_bias = in.floats(call.rows), call.offsets = in.ints(call.sequences + 1);
  bool rising = call.offsets[0] == 0 && call.offsets[call.sequences] == call.rows;
  for (int64_t i = 0; i < call.sequences; ++i) {
    const int64_t length = (int64_t)call.offsets[i + 1] - call.offsets[i];
    rising &= length >= 0 && length <= call.max_seq;
  }
  if (!rising)
    throw std::runtime_error("offsets that do not rise from 0 to the rows, or a sequence beyond the longest");
  return call;
}

inline void run_attention(Job& job) {
  const AttentionCall call = attention_call(job.in);
  float* y = job.in.floats(call.rows * call.heads * call.head_dim);
  job.table->attention(job.run, &call, y, job.in.floats(call.rows * call.heads));
}

inline void run_attention_grad(Job& job) {
  const AttentionCall call = attention_call(job.in);
  const int64_t n = call.rows * call.heads * call.head_dim;
  const float* y = job.in.floats(n);
  const float* lse = job.in.floats(call.rows * call.heads);
  const float* d_y = job.in.floats(n);
  float* d_q = job.in.floats(n);
  float* d_k = job.in.floats(n);
  job.table->attention_grad(job.run, &call, y, lse, d_y, d_q, d_k, job.in.floats(n));
}

inline void run_sum_squares(Job& job) {
  const int64_t n = job.in.size();
  const float* x = job.in.floats(n);
  job.table->sum_squares(job.run, x, n, job.in.floats(1));
}

inline void run_adamw(Job& job) {
  AdamWCall call;
  Reader& in = job.in;
  call.length = in.size();
  for (float* constant : {&call.grad_scale, &call.max_norm, &call.lr, &call.beta1, &call.beta2, &call.eps,
                          &call.weight_decay, &call.correction1, &call.correction2})
    *constant = (float)in.number();
  call.param = in.floats(call.length), call.m = in.floats(call.length), call.v = in.floats(call.length);
  call.grad = in.floats(call.length), call.sum_squares = in.floats(1);
  job.table->adamw(job.run, &call);
}

struct Command {
  const char* name;
  void (*run)(Job&);
};

// A command's code is its place here.
inline constexpr Command kCommands[] = {
    {"fill", run_fill},
    {"fillI32", run_fill_i32},
    {"copy", run_copy},
    {"accumulate", run_accumulate},
    {"unary", run_unary},
    {"unaryGrad", run_unary_grad},
    {"binary", run_binary},
    {"where", run_where},
    {"reduce", run_reduce},
    {"argmax", run_argmax},
    {"matmul", run_matmul},
    {"softmax", run_softmax},
    {"softmaxGrad", run_softmax_grad},
    {"logSoftmax", run_log_softmax},
    {"logSoftmaxGrad", run_log_softmax_grad},
    {"layerNorm", run_layer_norm},
    {"layerNormGrad", run_layer_norm_grad},
    {"crossEntropy", run_cross_entropy},
    {"crossEntropyGrad", run_cross_entropy_grad},
    {"gather", run_gather},
    {"scatterAdd", run_scatter_add},
    {"dropout", run_dropout},
    {"attention", run_attention},
    {"attentionGrad", run_attention_grad},
    {"sumSquares", run_sum_squares},
    {"adamw", run_adamw},
};
inline constexpr int kCommandCount = sizeof kCommands / sizeof kCommands[0];

// Runs a whole queue. What ran before a bad command stays done.
inline void run_queue(const KernelTable* table, const Run* run, const Arena& arena, const double* words,
                      int64_t count) {
  Reader in(words, count, arena);
  Job job = {table, run, in};
  for (int64_t place = 0; !in.done(); ++place) {
    const char* name = "a code";
    try {
      const Command& command = kCommands[in.below(kCommandCount)];
      name = command.name;
      command.run(job);
    } catch (const std::runtime_error& error) {
      throw std::runtime_error(std::string(name) + " (command " + std::to_string(place) +
                               " of a queue): " + error.what());
    }
  }
}
