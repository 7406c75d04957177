// Exchange of rows and columns in registers.

// a0 b0 a1 b1 ... of the lower halves (First = 0), or of the upper ones (VL / 2).
template <int First>
static inline Vec interleave(Vec a, Vec b) {
#if !defined(__clang__)
  IVec pick;
  for (int i = 0; i < VL; ++i) pick[i] = First + i / 2 + i % 2 * VL;
  return __builtin_shuffle(a, b, pick);
#else
#define BG_PAIR(i) First + i, First + i + VL
#if VL == 4
  return __builtin_shufflevector(a, b, BG_PAIR(0), BG_PAIR(1));
#elif VL == 8
  return __builtin_shufflevector(a, b, BG_PAIR(0), BG_PAIR(1), BG_PAIR(2), BG_PAIR(3));
#else
  return __builtin_shufflevector(a, b, BG_PAIR(0), BG_PAIR(1), BG_PAIR(2), BG_PAIR(3), BG_PAIR(4), BG_PAIR(5),
                                 BG_PAIR(6), BG_PAIR(7));
#endif
#endif
}

// log2 VL rounds of interleaving halves.
static inline void transpose_square(Vec (&row)[VL]) {
  for (int round = 1; round < VL; round *= 2) {
    Vec next[VL];
    for (int i = 0; i < VL / 2; ++i) {
      next[2 * i] = interleave<0>(row[i], row[i + VL / 2]);
      next[2 * i + 1] = interleave<VL / 2>(row[i], row[i + VL / 2]);
    }
    for (int i = 0; i < VL; ++i) row[i] = next[i];
  }
}

namespace {
struct AsItIs {
  Vec operator()(Vec x) const { return x; }
};
}  // namespace

// put(c, column c of map(x[r * stride + c])) for VL rows and columns.
#if defined(__x86_64__) && VL >= 8
// Halves of rows are put together as they are loaded, which leaves two exchanges where whole rows in registers need
// log2 VL: 58 cycles a square of 16 in place of 110 to 125 on Zen 4, whose permutations across a register are slow.

// Exchanges rows and columns of the squares of 4 in four vectors, and puts what becomes columns first .. first + 3.
template <class Put>
static inline void put_turned(Vec a, Vec b, Vec c, Vec d, int first, Put put) {
#if VL == 16
  typedef __m512d Pairs;
  const Pairs ab = (Pairs)_mm512_unpacklo_ps(a, b), cd = (Pairs)_mm512_unpacklo_ps(c, d);
  const Pairs up = (Pairs)_mm512_unpackhi_ps(a, b), to = (Pairs)_mm512_unpackhi_ps(c, d);
  put(first, (Vec)_mm512_unpacklo_pd(ab, cd)), put(first + 1, (Vec)_mm512_unpackhi_pd(ab, cd));
  put(first + 2, (Vec)_mm512_unpacklo_pd(up, to)), put(first + 3, (Vec)_mm512_unpackhi_pd(up, to));
#else
  typedef __m256d Pairs;
  const Pairs ab = (Pairs)_mm256_unpacklo_ps(a, b), cd = (Pairs)_mm256_unpacklo_ps(c, d);
  const Pairs up = (Pairs)_mm256_unpackhi_ps(a, b), to = (Pairs)_mm256_unpackhi_ps(c, d);
  put(first, (Vec)_mm256_unpacklo_pd(ab, cd)), put(first + 1, (Vec)_mm256_unpackhi_pd(ab, cd));
  put(first + 2, (Vec)_mm256_unpacklo_pd(up, to)), put(first + 3, (Vec)_mm256_unpackhi_pd(up, to));
#endif
}

#if VL == 16
// halves(r, c): columns c .. c + 7 of row r, then those of row r + 8.
template <class Halves, class Put>
static inline void turn_halves(Halves halves, Put put) {
  const __m512i low = _mm512_setr_epi64(0, 1, 8, 9, 4, 5, 12, 13), high = _mm512_setr_epi64(2, 3, 10, 11, 6, 7, 14, 15);
  for (int c = 0; c < VL; c += 8) {
    Vec left[4], right[4];
    for (int r = 0; r < 4; ++r) {
      const __m512d a = (__m512d)halves(r, c), b = (__m512d)halves(r + 4, c);
      left[r] = (Vec)_mm512_permutex2var_pd(a, low, b), right[r] = (Vec)_mm512_permutex2var_pd(a, high, b);
    }
    put_turned(left[0], left[1], left[2], left[3], c, put);
    put_turned(right[0], right[1], right[2], right[3], c + 4, put);
  }
}
#endif

template <class Put, class Map>
static inline void turn_each(const float* x, int64_t stride, Put put, Map map) {
#if VL == 16
  const auto halves = [=](int r, int c) {
    const float* p = x + r * stride + c;
    return map((Vec)_mm512_insertf32x8(_mm512_castps256_ps512(_mm256_loadu_ps(p)), _mm256_loadu_ps(p + 8 * stride), 1));
  };
  turn_halves(halves, put);
#else
  for (int c = 0; c < VL; c += 4) {
    Vec row[4];
    for (int r = 0; r < 4; ++r) {
      const float* p = x + r * stride + c;
      row[r] = map(_mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(p)), _mm_loadu_ps(p + 4 * stride), 1));
    }
    put_turned(row[0], row[1], row[2], row[3], c, put);
  }
#endif
}
#else
template <class Put, class Map>
static inline void turn_each(const float* x, int64_t stride, Put put, Map map) {
  Vec row[VL];
  for (int r = 0; r < VL; ++r) row[r] = map(load(x + r * stride));
  transpose_square(row);
  for (int c = 0; c < VL; ++c) put(c, row[c]);
}
#endif

// y[c * step + r] = map(x[r * stride + c]) for VL rows and columns.
template <class Map = AsItIs>
static inline void turn_square(const float* x, int64_t stride, float* y, int64_t step, Map map = {}) {
  turn_each(
      x, stride, [=](int c, Vec column) { store(y + c * step, column); }, map);
}
