// Sums, extremes and the place of a maximum.

namespace {
struct Sum {
  static constexpr float start = 0.f;
  static inline Vec join(Vec a, Vec b) { return a + b; }
};
struct Max {
  static constexpr float start = -__builtin_inff();
  static inline Vec join(Vec a, Vec b) { return vmax(a, b); }
};
struct Min {
  static constexpr float start = __builtin_inff();
  static inline Vec join(Vec a, Vec b) { return vmin(a, b); }
};
}  // namespace

template <class F>
static inline float fold_row(const float* x, int64_t n) {
  const auto join = [](Vec a, Vec b) { return F::join(a, b); };
  const auto value = [=](int64_t i, int64_t count) { return with_rest(load_count(x + i, count), count, F::start); };
  return fold_lanes(fold(n, splat(F::start), value, join), join);
}

// y[j] = fold over i of x[i, j], x [rows, inner]: four vectors of columns at a time, in registers.
template <class F>
static inline void fold_columns(const float* x, float* y, int64_t rows, int64_t inner) {
  int64_t j = 0;
  for (; j + 4 * VL <= inner; j += 4 * VL) {
    Vec a = splat(F::start), b = a, c = a, d = a;
    for (int64_t i = 0; i < rows; ++i) {
      const float* p = x + i * inner + j;
      a = F::join(a, load(p)), b = F::join(b, load(p + VL)), c = F::join(c, load(p + 2 * VL)),
      d = F::join(d, load(p + 3 * VL));
    }
    store(y + j, a), store(y + j + VL, b), store(y + j + 2 * VL, c), store(y + j + 3 * VL, d);
  }
  for (; j < inner; j += VL) {
    const int64_t count = least(inner - j, VL);
    Vec a = splat(F::start);
    for (int64_t i = 0; i < rows; ++i) a = F::join(a, load_count(x + i * inner + j, count));
    store_count(y + j, a, count);
  }
}

// Cuts `size` into chunks by shape, folds each, then folds the results, in order, the same way.
template <class F>
static void reduce_with(const Run* run, const float* x, float* y, int64_t outer, int64_t size, int64_t inner,
                        int slot) {
  const int64_t length = most(32, kGrain / most(1, inner)), chunks = most(1, (size + length - 1) / length);
  float* out = chunks == 1 ? y : (float*)run->scratch(slot, outer * chunks * inner * 4);
  auto body = [=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t first = i % chunks * length, rows = least(length, size - first);
      const float* from = x + (i / chunks * size + first) * inner;
      if (inner == 1) out[i] = fold_row<F>(from, rows);
      else fold_columns<F>(from, out + i * inner, rows, inner);
    }
  };
  parallel(run, outer * chunks, most(1, kGrain / most(1, least(size, length) * inner)), body);
  if (chunks > 1) reduce_with<F>(run, out, y, outer, chunks, inner, slot + 1);
}

static void reduce(const Run* run, int fn, const float* x, float* y, int64_t outer, int64_t size, int64_t inner) {
  if (fn == kSum) reduce_with<Sum>(run, x, y, outer, size, inner, 0);
  else if (fn == kMax) reduce_with<Max>(run, x, y, outer, size, inner, 0);
  else reduce_with<Min>(run, x, y, outer, size, inner, 0);
}

static void argmax(const Run* run, const float* x, int32_t* y, int64_t rows, int64_t cols) {
  parallel_rows(run, rows, cols, [=](int64_t row) {
    const float *p = x + row * cols, best = row_max(p, cols);
    int64_t i = 0;
    while (i + VL <= cols && hsum(vtruth(load(p + i) == best)) == 0.f) i += VL;
    while (i < cols && p[i] != best) ++i;
    y[row] = (int32_t)(i < cols ? i : 0);
  });
}
