// Kernels that visit a row once for what several kernels would: sum, dropout and LayerNorm; loss and its gradient. A
// row is summed up in scratch memory of its thread, which the first-level cache holds. Random numbers are drawn again
// on the way back (random.inl), so no mask is ever stored.

namespace {

// Rows that one partial sum of a gradient over rows is made of; by shape alone.
struct RowChunks {
  int64_t length, count;
};

// A LayerNorm's row, and the factors by which dropout multiplies it.
struct NormRow {
  float *sum, *keep;
};

struct NormSums {
  float *gamma, *beta;  // partial sums of a chunk of rows
};

}  // namespace

static const int kRowSlot = 5;  // scratch of a row; products and attention have slots of their own

static inline RowChunks row_chunks(int64_t rows, int64_t cols) {
  const int64_t length = most(16, kGrain / most(1, cols));
  return {length, (rows + length - 1) / length};
}

static inline NormRow norm_row(const Run* run, int64_t cols) {
  const int64_t size = round_up(cols, 16);
  float* at = (float*)run->scratch(kRowSlot, 2 * size * 4);
  return {at, at + size};
}

// Factors of a row: 0 where dropped.
static inline void keep_factors(const RowDropout& call, const Dropout& d, int64_t row, int64_t cols, float* keep) {
  const int64_t place = call.rows == nullptr ? row : call.rows[row];
  for (int64_t block = 0; block * kBlock < cols; ++block) {
    UVec words[kBlockVecs];
    random_words(d, place, block, words);
    for (int v = 0; v < kBlockVecs && block * kBlock + v * VL < cols; ++v) {
      const int64_t i = block * kBlock + v * VL;
      store_count(keep + i, words[v] >= d.threshold ? splat(d.scale) : Vec{}, least(VL, cols - i));
    }
  }
}

// Mean and 1 / deviation of a row that is in the first-level cache: two passes, no cancellation between large squares.
static inline void norm_statistics(const float* x, int64_t cols, float eps, float* mean, float* rstd) {
  const float center = row_sum(cols, [=](int64_t i, int64_t n) { return load_count(x + i, n); }) / (float)cols;
  const float squares = row_sum(cols, [=](int64_t i, int64_t n) {
    const Vec d = with_rest(load_count(x + i, n) - center, n, 0.f);
    return d * d;
  });
  *mean = center, *rstd = 1.f / __builtin_sqrtf(squares / (float)cols + eps);
}

// With h = (x - mean) rstd and g = dY gamma: calls write(i, count, rstd (g - mean(g) - h mean(g h))), and adds dY h and
// dY to the sums.
template <class Arrive, class Write>
static inline void norm_row_grad(const float* x, int64_t cols, const float* gamma, float mean, float rstd,
                                 const NormSums& sums, Arrive arrive, Write write) {
  Vec sum[2] = {}, dot[2] = {};
  for (int64_t i = 0, odd = 0; i < cols; i += VL, odd ^= 1) {
    const int64_t n = least(VL, cols - i);
    const Vec d = arrive(i, n), h = with_rest((load_count(x + i, n) - mean) * rstd, n, 0.f), dh = d * h;
    const Vec g = load_count(gamma + i, n);
    store_count(sums.gamma + i, load_count(sums.gamma + i, n) + dh, n);
    store_count(sums.beta + i, load_count(sums.beta + i, n) + d, n);
    sum[odd] += d * g, dot[odd] += dh * g;
  }
  const float mean_g = hsum(sum[0] + sum[1]) / (float)cols, mean_gh = hsum(dot[0] + dot[1]) / (float)cols;
  for (int64_t i = 0; i < cols; i += VL) {
    const int64_t n = least(VL, cols - i);
    const Vec h = (load_count(x + i, n) - mean) * rstd;
    write(i, n, (arrive(i, n) * load_count(gamma + i, n) - mean_g - h * mean_gh) * rstd);
  }
}

// body(row, scratch) for all rows.
template <class F>
static inline void each_norm_row(const Run* run, int64_t rows, int64_t cols, F body) {
  auto chunk = [&](int64_t begin, int64_t end) {
    const NormRow scratch = norm_row(run, cols);
    for (int64_t row = begin; row < end; ++row) body(row, scratch);
  };
  parallel(run, rows, most(1, kGrain / most(cols, 1)), chunk);
}

