// Functions of single elements. A vector function serves whole vectors and the rest of a row alike, so an element's
// bits do not depend on its place.

// y = f(x): name, value, slope dy/dx; c is the function's constant. Formulas of src/ops/elementwise.ts.
#define BG_UNARY_FUNCTIONS(ROW)                                                 \
  ROW(Neg, -x, splat(-1.f))                                                     \
  ROW(Abs, vabs(x), (x > 0.f ? splat(1.f) : (x < 0.f ? splat(-1.f) : x * 0.f))) \
  ROW(Exp, vexp(x), y)                                                          \
  ROW(Log, vlog(x), 1.f / x)                                                    \
  ROW(Sqrt, vsqrt(x), 0.5f / y)                                                 \
  ROW(Rsqrt, 1.f / vsqrt(x), -0.5f * y * y * y)                                 \
  ROW(Square, x* x, x + x)                                                      \
  ROW(Reciprocal, 1.f / x, -y * y)                                              \
  ROW(Tanh, vtanh(x), 1.f - y * y)                                              \
  ROW(Sigmoid, vsigmoid(x), y*(1.f - y))                                        \
  ROW(Relu, (x < 0.f ? Vec{} : x), (x > 0.f ? splat(1.f) : Vec{}))              \
  ROW(Erf, verf(x), vexp(-x* x) * 1.12837917f)                                  \
  ROW(Gelu, gelu(x), gelu_slope(x))                                             \
  ROW(GeluTanh, x* vsigmoid(gelu_tanh_argument(x)), gelu_tanh_slope(x))         \
  ROW(AddScalar, x + c, splat(1.f))                                             \
  ROW(MulScalar, x* c, splat(c))                                                \
  ROW(PowScalar, plain_power(x, c), c* plain_power(x, c - 1.f))

// google-research/bert modeling.py:264-277. With s = sigmoid(2 u): s + x s (1 - s) 2 u'.
static inline Vec gelu_tanh_slope(Vec x) {
  const Vec s = vsigmoid(gelu_tanh_argument(x));
  return s + x * s * (1.f - s) * (x * x * 0.214064449f + 1.59576912f);
}

#define BG_ROW(name, value, slope)                                                                                  \
  struct name {                                                                                                     \
    static inline Vec f(Vec x, [[maybe_unused]] float c) { return value; }                                          \
    static inline Vec d([[maybe_unused]] Vec x, [[maybe_unused]] Vec y, [[maybe_unused]] float c) { return slope; } \
  };
namespace {
BG_UNARY_FUNCTIONS(BG_ROW)
}
#undef BG_ROW

// y[i] = f(i, count), a vector at a time.
template <class F>
static inline void map(const Run* run, int64_t n, float* y, F f) {
  auto body = [=](int64_t begin, int64_t end) { each_vec(begin, end, y, f); };
  parallel(run, n, kGrain, body);
}

static void fill(const Run* run, float* y, int64_t n, float value) {
  map(run, n, y, [=](int64_t, int64_t) { return splat(value); });
}

static void fill_i32(const Run* run, int32_t* y, int64_t n, int32_t value) {
  map(run, n, (float*)y, [=](int64_t, int64_t) { return (Vec)(IVec{} + value); });
}

static void accumulate(const Run* run, const float* x, float* y, int64_t n) {
  map(run, n, y, [=](int64_t i, int64_t count) { return load_count(y + i, count) + load_count(x + i, count); });
}

static void where(const Run* run, const float* condition, const float* a, const float* b, float* y, int64_t n) {
  map(run, n, y, [=](int64_t i, int64_t count) {
    return load_count(condition + i, count) != 0.f ? load_count(a + i, count) : load_count(b + i, count);
  });
}

static void unary(const Run* run, int fn, const float* x, float* y, int64_t n, float c) {
  // In a loop of its own, which holds two dozen constants in registers.
  if (fn == kPowScalar && !is_plain_power(c))
    return map(run, n, y, [=](int64_t i, int64_t count) { return any_power(load_count(x + i, count), c); });
  switch (fn) {
#define BG_ROW(name, value, slope) \
  case k##name: return map(run, n, y, [=](int64_t i, int64_t count) { return name::f(load_count(x + i, count), c); });
    BG_UNARY_FUNCTIONS(BG_ROW)
#undef BG_ROW
  }
}

static void unary_grad(const Run* run, int fn, const float* x, const float* y, const float* d_y, float* d_x, int64_t n,
                       float c) {
  if (fn == kPowScalar && c == 0.f) return unary(run, kMulScalar, d_y, d_x, n, 0.f);
  if (fn == kPowScalar && !is_plain_power(c - 1.f))
    return map(run, n, d_x, [=](int64_t i, int64_t count) {
      return load_count(d_y + i, count) * (c * any_power(load_count(x + i, count), c - 1.f));
    });
  switch (fn) {
#define BG_ROW(name, value, slope)                                                                        \
  case k##name:                                                                                           \
    return map(run, n, d_x, [=](int64_t i, int64_t count) {                                               \
      return load_count(d_y + i, count) * name::d(load_count(x + i, count), load_count(y + i, count), c); \
    });
    BG_UNARY_FUNCTIONS(BG_ROW)
#undef BG_ROW
  }
}

