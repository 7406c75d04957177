// Kernels that work row by row, against plain loops: values, equal bits on two threads and for a row alone, and nothing
// written beyond the end.
#include <algorithm>

#include "check.h"

namespace {

const int32_t kIgnored = -100;
const RandomKey kKey = {1, 2, 3, 4, 5};

// What row kernels may read. `mean`, `rstd` and `lse` are those of the rows of x, rounded.
struct Data {
  int64_t rows, cols;
  Floats x, d_y, gamma, beta, mean, rstd, lse, d_loss;
  Ints labels;
};

// Results of one kernel: a value for each element, and two for each row.
struct Result {
  Floats y, first, second;
};

struct Exact {
  double *y, first, second;
  double size;  // of what is summed or subtracted on the way: errors are measured against it
};

struct RowCase {
  const char* name;
  void (*kernel)(const KernelTable& t, const Run* run, const Data& d, int64_t row, int64_t rows, Result& out);
  void (*exact)(const Data& d, const float* x, const float* d_y, int64_t row, Exact& e);
};

double log_sum(const float* x, int64_t n) {
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += exp(x[i]);
  return log(sum);
}

double dot(const float* a, const float* b, int64_t n, double* size) {
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += (double)a[i] * b[i], *size += fabs((double)a[i] * b[i]);
  return sum;
}

Data make_data(int64_t rows, int64_t cols) {
  Data d = {rows, cols, numbers(rows * cols, -4, 4, 1), numbers(rows * cols, -2, 2, 2), numbers(cols, 0.5, 2, 3), numbers(cols, -1, 1, 4),
            {}, {}, {}, numbers(rows, -1, 1, 5), Ints(rows)};
  for (int64_t r = 0; r < rows; ++r) {
    const float* x = d.x.data() + r * cols;
    double mean = 0, square = 0;
    for (int64_t i = 0; i < cols; ++i) mean += x[i] / (double)cols;
    for (int64_t i = 0; i < cols; ++i) square += (x[i] - mean) * (x[i] - mean) / (double)cols;
    d.mean.push_back((float)mean), d.rstd.push_back((float)(1 / sqrt(square + 1e-3)));
    d.lse.push_back((float)log_sum(x, cols));
    d.labels[r] = r % 3 == 1 ? kIgnored : (int32_t)((r * 7919) % std::max<int64_t>(cols, 1));
  }
  return d;
}

#define X d.x.data() + row * d.cols
#define DY d.d_y.data() + row * d.cols
const RowCase kCases[] = {
    {"softmax", [](const KernelTable& t, const Run* run, const Data& d, int64_t row, int64_t rows, Result& out) {
       t.softmax(run, X, out.y.data(), rows, d.cols);
     },
     [](const Data& d, const float* x, const float*, int64_t, Exact& e) {
       const double lse = log_sum(x, d.cols);
       for (int64_t i = 0; i < d.cols; ++i) e.y[i] = exp(x[i] - lse);
     }},
    {"softmax_grad", [](const KernelTable& t, const Run* run, const Data& d, int64_t row, int64_t rows, Result& out) {
       t.softmax_grad(run, X, DY, out.y.data(), rows, d.cols);
     },
     [](const Data& d, const float* x, const float* d_y, int64_t, Exact& e) {
       const double sum = dot(x, d_y, d.cols, &e.size);
       e.size *= 4;
       for (int64_t i = 0; i < d.cols; ++i) e.y[i] = x[i] * (d_y[i] - sum);
     }},
    {"log_softmax", [](const KernelTable& t, const Run* run, const Data& d, int64_t row, int64_t rows, Result& out) {
       t.log_softmax(run, X, out.y.data(), rows, d.cols);
     },
     [](const Data& d, const float* x, const float*, int64_t, Exact& e) {
       const double lse = log_sum(x, d.cols);
       for (int64_t i = 0; i < d.cols; ++i) e.y[i] = x[i] - lse;
     }},
    {"log_softmax_grad", [](const KernelTable& t, const Run* run, const Data& d, int64_t row, int64_t rows, Result& out) {
       t.log_softmax_grad(run, X, DY, out.y.data(), rows, d.cols);
     },
     [](const Data& d, const float* x, const float* d_y, int64_t, Exact& e) {
       const Floats ones(d.cols, 1.f);
       const double sum = dot(ones.data(), d_y, d.cols, &e.size);
       e.size *= 55;  // e^4, the largest factor
       for (int64_t i = 0; i < d.cols; ++i) e.y[i] = d_y[i] - exp(x[i]) * sum;
     }},
    {"layer_norm", [](const KernelTable& t, const Run* run, const Data& d, int64_t row, int64_t rows, Result& out) {
       t.layer_norm(run, X, d.gamma.data(), d.beta.data(), out.y.data(), out.first.data(), out.second.data(), rows, d.cols, 1e-3f);
     },
     [](const Data& d, const float* x, const float*, int64_t row, Exact& e) {
       e.first = d.mean[row], e.second = d.rstd[row], e.size = 8 * e.second;
       for (int64_t i = 0; i < d.cols; ++i) e.y[i] = (x[i] - e.first) * e.second * d.gamma[i] + d.beta[i];
     }},
    {"layer_norm_grad", [](const KernelTable& t, const Run* run, const Data& d, int64_t row, int64_t rows, Result& out) {
       Floats d_gamma(d.cols), d_beta(d.cols);
       t.layer_norm_grad(run, X, d.gamma.data(), d.mean.data() + row, d.rstd.data() + row, DY, out.y.data(), d_gamma.data(),
                         d_beta.data(), rows, d.cols);
     },
     [](const Data& d, const float* x, const float* d_y, int64_t row, Exact& e) {
       const double n = (double)d.cols, rstd = d.rstd[row];
       double g = 0, gn = 0;
       for (int64_t i = 0; i < d.cols; ++i) {
         g += d_y[i] * d.gamma[i] / n, gn += d_y[i] * d.gamma[i] * (x[i] - d.mean[row]) * rstd / n;
       }
       e.size = 16 * rstd * (1 + rstd * rstd);
       for (int64_t i = 0; i < d.cols; ++i) e.y[i] = rstd * (d_y[i] * d.gamma[i] - g - (x[i] - d.mean[row]) * rstd * gn);
     }},
    {"cross_entropy", [](const KernelTable& t, const Run* run, const Data& d, int64_t row, int64_t rows, Result& out) {
       if (d.cols > 0) t.cross_entropy(run, X, d.labels.data() + row, out.first.data(), out.second.data(), rows, d.cols, kIgnored);
     },
     [](const Data& d, const float* x, const float*, int64_t row, Exact& e) {
       e.second = log_sum(x, d.cols), e.size = 10;
       e.first = d.labels[row] == kIgnored ? 0 : e.second - x[d.labels[row]];
     }},
    {"cross_entropy_grad", [](const KernelTable& t, const Run* run, const Data& d, int64_t row, int64_t rows, Result& out) {
       if (d.cols > 0)
         t.cross_entropy_grad(run, X, d.labels.data() + row, d.lse.data() + row, d.d_loss.data() + row, out.y.data(), rows, d.cols, kIgnored);
     },
     [](const Data& d, const float* x, const float*, int64_t row, Exact& e) {
       const double d_loss = d.labels[row] == kIgnored ? 0 : d.d_loss[row];
       for (int64_t i = 0; i < d.cols; ++i) e.y[i] = d_loss * (exp(x[i] - (double)d.lse[row]) - (i == d.labels[row] ? 1 : 0));
     }},
    {"dropout", [](const KernelTable& t, const Run* run, const Data& d, int64_t row, int64_t rows, Result& out) {
       RandomKey key = kKey;
       key.row += row;
       t.dropout(run, X, out.y.data(), rows, d.cols, 0.1, &key);
     },
     [](const Data& d, const float* x, const float*, int64_t row, Exact& e) {
       for (int64_t i = 0; i < d.cols; ++i) e.y[i] = random_word(kKey, row, d.cols, i) >= 429496730u ? x[i] / 0.9 : 0;
     }},
    {"argmax", [](const KernelTable& t, const Run* run, const Data& d, int64_t row, int64_t rows, Result& out) {
       Ints at(rows);
       t.argmax(run, X, at.data(), rows, d.cols);
       for (int64_t i = 0; i < rows; ++i) out.first[i] = (float)at[i];
     },
     [](const Data& d, const float* x, const float*, int64_t, Exact& e) {
       e.first = (double)(std::max_element(x, x + d.cols) - x), e.size = 0;
     }},
};
#undef X
#undef DY

Result run_case(const KernelTable& t, const Run* run, const RowCase& c, const Data& d, int64_t row, int64_t rows) {
  const int64_t guard = 32;  // elements behind the end, which must stay as they are
  Result out = {Floats(rows * d.cols + guard, 77.f), Floats(rows + guard, 77.f), Floats(rows + guard, 77.f)};
  c.kernel(t, run, d, row, rows, out);
  for (Floats* values : {&out.y, &out.first, &out.second}) {
    for (int64_t i = 0; i < guard; ++i)
      if (values->end()[-1 - i] != 77.f) return fail(t, std::string(c.name) + " writes beyond its end"), out;
  }
  return out;
}

void check_case(const KernelTable& t, const RowCase& c, const Data& d) {
  const std::string what = std::string(c.name) + " [" + std::to_string(d.rows) + ", " + std::to_string(d.cols) + "]";
  const Result out = run_case(t, &kSerial, c, d, 0, d.rows), two = run_case(t, &kTwo, c, d, 0, d.rows);
  same_bits(t, what + " on two threads", out.y.data(), two.y.data(), (int64_t)out.y.size());
  same_bits(t, what + " on two threads", out.first.data(), two.first.data(), (int64_t)out.first.size());
  same_bits(t, what + " on two threads", out.second.data(), two.second.data(), (int64_t)out.second.size());
  std::vector<double> y(d.cols);
  for (int64_t row = 0; row < d.rows && d.cols > 0; ++row) {
    std::fill(y.begin(), y.end(), 77);
    Exact e = {y.data(), 77, 77, 1};
    c.exact(d, d.x.data() + row * d.cols, d.d_y.data() + row * d.cols, row, e);
    // Two dozen roundings, and one more for every 16 terms that an accumulator of four lanes sums up.
    const double bound = ldexp(1, -24) * (24 + (double)d.cols / 16) * e.size;
    check_near(t, what, out.y.data() + row * d.cols, e.y, d.cols, bound);
    check_near(t, what + " first", &out.first[row], &e.first, 1, bound);
    check_near(t, what + " second", &out.second[row], &e.second, 1, bound);
    if (row % 5 != 1) continue;
    const Result alone = run_case(t, &kSerial, c, d, row, 1);
    same_bits(t, what + ": a row alone", out.y.data() + row * d.cols, alone.y.data(), d.cols);
    same_bits(t, what + ": a row alone", &out.first[row], &alone.first[0], 1);
    same_bits(t, what + ": a row alone", &out.second[row], &alone.second[0], 1);
  }
}

}  // namespace

void check_rows(const KernelTable& t) {
  const int64_t vl = t.vector_length;
  for (const int64_t cols : {(int64_t)0, (int64_t)1, (int64_t)3, vl - 1, vl + 1, (int64_t)63, (int64_t)64, (int64_t)65, (int64_t)1000}) {
    for (const int64_t rows : {0, 1, 37}) {
      const Data d = make_data(rows, cols);
      for (const RowCase& c : kCases) check_case(t, c, d);
    }
  }
}
