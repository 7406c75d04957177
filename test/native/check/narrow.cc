// Products of bf16 and of 8-bit numbers against loops over the rounded operands.
#include "check.h"

#include <cmath>

namespace {

struct Sizes {
  int64_t m, n, k;
};
const Sizes kSizes[] = {{1, 1, 1},    {1, 7, 3},    {5, 6, 0},       {14, 32, 512}, {15, 33, 513},
                        {200, 1, 33}, {100, 65, 9}, {29, 230, 2001}, {31, 300, 64}, {0, 3, 4}};

double element(const Floats& x, int transposed, int64_t rows, int64_t cols, int64_t i, int64_t j) {
  return x[transposed ? j * rows + i : i * cols + j];
}

std::string name_of(const char* what, const Sizes& s, int layout) {
  char text[96];
  snprintf(text, sizeof text, "%s %ld x %ld x %ld %c%c", what, (long)s.m, (long)s.n, (long)s.k, layout & 1 ? 't' : 'n',
           layout & 2 ? 't' : 'n');
  return text;
}

// The nearest of the numbers whose lower 16 bits are 0; of two, the one whose 17th bit is 0.
float to_bf16(float x) {
  uint32_t bits, low;
  memcpy(&bits, &x, 4);
  low = bits & 0xffff0000u;
  const uint32_t high = low + 0x10000u;
  float below, above;
  memcpy(&below, &low, 4), memcpy(&above, &high, 4);
  const double to_below = fabs((double)x - below), to_above = fabs((double)above - x);
  return to_below < to_above || (to_below == to_above && (low & 0x10000u) == 0) ? below : above;
}

// As the call, on what `pack` made of b.
void same_packed(const KernelTable& t, const Narrow& kernels, const std::string& what, MatmulCall c, const Floats& y) {
  Floats packed((size_t)(c.k * (c.n + 64) + 2 * (c.n + 64)), 77.f), again(y.size(), 77.f);
  kernels.pack(&kSerial, c.b, packed.data(), c.k, c.n, c.transpose_b);
  c.packed = packed.data(), c.y = again.data();
  kernels.matmul(&kSerial, &c);
  same_bits(t, what + ", packed", y.data(), again.data(), c.m * c.n);
}

void check_bf16(const KernelTable& t, const Sizes& s, int layout) {
  Floats a = numbers(s.m * s.k, -1, 1, 1), b = numbers(s.k * s.n, -1, 1, 2);
  const Floats bias = numbers(s.n, -1, 1, 3);
  MatmulCall c = {a.data(), b.data(), nullptr,     s.m,   s.n, s.k,     layout & 1, layout >> 1, 1,
                  0,        0,        bias.data(), kNone, 0,   nullptr, nullptr,    nullptr};
  Doubles exact(s.m * s.n);
  double largest = 0;
  for (int64_t i = 0; i < s.m * s.n; ++i) {
    double sum = bias[i % s.n], size = fabs(sum);
    for (int64_t p = 0; p < s.k; ++p) {
      const double x = (double)to_bf16((float)element(a, layout & 1, s.m, s.k, i / s.n, p)) *
                       to_bf16((float)element(b, layout & 2, s.k, s.n, p, i % s.n));
      sum += x, size += fabs(x);
    }
    exact[i] = sum, largest = std::max(largest, size);
  }
  // Products of two numbers of 8 bits are exact; their sums round as those of floats do.
  const std::string what = name_of("bf16", s, layout);
  const Floats y = check(t, what, exact, (double)(s.k + 1) * ldexp(1, -24) * largest, [&](const Run* run, float* to) {
    c.y = to;
    t.bf16->matmul(run, &c);
  });
  same_packed(t, *t.bf16, what, c, y);
}

struct Rounded {
  std::vector<int> q;
  float scale;
  int zero;
};

// `low` .. `high` of the integers; a scale of its own for a row.
Rounded rounded(const Floats& x, bool weights) {
  float least = 0, most = 0;
  for (const float value : x) least = std::min(least, value), most = std::max(most, value);
  volatile float scale = weights ? std::max(most, -least) / 127.f : most / 255.f, part = least / 255.f;
  if (!weights) scale = scale - part;
  const volatile float factor = scale > 0 ? 1.f / scale : 0.f, shift = -least * factor;
  Rounded r = {{}, scale, weights ? 0 : (int)nearbyintf(shift)};
  for (const float value : x) {
    const volatile float scaled = value * factor;
    const int q = (int)nearbyint((double)scaled + r.zero);
    r.q.push_back(weights ? std::max(-127, std::min(127, q)) : std::max(0, std::min(255, q)));
  }
  return r;
}

// From low = 1 on no two products fit into 16 bits together.
void check_int8(const KernelTable& t, const Sizes& s, int layout, float low) {
  Floats a = numbers(s.m * s.k, low / 2, 1, 1), b = numbers(s.k * s.n, low, 1, 2);
  const Floats bias = numbers(s.n, -1, 1, 3);
  MatmulCall c = {a.data(), b.data(), nullptr,     s.m,   s.n, s.k,     0,       layout >> 1, 1,
                  0,        0,        bias.data(), kNone, 0,   nullptr, nullptr, nullptr};
  std::vector<Rounded> columns;
  for (int64_t j = 0; j < s.n; ++j) {
    Floats column;
    for (int64_t p = 0; p < s.k; ++p) column.push_back((float)element(b, layout & 2, s.k, s.n, p, j));
    columns.push_back(rounded(column, true));
  }
  Doubles exact(s.m * s.n);
  for (int64_t i = 0; i < s.m; ++i) {
    const Rounded row = rounded(Floats(a.begin() + i * s.k, a.begin() + (i + 1) * s.k), false);
    for (int64_t j = 0; j < s.n; ++j) {
      int sum = 0;
      for (int64_t p = 0; p < s.k; ++p) sum += (row.q[p] - row.zero) * columns[j].q[p];
      const volatile float scale = row.scale * columns[j].scale, product = (float)sum * scale;
      const volatile float y = product + bias[j];
      exact[i * s.n + j] = y;
    }
  }
  const std::string what = name_of("int8", s, layout);
  const Floats y = check(t, what, exact, 0, [&](const Run* run, float* to) {
    c.y = to;
    t.int8->matmul(run, &c);
  });
  same_packed(t, *t.int8, what, c, y);
}

}  // namespace

void check_narrow(const KernelTable& table) {
  for (const Sizes& s : kSizes) {
    for (int layout = 0; layout < 4; ++layout) check_bf16(table, s, layout);
    for (int layout = 0; layout < 4; layout += 2) check_int8(table, s, layout, -1), check_int8(table, s, layout, 1);
  }
}
