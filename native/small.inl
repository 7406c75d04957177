// Products small enough for the caches: attention's, of one head at a time. Every element is a sum in the order of its
// index, so neither the size nor the place of a tile changes a bit. An index of k is that of a word: kPair numbers.

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

// Rows of some tensors that are wanted soon. They lie far apart, so that no processor guesses them; asked for two cache
// lines at a time between multiply-adds they arrive in time, where of a burst most are dropped.
struct Ahead {
  const float* row[8];  // of each tensor the next one
  int64_t count;
  int64_t lines, width, left;  // of a row; from row to row; rows of all tensors together
  bool first_level;            // where they go
  int64_t pace, call;          // so many calls ask once: what comes too early is gone when it is used
  int64_t tensor, line;

  inline __attribute__((always_inline)) void ask() {
    if (left == 0 || ++call < pace) return;
    const float* x = row[tensor];
    call = 0;
    if (first_level) __builtin_prefetch(x), __builtin_prefetch(x + 16);
    else __builtin_prefetch(x, 0, 2), __builtin_prefetch(x + 16, 0, 2);
    row[tensor] = x + 32, line += 2;
    if (line < lines) return;
    row[tensor] = x + 32 - 16 * line + width;
    line = 0, --left;
    if (++tensor == count) tensor = 0;
  }
};

// A product of a few vectors of columns, or of some panels of as many.
struct Strip {
  Left a;
  const float* b;
  int64_t row_b;
  const float* start;  // of every row's sums; null: what c holds
  float* c;
  int64_t row_c, k;
  int64_t row, column;  // of C: the first, and the first vector
  Ahead* ahead;
  int64_t panels, next_b = 0, next_start = 0;  // from a panel to the next
};

}  // namespace

static const float kZeros[kTileVecs * VL] = {};

namespace {

// M rows: three share a pointer, as an address may hold one step or two. Where a tile needs more addresses than there
// are registers, GCC keeps some in vector registers, and reading one back waits behind the queue of multiply-adds.
template <int M, class T>
struct RowsAt {
  T* at[(M + 2) / 3];
  int64_t row;
  RowsAt(T* x, int64_t row) : row(row) { BG_UNROLL for (int i = 0; i < (M + 2) / 3; ++i) at[i] = x + 3 * i * row; }
  T* operator[](int i) const { return at[i / 3] + i % 3 * row; }
  void move(int64_t step) { BG_UNROLL for (int i = 0; i < (M + 2) / 3; ++i) at[i] += step; }
};

// What becomes of sums: `row` of an Ending gives what takes the vectors of one row of a tile, in their order, while
// they are in registers.
struct Stored {
  enum { kPlain = true };
  Stored row(int64_t) const { return *this; }
  void put(float* to, Vec sum, int64_t) const { store(to, sum); }
  void close() const {}
};

}  // namespace

// Side: elements of A for one index of k stand side by side, else rows are contiguous. Add: sums begin with what C
// holds. Inlined by force: a call would save and restore registers at every tile.
template <int M, int N, bool Side, bool Add, class Ending>
static inline __attribute__((always_inline)) void product_tile(const Strip& t, const Ending& ending) {
  Vec sum[M][N];
  const RowsAt<M, float> to(t.c, t.row_c);
  BG_UNROLL for (int i = 0; i < M; ++i) BG_UNROLL for (int j = 0; j < N; ++j) sum[i][j] =
      load((Add ? to[i] : t.start) + j * VL);
  RowsAt<M, const float> left(t.a.at, Side ? 1 : t.a.row);
  const int64_t step = Side ? t.a.step : 1;
  const float* b = t.b;
  const auto index = [&]() __attribute__((always_inline)) {
    Vec right[N];
    BG_UNROLL for (int j = 0; j < N; ++j) right[j] = load(b + j * VL);
    BG_UNROLL for (int i = 0; i < M; ++i) {
      const Vec factor = splat(Side ? left.at[0][i] : *left[i]);
      BG_UNROLL for (int j = 0; j < N; ++j) sum[i][j] = multiply_add(sum[i][j], factor, right[j]);
    }
    left.move(step), b += t.row_b;
  };
  int64_t p = 0;
  for (; p + kStep <= t.k; p += kStep) {
    _Pragma("GCC unroll 1") for (int q = 0; q < kStep; ++q) index();
    t.ahead->ask();
  }
  for (; p < t.k; ++p) index();
  BG_UNROLL for (int i = 0; i < M; ++i) {
    auto row = ending.row(t.row + i);
    BG_UNROLL for (int j = 0; j < N; ++j) row.put(to[i] + j * VL, sum[i][j], t.column + j);
    row.close();
  }
}

