// Kernels that work row by row, against plain loops: at odd sizes, and a row alone like a row among others.
#include "check.h"

namespace {

const int32_t kIgnored = -100;
const RandomKey kKey = {1, 2, 3, 4, 5};

// Rows to work on, and their results: a value for each element (y) and two for each row.
template <class T>
struct View {
  int64_t first, rows, cols;  // the first row's number
  const float *x, *d_y, *gamma, *beta, *mean, *rstd, *lse, *d_loss;
  const int32_t* labels;
  T *y, *a, *b;
};

struct Case {
  const char* name;
  void (*kernel)(const KernelTable& t, const Run* run, const View<float>& v);
  // Of one row. Returns the size of what is summed or subtracted on the way: errors are measured against it.
  double (*exact)(const View<double>& v);
};

double dot(int64_t n, const std::function<double(int64_t)>& term) {
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += term(i);
  return sum;
}
double sum_exp(const View<double>& v) {
  return dot(v.cols, [&](int64_t i) { return exp(v.x[i]); });
}
double each(const View<double>& v, double size, const std::function<double(int64_t)>& f) {
  for (int64_t i = 0; i < v.cols; ++i) v.y[i] = f(i);
  return size;
}

// An error of the variance counts rstd^3 times.
double spread(const View<double>& v) { return 16 * v.rstd[0] * (1 + v.rstd[0] * v.rstd[0]); }

#define KERNEL(call) [](const KernelTable& t, const Run* run, const View<float>& v) { call; }
#define EXACT [](const View<double>& v) -> double
const Case kCases[] = {
    {"softmax", KERNEL(t.softmax(run, v.x, v.y, v.rows, v.cols)), EXACT{const double sum = sum_exp(v);
return each(v, 1, [&](int64_t i) { return exp(v.x[i]) / sum; });
}  // namespace
}
, {"softmax_grad", KERNEL(t.softmax_grad(run, v.x, v.d_y, v.y, v.rows, v.cols)),
   EXACT{const double sum = dot(v.cols, [&](int64_t i) { return (double)v.x[i] * v.d_y[i]; });
return each(v, 16 * sqrt(v.cols), [&](int64_t i) { return v.x[i] * (v.d_y[i] - sum); });
}
}
, {"log_softmax", KERNEL(t.log_softmax(run, v.x, v.y, v.rows, v.cols)), EXACT{const double lse = log(sum_exp(v));
return each(v, 16, [&](int64_t i) { return v.x[i] - lse; });
}
}
, {"log_softmax_grad", KERNEL(t.log_softmax_grad(run, v.x, v.d_y, v.y, v.rows, v.cols)),
   EXACT{const double sum = dot(v.cols, [&](int64_t i) { return v.d_y[i]; });
return each(v, 110 * sqrt(v.cols), [&](int64_t i) { return v.d_y[i] - exp(v.x[i]) * sum; });
}
}
, {"layer_norm", KERNEL(t.layer_norm(run, v.x, v.gamma, v.beta, v.y, v.a, v.b, v.rows, v.cols, 1e-3f)),
   EXACT{* v.a = v.mean[0], *v.b = v.rstd[0];
return each(v, spread(v), [&](int64_t i) { return ((double)v.x[i] - v.mean[0]) * v.rstd[0] * v.gamma[i] + v.beta[i]; });
}
}
, {
  "layer_norm_grad",
      KERNEL(Floats sums(2 * v.cols); t.layer_norm_grad(run, v.x, v.gamma, v.mean, v.rstd, v.d_y, v.y, sums.data(),
                                                        sums.data() + v.cols, v.rows, v.cols)),
      EXACT {
    const auto g = [&](int64_t i) { return (double)v.d_y[i] * v.gamma[i]; };
    const auto n = [&](int64_t i) { return ((double)v.x[i] - v.mean[0]) * v.rstd[0]; };
    const double mean_g = dot(v.cols, g) / (double)v.cols;
    const double mean_gn = dot(v.cols, [&](int64_t i) { return g(i) * n(i); }) / (double)v.cols;
    return each(v, spread(v), [&](int64_t i) { return v.rstd[0] * (g(i) - mean_g - n(i) * mean_gn); });
  }
}
, {"cross_entropy", KERNEL(t.cross_entropy(run, v.x, v.labels, v.a, v.b, v.rows, v.cols, kIgnored)),
   EXACT{* v.b = log(sum_exp(v));
*v.a = v.labels[0] == kIgnored ? 0 : *v.b - v.x[v.labels[0]];
return 16;
}
}
, {"cross_entropy_grad",
   KERNEL(t.cross_entropy_grad(run, v.x, v.labels, v.lse, v.d_loss, v.y, v.rows, v.cols, kIgnored)),
   EXACT{const double d_loss = v.labels[0] == kIgnored ? 0 : v.d_loss[0];
return each(v, 1, [&](int64_t i) { return d_loss * (exp(v.x[i] - (double)v.lse[0]) - (i == v.labels[0])); });
}
}
, {
  "dropout", KERNEL(RandomKey key = kKey; key.row += v.first; t.dropout(run, v.x, v.y, v.rows, v.cols, 0.1, &key)),
      EXACT {
    return each(v, 4, [&](int64_t i) { return random_number(kKey, v.first, v.cols, i) >= 6554 ? v.x[i] / 0.9 : 0; });
  }
}
, {
  "argmax",
      KERNEL(t.argmax(run, v.x, (int32_t*)v.a, v.rows, v.cols);
             for (int64_t i = 0; i < v.rows; ++i) v.a[i] = (float)((int32_t*)v.a)[i]),
      EXACT {
    *v.a = (double)(std::max_element(v.x, v.x + v.cols) - v.x);
    return 0;
  }
}
,
}
;

void check_size(const KernelTable& t, int64_t rows, int64_t cols) {
  const Floats x = numbers(rows * cols, -4, 4, 1), d_y = numbers(rows * cols, -2, 2, 2),
               gamma = numbers(cols, 0.5, 2, 3);
  const Floats beta = numbers(cols, -1, 1, 4), d_loss = numbers(rows, -1, 1, 5);
  Floats mean(rows), rstd(rows), lse(rows);
  std::vector<int32_t> labels(rows);
  for (int64_t r = 0; r < rows && cols > 0; ++r) {
    const float* p = x.data() + r * cols;
    const double center = dot(cols, [&](int64_t i) { return p[i]; }) / (double)cols;
    const double square = dot(cols, [&](int64_t i) { return (p[i] - center) * (p[i] - center); }) / (double)cols;
    mean[r] = (float)center, rstd[r] = (float)(1 / sqrt(square + 1e-3));
    lse[r] = (float)log(dot(cols, [&](int64_t i) { return exp(p[i]); }));
    labels[r] = r % 3 == 1 ? kIgnored : (int32_t)(r * 7919 % cols);
  }
  // Rows first .. first + n - 1, their results in y: [n, cols], [n], [n].
  const auto view = [&](auto* y, int64_t first, int64_t n) {
    const int64_t at = first * cols;
    return View<std::remove_reference_t<decltype(*y)>>{first,
                                                       n,
                                                       cols,
                                                       x.data() + at,
                                                       d_y.data() + at,
                                                       gamma.data(),
                                                       beta.data(),
                                                       mean.data() + first,
                                                       rstd.data() + first,
                                                       lse.data() + first,
                                                       d_loss.data() + first,
                                                       labels.data() + first,
                                                       y,
                                                       y + n * cols,
                                                       y + n * (cols + 1)};
  };
  for (const Case& c : kCases) {
    const std::string what = std::string(c.name) + " [" + std::to_string(rows) + ", " + std::to_string(cols) + "]";
    Doubles exact(rows * (cols + 2), 77), row(cols + 2);
    double size = 0;
    for (int64_t r = 0; r < rows; ++r) {
      row.assign(cols + 2, 77);
      size = std::max(size, c.exact(view(row.data(), r, 1)));
      std::copy_n(row.begin(), cols, exact.begin() + r * cols);
      exact[rows * cols + r] = row[cols], exact[rows * (cols + 1) + r] = row[cols + 1];
    }
    // Two dozen roundings, and one more for every 16 terms that an accumulator of four lanes sums up.
    const double bound = ldexp(1, -24) * (24 + (double)cols / 16) * size;
    const Floats y =
        check(t, what, exact, bound, [&](const Run* run, float* out) { c.kernel(t, run, view(out, 0, rows)); });
    Floats alone(cols + 2, 77.f);
    const int64_t r = rows - 1;
    if (rows > 0) c.kernel(t, &kSerial, view(alone.data(), r, 1));
    if (rows > 0) same_bits(t, what + ": a row alone", alone.data(), y.data() + r * cols, cols);
    if (rows > 0) same_bits(t, what + ": a row alone", alone.data() + cols, y.data() + rows * cols + r, 1);
  }
}

}  // namespace

void check_rows(const KernelTable& t) {
  const int64_t vl = t.vector_length;
  for (const int64_t cols :
       {(int64_t)1, (int64_t)3, vl - 1, vl + 1, (int64_t)63, (int64_t)64, (int64_t)65, (int64_t)1000})
    for (const int64_t rows : {0, 1, 37}) check_size(t, rows, cols);
}
