// y = a b + bias on 8-bit integers, for inference. A column of b (the weights of one output) becomes s w with w in
// -127 .. 127, once, when it is packed; a row of a becomes r (q - z) with q and z in 0 .. 255, whenever it comes. Then
//   y_ij = r_i s_j (sum_p q_ip w_pj - z_i sum_p w_pj) + bias_j,
// where all that is summed is an integer: exact, in any order, and the same on every backend (src/backend/js/int8.ts).
// A row or column that holds NaN or infinity has no scale, and gives NaN; one within 2^-126 of 0 counts as 0.
//
// Four numbers of one row, one after the other in k, are a word: what `dot_int8` multiplies by four of a column. Rows
// of a lie as they come; columns of b in slivers of NR, word by word. A task takes some rows and a range of slivers, so
// that a sliver is read once for all those rows while it is in the first-level cache.

namespace {
enum { kWord = 4 };  // numbers in a word

// What `pack` makes of b: words, then for each column its scale and its sum.
struct Columns {
  int32_t* words;
  float* scales;
  int32_t* sums;
};

// Rows of a as integers: `stride` bytes apart, and for each its scale and its zero.
struct Rows {
  uint8_t* q;
  float* scales;
  int32_t* zeros;
  int64_t stride;
};
}  // namespace

// Keeps a product from becoming one operation with the sum after it: others round twice, and so must this.
static inline Vec rounded(Vec x) {
  __asm__("" : "+" BG_REGISTER(x));
  return x;
}

// 1.5 * 2^23: a float near it has no digits behind the point, and its bits count on from kBits.
static const float kWhole = 12582912.f;
static const int32_t kBits = 0x4b400000;

// The lowest bytes of the lanes.
static inline void store_bytes(uint8_t* q, IVec x) {
#if VL == 16 && defined(__x86_64__)
  _mm_storeu_si128((__m128i*)q, _mm512_cvtepi32_epi8((__m512i)x));
#else
  for (int i = 0; i < VL; ++i) q[i] = (uint8_t)x[i];
#endif
}
static inline IVec within(IVec x, int32_t low, int32_t high) {
#if VL == 16 && defined(__x86_64__)
  return (IVec)_mm512_min_epi32(_mm512_max_epi32((__m512i)x, _mm512_set1_epi32(low)), _mm512_set1_epi32(high));
#else
  x = x < low ? IVec{} + low : x;
  return x > high ? IVec{} + high : x;
#endif
}

// q[i] = x[i] factor + zero, rounded to the nearest, ties to even, within low .. high; `zero` behind the last up to a
// whole vector.
static void round_row(const float* x, int64_t n, float factor, int32_t zero, int32_t low, int32_t high, uint8_t* q) {
  const float shift = kWhole + (float)zero;
  const auto whole = [=](Vec v) { return within((IVec)(rounded(v * factor) + shift) - kBits, low, high); };
  int64_t i = 0;
  for (; i + VL <= n; i += VL) store_bytes(q + i, whole(load(x + i)));
  if (i < n) store_bytes(q + i, whole(load_part(x + i, n - i)));
}

// 1 / scale, or 0 for a row that is all 0, as good as 0, or not finite.
static inline float factor_of(float scale) { return scale >= 1.17549435e-38f ? 1.f / scale : 0.f; }

// The larger one; NaN is passed over, for `odd` below shows it.
static inline Vec larger(Vec x, Vec y) {
  BG_HIDE(x);
  return x > y ? x : y;
}
static inline Vec smaller(Vec x, Vec y) {
  BG_HIDE(x);
  return x < y ? x : y;
}

// Ends of a row, 0 included, and 0 where all of it is finite, else NaN.
struct Ends {
  Vec low, high, odd;
};
static inline Ends ends_of(const float* x, int64_t n) {
  Ends a = {}, b = {};
  const auto look = [](Ends& e, Vec v) { e.low = smaller(v, e.low), e.high = larger(v, e.high), e.odd += v * 0.f; };
  int64_t i = 0;
  for (; i + 2 * VL <= n; i += 2 * VL) look(a, load(x + i)), look(b, load(x + i + VL));
  if (i < n) look(a, load_count(x + i, least(VL, n - i)));
  if (i + VL < n) look(b, load_part(x + i + VL, n - i - VL));
  return {smaller(a.low, b.low), larger(a.high, b.high), a.odd + b.odd};
}

static void round_activations(const float* x, int64_t n, const Rows& to, int64_t i) {
  const Ends ends = ends_of(x, n);
  const float low = fold_lanes(ends.low, smaller), high = fold_lanes(ends.high, larger);
  const float scale = high / 255.f - low / 255.f, factor = factor_of(scale);
  const IVec shifted = (IVec)(rounded(splat(-low * factor)) + kWhole);
  const int32_t zero = shifted[0] - kBits;
  to.scales[i] = scale + hsum(ends.odd), to.zeros[i] = zero;
  round_row(x, n, factor, zero, 0, 255, to.q + i * to.stride);
}