// The same with partial sums of the gradients of gamma and beta, which are folded in the order of the chunks.
template <class F>
static inline void each_norm_row_grad(const Run* run, int64_t rows, int64_t cols, float* d_gamma, float* d_beta,
                                      F body) {
  const RowChunks chunks = row_chunks(rows, cols);
  float* part_gamma = (float*)run->scratch(6, chunks.count * cols * 4);
  float* part_beta = (float*)run->scratch(7, chunks.count * cols * 4);
  auto chunk = [&](int64_t begin, int64_t end) {
    const NormRow scratch = norm_row(run, cols);
    for (int64_t i = begin; i < end; ++i) {
      const NormSums sums = {part_gamma + i * cols, part_beta + i * cols};
      __builtin_memset(sums.gamma, 0, (unsigned long)cols * 4);
      __builtin_memset(sums.beta, 0, (unsigned long)cols * 4);
      for (int64_t row = i * chunks.length; row < least(rows, (i + 1) * chunks.length); ++row) body(row, scratch, sums);
    }
  };
  parallel(run, chunks.count, 1, chunk);
  reduce(run, kSum, part_gamma, d_gamma, 1, chunks.count, cols);
  reduce(run, kSum, part_beta, d_beta, 1, chunks.count, cols);
}

static inline void residual_sum(const ResidualNormCall& c, const Dropout& d, int64_t row, const NormRow& to) {
  const float *x = c.x + row * c.cols, *residual = c.residual + row * c.cols;
  if (c.dropout.rate == 0) {
    return each_vec(0, c.cols, to.sum,
                    [=](int64_t i, int64_t n) { return load_count(x + i, n) + load_count(residual + i, n); });
  }
  keep_factors(c.dropout, d, row, c.cols, to.keep);
  each_vec(0, c.cols, to.sum, [=](int64_t i, int64_t n) {
    return load_count(x + i, n) * load_count(to.keep + i, n) + load_count(residual + i, n);
  });
}

static void residual_norm(const Run* run, const ResidualNormCall* call, float* y, float* mean, float* rstd) {
  const ResidualNormCall& c = *call;
  const Dropout drop = make_dropout(c.dropout.key, c.cols, c.dropout.rate);
  each_norm_row(run, c.rows, c.cols, [&](int64_t row, const NormRow& s) {
    residual_sum(c, drop, row, s);
    norm_statistics(s.sum, c.cols, c.eps, mean + row, rstd + row);
    const float center = mean[row], scale = rstd[row];
    each_vec(0, c.cols, y + row * c.cols, [=](int64_t i, int64_t n) {
      return (load_count(s.sum + i, n) - center) * scale * load_count(c.gamma + i, n) + load_count(c.beta + i, n);
    });
  });
}

static void residual_norm_grad(const Run* run, const ResidualNormCall* call, const float* mean, const float* rstd,
                               const float* d_y, float* d_x, float* d_residual, float* d_gamma, float* d_beta) {
  const ResidualNormCall& c = *call;
  const Dropout drop = make_dropout(c.dropout.key, c.cols, c.dropout.rate);
  const bool drops = c.dropout.rate > 0;
  each_norm_row_grad(run, c.rows, c.cols, d_gamma, d_beta, [&](int64_t row, const NormRow& s, const NormSums& sums) {
    const int64_t at = row * c.cols;
    residual_sum(c, drop, row, s);
    norm_row_grad(
        s.sum, c.cols, c.gamma, mean[row], rstd[row], sums,
        [=](int64_t i, int64_t n) { return load_count(d_y + at + i, n); },
        [=](int64_t i, int64_t n, Vec d) {
          store_count(d_residual + at + i, d, n);
          store_count(d_x + at + i, drops ? d * load_count(s.keep + i, n) : d, n);
        });
  });
}

// Words lie anywhere in their table: the next one is asked for meanwhile.
static inline void embedding_sum(const EmbeddingNormCall& c, int64_t row, float* to) {
  const float *word = c.tables[0] + c.ids[0][row] * c.cols, *position = c.tables[1] + c.ids[1][row] * c.cols,
              *type = c.tables[2] + c.ids[2][row] * c.cols;
  const float* next = c.tables[0] + c.ids[0][least(row + 1, c.rows - 1)] * c.cols;
  each_vec(0, c.cols, to, [=](int64_t i, int64_t n) {
    __builtin_prefetch(next + i);
    return load_count(word + i, n) + load_count(type + i, n) + load_count(position + i, n);
  });
}

