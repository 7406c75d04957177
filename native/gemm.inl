// y = a b + bias, through an epilogue. Both operands are packed (gemm_pack.inl): a in panels of at most MR rows, b in
// slivers of NR columns. A tile of y, panel by sliver, stays in registers for a whole block of k (gemm_tile.inl; Goto
// and van de Geijn 2008; Van Zee and van de Geijn 2015, BLIS).
//
// A task takes a range of rows of y and a part of its columns. Its thread packs that part of b once, just before it is
// needed, and finds it packed for the tasks it takes next. Packing b once for all threads is slower: to write lines
// that another core has read took 27 ns each on Zen 4, about ten times the work of packing them twice.
//
// An element is the sum over blocks of k of (the sum over the block, in order, by multiply-add), plus the bias. Blocks
// depend on k alone and every tile goes through the same loop, so neither m, n, the place in y, the batch nor the
// number of threads changes a bit.

static const int64_t kPart =
    96 * 1024;  // floats of packed b that a task works with: a good part of a second-level cache

struct Product {
  const MatmulCall* call;
  Operand a, b;
  float *y, *x;  // x: of the epilogue
  int64_t m, n, k, blocks, depth;
  int threads;
};

// How the work is cut: `bands` of rows, each thread's own; `parts` of b of at most `slivers`; `groups` of rows within a
// band, so that a thread that is done helps another one.
struct Cut {
  int64_t bands, parts, slivers, groups;
};

// What the calling thread has packed of b, for the tasks it takes next.
struct Packed {
  // Scratch comes with whatever lay there: numbers alone may be right by chance, or those of another instruction set.
  const void* owner;
  int64_t product, part, unused[5];
  float slivers[1];
};
static int64_t products = 0;

struct Task {
  const Product* product;
  int64_t begin, end;       // rows
  int64_t sliver, slivers;  // the part of b
  float* panel;             // memory for one
  float* b;                 // packed slivers
  int64_t stride_b;         // from one to the next
  int pack_b, sum;
};

// `count` rows of a (columns of b) from `first`, indices p .. p + depth - 1 of k, within so many steps. Not where rows
// of memory share a set of the cache: they would push each other out.
static Fetch fetch(const Operand& o, int64_t first, int64_t count, int64_t p, int64_t depth, int64_t steps) {
  count = least(count, o.size - first);
  const int64_t rows = o.turned ? count : depth, bytes = 4 * (o.turned ? depth : count);
  const char* x = (const char*)(o.turned ? o.x + first * o.stride + p : o.x + p * o.stride + first);
  if (!o.turned && o.stride % kSet == 0) return {};
  const int64_t lines = bytes / 64 + (bytes % 64 != 0 || (uintptr_t)x % 64 != 0 || o.stride % 16 != 0);
  if (count <= 0 || depth <= 0) return {};
  return {x, o.stride * 4 - lines * 64, lines, rows, (rows * lines + steps - 1) / steps, 0};
}

// A tile of the panel of rows i .. i + rows - 1, with what does not change from sliver to sliver.
static Tile tile_of(const Task& t, int64_t block, int64_t i, int64_t rows) {
  const Product& g = *t.product;
  const int64_t p = block * g.depth;
  Tile x = {};
  x.depth = least(g.depth, g.k - p), x.stride_y = g.n;
  x.add = block > 0 || g.call->epilogue == kAddTo;
  x.a = g.a.turned ? g.a.x + i * g.a.stride + p : g.a.x + p * g.a.stride + i, x.step_a = g.a.stride;
  if (t.sum) sum_panel(x.a, x.step_a, rows, x.depth, g.call->sums + i, x.add);
  if (t.slivers == 1) return x;
  if (!g.a.turned) {
    if (x.a + (x.depth - 1) * x.step_a + kSide <= g.a.end) x.keep_a = t.panel;
  } else if (g.a.stride % kSet == 0) {
    copy_rows(x.a, x.step_a, rows, x.depth, t.panel);
    x.a = t.panel, x.step_a = kRow;
  }
  return x;
}

