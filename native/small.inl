// Products small enough for the caches: attention's, of one head at a time. Every element is a sum in the order of its
// index, so neither the size nor the place of a tile changes a bit.

// Rows and vectors of the accumulators.
#if VL == 16
enum { kTileRows = 6, kTileVecs = 4 };
#else
enum { kTileRows = 6, kTileVecs = 2 };
#endif

namespace {

// A factor whose element (i, p) lies at `at + i * row + p * step`.
struct Left {
  const float* at;
  int64_t row, step;
};

// A factor whose rows lie `row` apart, or, with row = 0, cut into panels of kTileVecs vectors, `depth` rows each.
struct Right {
  const float* at;
  int64_t row, depth;
};

// What a sum begins with: rows `row` apart (0: the same one for all), or zeros (null).
struct Start {
  const float* at;
  int64_t row;
};

// Rows of some tensors that are wanted soon. They lie far apart, so that no processor guesses them; asked for one cache
// line at a time between multiply-adds they arrive in time, where of a burst most are dropped.
struct Ahead {
  const float* row[8];  // of each tensor the next one
  int count;
  int64_t lines, width, left;  // of a row; from row to row; rows of all tensors together
  int tensor;
  int64_t line;

  inline __attribute__((always_inline)) void ask() {
    if (left == 0) return;
    __builtin_prefetch(row[tensor] + 16 * line);
    if (++line < lines) return;
    row[tensor] += width, line = 0, --left;
    if (++tensor == count) tensor = 0;
  }
};

}  // namespace

template <int M, int N>
static inline void product_tile(Left a, const float* b, int64_t row_b, Start start, float* c, int64_t row_c, int64_t k,
                                Ahead* ahead) {
  Vec sum[M][N];
  BG_UNROLL for (int i = 0; i < M; ++i) BG_UNROLL for (int j = 0; j < N; ++j) sum[i][j] =
      start.at ? load(start.at + i * start.row + j * VL) : Vec{};
  for (int64_t p = 0; p < k; ++p) {
    if (p % 2 == 0) ahead->ask();
    Vec right[N];
    BG_UNROLL for (int j = 0; j < N; ++j) right[j] = load(b + p * row_b + j * VL);
    BG_UNROLL for (int i = 0; i < M; ++i) {
      const Vec left = splat(a.at[i * a.row + p * a.step]);
      BG_UNROLL for (int j = 0; j < N; ++j) sum[i][j] += left * right[j];
    }
  }
  BG_UNROLL for (int i = 0; i < M; ++i) BG_UNROLL for (int j = 0; j < N; ++j) store(c + i * row_c + j * VL, sum[i][j]);
}

// All m rows, N vectors of each.
template <int N>
static void product_strip(int64_t m, Left a, const float* b, int64_t row_b, Start start, float* c, int64_t row_c,
                          int64_t k, Ahead* ahead) {
  for (int64_t i = 0; i < m;) {
    const Left pa = {a.at + i * a.row, a.row, a.step};
    const Start from = {start.at ? start.at + i * start.row : nullptr, start.row};
    float* pc = c + i * row_c;
    if (m - i >= kTileRows) product_tile<kTileRows, N>(pa, b, row_b, from, pc, row_c, k, ahead), i += kTileRows;
    else if (m - i >= 4) product_tile<4, N>(pa, b, row_b, from, pc, row_c, k, ahead), i += 4;
    else if (m - i >= 2) product_tile<2, N>(pa, b, row_b, from, pc, row_c, k, ahead), i += 2;
    else product_tile<1, N>(pa, b, row_b, from, pc, row_c, k, ahead), i += 1;
  }
}

// C = start + A B: C has m rows of `vecs` vectors, row_c apart. A stretch of B's rows stays in the first-level cache
// while all rows of A pass.
static void product(int64_t m, int64_t vecs, int64_t k, Left a, Right b, Start start, float* c, int64_t row_c,
                    Ahead* ahead) {
  const int64_t stretch = 128;
  for (int64_t p = 0; p < k; p += stretch) {
    const int64_t depth = least(stretch, k - p);
    if (p > 0) start = {c, row_c};
    for (int64_t j = 0; j < vecs; j += kTileVecs) {
      const int64_t n = least(kTileVecs, vecs - j), row_b = b.row == 0 ? n * VL : b.row;
      const float* pb = b.at + j * VL * (b.row == 0 ? b.depth : 1) + p * row_b;
      const Left pa = {a.at + p * a.step, a.row, a.step};
      const Start from = {start.at ? start.at + j * VL : nullptr, start.row};
      float* pc = c + j * VL;
      if (n == 1) product_strip<1>(m, pa, pb, row_b, from, pc, row_c, depth, ahead);
      if (n == 2) product_strip<2>(m, pa, pb, row_b, from, pc, row_c, depth, ahead);
#if VL == 16
      if (n == 3) product_strip<3>(m, pa, pb, row_b, from, pc, row_c, depth, ahead);
      if (n == 4) product_strip<4>(m, pa, pb, row_b, from, pc, row_c, depth, ahead);
#endif
    }
  }
}