static void embedding_norm(const Run* run, const EmbeddingNormCall* call, float* y, float* mean, float* rstd) {
  const EmbeddingNormCall& c = *call;
  const Dropout drop = make_dropout(c.dropout.key, c.cols, c.dropout.rate);
  const bool drops = c.dropout.rate > 0;
  each_norm_row(run, c.rows, c.cols, [&](int64_t row, const NormRow& s) {
    embedding_sum(c, row, s.sum);
    norm_statistics(s.sum, c.cols, c.eps, mean + row, rstd + row);
    if (drops) keep_factors(c.dropout, drop, row, c.cols, s.keep);
    const float center = mean[row], scale = rstd[row];
    each_vec(0, c.cols, y + row * c.cols, [=](int64_t i, int64_t n) {
      const Vec norm =
          (load_count(s.sum + i, n) - center) * scale * load_count(c.gamma + i, n) + load_count(c.beta + i, n);
      return drops ? norm * load_count(s.keep + i, n) : norm;
    });
  });
}

static void embedding_norm_grad(const Run* run, const EmbeddingNormCall* call, const float* mean, const float* rstd,
                                const float* d_y, float* d_sum, float* d_gamma, float* d_beta) {
  const EmbeddingNormCall& c = *call;
  const Dropout drop = make_dropout(c.dropout.key, c.cols, c.dropout.rate);
  const bool drops = c.dropout.rate > 0;
  each_norm_row_grad(run, c.rows, c.cols, d_gamma, d_beta, [&](int64_t row, const NormRow& s, const NormSums& sums) {
    const int64_t at = row * c.cols;
    embedding_sum(c, row, s.sum);
    if (drops) keep_factors(c.dropout, drop, row, c.cols, s.keep);
    norm_row_grad(
        s.sum, c.cols, c.gamma, mean[row], rstd[row], sums,
        [=](int64_t i, int64_t n) {
          const Vec d = load_count(d_y + at + i, n);
          return drops ? d * load_count(s.keep + i, n) : d;
        },
        [=](int64_t i, int64_t n, Vec d) { store_count(d_sum + at + i, d, n); });
  });
}

static inline bool is_first_largest(const float* x, int64_t label, float top) {
  if (x[label] != top) return false;
  for (int64_t i = 0; i < label; ++i)
    if (x[i] == top) return false;
  return true;
}

// One row: x becomes e^(x - top), then that times scale / sum, with the whole sum taken from the label's: a
// second-level cache holds the row meanwhile, and each element costs one exponential. `part` adds the gradient up.
static void loss_row(const CrossEntropyInPlaceCall& c, int64_t row, float* part) {
  float *x = c.logits + row * c.cols, *results = c.results + row;
  const int32_t label = c.labels[row];
  if (label == c.ignore_index) {
    results[0] = results[c.rows] = 0.f;
    return each_vec(0, c.cols, x, [](int64_t, int64_t) { return Vec{}; });
  }
  const float top = row_max(x, c.cols), logit = x[label];
  results[c.rows] = is_first_largest(x, label, top) ? 1.f : 0.f;
  const float sum = row_sum(c.cols, [=](int64_t i, int64_t n) {
    const Vec e = with_rest(vexp(load_count(x + i, n) - top), n, 0.f);
    store_count(x + i, e, n);
    return e;
  });
  results[0] = ((top - logit) + vlog(splat(sum))[0]) * c.scale;
  x[label] -= sum;
  const float factor = c.scale / sum;
  each_vec(0, c.cols, x, [=](int64_t i, int64_t n) {
    const Vec g = load_count(x + i, n) * factor;
    store_count(part + i, load_count(part + i, n) + g, n);
    return g;
  });
}

static void cross_entropy_in_place(const Run* run, const CrossEntropyInPlaceCall* call) {
  const CrossEntropyInPlaceCall& c = *call;
  const int64_t length = 16, chunks = (c.rows + length - 1) / length;
  float* parts = (float*)run->scratch(6, chunks * c.cols * 4);
  auto body = [&](int64_t begin, int64_t end) {
    for (int64_t chunk = begin; chunk < end; ++chunk) {
      float* part = parts + chunk * c.cols;
      each_vec(0, c.cols, part, [](int64_t, int64_t) { return Vec{}; });
      for (int64_t row = chunk * length; row < least(c.rows, (chunk + 1) * length); ++row) loss_row(c, row, part);
    }
  };
  parallel(run, chunks, 1, body);
  reduce(run, kSum, parts, c.sums, 1, chunks, c.cols);
}
