// Panels and slivers of floats: read where they lie, and packed by the first tile that meets them, or before.

static inline Vec multiply_add(Vec sum, Vec a, Vec b) { return sum + a * b; }
static inline Vec word_of(const float* x, int64_t) { return load(x); }
static inline Vec sum_of(const float* x, int64_t) { return load(x); }

// Columns first .. last - 1 where k is not contiguous, for indices p .. p + depth - 1: in strips of `width`, `step`
// floats to the next index and `stride` to the next strip. sums: of each column its numbers so far, in order, `step`
// floats a strip; or null.
static void pack_rows(const Operand& o, int64_t first, int64_t last, int64_t width, int64_t step, int64_t p,
                      int64_t depth, float* packed, int64_t stride, float* sums) {
  const float* row = o.x + p * o.stride;
  for (int64_t q = 0; q < depth; ++q, row += o.stride, packed += step) {
    float *strip = packed, *sum = sums;
    for (int64_t i = first; i < last; i += width, strip += stride) {
      if (kGroup > 1) __builtin_prefetch(row + kAhead * o.stride + i, 0, 2);
      for (int64_t j = i; j < least(last, i + width); j += VL) {
        const Vec x = load_within(o, row + j, least(VL, least(last, i + width) - j));
        store(strip + j - i, x);
        if (sums) store(sum + j - i, load(sum + j - i) + x);
      }
      if (sums) sum += step;
    }
  }
}

// A sliver of b: NR columns from `first`, NR floats to the next index of k. Columns beyond the matrix hold anything.
static inline void pack_sliver(const Operand& b, int64_t first, int64_t p, int64_t depth, float* sliver) {
  const int64_t cols = least(NR, b.size - first);
  if (!b.turned) {
    for (int64_t q = 0; q < depth; ++q) {
      const float* x = b.x + (p + q) * b.stride + first;
      for (int64_t j = 0; j < cols; j += VL) store(sliver + q * NR + j, load_within(b, x + j, least(VL, cols - j)));
    }
    return;
  }
  // Squares, turned in registers.
  const float* x = b.x + first * b.stride + p;
  for (int64_t q = 0; q < depth; q += VL) {
    const int64_t count = least(VL, depth - q);
    for (int64_t j = 0; j < cols; j += VL) {
      if (count == VL && cols - j >= VL) {
        turn_square(x + j * b.stride + q, b.stride, sliver + q * NR + j, NR);
        continue;
      }
      Vec row[VL];
      for (int r = 0; r < VL; ++r) row[r] = load_count(x + least(j + r, cols - 1) * b.stride + q, count);
      transpose_square(row);
      for (int c = 0; c < count; ++c) store(sliver + (q + c) * NR + j, row[c]);
    }
  }
}

// A panel for the tiles to come, which meet it `again` and again or once.
static void lay_panel(const Operand& o, int64_t i, int64_t rows, int64_t p, bool, bool again, float* panel, Tile* t) {
  t->a = o.turned ? o.x + i * o.stride + p : o.x + p * o.stride + i, t->step_a = o.stride;
  if (!again) return;
  if (!o.turned) {
    if (t->a + (t->depth - 1) * t->step_a + round_up(kSide, VL) <= o.end) t->keep_a = panel;
  } else if (MR > kWays && o.stride % kSet == 0) {
    t->keep_a = panel;
  }
}

static void lay_sliver(const Operand& o, int64_t j, int64_t p, float* sliver, Tile* t) {
  if (o.turned || t->cols < NR) pack_sliver(o, j, p, t->depth, sliver);
  else t->b = o.x + p * o.stride + j, t->step_b = o.stride, t->keep_b = sliver;
}
