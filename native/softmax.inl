// Softmax and its logarithm over rows: largest element, then exponentials and their sum, then the scale; a row of some
// ten thousand elements stays in the second-level cache between the passes.

static void softmax(const Run* run, const float* x, float* y, int64_t rows, int64_t cols) {
  parallel_rows(run, rows, cols, [=](int64_t row) {
    const float* px = x + row * cols;
    float* py = y + row * cols;
    const float top = row_max(px, cols);
    const float sum = row_sum(cols, [=](int64_t i, int64_t count) {
      const Vec e = with_rest(vexp(load_count(px + i, count) - top), count, 0.f);
      store_count(py + i, e, count);
      return e;
    });
    const float scale = 1.f / sum;
    each_vec(0, cols, py, [=](int64_t i, int64_t count) { return load_count(py + i, count) * scale; });
  });
}

static void softmax_grad(const Run* run, const float* y, const float* d_y, float* d_x, int64_t rows, int64_t cols) {
  parallel_rows(run, rows, cols, [=](int64_t row) {
    const float *py = y + row * cols, *pd = d_y + row * cols;
    const float dot = row_sum(cols, [=](int64_t i, int64_t n) { return load_count(py + i, n) * load_count(pd + i, n); });
    each_vec(0, cols, d_x + row * cols,
             [=](int64_t i, int64_t n) { return load_count(py + i, n) * (load_count(pd + i, n) - dot); });
  });
}

// log of the sum of e^(x - top).
static inline float log_sum_exp(const float* x, int64_t n, float top) {
  const float sum = row_sum(n, [=](int64_t i, int64_t count) { return with_rest(vexp(load_count(x + i, count) - top), count, 0.f); });
  return vlog(splat(sum))[0];
}

static void log_softmax(const Run* run, const float* x, float* y, int64_t rows, int64_t cols) {
  parallel_rows(run, rows, cols, [=](int64_t row) {
    const float* px = x + row * cols;
    const float top = row_max(px, cols), log_sum = log_sum_exp(px, cols, top);
    each_vec(0, cols, y + row * cols, [=](int64_t i, int64_t n) { return (load_count(px + i, n) - top) - log_sum; });
  });
}

static void log_softmax_grad(const Run* run, const float* y, const float* d_y, float* d_x, int64_t rows, int64_t cols) {
  parallel_rows(run, rows, cols, [=](int64_t row) {
    const float *py = y + row * cols, *pd = d_y + row * cols;
    const float sum = row_sum(cols, [=](int64_t i, int64_t n) { return load_count(pd + i, n); });
    each_vec(0, cols, d_x + row * cols,
             [=](int64_t i, int64_t n) { return load_count(pd + i, n) - vexp(load_count(py + i, n)) * sum; });
  });
}
