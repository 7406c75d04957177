// The packed product against loops: shapes around the tile's and the block's edges, every layout, batches.
#include "check.h"

#include <cmath>

namespace {

struct Sizes {
  int64_t m, n, k;
};
// Tiles are at most 14 x 32, blocks of k 512 or 768 long; k of 1024 has rows copied.
const Sizes kSizes[] = {{1, 1, 1},    {1, 7, 3},    {5, 6, 0},       {14, 32, 512},  {15, 33, 513},   {7, 17, 769},
                        {13, 31, 17}, {200, 1, 33}, {64, 512, 100},  {100, 65, 9},   {29, 130, 1100}, {1, 96, 600},
                        {0, 3, 4},    {3, 0, 4},    {30, 210, 1024}, {130, 1030, 64}};

// More threads than either side has strips, in name: the square of threads is cut as on a big machine.
Run many() {
  Run run = kSerial;
  run.threads = 17;
  return run;
}

MatmulCall call_of(const Sizes& s, const Floats& a, const Floats& b, const float* bias, int layout, int64_t batch,
                   int repeat) {
  const int64_t stride_a = repeat == 1 ? 0 : s.m * s.k, stride_b = repeat == 2 ? 0 : s.k * s.n;
  return {a.data(), b.data(), nullptr, s.m,   s.n,   s.k,     layout & 1, layout >> 1, batch,
          stride_a, stride_b, bias,    kNone, kGelu, nullptr, nullptr,    nullptr};
}

double element(const MatmulCall& c, int64_t q, int64_t i, int64_t j, double* size) {
  const float *a = c.a + q * c.stride_a, *b = c.b + q * c.stride_b;
  double sum = c.bias ? c.bias[j] : 0;
  *size = fabs(sum);
  for (int64_t p = 0; p < c.k; ++p) {
    const double x =
        (double)a[c.transpose_a ? p * c.m + i : i * c.k + p] * b[c.transpose_b ? j * c.k + p : p * c.n + j];
    sum += x, *size += fabs(x);
  }
  return sum;
}

std::string name_of(const MatmulCall& c) {
  char text[96];
  snprintf(text, sizeof text, "matmul %ld x %ld x %ld %c%c batch %ld", (long)c.m, (long)c.n, (long)c.k,
           c.transpose_a ? 't' : 'n', c.transpose_b ? 't' : 'n', (long)c.batch);
  return text;
}

Floats turned(const float* x, int64_t rows, int64_t cols) {
  Floats y(rows * cols);
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < cols; ++j) y[j * rows + i] = x[i * cols + j];
  return y;
}

// A row alone, and the same matrices laid out the other way: the same bits.
void check_places(const KernelTable& table, const MatmulCall& c, const Floats& y) {
  const int64_t i = c.m / 2;
  Floats row(c.n), all(c.m * c.n);
  MatmulCall alone = c;
  alone.a += i * c.k, alone.m = 1, alone.y = row.data();
  table.matmul(&kSerial, &alone);
  same_bits(table, name_of(c) + ", a row alone", row.data(), y.data() + i * c.n, c.n);
  const Floats a = turned(c.a, c.m, c.k), b = c.transpose_b ? turned(c.b, c.n, c.k) : turned(c.b, c.k, c.n);
  MatmulCall other = c;
  other.a = a.data(), other.b = b.data(), other.y = all.data(), other.transpose_a = 1,
  other.transpose_b = !c.transpose_b;
  table.matmul(&kSerial, &other);
  same_bits(table, name_of(c) + ", laid out the other way", all.data(), y.data(), c.m * c.n);
}

// NaN and infinity of one row stay in it, and reach all of it.
void check_numbers(const KernelTable& table) {
  const Sizes s = {17, 37, 5};
  Floats a = numbers(s.m * s.k, 1, 2, 1), b = numbers(s.k * s.n, 1, 2, 2), y(s.m * s.n);
  a[3 * s.k] = NAN, a[8 * s.k + 4] = INFINITY;
  MatmulCall c = call_of(s, a, b, nullptr, 0, 1, 0);
  c.y = y.data();
  table.matmul(&kSerial, &c);
  for (int64_t i = 0; i < s.m * s.n; ++i) {
    const bool right = i / s.n == 3 ? std::isnan(y[i]) : i / s.n == 8 ? y[i] == INFINITY : std::isfinite(y[i]);
    if (!right) return fail(table, "matmul: NaN or infinity in a row");
  }
}

