// y = a b + bias, through an epilogue. Both operands are packed (gemm_pack.inl): a in panels of at most MR rows, b in
// slivers of NR columns, as floats or as pairs of bf16 numbers. A tile of y, panel by sliver, stays in registers for a
// whole block of k (gemm_tile.inl; Goto and van de Geijn 2008; Van Zee and van de Geijn 2015, BLIS).
//
// A task takes a range of rows of y and a part of its columns. Its thread packs that part of b once, just before it is
// needed, and finds it packed for the tasks it takes next. Packing b once for all threads is slower: to write lines
// that another core has read took 27 ns each on Zen 4, about ten times the work of packing them twice.
//
// An element is the sum over blocks of k of (the sum over the block, in order, by multiply-add), plus the bias. Blocks
// depend on k alone and every tile goes through the same loop, so neither m, n, the place in y, the batch nor the
// number of threads changes a bit. Gradients of weights (gemm_streams.inl) are the sum of two such sums if k is long.

// Words of packed b that a task works with: a good part of a second-level cache. Processors that AVX2 is the best of
// have less of it, and what comes next must fit as well.
static const int64_t kPart = (VL < 16 ? 48 : 96) * 1024;
// Converted panels that a thread keeps at most: two megabytes. More of them (111, 228) are slower than converting anew.
static const int64_t kKept = VL == 16 ? 64 : 144;
// Rows of a band, at most, where panels are packed in groups: all of its panels are kept for the parts of b to come.
static const int64_t kTall = 128 * MR;

// How the work is cut: `bands` of rows, each thread's own; `parts` of b of at most `slivers`; `groups` of rows within a
// band, so that a thread that is done helps another one. Where panels are packed apart, each block of k meets all parts
// of a thread in so many `rounds`, so that they are packed once.
struct Cut {
  int64_t bands, parts, slivers, groups, rounds;
  double cost;
};

// Threads stand in a grid of bands times columns, costs in cycles an index of k. The more bands, the more threads pack
// the same part of b, and with AVX2 the first tile of a sliver weighs 0.2 besides. With columns, rows of y have two
// owners: a processor that guesses where a row goes on fetches what the other one is writing, and each row costs both
// about 1000 cycles, with AVX2 300. Across, a row of y is a column here.
static Cut cut(const Product& g) {
  const int64_t slivers = ceil_div(g.n, NR);
  const double cost_a = g.a.turned ? 0.02 : 0.1, cost_y = (VL == 8 ? 300. : 1000.) / (double)g.k;
  const double cost_b = (VL == 8 ? 0.2 : 0) + (g.call->packed ? 0 : (g.b.turned ? 0.23 : 0.08));
  const double cost_tile = 1. / 16 + (g.across ? 0.36 / (double)g.depth : 0);
  int64_t bands = 1;
  double least_cost = 0;
  for (int64_t i = 1; i <= (g.across ? 1 : g.threads); ++i) {
    if (g.threads % i != 0) continue;
    const double rows = (double)ceil_div(g.m, i), cols = (double)(ceil_div(slivers, g.threads / i) * NR);
    const double cost =
        rows * cols * cost_tile + rows * (i < g.threads && !g.across ? cost_a + cost_y : cost_a) + cols * cost_b;
    if (i == 1 || cost < least_cost) bands = i, least_cost = cost;
  }
  const int64_t columns = g.threads / bands, share = ceil_div(slivers, columns);
  const int64_t parts = least(slivers, columns * ceil_div(share, most(1, kPart / (g.depth * NR))));
  const int apart = kGroup > 1 && !g.a.turned;
  if (apart && parts > columns) bands *= ceil_div(g.m, bands * kTall);
  const int64_t panels = ceil_div(ceil_div(g.m, bands), MR);
  const int64_t groups = g.blocks > 1 || g.threads == 1 ? 1 : least(most(1, panels / 4), most(1, 6 * columns / parts));
  const int rounds = apart && g.blocks > 1 && parts % columns == 0;
  return {bands, parts, ceil_div(slivers, parts), groups, rounds ? parts / columns : 1, least_cost};
}

