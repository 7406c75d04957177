// y = a b + bias. Both operands are first laid out in the order in which the innermost loop reads them ("packed"): a in
// panels of at most MR rows, b in slivers of NR columns, both k-major. The micro-kernel multiplies a panel by a sliver
// with the tile of y in registers (Goto and van de Geijn 2008; Van Zee and van de Geijn 2015, BLIS).
//
// A task takes a range of rows of y (of columns, where y is wide): it packs its own operand piece by piece, so that a
// piece is read again while it is in the cache, and finds the other one, "shared", packed by the same thread before.
// Packing it once for all threads is slower: to write lines that another core has read took 27 ns each on Zen 4, about
// ten times the work of packing them twice.
//
// An element is the sum over blocks of k of (the sum over the block, in order, by multiply-add), plus the bias. Blocks
// depend on k alone and every tile goes through the same loop, so neither m, n, the place in y, the batch nor the
// number of threads changes a bit.

// Loops over registers: unrolled before the compiler decides what lives in one (clang looks no further than a dozen).
#define BG_UNROLL _Pragma("GCC unroll 16")

static const int64_t NR = NV * VL;
static const int64_t kDepth = 512;        // longest block of k
static const int64_t kPiece = 64 * 1024;  // floats that a task packs at a time: half of a small second-level cache
static const int64_t kShared = 2 * 1024 * 1024;  // floats of the shared operand that are packed at a time

// One operand: `size` rows of a or columns of b, cut into strips (panels or slivers) of `width`, each with `step`
// floats to an index of k.
struct Operand {
  const float *x, *end;
  int64_t size, width, step, strips;
  int turned;      // k is the contiguous axis
  int64_t stride;  // between rows of memory
  int64_t k;
};

#include "gemm_bf16.inl"

// Words of k numbers.
static inline int64_t depth_of(int64_t k) { return (k + kPair - 1) / kPair; }

// Strips first .. last - 1, `stride` floats apart, for words p .. p + depth - 1 of k.
static void pack(const Operand& o, int64_t first, int64_t last, int64_t p, int64_t depth, float* packed,
                 int64_t stride) {
  const int64_t group = o.turned ? 1 : 16;  // more than this, and their pages outnumber what the processor keeps
  for (int64_t i = first; i < last; i += group) {
    float* to = packed + (i - first) * stride;
    if (o.turned) pack_columns(o, i, p, depth, to);
    else pack_rows(o, i, least(last, i + group), p, depth, to, stride);
  }
}

struct Tile {
  const float *a, *b;
  int64_t depth;
  float* y;
  int64_t stride_y, cols;
  const float* bias;  // of the tile's first column, or null
  int add;            // to y; else y is written
};

// y = (y + sum) + bias; the order of these is the same at an edge.
template <int R>
static inline void finish_tile(const Tile& t, Vec (&sum)[R][NV]) {
  BG_UNROLL for (int v = 0; v < NV; ++v) {
    const Vec bias = t.bias ? load(t.bias + v * VL) : Vec{};
    BG_UNROLL for (int r = 0; r < R; ++r) {
      float* y = t.y + r * t.stride_y + v * VL;
      if (t.add) sum[r][v] += load(y);
      if (t.bias) sum[r][v] += bias;
      store(y, sum[r][v]);
    }
  }
}

static void finish_edge(const Tile& t, int rows, Vec* sum) {
  for (int r = 0; r < rows; ++r) {
    for (int v = 0; v * VL < t.cols; ++v) {
      const int64_t count = least(VL, t.cols - v * VL);
      float* y = t.y + r * t.stride_y + v * VL;
      Vec result = sum[r * NV + v];
      if (t.add) result += load_count(y, count);
      if (t.bias) result += load_count(t.bias + v * VL, count);
      store_count(y, result, count);
    }
  }
}

