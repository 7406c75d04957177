// One task of a product: a range of rows of y and a part of its columns, panel by panel.

struct Product {
  const MatmulCall* call;
  Operand a, b;
  float *y, *x;                    // x: of the epilogue
  int64_t m, n, blocks, depth, k;  // k: in words
  int threads, across;             // across: a and b of the call are exchanged, tiles of y are written turned
};

// A panel of a, and which one it is: where panels are converted, they are kept for the parts of b to come.
struct Panel {
  const void* owner;  // as below
  int64_t product, row, block, unused[4];
  float words[kPanel];
};

struct Task {
  const Product* product;
  int64_t number;                   // of the product
  int64_t begin, end;               // rows
  int64_t sliver, slivers;          // the part of b
  Panel* panels;                    // memory for as many as are kept
  int64_t kept, panel;              // panel: the first one's number
  float* b;                         // packed slivers
  int64_t stride_b;                 // from one to the next
  int64_t next_sliver, next_block;  // of b, what the thread packs next
  int pack_b, sum;
};

// What the calling thread has packed of b, for the tasks it takes next.
struct Packed {
  // Scratch comes with whatever lay there: numbers alone may be right by chance, or those of another instruction set.
  const void* owner;
  int64_t product, part, unused[5];
  float slivers[1];
};
static int64_t products = 0;

// Where the panel goes that is the task's i-th, and whether it is there.
static inline Panel* panel_at(const Task& t, int64_t i, int64_t block) {
  return t.panels + (block * (t.kept / t.product->blocks) + t.panel + i) % t.kept;
}
static inline bool is_laid(const Task& t, int64_t i, int64_t row, int64_t block) {
  const Panel& x = *panel_at(t, i, block);
  return t.kept > 1 && x.owner == &products && x.product == t.number && x.row == row && x.block == block;
}

// The first row of the task's i-th panel, of so many.
static inline int64_t row_of(const Task& t, int64_t i, int64_t panels) {
  return t.begin + (t.end - t.begin) * i / panels;
}

static inline int64_t depth_of(const Product& g, int64_t block) { return least(g.depth, g.k - block * g.depth); }

// `count` rows of a (columns of b) from `first`, words p .. p + depth - 1, within so many steps.
static Fetch fetch(const Operand& o, int64_t first, int64_t count, int64_t p, int64_t depth, int64_t steps) {
  count = least(count, o.size - first), depth = least(kPair * depth, o.k - kPair * p), p *= kPair;
  if (count <= 0 || depth <= 0) return {};
  const int64_t rows = o.turned ? count : depth, bytes = 4 * (o.turned ? depth : count);
  const char* x = (const char*)(o.turned ? o.x + first * o.stride + p : o.x + p * o.stride + first);
  const int64_t lines = bytes / 64 + (bytes % 64 != 0 || (uintptr_t)x % 64 != 0 || o.stride % 16 != 0);
  return {x, o.stride * 4 - lines * 64, lines, rows, ceil_div(rows * lines, steps), 0};
}

// Where slivers that were packed before are asked for: all of the next part while this one is multiplied, or, where the
// first tile of a sliver lasts long enough, the next one during that. An index of k takes 6 cycles with AVX2.
static const bool kPackedAhead = VL == 8 && kPair == 1;
static Fetch fetch_packed(const Task& t, int64_t steps) {
  const Product& g = *t.product;
  const int64_t lines = depth_of(g, t.next_block) * NR / 16, rows = least(t.slivers, ceil_div(g.n, NR) - t.next_sliver);
  if (rows <= 0) return {};
  const float* x = (const float*)g.call->packed + t.next_sliver * g.k * NR + t.next_block * g.depth * NR;
  return {(const char*)x, g.k * NR * 4 - lines * 64, lines, rows, ceil_div(rows * lines, steps), 0};
}

