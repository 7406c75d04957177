// How work is cut: chunks by shape alone, and rows folded lane by lane, so that neither threads nor zeros behind a row
// change a bit.
#pragma once

static const int64_t kGrain =
    16384;  // elements: small tensors stay on the calling thread, big ones amortise a hand-off

static inline int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t most(int64_t a, int64_t b) { return a > b ? a : b; }
static inline int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
static inline int64_t round_up(int64_t n, int64_t unit) { return (n + unit - 1) / unit * unit; }

// body(begin, end) for the chunks of [0, n).
template <class F>
static inline void parallel(const Run* run, int64_t n, int64_t grain, F& body) {
  if (n > grain) {
    run->parallel_for(
        n, grain, [](void* f, int64_t begin, int64_t end) { (*(F*)f)(begin, end); }, (void*)&body);
  } else if (n > 0) {
    body((int64_t)0, n);
  }
}

// The same over rows of `cols` elements, about `kGrain` elements a chunk.
template <class F>
static inline void parallel_rows(const Run* run, int64_t rows, int64_t cols, F body) {
  auto chunk = [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) body(row);
  };
  parallel(run, rows, most(1, kGrain / most(cols, 1)), chunk);
}

// The first `count` <= VL elements at p; zeros follow.
static inline Vec load_count(const float* p, int64_t count) { return count == VL ? load(p) : load_part(p, count); }
static inline void store_count(float* p, Vec x, int64_t count) { count == VL ? store(p, x) : store_part(p, x, count); }

// The first `count` lanes of x, then `rest`.
static inline Vec with_rest(Vec x, int64_t count, float rest) {
  if (count == VL) return x;
  IVec lane;
  for (int i = 0; i < VL; ++i) lane[i] = i;
  return lane < (int32_t)count ? x : splat(rest);
}

// y[i] = f(i, count) for begin <= i < end, a vector at a time; f gives `count` elements from i.
template <class F>
static inline void each_vec(int64_t begin, int64_t end, float* y, F f) {
  int64_t i = begin;
  for (; i + VL <= end; i += VL) store(y + i, f(i, (int64_t)VL));
  if (i < end) store_part(y + i, f(i, end - i), end - i);
}

// Joins value(i, count) over a row into one vector. Element i goes to accumulator i / VL % 4, lane i % VL, so the order
// depends on the index alone; lanes beyond `count` must hold what `join` ignores, as `start` does.
template <class Value, class Join>
static inline Vec fold(int64_t n, Vec start, Value value, Join join) {
  Vec a = start, b = start, c = start, d = start;
  int64_t i = 0;
  for (; i + 4 * VL <= n; i += 4 * VL) {
    a = join(a, value(i, (int64_t)VL)), b = join(b, value(i + VL, (int64_t)VL));
    c = join(c, value(i + 2 * VL, (int64_t)VL)), d = join(d, value(i + 3 * VL, (int64_t)VL));
  }
  if (i < n) a = join(a, value(i, least(n - i, VL)));
  if (i + VL < n) b = join(b, value(i + VL, least(n - i - VL, VL)));
  if (i + 2 * VL < n) c = join(c, value(i + 2 * VL, least(n - i - 2 * VL, VL)));
  if (i + 3 * VL < n) d = join(d, value(i + 3 * VL, n - i - 3 * VL));
  return join(join(a, b), join(c, d));
}

// Sum of value(i, count), whose lanes beyond `count` are 0.
template <class Value>
static inline float row_sum(int64_t n, Value value) {
  return hsum(fold(n, Vec{}, value, [](Vec a, Vec b) { return a + b; }));
}

// Largest of x[0 .. n - 1]; NaN is passed over, the exponentials that follow show it.
static inline float row_max(const float* x, int64_t n) {
  const auto larger = [](Vec a, Vec b) { return b > a ? b : a; };
  const auto value = [=](int64_t i, int64_t count) {
    return with_rest(load_count(x + i, count), count, -__builtin_inff());
  };
  return fold_lanes(fold(n, splat(-__builtin_inff()), value, larger), larger);
}

// The next `floats` of some scratch.
static inline float* take(float** scratch, int64_t floats) {
  float* p = *scratch;
  *scratch += round_up(floats, 16);
  return p;
}