template <int R>
static __attribute__((noinline)) void multiply_tile(const Tile& t) {
  Vec sum[R][NV];
  BG_UNROLL for (int r = 0; r < R; ++r) {
    BG_UNROLL for (int v = 0; v < NV; ++v) sum[r][v] = Vec{};
    __builtin_prefetch(t.y + r * t.stride_y, 1);
    __builtin_prefetch(t.y + r * t.stride_y + NR - 1, 1);
  }
  const float *a = t.a, *b = t.b;
  for (int64_t p = 0; p < t.depth; ++p, a += R, b += NR) {
    Vec row[NV];
    BG_UNROLL for (int v = 0; v < NV; ++v) row[v] = load(b + v * VL);
    BG_UNROLL for (int r = 0; r < R; ++r) {
      const Vec factor = splat(a[r]);
      BG_UNROLL for (int v = 0; v < NV; ++v) sum[r][v] = multiply_add(sum[r][v], factor, row[v]);
    }
  }
  if (t.cols == NR) {
    finish_tile<R>(t, sum);
  } else {
    Vec edge[R][NV];
    BG_UNROLL for (int r = 0; r < R; ++r) BG_UNROLL for (int v = 0; v < NV; ++v) edge[r][v] = sum[r][v];
    finish_edge(t, R, edge[0]);
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
  int64_t n, k, blocks, depth;
  int threads, add;
};

// Strips of one operand as they lie packed for one block of k.
struct Strips {
  const float* packed;
  int64_t stride, begin, end;
};

// The tiles of y where the panels meet the slivers. The sliver runs fastest: its neighbour continues the rows of y.
static void multiply_strips(const Product& g, int64_t block, const Strips& panels, const Strips& slivers) {
  const int last = block == g.blocks - 1;
  const int64_t depth = last ? g.k - block * g.depth : g.depth;
  for (int64_t panel = panels.begin; panel < panels.end; ++panel) {
    const int64_t i = panel * g.a.width, rows = least(g.a.width, g.a.size - i);
    const float* a = panels.packed + (panel - panels.begin) * panels.stride;
    for (int64_t sliver = slivers.begin; sliver < slivers.end; ++sliver) {
      const int64_t j = sliver * NR;
      const float* b = slivers.packed + (sliver - slivers.begin) * slivers.stride;
      const float* bias = last && g.bias ? g.bias + j : nullptr;
      multiply_rows<MR>(rows, {a, b, depth, g.y + i * g.n + j, g.n, least(NR, g.n - j), bias, block > 0 || g.add});
    }
  }
}

// Largest i with i * i <= n.
static inline int64_t root(int64_t n) {
  int64_t i = 0;
  while ((i + 1) * (i + 1) <= n) ++i;
  return i;
}

// What the calling thread has packed of the shared operand, for the tasks it takes next.
struct Packed {
  const void* owner;  // each copy of this file counts its products
  int64_t product, first, part, unused[4];
  float strips[1];
};
static int64_t products = 0;

static void multiply(const Run* run, const Product& g) {
  const int64_t product = __atomic_add_fetch(&products, 1, __ATOMIC_RELAXED);
  const int share_a = 2 * g.a.size < g.b.size;
  const Operand &shared = share_a ? g.a : g.b, &own = share_a ? g.b : g.a;
  const int64_t shared_strip = g.depth * shared.width + VL, own_strip = g.depth * own.width + VL;
  // Many threads form a square: each meets a part of the shared operand only.
  const int64_t parts = least(root(g.threads), shared.strips), part_strips = (shared.strips + parts - 1) / parts;
  const int64_t at_once = least(g.blocks, most(1, kShared / (shared_strip * part_strips)));
  // As many strips a task as the cache takes, but some tasks for each thread.
  const int64_t tasks = g.threads > 1 ? 6 * g.threads : 1;
  const int64_t group = parts > 1 ? 1 : most(1, least(kPiece / own_strip, own.strips / tasks));
  // Panels stream past the slivers of a task; panels of a task meet as many slivers as the cache takes at a time.
  const int64_t chunk = share_a ? shared.strips : most(1, kPiece / shared_strip);
  for (int64_t first = 0; first < g.blocks; first += at_once) {
    const int64_t last = least(g.blocks, first + at_once);
    auto task = [&](int64_t begin, int64_t end) {
      const int64_t part = begin % parts, own_begin = begin / parts, own_end = (end + parts - 1) / parts;
      const int64_t from = part * part_strips, to = least(shared.strips, from + part_strips);
      Packed* packed = (Packed*)run->scratch(0, 64 + at_once * part_strips * shared_strip * 4);
      if (packed->owner != &products || packed->product != product || packed->first != first || packed->part != part) {
        *packed = {&products, product, first, part, {}, {}};
        for (int64_t block = first; block < last; ++block)
          pack(shared, from, to, block * g.depth, least(g.depth, g.k - block * g.depth),
               packed->strips + (block - first) * part_strips * shared_strip, shared_strip);
      }
      float* piece = (float*)run->scratch(1, (own_end - own_begin) * own_strip * 4);
      for (int64_t block = first; block < last; ++block) {
        pack(own, own_begin, own_end, block * g.depth, least(g.depth, g.k - block * g.depth), piece, own_strip);
        const Strips mine = {piece, own_strip, own_begin, own_end};
        for (int64_t s = from; s < to; s += chunk) {
          const float* x = packed->strips + ((block - first) * part_strips + s - from) * shared_strip;
          const Strips theirs = {x, shared_strip, s, least(s + chunk, to)};
          multiply_strips(g, block, share_a ? theirs : mine, share_a ? mine : theirs);
        }
      }
    };
    parallel(run, own.strips * parts, group, task);
  }
}

// A strip's width: a matrix that is not a multiple of `widest` is cut into nearly equal ones.
static inline Operand operand(const float* x, int64_t size, int64_t k, int k_contiguous, int64_t widest, int64_t step) {
  const int64_t strips = (size + widest - 1) / widest, width = step ? step : (size + strips - 1) / strips;
  return {x, x + size * k, size, width, step, (size + width - 1) / width, k_contiguous, k_contiguous ? k : size, k};
}

// op(b) in slivers of NR columns, all of k one after the other.
static void pack_once(const Run* run, const float* b, float* y, int64_t k, int64_t n, int transpose_b) {
  const Operand o = operand(b, n, k, transpose_b, NR, NR);
  const int64_t depth = depth_of(k);
  auto body = [=](int64_t begin, int64_t end) {
    if (k > 0) pack(o, begin, end, 0, depth, y + begin * depth * NR, depth * NR);
  };
  parallel(run, o.strips, most(1, kGrain / most(1, depth * NR)), body);
}

// What becomes of the product's elements once they are in y.
static void finish(const Run* run, const MatmulCall& c) {
  const auto all = [&](auto f) {
    using F = decltype(f);
    float *y = c.y, *x = c.x;
    if (c.epilogue == kSlope) {
      return map(run, c.batch * c.m * c.n, y, [=](int64_t i, int64_t count) {
        const Vec at = load_count(x + i, count);
        return load_count(y + i, count) * F::d(at, Vec{}, 0.f);
      });
    }
    map(run, c.batch * c.m * c.n, y, [=](int64_t i, int64_t count) {
      const Vec t = load_count(y + i, count);
      if (x != nullptr) store_count(x + i, t, count);
      return F::f(t, 0.f);
    });
  };
  if (c.fn == kRelu) all(Relu());
  else if (c.fn == kGelu) all(Gelu());
  else all(GeluTanh());
}

static void sum_rows(const Run* run, const MatmulCall& c) {
  float* sums = c.epilogue == kAddTo ? (float*)run->scratch(7, c.m * 4) : c.sums;
  if (c.transpose_a) reduce(run, kSum, c.a, sums, 1, c.k, c.m);
  else reduce(run, kSum, c.a, sums, c.m, c.k, 1);
  if (sums != c.sums) accumulate(run, sums, c.sums, c.m);
}

static void multiply_all(const Run* run, MatmulCall c);

static void matmul(const Run* run, const MatmulCall* call) {
  multiply_all(run, *call);
  if (call->epilogue == kActivate || call->epilogue == kSlope) finish(run, *call);
  if (call->sums != nullptr) sum_rows(run, *call);
}

static void multiply_all(const Run* run, MatmulCall c) {
  const int add = c.epilogue == kAddTo;
  if (c.stride_b == 0 && !c.transpose_a && c.stride_a == c.m * c.k) c.m *= c.batch, c.batch = 1;  // one tall matrix
  if (c.m == 0 || c.n == 0 || c.batch == 0) return;
  if (c.k == 0) {
    return parallel_rows(run, c.batch * c.m, c.n, [=](int64_t row) {
      float* y = c.y + row * c.n;
      each_vec(0, c.n, y, [=](int64_t j, int64_t n) {
        return (add ? load_count(y + j, n) : Vec{}) + (c.bias ? load_count(c.bias + j, n) : Vec{});
      });
    });
  }
  // Small matrices: a thread each; big ones: one after the other, each by all threads.
  const int64_t k = depth_of(c.k), work = c.m * c.n * k, blocks = (k + kDepth - 1) / kDepth;
  const int64_t depth = round_up((k + blocks - 1) / blocks, 16);
  const int alone = c.batch >= 4 * run->threads || work < 64 * 64 * 64;
  auto body = [=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const Operand a = operand(c.a + i * c.stride_a, c.m, c.k, !c.transpose_a, MR, 0);
      const Operand b = operand(c.b + i * c.stride_b, c.n, c.k, c.transpose_b, NR, NR);
      multiply(run, {a, b, c.y + i * c.m * c.n, c.bias, c.n, k, blocks, depth, alone ? 1 : run->threads, add});
    }
  };
  parallel(run, c.batch, alone ? most(1, 64 * 64 * 64 / work) : c.batch, body);
}
