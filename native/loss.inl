// Cross-entropy of rows of logits with one label each; made for a vocabulary of 30,000 columns.

static void cross_entropy(const Run* run, const float* logits, const int32_t* labels, float* losses, float* lse,
                          int64_t rows, int64_t cols, int32_t ignore_index) {
  parallel_rows(run, rows, cols, [=](int64_t row) {
    const float* x = logits + row * cols;
    const LogSum sum = log_sum_exp(x, cols);
    lse[row] = sum.top + sum.log_sum;
    losses[row] = labels[row] == ignore_index ? 0.f : (sum.top - x[labels[row]]) + sum.log_sum;
  });
}

static void cross_entropy_grad(const Run* run, const float* logits, const int32_t* labels, const float* lse,
                               const float* d_losses, float* d_logits, int64_t rows, int64_t cols,
                               int32_t ignore_index) {
  parallel_rows(run, rows, cols, [=](int64_t row) {
    const float *x = logits + row * cols, d_loss = d_losses[row], shift = lse[row];
    float* d_x = d_logits + row * cols;
    if (labels[row] == ignore_index) return each_vec(0, cols, d_x, [](int64_t, int64_t) { return Vec{}; });
    each_vec(0, cols, d_x, [=](int64_t i, int64_t count) { return vexp(load_count(x + i, count) - shift) * d_loss; });
    d_x[labels[row]] = (vexp(splat(x[labels[row]] - shift))[0] - 1.f) * d_loss;
  });
}
