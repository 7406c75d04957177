// y = a b + bias. Both operands are first laid out in the order in which the innermost loop reads them ("packed"): a in
// panels of at most MR rows, b in slivers of NR columns, both k-major. The micro-kernel multiplies a panel by a sliver
// with the tile of y in registers (Goto and van de Geijn 2008; Van Zee and van de Geijn 2015, BLIS).
//
// The operand with the smaller side is packed first, for all threads; each task takes a range of the other one and
// packs it piece by piece, so that a piece is read again while it is still in the cache.
//
// An element is the sum over blocks of k of (the sum over the block, in order, by multiply-add), plus the bias. Blocks
// depend on k alone and every tile goes through the same loop, so neither m, n, the place in y, the batch nor the
// number of threads changes a bit.

static const int64_t NR = NV * VL;
static const int64_t kDepth = 384;        // longest block of k
static const int64_t kPiece = 64 * 1024;  // floats that a task packs at a time: half of a small second-level cache
static const int64_t kShared = 2 * 1024 * 1024;  // floats of the shared operand that are packed at a time

// One operand: `size` rows of a or columns of b, cut into strips (panels or slivers) of `width`, each with `step`
// floats to an index of k.
struct Operand {
  const float *x, *end;
  int64_t size, width, step, strips, depth;  // depth: k as a whole
  int turned;                                // k is the contiguous axis
  int64_t stride;                            // between rows of memory
};

// packed[p * step + i] = x[p * stride + i] for p < depth, i < width. Whole vectors are stored: what they spill into the
// next index of k is written anew by it, and VL floats behind the strip take the last of it.
static void pack_rows(const float* x, const float* end, int64_t stride, float* packed, int64_t step, int64_t width,
                      int64_t depth) {
  for (int64_t p = 0; p < depth; ++p) {
    for (int64_t i = 0; i < width; i += VL) {
      const float* from = x + p * stride + i;
      store(packed + p * step + i, from + VL <= end ? load(from) : load_part(from, least(VL, width - i)));
    }
  }
}

// packed[p * step + i] = x[i * stride + p] for p < depth, i < width.
static void pack_columns(const float* x, int64_t stride, float* packed, int64_t step, int64_t width, int64_t depth) {
  for (int64_t p = 0; p < depth; p += VL) {
    const int64_t count = least(VL, depth - p);
    // The last vector first: what it spills, the first one writes anew.
    for (int64_t i = (width - 1) / VL * VL; i >= 0; i -= VL) {
      Vec row[VL];
      for (int r = 0; r < VL; ++r) row[r] = load_count(x + least(i + r, width - 1) * stride + p, count);
      transpose_square(row);
      for (int c = 0; c < count; ++c) store(packed + (p + c) * step + i, row[c]);
    }
  }
}

// Indices p .. p + depth - 1 of k of one strip.
static void pack_strip(const Operand& o, int64_t strip, int64_t p, int64_t depth, float* packed) {
  const int64_t first = strip * o.width, width = least(o.width, o.size - first);
  const int64_t step = o.step ? o.step : width;
  if (o.turned) pack_columns(o.x + first * o.stride + p, o.stride, packed, step, width, depth);
  else pack_rows(o.x + p * o.stride + first, o.end, o.stride, packed, step, width, depth);
}

struct Tile {
  const float *a, *b;
  int64_t step_b, depth;
  float* y;
  int64_t stride_y, cols;
  const float* bias;  // of the tile's first column, or null
  int add;            // to y; else y is written
};

template <int R>
static void multiply_tile(const Tile& t) {
  Vec sum[R][NV];
  for (int r = 0; r < R; ++r) {
    for (int v = 0; v < NV; ++v) sum[r][v] = Vec{};
    __builtin_prefetch(t.y + r * t.stride_y, 1);
    __builtin_prefetch(t.y + r * t.stride_y + NR - 1, 1);
  }
  const float *a = t.a, *b = t.b;
  for (int64_t p = 0; p < t.depth; ++p, a += R, b += t.step_b) {
    Vec row[NV];
    for (int v = 0; v < NV; ++v) row[v] = load(b + v * VL);
    for (int r = 0; r < R; ++r) {
      const Vec factor = splat(a[r]);
      for (int v = 0; v < NV; ++v) sum[r][v] += factor * row[v];
    }
  }
  for (int v = 0; v < NV; ++v) {
    const int64_t count = least(VL, t.cols - v * VL);
    if (count <= 0) return;
    for (int r = 0; r < R; ++r) {
      float* y = t.y + r * t.stride_y + v * VL;
      Vec result = sum[r][v];
      if (t.add) result = load_count(y, count) + result;
      if (t.bias) result += load_count(t.bias + v * VL, count);
      store_count(y, result, count);
    }
  }
}