// The tiles of one panel; the sliver runs fastest, as its neighbour continues the rows of y. What is met for the first
// time is packed by the way.
static void multiply_panel(const Task& t, int64_t block, int64_t i, int64_t rows, int pack_b, Fetch* next_a,
                           Fetch* next_b) {
  const Product& g = *t.product;
  const MatmulCall& c = *g.call;
  const int64_t p = block * g.depth;
  Tile x = tile_of(t, block, i, rows);
  x.next_a = next_a, x.next_b = next_b;
  for (int64_t s = 0; s < t.slivers; ++s) {
    const int64_t j = (t.sliver + s) * NR, at = i * g.n + j;
    float* b = t.b + s * t.stride_b;
    const Ending ending = {c.bias ? c.bias + j : nullptr, c.epilogue, c.fn, g.x ? g.x + at : nullptr};
    x.b = b, x.step_b = NR, x.keep_b = nullptr;
    x.y = g.y + at, x.cols = least(NR, g.n - j), x.ending = block == g.blocks - 1 ? &ending : nullptr;
    if (pack_b) {
      if (g.b.turned || x.cols < NR) pack_sliver(g.b, j, p, x.depth, b);
      else x.b = g.b.x + p * g.b.stride + j, x.step_b = g.b.stride, x.keep_b = b;
    }
    multiply_tile(x, rows, g.a.turned);
    if (x.keep_a) x.a = t.panel, x.step_a = kSide, x.keep_a = nullptr;
  }
}

static void multiply_task(const Task& t, int64_t block) {
  const Product& g = *t.product;
  const int64_t rows = t.end - t.begin, panels = (rows + MR - 1) / MR;
  const int64_t steps = t.slivers * most(1, least(g.depth, g.k - block * g.depth) / 4), more = block + 1 < g.blocks;
  const int64_t p = block * g.depth, next = more ? p + g.depth : 0, depth = least(g.depth, g.k - next);
  Fetch next_b = {};
  if (!g.call->packed)
    next_b = fetch(g.b, (more ? t.sliver : t.sliver + t.slivers) * NR, t.slivers * NR, next, depth, panels * steps);
  for (int64_t i = 0; i < panels; ++i) {
    const int64_t begin = t.begin + rows * i / panels, end = t.begin + rows * (i + 1) / panels;
    const int64_t after = t.begin + rows * (i + 2) / panels;
    Fetch next_a = {};
    if (i + 1 < panels) next_a = fetch(g.a, end, after - end, p, least(g.depth, g.k - p), steps);
    else if (more) next_a = fetch(g.a, t.begin, rows / panels, next, depth, steps);
    multiply_panel(t, block, begin, end - begin, t.pack_b && i == 0, &next_a, &next_b);
  }
}

static inline int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Threads stand in a grid of bands times columns, costs in cycles an index of k. The more bands, the more threads pack
// the same part of b. With columns, rows of y have two owners: a processor that guesses where a row goes on fetches
// what the other one is writing, and each row costs both about 1000 cycles.
static Cut cut(const Product& g) {
  const int64_t slivers = ceil_div(g.n, NR);
  const double cost_a = 0.1, cost_b = g.call->packed ? 0 : (g.b.turned ? 0.23 : 0.08), cost_y = 1000. / (double)g.k;
  int64_t bands = 1;
  double least_cost = 0;
  for (int64_t i = 1; i <= g.threads; ++i) {
    if (g.threads % i != 0) continue;
    const double rows = (double)ceil_div(g.m, i), cols = (double)(ceil_div(slivers, g.threads / i) * NR);
    const double cost = rows * cols / 16 + rows * (i < g.threads ? cost_a + cost_y : cost_a) + cols * cost_b;
    if (i == 1 || cost < least_cost) bands = i, least_cost = cost;
  }
  const int64_t columns = g.threads / bands, share = ceil_div(slivers, columns);
  const int64_t parts = least(slivers, columns * ceil_div(share, most(1, kPart / (g.depth * NR)))),
                panels = ceil_div(ceil_div(g.m, bands), MR);
  const int64_t groups = g.blocks > 1 || g.threads == 1 ? 1 : least(most(1, panels / 4), most(1, 6 * columns / parts));
  return {bands, parts, ceil_div(slivers, parts), groups};
}