// Tiles of few vectors are short and feel what a call takes to begin: one does all whole panels.
#if VL == 16
#define BG_PANEL __attribute__((noinline))
#else
#define BG_PANEL inline __attribute__((always_inline))
#endif

// All m rows, N vectors of each; of few vectors twice as many rows make a tile.
template <int N, bool Side, bool Add, class Ending>
static BG_PANEL void product_panel(int64_t m, Strip t, Ending ending) {
  const auto pass = [&](int rows) { m -= rows, t.row += rows, t.a.at += rows * t.a.row, t.c += rows * t.row_c; };
  if (2 * N <= kTileVecs)
    for (; m >= 2 * kTileRows; pass(2 * kTileRows)) product_tile<2 * kTileRows, N, Side, Add>(t, ending);
  const int64_t twice = 2 * N < 8 ? 8 : -1;  // rows that 4 and 4 serve better than 6 and 2, whose few sums wait
  for (; m >= kTileRows && m != twice; pass(kTileRows)) product_tile<kTileRows, N, Side, Add>(t, ending);
  for (; m >= 4; pass(4)) product_tile<4, N, Side, Add>(t, ending);
  if (m >= 2) product_tile<2, N, Side, Add>(t, ending), pass(2);
  if (m >= 1) product_tile<1, N, Side, Add>(t, ending);
}

#if VL == 16
#define product_panels product_panel
#else
template <int N, bool Side, bool Add, class Ending>
static __attribute__((noinline)) void product_panels(int64_t m, Strip t, Ending ending) {
  do {
    product_panel<N, Side, Add>(m, t, ending);
    t.b += t.next_b, t.start += t.next_start, t.c += N * VL, t.column += N;
  } while (--t.panels > 0);
}
#endif

template <int N, class Ending>
static inline void product_strip(int64_t m, const Strip& t, const Ending& ending) {
  if constexpr (Ending::kPlain) {
    if (t.a.step != 1)
      return (t.start ? product_panels<N, true, false, Ending> : product_panels<N, true, true, Ending>)(m, t, ending);
  }
  (t.start ? product_panels<N, false, false, Ending> : product_panels<N, false, true, Ending>)(m, t, ending);
}

template <class Ending>
static inline void product_strip(int64_t n, int64_t m, const Strip& t, const Ending& ending) {
  if (n == 1) product_strip<1>(m, t, ending);
  if (n == 2) product_strip<2>(m, t, ending);
#if VL == 16
  if (n == 3) product_strip<3>(m, t, ending);
  if (n == 4) product_strip<4>(m, t, ending);
#endif
}

// C = start + A B, or C += A B where start is null: C has m rows of `vecs` vectors, row_c apart; `ending` takes what is
// complete. A stretch of B's rows stays in the first-level cache while all rows of A pass.
template <class Ending = Stored>
static void product(int64_t m, int64_t vecs, int64_t k, Left a, Right b, const float* start, float* c, int64_t row_c,
                    Ahead* ahead, Ending ending = {}) {
  const int64_t stretch = 128, column = VL * (b.row == 0 ? b.depth : 1);  // from a vector of columns to the next
  for (int64_t p = 0; p < k; p += stretch) {
    const int64_t depth = least(stretch, k - p);
    for (int64_t j = 0, n, panels; j < vecs; j += n * panels) {
      n = least(kTileVecs, vecs - j), panels = VL == 16 ? 1 : (vecs - j) / n;
      const int64_t row_b = b.row == 0 ? n * VL : b.row, step = start == kZeros ? 0 : VL;
      const float* from = p > 0 || !start ? nullptr : start + j * step;
      const float* pb = b.at + j * column + p * row_b;
      Strip t = {{a.at + p * a.step, a.row, a.step}, pb, row_b, from, c + j * VL, row_c, depth, 0, j, ahead, panels};
      t.next_b = n * column, t.next_start = from ? n * step : 0;
      if (p + depth == k) product_strip(n, m, t, ending);
      else product_strip(n, m, t, Stored{});
    }
  }
}
