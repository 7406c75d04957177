// The innermost part of a product: R rows times NV vectors of y in registers, for one block of k (Goto and van de Geijn
// 2008).

// Indices of k from one look at errands to the next. Tiles of few registers are short of time for it: an index takes 6
// cycles with AVX2, 28 with AVX-512. Four indices are unrolled; sixteen stay a loop, or GCC, which renames sums from
// one copy to the next, runs out of registers and puts some of them into memory.
static const int kStep = VL == 16 ? 4 : 16;

// A piece of memory on its way to the second-level cache while tiles are multiplied: `rows` of `lines`, `rate` lines a
// step. Steps are inlined by force: a call in the loop would put every sum into memory.
struct Fetch {
  const char* x;
  int64_t skip;  // from the end of a row's lines to the next row
  int64_t lines, rows, rate, line;

  inline __attribute__((always_inline)) void step() {
    for (int64_t i = 0; i < rate; ++i) {
      __builtin_prefetch(x, 0, 2);
      x += 64;
      if (++line < lines) continue;
      line = 0, x += skip;
      if (--rows == 0) rate = 0;
    }
  }
};

// How many vectors ahead of their use memory is asked for that is packed.
static const int64_t kLinesAhead = 32;

// Rows of memory on their way into strips (gemm_streams.inl) while tiles are multiplied: of each word of k a few
// vectors for each of the strips, which lie side by side in memory; `rate` strips a step. Loads, conversions and stores
// go through pipes that multiply-adds leave free. Lines are asked for `ahead` floats before they are read.
struct Packing {
  const float* x;
  float *to, *sums;  // sums: of columns, `step` floats a strip, or null
  int64_t stride, ahead;
  int64_t width, next, step;  // from a strip to the next, in memory and packed; packed floats of a word
  int64_t back_x, back_to;    // from the end of a word to the next one
  int64_t strips, words, strip, rate;

  inline __attribute__((always_inline)) void run() {
    for (int64_t i = 0; i < rate; ++i) {
      for (int64_t v = 0; v < step; v += VL) {
        store(to + v, word_of(x + v, stride));
        if (sums) store(sums + v, load(sums + v) + sum_of(x + v, stride));
        __builtin_prefetch(x + v + ahead, 0, 2);
        if (kPair > 1) __builtin_prefetch(x + v + ahead + stride, 0, 2);
      }
      x += width, to += next;
      if (sums) sums += step;
      if (++strip < strips) continue;
      strip = 0, x += back_x, to += back_to;
      if (sums) sums -= strips * step;
      if (--words == 0) rate = 0;
    }
  }
};

// kRead: both operands are packed, or read where they lie. kMeet: one of them is met for the first time, and packed for
// the tiles to come. kStream: others are packed meanwhile.
enum Way { kRead, kMeet, kStream };

// What a tile asks for while it multiplies: its rows of y, and what will be packed next. A few lines at a time: a burst
// would fill the queue of misses and hold up the loads behind it. Rows of a tile's upper and lower half take turns: a
// processor that guesses how rows go on fetches those below, which another thread is writing.
struct Errands {
  const float* y;
  int64_t stride, half, last, rows;  // half: to the next row, then stride - half; last: of a row's floats
  Fetch *a, *b;
  Packing *pack_a, *pack_b;

  Errands(const Tile& t, int64_t height)
      : y(t.y), stride(t.stride_y), a(t.next_a), b(t.next_b), pack_a(t.pack_a), pack_b(t.pack_b) {
    rows = t.across ? t.cols : height, last = (t.across ? height : NR) - 1, half = (rows + 1) / 2 * stride;
  }

  // Whether there is more to do.
  template <Way way>
  inline __attribute__((always_inline)) bool step() {
    if (rows > 0) {
      __builtin_prefetch(y, 1);
      __builtin_prefetch(y + last, 1);
      y += half, half = stride - half, --rows;
    }
    if (b->rate) b->step();
    if (way == kStream) {
      if (pack_a->rate) pack_a->run();
      if (pack_b->rate) pack_b->run();
      return rows > 0 || b->rate || pack_a->rate || pack_b->rate;
    }
    if (a->rate) a->step();
    return rows > 0 || a->rate || b->rate;
  }
};

// How far ahead of their use lines are asked for that nobody has touched before: 100 to 200 ns, in indices of k.
static const int64_t kAhead = VL == 16 ? 24 : 64;
// The same for lines to write that the second-level cache may have lost: about 100 ns.
static const int64_t kSoon = VL == 16 ? 16 : 48;