static void multiply(const Run* run, const Product& g) {
  const int64_t product = __atomic_add_fetch(&products, 1, __ATOMIC_RELAXED);
  const Cut c = cut(g);
  const int64_t slivers = ceil_div(g.n, NR), pieces = c.bands * c.groups;
  float* ready = (float*)g.call->packed;
  auto task = [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t piece = i / (c.parts * c.groups) * c.groups + i % c.groups, part = i / c.groups % c.parts;
      Task t = {&g,
                g.m * piece / pieces,
                g.m * (piece + 1) / pieces,
                slivers * part / c.parts,
                slivers * (part + 1) / c.parts - slivers * part / c.parts,
                (float*)run->scratch(1, kPanel * 4),
                nullptr,
                g.depth * NR,
                0,
                g.call->sums != nullptr && part == 0 && !g.a.turned};
      if (t.begin == t.end) continue;
      Packed* packed = ready ? nullptr : (Packed*)run->scratch(0, 64 + c.slivers * g.depth * NR * 4);
      for (int64_t block = 0; block < g.blocks; ++block) {
        if (ready) {
          t.b = ready + t.sliver * g.k * NR + block * g.depth * NR, t.stride_b = g.k * NR;
        } else {
          t.b = packed->slivers;
          t.pack_b = g.blocks > 1 || packed->owner != &products || packed->product != product || packed->part != part;
          packed->owner = &products, packed->product = product, packed->part = part;
        }
        multiply_task(t, block);
      }
    }
  };
  parallel(run, c.bands * c.parts * c.groups, 1, task);
}

// The sum over k of each row of op(a), in a pass of its own.
static void sum_rows(const Run* run, const MatmulCall& c) {
  float* sums = c.epilogue == kAddTo ? (float*)run->scratch(7, c.m * 4) : c.sums;
  if (c.transpose_a) reduce(run, kSum, c.a, sums, 1, c.k, c.m);
  else reduce(run, kSum, c.a, sums, c.m, c.k, 1);
  if (sums != c.sums) accumulate(run, sums, c.sums, c.m);
}

static void matmul(const Run* run, const MatmulCall* call) {
  MatmulCall c = *call;
  if (c.sums != nullptr && !c.transpose_a) sum_rows(run, c);
  if (c.stride_b == 0 && !c.transpose_a && c.stride_a == c.m * c.k) c.m *= c.batch, c.batch = 1;  // one tall matrix
  if (c.m == 0 || c.n == 0 || c.batch == 0) return;
  // Small matrices: a thread each; big ones: one after the other, each by all threads.
  const int64_t work = c.m * c.n * most(c.k, 1), blocks = most(1, (c.k + kDepth - 1) / kDepth);
  const int64_t depth = most(16, round_up((c.k + blocks - 1) / blocks, 16));
  const int alone = c.batch >= 4 * run->threads || work < 64 * 64 * 64;
  auto body = [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const Operand a = operand(c.a + i * c.stride_a, c.m, c.k, !c.transpose_a);
      const Operand b = operand(c.b + i * c.stride_b, c.n, c.k, c.transpose_b);
      const int64_t at = i * c.m * c.n;
      multiply(run,
               {&c, a, b, c.y + at, c.x ? c.x + at : nullptr, c.m, c.n, c.k, blocks, depth, alone ? 1 : run->threads});
    }
  };
  parallel(run, c.batch, alone ? most(1, 64 * 64 * 64 / work) : c.batch, body);
}
