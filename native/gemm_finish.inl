// A tile of a product, and what becomes of its sums before they are stored.

// Loops over registers: unrolled before the compiler decides what lives in one (clang looks no further than a dozen).
#define BG_UNROLL _Pragma("GCC unroll 16")

// What the last block of k does to the sum t of an element, its bias included.
struct Ending {
  const float* bias;  // of the tile's first column, or null
  int kind, fn;
  float* x;  // of the tile's first element: receives t, or holds what fn was applied to
};

struct Tile {
  const float* a;
  int64_t step_a;  // between rows where k is contiguous, else from one index of k to the next
  const float* b;
  int64_t step_b;          // from one index of k to the next
  float *keep_a, *keep_b;  // receive the panel and the sliver packed, or are null
  int64_t depth;
  float* y;
  int64_t stride_y, cols;
  int across;            // what the rows of a make are columns of y
  int add;               // to y; else y is written
  const Ending* ending;  // of the last block of k; else null
  struct Fetch *next_a, *next_b;
  struct Packing *pack_a, *pack_b;  // of streams, which ask for next_b alone; else null
};

// y = (y + sum) + bias; the order of these is the same at an edge. The tile is read first: after a store the compiler
// must take it for changed.
template <int R>
static inline void finish_tile(const Tile& t, Vec (&sum)[R][NV]) {
  const float* row = t.ending == nullptr ? nullptr : t.ending->bias;
  float* const y = t.y;
  const int64_t stride = t.stride_y;
  if (t.add)
    BG_UNROLL for (int r = 0; r < R; ++r) BG_UNROLL for (int v = 0; v < NV; ++v) sum[r][v] +=
        load(y + r * stride + v * VL);
  BG_UNROLL for (int v = 0; v < NV; ++v) {
    const Vec bias = row ? load(row + v * VL) : Vec{};
    BG_UNROLL for (int r = 0; r < R; ++r) {
      if (row) sum[r][v] += bias;
      store(y + r * stride + v * VL, sum[r][v]);
    }
  }
}

template <class End>
static inline void finish_rows(const Tile& t, int rows, const Vec* sum, End end) {
  const float* row = t.ending == nullptr ? nullptr : t.ending->bias;
  for (int r = 0; r < rows; ++r) {
    for (int v = 0; v * VL < t.cols; ++v) {
      const int64_t at = r * t.stride_y + v * VL, count = least(VL, t.cols - v * VL);
      Vec result = sum[r * NV + v];
      if (t.add) result += load_count(t.y + at, count);
      if (row) result += load_count(row + v * VL, count);
      store_count(t.y + at, end(result, at, count), count);
    }
  }
}

template <class F>
static void finish_with(const Tile& t, int rows, const Vec* sum) {
  float* x = t.ending->x;
  if (t.ending->kind == kSlope) {
    return finish_rows(t, rows, sum, [=](Vec result, int64_t at, int64_t count) {
      return result * F::d(load_count(x + at, count), Vec{}, 0.f);
    });
  }
  finish_rows(t, rows, sum, [=](Vec result, int64_t at, int64_t count) {
    if (x != nullptr) store_count(x + at, result, count);
    return F::f(result, 0.f);
  });
}

static inline int is_function(const Ending* ending) {
  return ending != nullptr && (ending->kind == kActivate || ending->kind == kSlope);
}

// Tiles at the right edge, and those with a function: no registers to spare for these.
static __attribute__((noinline)) void finish_slowly(const Tile& t, int rows, const Vec* sum) {
  if (!is_function(t.ending)) finish_rows(t, rows, sum, [](Vec result, int64_t, int64_t) { return result; });
  else if (t.ending->fn == kRelu) finish_with<Relu>(t, rows, sum);
  else if (t.ending->fn == kGelu) finish_with<Gelu>(t, rows, sum);
  else finish_with<GeluTanh>(t, rows, sum);
}

// The sums turned: `rows` of them become columns of y.
static __attribute__((noinline)) void finish_across(const Tile& t, int64_t rows, const Vec* sum) {
  const float* row = t.ending == nullptr ? nullptr : t.ending->bias;
  for (int64_t r = 0; r < rows; r += VL) {
    const int64_t count = least(VL, rows - r);
    const Vec bias = row ? load_count(row + r, count) : Vec{};
    for (int64_t j = 0; j < t.cols; j += VL) {
      float* y = t.y + j * t.stride_y + r;
      const auto put = [&](int c, Vec result) {
        if (j + c >= t.cols) return;
        if (t.add) result += load_count(y, count);
        if (row) result += bias;
        store_count(y, result, count);
        y += t.stride_y;
      };
      turn_each((const float*)(sum + r * NV) + j, NR, put, AsItIs());
    }
  }
}