// Few rows times b^T: turning a costs less than turning b, and tiles of b a^T are turned instead. Not where lines of y,
// met twice by neighbouring tiles, push each other out; nor with a function, which has more to do than turning saves.
static Cut exchange_or_cut(Product* g) {
  const Cut c = cut(*g);
  const int plain = g->call->epilogue == kNone || g->call->epilogue == kAddTo;
  if (kPair > 1 || g->blocks == 1 || !plain || !g->a.turned || !g->b.turned || g->call->packed || g->n % kSet == 0)
    return c;
  const Product other = {g->call, g->b, g->a, g->y, g->x, g->n, g->m, g->blocks, g->depth, g->k, g->threads, 1};
  const Cut d = cut(other);
  if (d.cost >= c.cost) return c;
  *g = other;
  return d;
}

// Task i: a range of rows, in each block of k with each of its parts of b.
static void multiply_share(const Run* run, const Product& g, const Cut& c, int64_t product, int64_t i) {
  const int64_t slivers = ceil_div(g.n, NR), pieces = c.bands * c.groups, shares = c.parts / c.rounds;
  const int64_t piece = i / (shares * c.groups) * c.groups + i % c.groups;
  const int64_t height = ceil_div(ceil_div(g.m, pieces), MR), group = g.a.turned ? 1 : kGroup;
  const int64_t panels = c.groups * height * (c.rounds > 1 ? 1 : g.blocks);
  const int64_t kept = (kPair > 1 || group > 1) && c.parts > 1 && panels <= kKept ? most(panels, group) : group;
  float* ready = (float*)g.call->packed;
  for (int64_t n = 0; n < c.rounds * g.blocks; ++n) {
    const int64_t block = n / c.rounds, first = i / c.groups % shares * c.rounds, part = first + n % c.rounds;
    const int more = n + 1 < c.rounds * g.blocks;
    const int64_t next = more ? first + (n + 1) % c.rounds : part + 1;
    Task t = {&g,
              product,
              g.m * piece / pieces,
              g.m * (piece + 1) / pieces,
              slivers * part / c.parts,
              slivers * (part + 1) / c.parts - slivers * part / c.parts,
              (Panel*)run->scratch(1, kept * (int64_t)sizeof(Panel)),
              kept,
              piece % c.groups * height,
              nullptr,
              g.depth * NR,
              slivers * next / c.parts,
              more ? (n + 1) / c.rounds : 0,
              0,
              g.call->sums != nullptr && part == 0 && !g.a.turned};
    if (t.begin == t.end) return;
    if (ready) {
      t.b = ready + t.sliver * g.k * NR + block * g.depth * NR, t.stride_b = g.k * NR;
    } else {
      Packed* packed = (Packed*)run->scratch(0, 64 + c.slivers * g.depth * NR * 4);
      t.b = packed->slivers;
      t.pack_b = g.blocks > 1 || packed->owner != &products || packed->product != product || packed->part != part;
      packed->owner = &products, packed->product = product, packed->part = part;
    }
    multiply_task(t, block);
  }
}

static void multiply(const Run* run, Product g) {
  const int64_t product = __atomic_add_fetch(&products, 1, __ATOMIC_RELAXED);
  if (streams(*g.call)) return multiply_streams(run, g);
  const Cut c = exchange_or_cut(&g);
  auto task = [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) multiply_share(run, g, c, product, i);
  };
  parallel(run, c.bands * c.parts / c.rounds * c.groups, 1, task);
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
  if (c.sums != nullptr && (streams(c) ? !streams_sums(c) : !c.transpose_a)) sum_rows(run, c);
  if (c.stride_b == 0 && !c.transpose_a && c.stride_a == c.m * c.k) c.m *= c.batch, c.batch = 1;  // one tall matrix
  if (c.m == 0 || c.n == 0 || c.batch == 0) return;
  // Small matrices: a thread each; big ones: one after the other, each by all threads.
  const int64_t k = ceil_div(c.k, kPair), work = c.m * c.n * most(k, 1);
  const int64_t blocks = most(1, ceil_div(k, kDepth)), depth = most(16, round_up(ceil_div(k, blocks), 16));
  const int alone = c.batch >= 4 * run->threads || work < 64 * 64 * 64;
  auto body = [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const Operand a = operand(c.a + i * c.stride_a, c.m, c.k, !c.transpose_a);
      const Operand b = operand(c.b + i * c.stride_b, c.n, c.k, c.transpose_b);
      const int64_t at = i * c.m * c.n;
      multiply(run,
               {&c, a, b, c.y + at, c.x ? c.x + at : nullptr, c.m, c.n, blocks, depth, k, alone ? 1 : run->threads, 0});
    }
  };
  parallel(run, c.batch, alone ? most(1, 64 * 64 * 64 / work) : c.batch, body);
}
