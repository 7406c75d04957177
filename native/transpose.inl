// Exchange of rows and columns in registers.

// a0 b0 a1 b1 ... of the lower halves.
static inline Vec interleave_low(Vec a, Vec b) {
#if !defined(__clang__)
  IVec pick;
  for (int i = 0; i < VL; ++i) pick[i] = i / 2 + i % 2 * VL;
  return __builtin_shuffle(a, b, pick);
#elif VL == 4
  return __builtin_shufflevector(a, b, 0, 4, 1, 5);
#elif VL == 8
  return __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
#else
  return __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
#endif
}

// The same of the upper halves.
static inline Vec interleave_high(Vec a, Vec b) {
#if !defined(__clang__)
  IVec pick;
  for (int i = 0; i < VL; ++i) pick[i] = VL / 2 + i / 2 + i % 2 * VL;
  return __builtin_shuffle(a, b, pick);
#elif VL == 4
  return __builtin_shufflevector(a, b, 2, 6, 3, 7);
#elif VL == 8
  return __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
#else
  return __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
#endif
}

// log2 VL rounds of interleaving halves.
static inline void transpose_square(Vec (&row)[VL]) {
  for (int round = 1; round < VL; round *= 2) {
    Vec next[VL];
    for (int i = 0; i < VL / 2; ++i) {
      next[2 * i] = interleave_low(row[i], row[i + VL / 2]);
      next[2 * i + 1] = interleave_high(row[i], row[i + VL / 2]);
    }
    for (int i = 0; i < VL; ++i) row[i] = next[i];
  }
}

namespace {
struct AsItIs {
  Vec operator()(Vec x) const { return x; }
};
}  // namespace

// y[c * step + r] = map(x[r * stride + c]) for VL rows and columns.
#if defined(__x86_64__) && VL >= 8
// Halves of rows are put together as they are loaded, which leaves two exchanges where whole rows in registers need
// log2 VL: 58 cycles a square of 16 in place of 110 to 125 on Zen 4, whose permutations across a register are slow.

// Exchanges rows and columns of the squares of 4 in four vectors, and stores them `step` apart.
static inline void store_turned(Vec a, Vec b, Vec c, Vec d, float* y, int64_t step) {
#if VL == 16
  typedef __m512d Pairs;
  const Pairs ab = (Pairs)_mm512_unpacklo_ps(a, b), cd = (Pairs)_mm512_unpacklo_ps(c, d);
  const Pairs up = (Pairs)_mm512_unpackhi_ps(a, b), to = (Pairs)_mm512_unpackhi_ps(c, d);
  store(y, (Vec)_mm512_unpacklo_pd(ab, cd)), store(y + step, (Vec)_mm512_unpackhi_pd(ab, cd));
  store(y + 2 * step, (Vec)_mm512_unpacklo_pd(up, to)), store(y + 3 * step, (Vec)_mm512_unpackhi_pd(up, to));
#else
  typedef __m256d Pairs;
  const Pairs ab = (Pairs)_mm256_unpacklo_ps(a, b), cd = (Pairs)_mm256_unpacklo_ps(c, d);
  const Pairs up = (Pairs)_mm256_unpackhi_ps(a, b), to = (Pairs)_mm256_unpackhi_ps(c, d);
  store(y, (Vec)_mm256_unpacklo_pd(ab, cd)), store(y + step, (Vec)_mm256_unpackhi_pd(ab, cd));
  store(y + 2 * step, (Vec)_mm256_unpacklo_pd(up, to)), store(y + 3 * step, (Vec)_mm256_unpackhi_pd(up, to));
#endif
}

#if VL == 16
// halves(r, c): columns c .. c + 7 of row r, then those of row r + 8.
template <class Halves>
static inline void turn_halves(Halves halves, float* y, int64_t step) {
  const __m512i low = _mm512_setr_epi64(0, 1, 8, 9, 4, 5, 12, 13), high = _mm512_setr_epi64(2, 3, 10, 11, 6, 7, 14, 15);
  for (int c = 0; c < VL; c += 8, y += 8 * step) {
    Vec left[4], right[4];
    for (int r = 0; r < 4; ++r) {
      const __m512d a = (__m512d)halves(r, c), b = (__m512d)halves(r + 4, c);
      left[r] = (Vec)_mm512_permutex2var_pd(a, low, b), right[r] = (Vec)_mm512_permutex2var_pd(a, high, b);
    }
    store_turned(left[0], left[1], left[2], left[3], y, step);
    store_turned(right[0], right[1], right[2], right[3], y + 4 * step, step);
  }
}
#endif

template <class Map = AsItIs>
static inline void turn_square(const float* x, int64_t stride, float* y, int64_t step, Map map = {}) {
#if VL == 16
  const auto halves = [=](int r, int c) {
    const float* p = x + r * stride + c;
    return map((Vec)_mm512_insertf32x8(_mm512_castps256_ps512(_mm256_loadu_ps(p)), _mm256_loadu_ps(p + 8 * stride), 1));
  };
  turn_halves(halves, y, step);
#else
  for (int c = 0; c < VL; c += 4) {
    Vec row[4];
    for (int r = 0; r < 4; ++r) {
      const float* p = x + r * stride + c;
      row[r] = map(_mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(p)), _mm_loadu_ps(p + 4 * stride), 1));
    }
    store_turned(row[0], row[1], row[2], row[3], y + c * step, step);
  }
#endif
}
#else
template <class Map = AsItIs>
static inline void turn_square(const float* x, int64_t stride, float* y, int64_t step, Map map = {}) {
  Vec row[VL];
  for (int r = 0; r < VL; ++r) row[r] = map(load(x + r * stride));
  transpose_square(row);
  for (int c = 0; c < VL; ++c) store(y + c * step, row[c]);
}
#endif