// Column j of b, which lies in x, into its place.
static void round_weights(const float* x, int64_t k, const Columns& to, int64_t words, int64_t j, uint8_t* q) {
  const Ends ends = ends_of(x, k);
  const float scale = fold_lanes(larger(ends.high, -ends.low), larger) / 127.f;
  for (int64_t p = k / kWord * kWord; p < words * kWord; ++p) q[p] = 0;
  round_row(x, k, factor_of(scale), 0, -127, 127, q);
  int32_t sum = 0;
  for (int64_t p = 0; p < k; ++p) sum += (int8_t)q[p];
  to.scales[j] = scale + hsum(ends.odd), to.sums[j] = sum;
  int32_t* word = to.words + j / NR * words * NR + j % NR;
  for (int64_t p = 0; p < words; ++p) __builtin_memcpy(word + p * NR, q + p * kWord, kWord);
}

static inline int64_t words_of(int64_t k) { return (k + kWord - 1) / kWord; }

static Columns columns_of(const float* packed, int64_t k, int64_t n) {
  const int64_t columns = round_up(n, NR);
  int32_t* words = (int32_t*)packed;
  float* scales = (float*)(words + columns * words_of(k));
  return {words, scales, (int32_t*)(scales + columns)};
}

static void pack_int8(const Run* run, const float* b, float* y, int64_t k, int64_t n, int transpose_b) {
  const Columns to = columns_of(y, k, n);
  const int64_t words = words_of(k), columns = round_up(n, NR);
  auto body = [=](int64_t begin, int64_t end) {
    float* x = (float*)run->scratch(4, round_up(k, 16) * 4);
    uint8_t* q = (uint8_t*)run->scratch(5, round_up(k, 64) + 64);
    for (int64_t j = begin; j < end; ++j) {
      for (int64_t p = 0; p < k && j < n && !transpose_b; ++p) x[p] = b[p * n + j];
      if (j < n) round_weights(transpose_b ? b + j * k : x, k, to, words, j, q);
      else round_weights(x, 0, to, words, j, q);  // a column of zeros fills the last sliver
    }
  };
  parallel(run, columns, most(1, kGrain / most(1, k)), body);
}

// A panel of rows and a sliver of columns, and where their product goes: rows of y, or of a buffer.
struct Int8Tile {
  const uint8_t* a;
  int64_t stride_a;
  const int32_t* b;
  int64_t words, cols;
  const char* ahead;  // of the next sliver: what to ask for meanwhile, a line a word
  int64_t lines;
  const float *row_scales, *scales, *bias;  // of the tile's first row and first column
  const int32_t *zeros, *sums;
  float* y;
  int64_t stride_y;
};

// r_i s_j (sum - z_i sums_j) + bias_j of a tile.
template <int R>
static inline void scale_tile(const Int8Tile& t, IVec (&sum)[R][NV]) {
  BG_UNROLL for (int v = 0; v < NV; ++v) {
    const int64_t count = most(0, least(VL, t.cols - v * VL));
    const Vec scale = load(t.scales + v * VL), bias = t.bias ? load_count(t.bias + v * VL, count) : Vec{};
    const IVec sums = (IVec)load((const float*)t.sums + v * VL);
    BG_UNROLL for (int r = 0; r < R; ++r) {
      const IVec whole = sum[r][v] - sums * t.zeros[r];
      store(t.y + r * t.stride_y + v * VL,
            rounded(__builtin_convertvector(whole, Vec) * (scale * t.row_scales[r])) + bias);
    }
  }
}

template <int R>
static __attribute__((noinline)) void int8_tile(const Int8Tile& t) {
  IVec sum[R][NV];
  BG_UNROLL for (int r = 0; r < R; ++r) {
    BG_UNROLL for (int v = 0; v < NV; ++v) sum[r][v] = IVec{};
    __builtin_prefetch(t.y + r * t.stride_y, 1);
    __builtin_prefetch(t.y + r * t.stride_y + NR - 1, 1);
  }
  const uint8_t* a = t.a;
  const int32_t* b = t.b;
  for (int64_t p = 0; p < t.words; ++p, a += kWord, b += NR) {
    if (p < t.lines) __builtin_prefetch(t.ahead + 64 * p);
    IVec column[NV];
    BG_UNROLL for (int v = 0; v < NV; ++v) column[v] = (IVec)load((const float*)b + v * VL);
    BG_UNROLL for (int r = 0; r < R; ++r) {
      int32_t word;
      __builtin_memcpy(&word, a + r * t.stride_a, kWord);
      const IVec row = IVec{} + word;
      BG_UNROLL for (int v = 0; v < NV; ++v) sum[r][v] = dot_int8(sum[r][v], row, column[v]);
    }
  }
  scale_tile<R>(t, sum);
}

template <int R>
static inline void int8_rows(int64_t rows, const Int8Tile& t) {
  if constexpr (R > 1)
    if (rows < R) return int8_rows<R - 1>(rows, t);
  int8_tile<R>(t);
}

