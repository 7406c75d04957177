// y = a b + bias on 8-bit integers, for inference. A column of b (the weights of one output) becomes s w with w in
// -127 .. 127, once, when it is packed; a row of a becomes r (q - z) with q and z in 0 .. 255, whenever it comes. Then
//   y_ij = r_i s_j (sum_p q_ip w_pj - z_i sum_p w_pj) + bias_j,
// where all that is summed is an integer: exact, in any order, and the same on every backend (src/backend/js/int8.ts).
// A row or column that holds NaN or infinity has no scale, and gives NaN; one within 2^-126 of 0 counts as 0.
//
// Here is how rows and columns are rounded, packed and scaled; gemm_int8.inl multiplies. Columns of b lie in slivers of
// NR, word by word: a word is four numbers of one column, one after the other in k. Of two ways to multiply them
// (int8.inl, int8_pairs.inl) each says what a number of a row is, how a sliver's words stand, and what sums of products
// have too much: `Number`, `kFromZero`, `put_word`, `term_of_row`, `term_of_column`, `whole_of`.

namespace {
enum { kWord = 4 };  // numbers in a word

// What `pack` makes of b: words, then for each column its scale and its term.
struct Columns {
  int32_t* words;
  float* scales;
  int32_t* terms;
};

// Rows of a as integers: `stride` numbers apart, and for each its scale and its term.
struct Rows {
  Number* q;
  float* scales;
  int32_t* terms;
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
static inline void put(uint8_t* q, IVec x) {
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

// q[i] = x[i] factor + zero, rounded to the nearest, ties to even, within low .. high, less `origin`; that of x = 0
// behind the last up to a whole vector.
template <class T>
static void round_row(const float* x, int64_t n, float factor, int32_t zero, int32_t low, int32_t high, int32_t origin,
                      T* q) {
  const float shift = kWhole + (float)zero;
  const int32_t bits = kBits + origin;
  low -= origin, high -= origin;
  const auto whole = [=](Vec v) { return within((IVec)(rounded(v * factor) + shift) - bits, low, high); };
  int64_t i = 0;
  for (; i + VL <= n; i += VL) put(q + i, whole(load(x + i)));
  if (i < n) put(q + i, whole(load_part(x + i, n - i)));
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
  Number* q = to.q + i * to.stride;
  round_row(x, n, factor, zero, 0, 255, kFromZero ? zero : 0, q);
  to.scales[i] = scale + hsum(ends.odd), to.terms[i] = term_of_row(q, n, zero);
}

// Column j of b, which lies in x, into its place.
static void round_weights(const float* x, int64_t k, const Columns& to, int64_t words, int64_t j, uint8_t* q) {
  const Ends ends = ends_of(x, k);
  const float scale = fold_lanes(larger(ends.high, -ends.low), larger) / 127.f;
  for (int64_t p = k / kWord * kWord; p < words * kWord; ++p) q[p] = 0;
  round_row(x, k, factor_of(scale), 0, -127, 127, 0, q);
  to.scales[j] = scale + hsum(ends.odd), to.terms[j] = term_of_column((const int8_t*)q, words * kWord);
  int32_t* word = to.words + j / NR * words * NR;
  for (int64_t p = 0; p < words; ++p) put_word(word + p * NR, j % NR, q + p * kWord);
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
  const Number* a;
  int64_t stride_a;
  const int32_t* b;
  int64_t words, cols;
  IVec* sums;         // of the words before, and for those that follow
  bool first, last;   // no words come before, none follow
  const char* ahead;  // of the next sliver: what to ask for meanwhile, a line a word
  int64_t lines;
  const float *row_scales, *scales, *bias;  // of the tile's first row and first column
  const int32_t *row_terms, *terms;
  float* y;
  int64_t stride_y;
  bool prepared;  // b, or it lies as in memory
};

// r_i s_j (what a sum of products stands for) + bias_j of a tile.
template <int R>
static inline void scale_tile(const Int8Tile& t, IVec (&sum)[R][NV]) {
  BG_UNROLL for (int v = 0; v < NV; ++v) {
    const int64_t count = most(0, least(VL, t.cols - v * VL));
    const Vec scale = load(t.scales + v * VL), bias = t.bias ? load_count(t.bias + v * VL, count) : Vec{};
    const IVec terms = (IVec)load((const float*)t.terms + v * VL);
    BG_UNROLL for (int r = 0; r < R; ++r) {
      const IVec whole = whole_of(sum[r][v], terms, t.row_terms[r]);
      store(t.y + r * t.stride_y + v * VL,
            rounded(__builtin_convertvector(whole, Vec) * (scale * t.row_scales[r])) + bias);
    }
  }
}
