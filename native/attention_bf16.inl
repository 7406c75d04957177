// Words of attention's factors: two bfloat16 numbers each. Queries, keys and values are rounded on their way from
// memory, powers as they are made; scores, their sums and results are floats.

// The first `count` numbers at x, times `scale`; zeros follow.
static inline Vec load_words(const float* x, int64_t count, float scale) {
  const Vec upper = count > VL ? load_count(x + VL, least(VL, count - VL)) : Vec{};
  return join_halves(load_count(x, least(VL, count)) * scale, upper * scale);
}

// A square of words from rows at x, times `scale`, turned.
static inline void turn_words(const float* x, int64_t stride, float* y, int64_t step, float scale) {
  const auto halves = [=](int r, int c) {
    const float* from = x + r * stride + kPair * c;
    return join_halves(load(from) * scale, load(from + 8 * stride) * scale);
  };
  turn_halves(halves, [=](int c, Vec column) { store(y + c * step, column); });
}

// Words of kPair rows.
static inline Vec join_rows(Vec even, Vec odd) { return join_pairs(even, odd); }

// Vector j of a row that begins at to - j * VL. The words take half the room, so what follows is still there.
static inline void store_words(float* to, int64_t j, Vec x) {
  _mm256_storeu_si256((__m256i*)(to - j * (VL / 2)), (__m256i)_mm512_cvtneps_pbh((__m512)x));
}
