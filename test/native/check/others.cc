// Kernels that see more than one row at a time, against plain loops.
#include "check.h"

namespace {

const double kUlp = ldexp(1, -24);

void check_reduce(const KernelTable& t, int64_t outer, int64_t size, int64_t inner) {
  const Floats x = numbers(outer * size * inner, -1, 1, 1);
  for (const int fn : {kSum, kMax, kMin}) {
    Doubles y(outer * inner, fn == kSum ? 0 : fn == kMax ? -HUGE_VAL : HUGE_VAL);
    for (int64_t i = 0; i < outer * size * inner; ++i) {
      double& to = y[i / (size * inner) * inner + i % inner];
      to = fn == kSum ? to + x[i] : fn == kMax ? std::max(to, (double)x[i]) : std::min(to, (double)x[i]);
    }
    check(t, "reduce " + std::to_string(size), y, fn == kSum ? kUlp * (24 + (double)size) : 0,
          [&](const Run* run, float* out) { t.reduce(run, fn, x.data(), out, outer, size, inner); });
  }
}

// Every third row of [5, rows, cols], with the last two axes exchanged; and the same added to a row vector.
void check_walks(const KernelTable& t, int64_t rows, int64_t cols) {
  const Floats x = numbers(5 * rows * cols, -1, 1, 1), row = numbers(rows, -1, 1, 2);
  Doubles moved, sums;
  for (int64_t i = 0; i < 2; ++i)
    for (int64_t c = 0; c < cols; ++c)
      for (int64_t r = 0; r < rows; ++r) {
        moved.push_back(x[((1 + 3 * i) * rows + r) * cols + c]);
        sums.push_back((float)moved.back() + row[r]);
      }
  const int64_t shape[] = {2, cols, rows}, strides[] = {3 * rows * cols, 1, cols}, along[] = {0, 0, 1};
  const Walk from = {rows * cols, {3 * rows * cols, 1, cols}}, to = {0, {rows * cols, rows, 1}};
  const std::string what = " [" + std::to_string(rows) + ", " + std::to_string(cols) + "]";
  check(t, "copy" + what, moved, 0,
        [&](const Run* run, float* y) { t.copy(run, (const uint32_t*)x.data(), (uint32_t*)y, 3, shape, &from, &to); });
  check(t, "binary" + what, sums, 0, [&](const Run* run, float* y) {
    t.binary(run, kAdd, x.data() + rows * cols, row.data(), y, 3, shape, strides, along);
  });
}

void check_table_grad(const KernelTable& t, int64_t rows, int64_t width) {
  const int64_t table_rows = 7;
  const Floats d_y = numbers(rows * width, -1, 1, 1);
  std::vector<int32_t> ids(rows);
  Floats sums(table_rows * width, 77.f);  // in the order of rows: bit for bit
  for (int64_t r = 0; r < rows; ++r) {
    ids[r] = (int32_t)(r * r % table_rows);
    for (int64_t i = 0; i < width; ++i) sums[ids[r] * width + i] += d_y[r * width + i];
  }
  check(t, "scatter_add", Doubles(sums.begin(), sums.end()), 0,
        [&](const Run* run, float* y) { t.scatter_add(run, ids.data(), d_y.data(), y, rows, width, table_rows); });
}

void check_layer_norm_sums(const KernelTable& t, int64_t rows, int64_t cols) {
  const Floats x = numbers(rows * cols, -1, 1, 1), d_y = numbers(rows * cols, -1, 1, 2), mean = numbers(rows, -1, 1, 3);
  const Floats rstd = numbers(rows, 0.5, 2, 4), gamma(cols, 1.f);
  Doubles sums(2 * cols);
  for (int64_t i = 0; i < rows * cols; ++i) {
    sums[i % cols] += (double)d_y[i] * (x[i] - mean[i / cols]) * rstd[i / cols];
    sums[cols + i % cols] += d_y[i];
  }
  check(t, "layer_norm_grad: sums", sums, kUlp * 4 * (24 + (double)rows), [&](const Run* run, float* y) {
    Floats d_x(rows * cols);
    t.layer_norm_grad(run, x.data(), gamma.data(), mean.data(), rstd.data(), d_y.data(), d_x.data(), y, y + cols, rows,
                      cols);
  });
}

void check_adamw(const KernelTable& t, int64_t n) {
  const Floats grad = numbers(n, -1, 1, 1), param = numbers(n, -1, 1, 2), m = numbers(n, -1, 1, 3),
               v = numbers(n, 0, 1, 4);
  double squares = 0;
  Doubles exact(3 * n);
  for (const float g : grad) squares += (double)g * g;
  check(t, "sum_squares", {squares}, kUlp * 64 * squares,
        [&](const Run* run, float* y) { t.sum_squares(run, grad.data(), n, y); });
  const float sum = (float)squares;
  const double factor = 0.5 * std::min(1., 0.25 / (sqrt(squares) * 0.5 + 1e-6));
  for (int64_t i = 0; i < n; ++i) {
    const double g = grad[i] * factor, next_m = 0.9 * m[i] + 0.1 * g, next_v = 0.999 * v[i] + 0.001 * g * g;
    exact[i] = param[i] - 0.01 * (next_m * 2 / (sqrt(next_v * 3) + 1e-3) + 0.1 * param[i]);
    exact[n + i] = next_m, exact[2 * n + i] = next_v;
  }
  check(t, "adamw", exact, kUlp * 64, [&](const Run* run, float* y) {
    std::copy_n(param.data(), n, y), std::copy_n(m.data(), n, y + n), std::copy_n(v.data(), n, y + 2 * n);
    const AdamWCall c = {y, y + n, y + 2 * n, grad.data(), &sum, n, 0.5, 0.25, 0.01, 0.9, 0.999, 1e-3, 0.1, 2, 3};
    t.adamw(run, &c);
  });
}

}  // namespace

void check_others(const KernelTable& t) {
  for (const int64_t n : {0, 1, 3, 65, 1000}) {
    for (const int64_t inner : {1, 5, 80}) check_reduce(t, 3, n, inner);
    for (const int64_t rows : {1, 17, 100}) check_walks(t, rows, n);
    check_table_grad(t, n, 67);
    if (n > 0) check_layer_norm_sums(t, n, 67), check_adamw(t, 50 * n);
  }
}