// NaN on either side gives NaN, as Math.max does.
static inline Vec vmax(Vec a, Vec b) { return ((a > b) | (a != a)) != 0 ? a : b; }
static inline Vec vmin(Vec a, Vec b) { return ((a < b) | (a != a)) != 0 ? a : b; }
static inline Vec vtruth(IVec mask) { return (Vec)(mask & 0x3f800000); }  // 1 where true

#define BG_BINARY_FUNCTIONS(ROW) \
  ROW(Add, a + b)                \
  ROW(Sub, a - b)                \
  ROW(Mul, a* b)                 \
  ROW(Div, a / b)                \
  ROW(Maximum, vmax(a, b))       \
  ROW(Minimum, vmin(a, b))       \
  ROW(Equal, vtruth(a == b))     \
  ROW(Greater, vtruth(a > b))    \
  ROW(Less, vtruth(a < b))

// Axes that two operands are walked along, the innermost last. Axes of one element are left out, and those that follow
// one another without a gap in both operands are one axis: a row vector over a matrix leaves two, equal shapes one.
struct Axes {
  int rank;
  int64_t shape[8], a[8], b[8];
};

static Axes merge_axes(int rank, const int64_t* shape, const int64_t* a, const int64_t* b) {
  Axes axes = {0, {1}, {1}, {1}};
  for (int i = 0; i < rank; ++i) {
    const int last = axes.rank - 1;
    if (shape[i] == 1) continue;
    if (axes.rank > 0 && axes.a[last] == shape[i] * a[i] && axes.b[last] == shape[i] * b[i]) {
      axes.shape[last] *= shape[i], axes.a[last] = a[i], axes.b[last] = b[i];
    } else {
      axes.shape[axes.rank] = shape[i], axes.a[axes.rank] = a[i], axes.b[axes.rank++] = b[i];
    }
  }
  if (axes.rank == 0) axes.rank = 1;
  return axes;
}

// Calls segment(offset in a, offset in b, index, count) for the runs along the innermost axis within [begin, end).
template <class F>
static inline void walk(const Axes& axes, int64_t begin, int64_t end, F segment) {
  int64_t at[8], a = 0, b = 0, rest = begin;
  const int last = axes.rank - 1;
  for (int axis = last; axis >= 0; --axis) {
    at[axis] = rest % axes.shape[axis], rest /= axes.shape[axis];
    a += at[axis] * axes.a[axis], b += at[axis] * axes.b[axis];
  }
  for (int64_t i = begin; i < end;) {
    const int64_t left = axes.shape[last] - at[last], count = left < end - i ? left : end - i;
    segment(a, b, i, count);
    i += count, at[last] += count, a += count * axes.a[last], b += count * axes.b[last];
    for (int axis = last; axis > 0 && at[axis] == axes.shape[axis]; --axis) {
      a += axes.a[axis - 1] - axes.shape[axis] * axes.a[axis];
      b += axes.b[axis - 1] - axes.shape[axis] * axes.b[axis];
      at[axis] = 0, ++at[axis - 1];
    }
  }
}

static inline Vec load_strided(const float* p, int64_t stride, int64_t count) {
  Vec v = {};
  for (int i = 0; i < count; ++i) v[i] = p[i * stride];
  return v;
}

template <class F>
static inline void binary_with(const Run* run, const float* a, const float* b, float* y, const Axes& axes, F f) {
  const int64_t step_a = axes.a[axes.rank - 1], step_b = axes.b[axes.rank - 1];
  auto segment = [=](int64_t at_a, int64_t at_b, int64_t i, int64_t count) {
    const float *pa = a + at_a, *pb = b + at_b;
    float* py = y + i;
    if (step_a == 1 && step_b == 1) {
      each_vec(0, count, py, [=](int64_t j, int64_t n) { return f(load_count(pa + j, n), load_count(pb + j, n)); });
    } else if (step_a == 1 && step_b == 0) {
      const Vec vb = splat(*pb);
      each_vec(0, count, py, [=](int64_t j, int64_t n) { return f(load_count(pa + j, n), vb); });
    } else if (step_a == 0 && step_b == 1) {
      const Vec va = splat(*pa);
      each_vec(0, count, py, [=](int64_t j, int64_t n) { return f(va, load_count(pb + j, n)); });
    } else {
      each_vec(0, count, py, [=](int64_t j, int64_t n) {
        return f(load_strided(pa + j * step_a, step_a, n), load_strided(pb + j * step_b, step_b, n));
      });
    }
  };
  int64_t n = 1;
  for (int i = 0; i < axes.rank; ++i) n *= axes.shape[i];
  auto body = [&](int64_t begin, int64_t end) { walk(axes, begin, end, segment); };
  parallel(run, n, kGrain, body);
}

static void binary(const Run* run, int fn, const float* a, const float* b, float* y, int rank, const int64_t* shape,
                   const int64_t* strides_a, const int64_t* strides_b) {
  const Axes axes = merge_axes(rank, shape, strides_a, strides_b);
  switch (fn) {
#define BG_ROW(name, value) \
  case k##name: return binary_with(run, a, b, y, axes, [](Vec a, Vec b) -> Vec { return value; });
    BG_BINARY_FUNCTIONS(BG_ROW)
#undef BG_ROW
  }
}