// Panels i .. last - 1 of a block, a few rows of memory at a time: a line is read once for all of them, and asked for
// early.
static void pack_panels(const Task& t, int64_t i, int64_t last, int64_t panels, int64_t block) {
  const Operand& a = t.product->a;
  const int64_t depth = depth_of(*t.product, block), begin = row_of(t, i, panels), end = row_of(t, last, panels);
  const int64_t stride = a.stride, fours = depth / 4 * 4;
  const float *row = a.x + block * t.product->depth * stride, *x[kGroup], *whole = a.end - round_up(kSide, VL);
  float* words[kGroup];
  for (int64_t j = i; j < last; ++j) {
    Panel* panel = panel_at(t, j, block);
    x[j - i] = row + row_of(t, j, panels), words[j - i] = panel->words;
    panel->owner = &products, panel->product = t.number, panel->row = row_of(t, j, panels), panel->block = block;
  }
  for (int64_t p = 0; p < depth; p += 4, row += 4 * stride) {
    for (int64_t q = kAhead; q < kAhead + 4; ++q)
      for (int64_t l = begin; l < end + kLine - 1; l += kLine) __builtin_prefetch(row + q * stride + l, 0, 2);
    for (int64_t j = 0; j < last - i; ++j) {
      const float* from = x[j];
      float* to = words[j];
      if (p < fours && from + 3 * stride <= whole) {
        BG_UNROLL for (int q = 0; q < 4; ++q) {
          BG_UNROLL for (int r = 0; r < kSide; r += VL) store(to + q * kSide + r, load(from + q * stride + r));
        }
      } else {
        for (int64_t q = 0; q < least(4, depth - p); ++q) {
          for (int64_t r = 0; r < kSide; r += VL) {
            const float* v = from + q * stride + r;
            if (v < a.end) store(to + q * kSide + r, load_within(a, v, least(least(VL, kSide - r), a.end - v)));
          }
        }
      }
      x[j] = from + 4 * stride, words[j] = to + 4 * kSide;
    }
  }
}

// Rows of memory that share a set of the cache would push each other out before they are used.
static inline bool crowded(const Operand& o) { return !o.turned && o.stride % kSet == 0; }

// The tiles of rows i .. i + rows - 1, laid out as in `first`; the sliver runs fastest, as its neighbour continues the
// rows of y. What is met for the first time is packed by the way.
static void multiply_panel(const Task& t, int64_t block, int64_t i, int64_t rows, Tile x) {
  const Product& g = *t.product;
  const MatmulCall& c = *g.call;
  Ending ending = {nullptr, c.epilogue, c.fn, nullptr};
  x.step_b = NR, x.stride_y = g.across ? g.m : g.n, x.across = g.across;
  x.add = block > 0 || c.epilogue == kAddTo, x.ending = block == g.blocks - 1 ? &ending : nullptr;
  Fetch* const next_b = x.next_b;
  for (int64_t s = 0; s < t.slivers; ++s) {
    const int64_t j = (t.sliver + s) * NR, at = g.across ? j * g.m + i : i * g.n + j;
    if (c.bias) ending.bias = c.bias + (g.across ? i : j);
    if (g.x) ending.x = g.x + at;
    x.y = g.y + at, x.cols = least(NR, g.n - j), x.b = t.b + s * t.stride_b, x.next_b = next_b;
    Fetch sliver = {};  // the next one, if packing it has no multiply-adds to wait behind
    if (t.pack_b) {
      x.step_b = NR, x.keep_b = nullptr;
      lay_sliver(g.b, j, block * g.depth, t.b + s * t.stride_b, &x);
      if ((g.b.turned || kPair > 1) && s + 1 < t.slivers) {
        sliver = fetch(g.b, j + NR, NR, block * g.depth, x.depth, most(1, x.depth / kStep));
        x.next_b = &sliver;
      }
    } else if (!kPackedAhead && c.packed && i == t.begin) {  // or if it has left the caches since it was packed
      const int64_t lines = x.depth * NR / 16;
      sliver = {(const char*)(x.b + t.stride_b), 0, lines, 1, ceil_div(lines, most(1, x.depth / kStep)), 0};
      x.next_b = &sliver;
    }
    multiply_tile(x, rows, g.a.turned);
    if (x.keep_a) x.a = x.keep_a, x.step_a = g.a.turned ? kRow : kSide, x.keep_a = nullptr;
  }
}

