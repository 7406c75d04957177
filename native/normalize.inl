// LayerNorm over rows (Ba et al. 2016, arXiv:1607.06450): biased variance, eps inside the root.

static void layer_norm(const Run* run, const float* x, const float* gamma, const float* beta, float* y, float* mean,
                       float* rstd, int64_t rows, int64_t cols, float eps) {
  parallel_rows(run, rows, cols, [=](int64_t row) {
    const float* px = x + row * cols;
    // Two passes over a row in the first-level cache: no cancellation between large squares.
    const float center = row_sum(cols, [=](int64_t i, int64_t n) { return load_count(px + i, n); }) / (float)cols;
    const float squares = row_sum(cols, [=](int64_t i, int64_t n) {
      const Vec d = with_rest(load_count(px + i, n) - center, n, 0.f);
      return d * d;
    });
    const float scale = 1.f / __builtin_sqrtf(squares / (float)cols + eps);
    mean[row] = center;
    rstd[row] = scale;
    each_vec(0, cols, y + row * cols, [=](int64_t i, int64_t n) {
      return (load_count(px + i, n) - center) * scale * load_count(gamma + i, n) + load_count(beta + i, n);
    });
  });
}

// With n = (x - mean) rstd and g = dY gamma: dX = rstd (g - mean(g) - n mean(g n)); dGamma = sum of dY n, dBeta = sum
// of dY over rows: one partial per chunk of rows, folded in order of the chunks.
static void layer_norm_grad(const Run* run, const float* x, const float* gamma, const float* mean, const float* rstd,
                            const float* d_y, float* d_x, float* d_gamma, float* d_beta, int64_t rows, int64_t cols) {
  const int64_t length = most(16, kGrain / most(1, cols)), chunks = (rows + length - 1) / length;
  float* part_gamma = (float*)run->scratch(6, chunks * cols * 4);
  float* part_beta = (float*)run->scratch(7, chunks * cols * 4);
  auto body = [=](int64_t begin, int64_t end) {
    float *sum_gamma = part_gamma + begin / length * cols, *sum_beta = part_beta + begin / length * cols;
    __builtin_memset(sum_gamma, 0, (unsigned long)cols * 4);
    __builtin_memset(sum_beta, 0, (unsigned long)cols * 4);
    for (int64_t row = begin; row < end; ++row) {
      const float *px = x + row * cols, *pd = d_y + row * cols, center = mean[row], scale = rstd[row];
      auto norm = [=](int64_t i, int64_t n) { return with_rest((load_count(px + i, n) - center) * scale, n, 0.f); };
      float dot = 0;
      const float sum =
          row_sum(cols, [=](int64_t i, int64_t n) { return load_count(pd + i, n) * load_count(gamma + i, n); });
      dot = row_sum(cols, [=](int64_t i, int64_t n) {
        const Vec d = load_count(pd + i, n), dn = d * norm(i, n);
        store_count(sum_gamma + i, load_count(sum_gamma + i, n) + dn, n);
        store_count(sum_beta + i, load_count(sum_beta + i, n) + d, n);
        return dn * load_count(gamma + i, n);
      });
      const float mean_g = sum / (float)cols, mean_gn = dot / (float)cols;
      each_vec(0, cols, d_x + row * cols, [=](int64_t i, int64_t n) {
        return (load_count(pd + i, n) * load_count(gamma + i, n) - mean_g - norm(i, n) * mean_gn) * scale;
      });
    }
  };
  // Chunks are taken one by one even where all fit the calling thread, so that the partials are the same.
  auto every = [=, &body](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) body(i * length, least(rows, (i + 1) * length));
  };
  parallel(run, chunks, 1, every);
  reduce(run, kSum, part_gamma, d_gamma, 1, chunks, cols);
  reduce(run, kSum, part_beta, d_beta, 1, chunks, cols);
}