namespace {  // a member of a template would be exported from here, and taken for every instruction set

// A panel whose rows are contiguous: one pointer for three rows, as an address may hold a pointer and one or two steps.
// One that is kept is read from its copy, which is made a line a row ahead of its use.
template <int R>
struct RowPanel {
  const float* x[(R + 2) / 3];
  int64_t step;
  const float* from;
  float* to;
  int64_t stride, lines, row;
  explicit RowPanel(const Tile& t)
      : step(t.keep_a ? kRow : t.step_a), from(t.a), to(t.keep_a), stride(t.step_a), lines(t.depth / kLine), row(0) {
    const float* first = t.keep_a ? t.keep_a : t.a;
    BG_UNROLL for (int i = 0; i < (R + 2) / 3; ++i) x[i] = first + 3 * i * step;
    if (to) copy(R);
  }
  inline __attribute__((always_inline)) void copy(int rows) {
    for (int i = 0; i < rows && lines > 0; ++i) {
      __builtin_memcpy(to + row * kRow, from + row * stride, 4 * kLine);
      if (++row == R) from += kLine, to += kLine, row = 0, --lines;
    }
  }
  float at(int r) const { return x[r / 3][r % 3 * step]; }
  void next() { BG_UNROLL for (int i = 0; i < (R + 2) / 3; ++i)++ x[i]; }
  void keep() {}
  inline __attribute__((always_inline)) void keep_step() {
    if (to) copy((R * kStep + kLine - 1) / kLine);
  }
};

// A panel that holds the rows of one index of k side by side.
template <int R>
struct SidePanel {
  const float* x;
  float* to;
  int64_t step;
  explicit SidePanel(const Tile& t) : x(t.a), to(t.keep_a), step(t.step_a) {}
  float at(int r) const { return x[r]; }
  void next() { x += step; }
  void keep() {
    if (!to) return;
    for (int r = 0; r < R; r += VL) store(to + r, load(x + r));
    __builtin_prefetch(x + kAhead * step, 0, 2);
    __builtin_prefetch(x + kAhead * step + R - 1, 0, 2);
    to += kSide;
  }
  void keep_step() {}
};

template <int R, template <int> class Panel, Way way>
static __attribute__((noinline)) void multiply_tile(const Tile& t) {
  Vec sum[R][NV];
  BG_UNROLL for (int r = 0; r < R; ++r) { BG_UNROLL for (int v = 0; v < NV; ++v) sum[r][v] = Vec{}; }
  Errands errands(t, R);
  Panel<R> a(t);
  const float* b = t.b;
  float* keep_b = t.keep_b;
  int64_t step_b = way == kMeet ? t.step_b : NR, ahead = kAhead * step_b;
  const auto index = [&]() __attribute__((always_inline)) {
    Vec row[NV];
    BG_UNROLL for (int v = 0; v < NV; ++v) row[v] = load(b + v * VL);
    BG_UNROLL for (int r = 0; r < R; ++r) {
      const Vec factor = splat(a.at(r));
      BG_UNROLL for (int v = 0; v < NV; ++v) sum[r][v] = multiply_add(sum[r][v], factor, row[v]);
    }
    if (way == kMeet && keep_b) {
      BG_UNROLL for (int v = 0; v < NV; ++v) {
        store(keep_b + v * VL, row[v]);
        if (v * VL % kLine != 0) continue;
        __builtin_prefetch(keep_b + kSoon * NR + v * VL, 1);
        __builtin_prefetch(b + ahead + v * VL, 0, 2);
      }
      keep_b += NR;
    }
    if (way == kMeet) a.keep();
    a.next(), b += step_b;
  };
  int64_t p = 0;
  for (bool busy = true; p + kStep <= t.depth; p += kStep) {
    if (way == kMeet && p + kAhead >= t.depth) ahead = NR + (kAhead - t.depth) * step_b;  // the next sliver's rows
    for (int q = 0; q < kStep; ++q) index();
    if (busy) busy = errands.step<way>();
    if (way == kMeet) a.keep_step();
  }
  for (; p < t.depth; ++p) index();
  if (t.cols == NR && !t.across && !is_function(t.ending)) return finish_tile<R>(t, sum);
  Vec all[(R + VL - 1) / VL * VL][NV];
  BG_UNROLL for (int r = 0; r < R; ++r) BG_UNROLL for (int v = 0; v < NV; ++v) all[r][v] = sum[r][v];
  t.across ? finish_across(t, R, all[0]) : finish_slowly(t, R, all[0]);
}

typedef void (*TileFn)(const Tile&);
template <template <int> class Panel, Way way, int... R>
struct Tiles {
  static constexpr TileFn of[] = {multiply_tile<R, Panel, way>...};
};
template <template <int> class Panel, Way way, int Count, int... R>
struct TilesUpTo : TilesUpTo<Panel, way, Count - 1, Count, R...> {};
template <template <int> class Panel, Way way, int... R>
struct TilesUpTo<Panel, way, 0, R...> : Tiles<Panel, way, R...> {};

}  // namespace

// Multiplies a panel of so many rows, of either layout.
static inline void multiply_tile(const Tile& t, int64_t rows, int turned) {
  const bool first = t.keep_a || t.keep_b;
  if (t.pack_a) TilesUpTo<SidePanel, kStream, MR>::of[rows - 1](t);
  else if (turned) (first ? TilesUpTo<RowPanel, kMeet, MR>::of : TilesUpTo<RowPanel, kRead, MR>::of)[rows - 1](t);
  else (first ? TilesUpTo<SidePanel, kMeet, MR>::of : TilesUpTo<SidePanel, kRead, MR>::of)[rows - 1](t);
}