void check_call(const KernelTable& table, MatmulCall c) {
  const Run run = many();
  Doubles exact(c.batch * c.m * c.n);
  double largest = 0;
  for (int64_t i = 0; i < (int64_t)exact.size(); ++i) {
    double size;
    exact[i] = element(c, i / (c.m * c.n), i / c.n % c.m, i % c.n, &size);
    largest = std::max(largest, size);
  }
  // |fl(x . y) - x . y| <= k u |x| . |y| (Higham 2002, sec. 3.1), one more for the bias.
  const double bound = (double)(c.k + 1) * ldexp(1, -24) * largest;
  const auto kernel = [&](const Run* r, float* y) {
    c.y = y;
    table.matmul(r, &c);
  };
  const Floats y = check(table, name_of(c), exact, bound, kernel);
  Floats again(y.size(), 77.f);
  kernel(&run, again.data());
  same_bits(table, name_of(c) + " on many threads", y.data(), again.data(), (int64_t)y.size());
  if (!c.transpose_a && c.batch == 1 && c.m > 0) check_places(table, c, y);
}

// Values of gelu, geluTanh and relu, and their slopes.
double function_of(int fn, double x) {
  if (fn == kRelu) return x > 0 ? x : 0;
  if (fn == kGelu) return x * erfc(-x / sqrt(2.)) / 2;
  return x / (1 + exp(-1.5957691216057308 * (x + 0.044715 * x * x * x)));
}
double slope_of(int fn, double x) {
  if (fn == kRelu) return x > 0 ? 1 : 0;
  if (fn == kGelu) return erfc(-x / sqrt(2.)) / 2 + x * exp(-x * x / 2) * 0.3989422804014327;
  const double s = 1 / (1 + exp(-1.5957691216057308 * (x + 0.044715 * x * x * x)));
  return s + x * s * (1 - s) * 1.5957691216057308 * (1 + 0.134145 * x * x);
}

// Numbers of at most 8 significant bits, which bf16 keeps.
Floats short_numbers(int64_t n, uint32_t seed) {
  Floats x = numbers(n, -1, 1, seed);
  for (float& value : x) value = rintf(value * 128) / 128;
  return x;
}

// Every epilogue and sums of rows, of b as it is and packed, in f32 or bf16: within the product's bound times the
// largest slope, 1.13, and the functions' own error of some units in the last place; the same bits on many threads.
void check_epilogue(const KernelTable& table, MatmulCall c, bool packed, bool bf16) {
  const int64_t n = c.m * c.n;
  const Floats x = numbers(n, -3, 3, 4), before = numbers(n, -1, 1, 5), sums_before = numbers(c.m, -1, 1, 6);
  Floats kept(n), sums(c.m), b(packed ? c.k * (c.n + 64) : 0);
  const Floats nothing(packed ? c.k * c.n : 0, NAN);  // a packed b is not read in any other way
  Floats unpacked(nothing.size());
  if (packed) (bf16 ? table.bf16->pack : table.pack)(&kSerial, c.b, b.data(), c.k, c.n, c.transpose_b);
  if (packed && !bf16) {
    table.unpack(&kSerial, b.data(), unpacked.data(), c.k, c.n, c.transpose_b);
    same_bits(table, name_of(c) + ", unpacked", c.b, unpacked.data(), c.k * c.n);
  }
  c.packed = packed ? b.data() : nullptr;
  c.x = c.epilogue == kSlope ? (float*)x.data() : c.epilogue == kActivate ? kept.data() : nullptr;
  c.sums = sums.data();
  Doubles exact(n);
  double largest = 1;
  for (int64_t i = 0; i < n; ++i) {
    double size;
    const double t = element(c, 0, i / c.n, i % c.n, &size);
    largest = std::max(largest, size);
    if (c.epilogue == kActivate) exact[i] = function_of(c.fn, t);
    else if (c.epilogue == kSlope) exact[i] = t * slope_of(c.fn, x[i]);
    else exact[i] = t + (c.epilogue == kAddTo ? before[i] : 0);
  }
  const std::string name = name_of(c) + (packed ? " packed" : "") + (bf16 ? " bf16" : "") + ", epilogue " +
                           std::to_string(c.epilogue) + " of " + std::to_string(c.fn);
  const auto run = [&](const Run* r, float* y) {
    if (c.epilogue == kAddTo) std::copy(before.begin(), before.end(), y);
    sums = sums_before;
    c.y = y;
    (bf16 ? table.bf16->matmul : table.matmul)(r, &c);
  };
  if (packed) c.b = nothing.data();
  const Floats y = check(table, name, exact, (double)(c.k + 16) * ldexp(1.2, -24) * largest, run);
  const Run wide = many();
  const Floats sums_alone = sums, kept_alone = kept;
  Floats again(y.size(), 77.f);
  run(&wide, again.data());
  same_bits(table, name + " on many threads", y.data(), again.data(), (int64_t)y.size());
  same_bits(table, name + ", kept", kept.data(), kept_alone.data(), n);
  same_bits(table, name + ", sums", sums.data(), sums_alone.data(), c.m);
  for (int64_t i = 0; i < c.m; ++i) {
    double sum = c.epilogue == kAddTo ? sums_before[i] : 0;
    for (int64_t p = 0; p < c.k; ++p) sum += c.transpose_a ? c.a[p * c.m + i] : c.a[i * c.k + p];
    if (!(fabs(sums[i] - sum) <= (double)(c.k + 2) * ldexp(1, -24) * (double)(c.k + 1)))
      return fail(table, name + ": sums");
  }
}

