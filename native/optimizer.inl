// The optimizer's one pass over parameters, gradients and moments, and the norm it needs.

// Chunks of fixed length in single precision (four accumulators a vector wide), their sums in double precision, in
// order.
static void sum_squares(const Run* run, const float* x, int64_t n, float* out) {
  const int64_t chunks = (n + kGrain - 1) / kGrain;
  double* parts = (double*)run->scratch(0, most(1, chunks) * 8);
  auto body = [=](int64_t begin, int64_t end) {
    for (int64_t chunk = begin; chunk < end; ++chunk) {
      const float* p = x + chunk * kGrain;
      parts[chunk] = row_sum(least(kGrain, n - chunk * kGrain), [=](int64_t i, int64_t count) {
        const Vec v = load_count(p + i, count);
        return v * v;
      });
    }
  };
  parallel(run, chunks, 1, body);
  double sum = 0;
  for (int64_t i = 0; i < chunks; ++i) sum += parts[i];
  *out = (float)sum;
}

// Loshchilov and Hutter 2019, arXiv:1711.05101, algorithm 2, with the global norm's clip factor folded in. A norm that
// is not finite skips the whole step: one overflowing gradient must not reach the moments.
static void adamw(const Run* run, const AdamWCall* call) {
  const AdamWCall c = *call;
  if (!(*c.sum_squares < kInf)) return;
  const double norm = __builtin_sqrt((double)*c.sum_squares) * c.grad_scale, ratio = c.max_norm / (norm + 1e-6);
  const float factor = (float)(c.grad_scale * (ratio < 1 ? ratio : 1));
  // Rounded once, here: 1 - beta2 of a rounded beta2 would be wrong in its fifth digit.
  const float beta1 = (float)c.beta1, beta2 = (float)c.beta2, rest1 = (float)(1 - c.beta1),
              rest2 = (float)(1 - c.beta2);
  const float lr = (float)c.lr, decay = (float)c.weight_decay, eps = (float)c.eps;
  const float correction1 = (float)c.correction1, correction2 = (float)c.correction2;
  auto body = [=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i += VL) {
      const int64_t count = least(VL, end - i);
      const Vec g = load_count(c.grad + i, count) * factor, p = load_count(c.param + i, count);
      const Vec m = load_count(c.m + i, count) * beta1 + g * rest1;
      const Vec v = load_count(c.v + i, count) * beta2 + g * g * rest2;
      const Vec update = m * correction1 / (vsqrt(v * correction2) + eps);
      store_count(c.m + i, m, count);
      store_count(c.v + i, v, count);
      store_count(c.param + i, p - (update + p * decay) * lr, count);
    }
  };
  parallel(run, c.length, kGrain, body);
}
