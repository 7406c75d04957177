// Panels and slivers of bfloat16 numbers: floats that are rounded to the nearest number with 8 significant bits, ties
// to even, on their way from memory. A word holds two numbers that follow one another in k, the first in its lower
// half.

// a0 a1 ... of the lower vector, then those of the upper one, as 16-bit numbers.
static inline Vec join_halves(Vec lower, Vec upper) { return (Vec)_mm512_cvtne2ps_pbh((__m512)upper, (__m512)lower); }

// a0 b0 a1 b1 ...
static inline Vec join_pairs(Vec a, Vec b) {
  static const short pick[32] = {0, 16, 1, 17, 2,  18, 3,  19, 4,  20, 5,  21, 6,  22, 7,  23,
                                 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
  return (Vec)_mm512_permutexvar_epi16(_mm512_loadu_si512(pick), (__m512i)join_halves(a, b));
}

static inline Vec word_of(const float* x, int64_t stride) { return join_pairs(load(x), load(x + stride)); }
static inline Vec sum_of(const float* x, int64_t stride) { return load(x) + load(x + stride); }

// sum += a_even b_even + a_odd b_odd in each lane. Subnormal numbers count as 0.
static inline Vec multiply_add(Vec sum, Vec a, Vec b) {
  return (Vec)_mm512_dpbf16_ps((__m512)sum, (__m512bh)a, (__m512bh)b);
}

// VL columns at x, for words p .. end - 1; `whole`: nothing beyond the operand's end is met.
template <bool whole>
static inline void pack_words(const Operand& o, const float* x, int64_t count, int64_t p, int64_t end, float* to,
                              int64_t step, float* sums) {
  const int64_t stride = o.stride, k = o.k;
  Vec sum = sums ? load(sums) : Vec{};
  for (; p < end; ++p, x += kPair * stride, to += step) {
    Vec even, odd = {};
    if (whole) {
      even = load(x), odd = load(x + stride);
    } else {
      even = load_within(o, x, count);
      if (kPair * p + 1 < k) odd = load_within(o, x + stride, count);
    }
    store(to, join_pairs(even, odd));
    sum += even + odd;
  }
  if (sums) store(sums, sum);
}

// Columns first .. last - 1 where k is not contiguous, for words p .. p + depth - 1: in strips of `width`, `step`
// floats to the next word and `stride` to the next strip. sums: of each column its numbers so far, in order, `step`
// floats a strip; or null.
static void pack_rows(const Operand& o, int64_t first, int64_t last, int64_t width, int64_t step, int64_t p,
                      int64_t depth, float* packed, int64_t stride, float* sums) {
  const int64_t kFew = 4;  // words: where rows share a set of the first-level cache, it holds no more
  for (int64_t end = p + depth; p < end; packed += kFew * step, p += kFew) {
    const int64_t few = least(end, p + kFew);
    const bool whole = kPair * few <= o.k && o.x + (kPair * few - 1) * o.stride + last + VL <= o.end;
    const float* x = o.x + kPair * p * o.stride;
    float *strip = packed, *sum = sums;
    for (int64_t i = first; i < last; i += width, strip += stride) {
      for (int64_t j = i; j < least(last, i + width); j += VL) {
        const int64_t count = least(VL, least(last, i + width) - j);
        if (whole) pack_words<true>(o, x + j, count, p, few, strip + j - i, step, sums ? sum + j - i : nullptr);
        else pack_words<false>(o, x + j, count, p, few, strip + j - i, step, sums ? sum + j - i : nullptr);
      }
      if (sums) sum += step;
    }
  }
}

// NR columns of b where k is contiguous: squares of words, turned in registers.
static void pack_columns(const Operand& o, int64_t first, int64_t p, int64_t depth, float* sliver) {
  const int64_t cols = least(NR, o.size - first);
  const float* x = o.x + first * o.stride + kPair * p;
  for (int64_t q = 0; q < depth; q += VL) {
    const int64_t count = least(VL, depth - q), numbers = least(kPair * VL, o.k - kPair * (p + q));
    for (int64_t j = 0; j < cols; j += VL) {
      const float* from = x + kPair * q;
      const auto at = [=](int r) { return from + least(j + r, cols - 1) * o.stride; };
      if (count == VL && numbers == kPair * VL) {
        const auto halves = [=](int r, int c) {
          return join_halves(load(at(r) + kPair * c), load(at(r + 8) + kPair * c));
        };
        float* to = sliver + q * NR + j;
        turn_halves(halves, [=](int c, Vec column) { store(to + c * NR, column); });
        continue;
      }
      Vec row[VL];
      for (int r = 0; r < VL; ++r) {
        const Vec upper = numbers > VL ? load_count(at(r) + VL, numbers - VL) : Vec{};
        row[r] = join_halves(load_count(at(r), least(VL, numbers)), upper);
      }
      transpose_square(row);
      for (int c = 0; c < count; ++c) store(sliver + (q + c) * NR + j, row[c]);
    }
  }
}

static void pack_sliver(const Operand& b, int64_t first, int64_t p, int64_t depth, float* sliver) {
  if (b.turned) pack_columns(b, first, p, depth, sliver);
  else pack_rows(b, first, least(b.size, first + NR), NR, NR, p, depth, sliver, 0, nullptr);
}

// A panel for the tiles to come; `laid`: it is there.
static void lay_panel(const Operand& o, int64_t i, int64_t rows, int64_t p, bool laid, bool, float* panel, Tile* t) {
  t->a = panel, t->step_a = o.turned ? kRow : kSide;
  if (laid) return;
  if (!o.turned) return pack_rows(o, i, i + rows, rows, kSide, p, t->depth, panel, 0, nullptr);
  const int64_t numbers = least(kPair * t->depth, o.k - kPair * p);
  const float* x = o.x + i * o.stride + kPair * p;
  for (int64_t r = 0; r < rows; ++r, x += o.stride, panel += kRow) {
    for (int64_t q = 0; q < numbers; q += kPair * VL) {
      const int64_t low = least(VL, numbers - q), high = most(0, least(VL, numbers - q - VL));
      store(panel + q / kPair, join_halves(load_count(x + q, low), high ? load_count(x + q + VL, high) : Vec{}));
    }
  }
}

static void lay_sliver(const Operand& o, int64_t j, int64_t p, float* sliver, Tile* t) {
  pack_sliver(o, j, p, t->depth, sliver);
}