template <int R>
static inline void multiply_rows(int64_t rows, const Tile& t) {
  if constexpr (R > 1)
    if (rows < R) return multiply_rows<R - 1>(rows, t);
  multiply_tile<R>(t);
}

struct Product {
  Operand a, b;
  float* y;
  const float* bias;
  int64_t n, blocks, depth, k;
};

static inline void multiply_strips(const Product& g, int64_t panel, int64_t sliver, int64_t block, const float* a,
                                   const float* b) {
  const int64_t i = panel * g.a.width, j = sliver * NR;
  const Tile t = {a,
                  b,
                  NR,
                  least(g.depth, g.k - block * g.depth),
                  g.y + i * g.n + j,
                  g.n,
                  least(NR, g.n - j),
                  g.bias && block == g.blocks - 1 ? g.bias + j : nullptr,
                  block > 0};
  multiply_rows<MR>(least(g.a.width, g.a.size - i), t);
}

static void multiply(const Run* run, const Product& g) {
  const int share_a = g.a.size <= g.b.size;
  const Operand &shared = share_a ? g.a : g.b, &own = share_a ? g.b : g.a;
  const int64_t strip = g.depth * shared.width + VL, own_strip = g.depth * own.width + VL;
  const int64_t at_once = least(g.blocks, most(1, kShared / (strip * shared.strips)));
  float* packed = (float*)run->scratch(0, at_once * shared.strips * strip * 4);
  // As many strips a task as the cache takes, but some tasks for each thread.
  const int64_t group = most(1, least(kPiece / own_strip, own.strips / (run->threads > 1 ? 6 * run->threads : 1)));
  for (int64_t first = 0; first < g.blocks; first += at_once) {
    const int64_t last = least(g.blocks, first + at_once);
    auto share = [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t p = (first + i / shared.strips) * g.depth;
        pack_strip(shared, i % shared.strips, p, least(g.depth, g.k - p), packed + i * strip);
      }
    };
    parallel(run, (last - first) * shared.strips, most(1, kGrain / strip), share);
    auto task = [&](int64_t begin, int64_t end) {
      float* piece = (float*)run->scratch(1, (end - begin) * own_strip * 4);
      for (int64_t block = first; block < last; ++block) {
        const int64_t p = block * g.depth;
        for (int64_t i = begin; i < end; ++i)
          pack_strip(own, i, p, least(g.depth, g.k - p), piece + (i - begin) * own_strip);
        for (int64_t s = 0; s < shared.strips; ++s) {
          const float* x = packed + ((block - first) * shared.strips + s) * strip;
          for (int64_t i = begin; i < end; ++i) {
            const float* own_x = piece + (i - begin) * own_strip;
            if (share_a) multiply_strips(g, s, i, block, x, own_x);
            else multiply_strips(g, i, s, block, own_x, x);
          }
        }
      }
    };
    parallel(run, own.strips, group, task);
  }
}

static void matmul(const Run* run, const MatmulCall* call) {
  MatmulCall c = *call;
  if (c.stride_b == 0 && !c.transpose_a && c.stride_a == c.m * c.k) c.m *= c.batch, c.batch = 1;  // one tall matrix
  if (c.m == 0 || c.n == 0 || c.batch == 0) return;
  if (c.k == 0) {
    auto rows = [=](int64_t row) {
      each_vec(0, c.n, c.y + row * c.n,
               [=](int64_t j, int64_t count) { return c.bias ? load_count(c.bias + j, count) : Vec{}; });
    };
    return parallel_rows(run, c.batch * c.m, c.n, rows);
  }
  const int64_t panels = (c.m + MR - 1) / MR, rows = (c.m + panels - 1) / panels;  // panels of nearly equal size
  const int64_t blocks = (c.k + kDepth - 1) / kDepth, depth = round_up((c.k + blocks - 1) / blocks, 16);
  auto body = [=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const float *a = c.a + i * c.stride_a, *b = c.b + i * c.stride_b;
      const Operand of_a = {
          a, a + c.m * c.k, c.m, rows, 0, (c.m + rows - 1) / rows, c.k, !c.transpose_a, c.transpose_a ? c.m : c.k};
      const Operand of_b = {
          b, b + c.k * c.n, c.n, NR, NR, (c.n + NR - 1) / NR, c.k, c.transpose_b, c.transpose_b ? c.k : c.n};
      multiply(run, {of_a, of_b, c.y + i * c.m * c.n, c.bias, c.n, blocks, depth, c.k});
    }
  };
  // Small matrices: a thread each; big ones: one after the other, each by all threads.
  const int64_t work = c.m * c.n * c.k;
  if (c.batch >= 4 * run->threads || work < 64 * 64 * 64) parallel(run, c.batch, most(1, 32 * 32 * 32 / work), body);
  else body(0, c.batch);
}
