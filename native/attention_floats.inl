// Words of attention's factors: a float each.

// The first `count` numbers at x, times `scale`; zeros follow.
static inline Vec load_words(const float* x, int64_t count, float scale) {
  return load_count(x, least(VL, count)) * scale;
}

// A square of words from rows at x, times `scale`, turned.
static inline void turn_words(const float* x, int64_t stride, float* y, int64_t step, float scale) {
  turn_square(x, stride, y, step, [=](Vec part) { return part * scale; });
}

// Words of kPair rows.
static inline Vec join_rows(Vec row, Vec) { return row; }

// Vector j of a row that begins at to - j * VL.
static inline void store_words(float* to, int64_t, Vec x) { store(to, x); }
