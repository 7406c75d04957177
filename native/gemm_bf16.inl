// Packing and multiplying for products of bfloat16 numbers, in place of those of gemm.inl. A word of a packed strip
// holds two numbers that follow one another in k, the first one in its lower half: floats, rounded to the nearest
// number with 8 significant bits, ties to even, on their way from memory. All else of the product is the same.

static const int64_t kPair = 2;  // numbers in a word

// a0 a1 ... of the lower vector, then those of the upper one, as 16-bit numbers.
static inline Vec join_halves(Vec lower, Vec upper) { return (Vec)_mm512_cvtne2ps_pbh((__m512)upper, (__m512)lower); }

// a0 b0 a1 b1 ...
static inline Vec join_pairs(Vec a, Vec b) {
  static const short pick[32] = {0, 16, 1, 17, 2,  18, 3,  19, 4,  20, 5,  21, 6,  22, 7,  23,
                                 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
  return (Vec)_mm512_permutexvar_epi16(_mm512_loadu_si512(pick), (__m512i)join_halves(a, b));
}

// Where k is not contiguous: two rows of memory at a time.
static void pack_rows(const Operand& o, int64_t first, int64_t last, int64_t p, int64_t depth, float* packed,
                      int64_t stride) {
  for (int64_t q = 0; q < depth; ++q) {
    const int64_t at = kPair * (p + q);
    const float* row = o.x + at * o.stride;
    for (int64_t i = first * o.width; i < least(last * o.width, o.size); i += 16) {
      __builtin_prefetch(row + 8 * o.stride + i);
      __builtin_prefetch(row + 9 * o.stride + i);
    }
    for (int64_t strip = first; strip < last; ++strip) {
      const int64_t width = least(o.width, o.size - strip * o.width), step = o.step ? o.step : width;
      for (int64_t i = 0; i < width; i += VL) {
        const float *from = row + strip * o.width + i, *next = from + o.stride;
        const int64_t count = least(VL, width - i);
        const Vec even = from + VL <= o.end ? load(from) : load_part(from, count);
        Vec odd = Vec{};
        if (at + 1 < o.k) odd = next + VL <= o.end ? load(next) : load_part(next, count);
        store(packed + (strip - first) * stride + q * step + i, join_pairs(even, odd));
      }
    }
  }
}

// Where k is contiguous: squares of words, turned in registers.
static void pack_columns(const Operand& o, int64_t strip, int64_t p, int64_t depth, float* packed) {
  const int64_t width = least(o.width, o.size - strip * o.width), step = o.step ? o.step : width;
  const float* x = o.x + strip * o.width * o.stride + kPair * p;
  for (int64_t q = 0; q < depth; q += VL) {
    const int64_t count = least(VL, depth - q), numbers = least(kPair * VL, o.k - kPair * (p + q));
    const bool whole = count == VL && numbers == kPair * VL;
    // The last vector first: what it spills, the first one writes anew.
    for (int64_t i = (width - 1) / VL * VL; i >= 0; i -= VL) {
      if (whole) {
        turn_halves(
            [=](int r, int c) {
              const float* from = x + kPair * (q + c);
              const int64_t last = width - 1;
              return join_halves(load(from + least(i + r, last) * o.stride),
                                 load(from + least(i + r + 8, last) * o.stride));
            },
            packed + q * step + i, step);
        continue;
      }
      Vec row[VL];
      for (int r = 0; r < VL; ++r) {
        const float* from = x + least(i + r, width - 1) * o.stride + kPair * q;
        const Vec upper = numbers > VL ? load_count(from + VL, numbers - VL) : Vec{};
        row[r] = join_halves(load_count(from, least(VL, numbers)), upper);
      }
      transpose_square(row);
      for (int c = 0; c < count; ++c) store(packed + (q + c) * step + i, row[c]);
    }
  }
}

// sum += a_even b_even + a_odd b_odd in each lane. Subnormal numbers count as 0.
static inline Vec multiply_add(Vec sum, Vec a, Vec b) {
  return (Vec)_mm512_dpbf16_ps((__m512)sum, (__m512bh)a, (__m512bh)b);
}