void check_epilogues(const KernelTable& table, bool bf16) {
  for (const Sizes& s :
       {Sizes{1, 1, 1}, {5, 6, 0}, {15, 33, 513}, {64, 96, 20}, {31, 200, 1100}, {200, 64, 128}, {30, 210, 1024}}) {
    const Floats a = short_numbers(s.m * s.k, 1), b = short_numbers(s.k * s.n, 2), bias = numbers(s.n, -1, 1, 3);
    for (int layout = 0; layout < 4; ++layout) {
      MatmulCall c = call_of(s, a, b, bias.data(), layout, 1, 0);
      const bool packed = layout != 1;
      for (const int fn : {kRelu, kGelu, kGeluTanh}) {
        c.fn = fn;
        for (const int kind : {kActivate, kSlope}) c.epilogue = kind, check_epilogue(table, c, packed, bf16);
      }
      c.epilogue = kNone, check_epilogue(table, c, !packed, bf16);
      c.epilogue = kAddTo, check_epilogue(table, c, packed, bf16);
    }
  }
}

// Gradients of weights: more than two blocks of k, rows of memory that share a set of the cache, more panels than are
// kept for several parts of b.
void check_gradients(const KernelTable& table, bool bf16) {
  for (const Sizes& s : {Sizes{33, 70, 4099},
                         {70, 33, 2100},
                         {1024, 9, 2100},
                         {7, 1024, 300},
                         {40, 1024, 900},
                         {800, 200, 400},
                         {290, 260, 64}}) {
    const Floats a = short_numbers(s.m * s.k, 1), b = short_numbers(s.k * s.n, 2);
    MatmulCall c = call_of(s, a, b, nullptr, 1, 1, 0);
    for (const int kind : {kNone, kAddTo}) c.epilogue = kind, check_epilogue(table, c, false, bf16);
  }
}

}  // namespace

void check_matmul(const KernelTable& table) {
  check_numbers(table);
  for (const bool bf16 : {false, true}) check_epilogues(table, bf16), check_gradients(table, bf16);
  for (const Sizes& s : kSizes) {
    const Floats bias = numbers(s.n, -1, 1, 3);
    for (int layout = 0; layout < 4; ++layout) {
      for (int repeat = 0; repeat < 3; ++repeat) {
        const int64_t batch = repeat == 0 ? 1 : 8 * repeat - 5;  // 3: one after the other; 11: a thread each
        const Floats a = numbers(batch * s.m * s.k, -1, 1, 1), b = numbers(batch * s.k * s.n, -1, 1, 2);
        check_call(table, call_of(s, a, b, (layout + repeat) % 2 ? bias.data() : nullptr, layout, batch, repeat));
      }
    }
  }
}
