// y = a b + bias for batches of matrices, each operand as it lies or transposed.

static inline Vec gemm_row(const MatmulCall& c, const float* a, const float* b, int64_t i, int64_t j, int64_t count) {
  Vec sum = {};
  for (int64_t p = 0; p < c.k; ++p) {
    const float x = c.transpose_a ? a[p * c.m + i] : a[i * c.k + p];
    sum += x * (c.transpose_b ? load_strided(b + j * c.k + p, c.k, count) : load_count(b + p * c.n + j, count));
  }
  return c.bias ? sum + load_count(c.bias + j, count) : sum;
}

static void matmul(const Run* run, const MatmulCall* call) {
  const MatmulCall c = *call;
  parallel_rows(run, c.batch * c.m, c.n * most(c.k, 1), [=](int64_t row) {
    const float *a = c.a + row / c.m * c.stride_a, *b = c.b + row / c.m * c.stride_b;
    each_vec(0, c.n, c.y + row * c.n, [=](int64_t j, int64_t count) { return gemm_row(c, a, b, row % c.m, j, count); });
  });
}