// Words that are asked for of each row of a with k contiguous. With AVX2 only the first: a processor goes on with a row
// by itself, and lines asked for cost a tile 2 cycles each.
static const int64_t kAsked = VL == 8 && kPair == 1 ? 64 : kDepth;

// What comes next of a. Where panels are packed in groups, each asks for some words of the next group.
static Fetch fetch_next(const Task& t, int64_t i, int64_t panels, int64_t block, int64_t steps) {
  const Product& g = *t.product;
  const int64_t size = g.a.turned ? 1 : kGroup;
  int64_t first = (i / size + 1) * size;
  if (first >= panels) first = 0, ++block;
  const int64_t begin = row_of(t, first, panels);
  if (block == g.blocks || crowded(g.a) || is_laid(t, first, begin, block)) return {};
  const int64_t rows = row_of(t, least(first + size, panels), panels) - begin, depth = depth_of(g, block);
  const int64_t words = g.a.turned ? kAsked : ceil_div(depth, size), p = i % size * words;
  return fetch(g.a, begin, rows, block * g.depth + p, least(words, depth - p), steps);
}

static void multiply_task(Task t, int64_t block) {
  const Product& g = *t.product;
  const int64_t rows = t.end - t.begin, panels = ceil_div(rows, MR), depth = depth_of(g, block);
  const int64_t steps = t.slivers * most(1, depth / kStep), p = block * g.depth;
  Fetch next_b = {}, part = {};
  if (kPackedAhead && g.call->packed) part = fetch_packed(t, panels * steps);
  else if (!g.call->packed && !crowded(g.b))
    part = fetch(g.b, t.next_sliver * NR, t.slivers * NR, t.next_block * g.depth, depth_of(g, t.next_block),
                 panels * steps);
  // The panel from which the next part of b is asked for: earlier, rows of a would push it out of a small cache.
  const int64_t lines = most(1, part.rate) * steps;
  const int64_t late = VL == 8 && kPair == 1 ? most(0, panels - ceil_div(part.rows * part.lines, lines) - 1) : 0;
  if (kGroup > 1 && !g.a.turned && t.pack_b && crowded(g.b)) {  // all at once: a tile waits for each line of a sliver
    pack_rows(g.b, t.sliver * NR, least(g.n, (t.sliver + t.slivers) * NR), NR, NR, p, depth, t.b, t.stride_b, nullptr);
    t.pack_b = 0;
  }
  for (int64_t i = 0; i < panels; ++i) {
    const int64_t begin = row_of(t, i, panels), end = row_of(t, i + 1, panels);
    Fetch next_a = fetch_next(t, i, panels, block, steps);
    if (i == late) next_b = part;
    Tile first = {};
    first.depth = depth, first.next_a = &next_a, first.next_b = &next_b;
    if (t.sum) {
      const int64_t numbers = least(kPair * depth, g.a.k - kPair * p);
      const int add = block > 0 || g.call->epilogue == kAddTo;
      sum_panel(g.a.x + kPair * p * g.a.stride + begin, g.a.stride, end - begin, numbers, g.call->sums + begin, add);
    }
    Panel* panel = panel_at(t, i, block);
    if (kGroup > 1 && !g.a.turned && t.slivers > 1) {
      if (!is_laid(t, i, begin, block)) pack_panels(t, i, least(i + kGroup, panels), panels, block);
      first.a = panel->words, first.step_a = kSide;
    } else {
      lay_panel(g.a, begin, end - begin, p, is_laid(t, i, begin, block), t.slivers > 1, panel->words, &first);
      if (kPair > 1) panel->owner = &products, panel->product = t.number, panel->row = begin, panel->block = block;
    }
    multiply_panel(t, block, begin, end - begin, first);
    t.pack_b = 0;
  }
}
