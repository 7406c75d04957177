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
    const float dot =
        row_sum(cols, [=](int64_t i, int64_t n) { return load_count(py + i, n) * load_count(pd + i, n); });
    each_vec(0, cols, d_x + row * cols,
             [=](int64_t i, int64_t n) { return load_count(py + i, n) * (load_count(pd + i, n) - dot); });
  });
}

// log of the sum of e^x is top + log_sum, top the largest x. One walk from memory: stretches short enough for the
// first-level cache are looked through for their largest element, and the sum so far is scaled down where it has grown.
struct LogSum {
  float top, log_sum;
};

static inline LogSum log_sum_exp(const float* x, int64_t n) {
  const int64_t stretch = 2048;
  float top = -kInf, sum = 0.f;
  for (int64_t first = 0; first < n; first += stretch) {
    const int64_t length = least(stretch, n - first);
    const float largest = row_max(x + first, length);
    if (largest > top) {
      sum *= vexp(splat(top - largest))[0];
      top = largest;
    }
    sum += row_sum(length, [=](int64_t i, int64_t count) {
      return with_rest(vexp(load_count(x + first + i, count) - top), count, 0.f);
    });
  }
  return {top, vlog(splat(sum))[0]};
}

static void log_softmax(const Run* run, const float* x, float* y, int64_t rows, int64_t cols) {
  parallel_rows(run, rows, cols, [=](int64_t row) {
    const float* px = x + row * cols;
    const LogSum lse = log_sum_exp(px, cols);
    each_vec(0, cols, y + row * cols,
             [=](int64_t i, int64_t n) { return (load_count(px + i, n) - lse.top) - lse.log_sum; });
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