// What else becomes of a tile that lies in a buffer: y from row i, column j on.
template <class F>
static inline void finish_int8(const MatmulCall& c, int64_t i, int64_t j, int64_t rows, const float* tile) {
  for (int64_t r = 0; r < rows; ++r) {
    for (int v = 0; v < NV && j + v * VL < c.n; ++v) {
      const int64_t count = least(VL, c.n - j - v * VL), place = (i + r) * c.n + j + v * VL;
      Vec t = load(tile + r * NR + v * VL);
      if (c.epilogue == kAddTo) t += load_count(c.y + place, count);
      if (c.epilogue == kActivate && c.x) store_count(c.x + place, t, count);
      if (c.epilogue == kSlope) t *= F::d(load_count(c.x + place, count), Vec{}, 0.f);
      else t = F::f(t, 0.f);
      store_count(c.y + place, t, count);
    }
  }
}

namespace {
struct Same {
  static inline Vec f(Vec x, float) { return x; }
  static inline Vec d(Vec, Vec, float) { return splat(1.f); }
};

// What the calling thread has rounded of a, for the tasks it takes next.
struct Rounded {
  const void* owner;  // each copy of this file counts its products
  int64_t product, first, unused[5];
};
}  // namespace
static int64_t int8_products = 0;

template <class F>
static void multiply_int8(const Run* run, const MatmulCall& c, const Columns& b) {
  const int64_t product = __atomic_add_fetch(&int8_products, 1, __ATOMIC_RELAXED), words = words_of(c.k);
  // Rows of an odd number of cache lines spread over all cache sets; panels are as even as they go.
  const int64_t stride = round_up(words * kWord, 64) | 64, panels = (c.m + kInt8Rows - 1) / kInt8Rows;
  const int64_t height = (c.m + panels - 1) / panels, slivers = (c.n + NR - 1) / NR;
  const int64_t fit = most(1, kInt8Piece / (height * stride)), share = (panels + run->threads - 1) / run->threads;
  const int64_t group = least(fit, share), groups = (panels + group - 1) / group;
  const int64_t wanted = run->threads > 1 ? 6 * run->threads : 1;
  const int64_t parts = least(slivers, (wanted + groups - 1) / groups), width = (slivers + parts - 1) / parts;
  auto task = [&](int64_t begin, int64_t) {
    const int64_t first = begin / parts * group * height, last = least(c.m, first + group * height);
    const int64_t from = begin % parts * width, to = least(slivers, from + width);
    char* memory = (char*)run->scratch(4, 64 + group * height * (8 + stride) + 2 * VL);
    Rounded* rounded = (Rounded*)memory;
    float* scales = (float*)(memory + 64);
    const Rows a = {(uint8_t*)(scales + 2 * group * height), scales, (int32_t*)(scales + group * height), stride};
    if (rounded->owner != &int8_products || rounded->product != product || rounded->first != first) {
      *rounded = {&int8_products, product, first, {}};
      for (int64_t i = first; i < last; ++i) round_activations(c.a + i * c.k, c.k, a, i - first);
    }
    for (int64_t sliver = from; sliver < to; ++sliver) {
      const int64_t j = sliver * NR, cols = least(NR, c.n - j);
      const int32_t* words_at = b.words + j * words;
      const char* ahead = (const char*)(words_at + NR * words);
      const int64_t bytes = sliver + 1 < to ? 4 * NR * words : 0, lines = ceil_div(bytes * height, 64 * (last - first));
      for (int64_t i = first; i < last; i += height, ahead += 64 * lines) {
        float buffer[kInt8Rows * NR];
        const int64_t rows = least(height, last - i), row = i - first;
        const bool direct = cols == NR && c.epilogue == kNone;
        const float* bias = c.bias ? c.bias + j : nullptr;
        int8_rows<kInt8Rows>(
            rows, {a.q + row * stride, stride, words_at, words, cols, ahead, lines, a.scales + row, b.scales + j, bias,
                   a.zeros + row, b.sums + j, direct ? c.y + i * c.n + j : buffer, direct ? c.n : NR});
        if (!direct) finish_int8<F>(c, i, j, rows, buffer);
      }
    }
  };
  parallel(run, groups * parts, 1, task);
}

// One b under all rows of a, which is not transposed: what inference needs.
static void matmul_int8(const Run* run, const MatmulCall* call) {
  MatmulCall c = *call;
  c.m *= c.batch;
  if (c.m == 0 || c.n == 0) return;
  float* packed = (float*)c.packed;
  if (packed == nullptr) {
    packed = (float*)run->scratch(3, (words_of(c.k) + 2) * round_up(c.n, NR) * 4);
    pack_int8(run, c.b, packed, c.k, c.n, c.transpose_b);
  }
  const Columns b = columns_of(packed, c.k, c.n);
  const bool slope = c.epilogue == kActivate || c.epilogue == kSlope;
  if (!slope) multiply_int8<Same>(run, c, b);
  else if (c.fn == kRelu) multiply_int8<Relu>(run, c, b);
  else if (c.fn == kGelu) multiply_int8<Gelu>(run, c, b);
  else multiply_int8<GeluTanh>(run, c, b);
}
