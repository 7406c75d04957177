// The gradient of a weight, dY^T x: k is long, y is small, and k is contiguous in neither operand. Strips are cut from
// rows of memory then, which is slow where rows are long: lines are waited for, or push each other out of the cache.
//
// So a thread packs the narrower operand ("theirs") once, a span of k at a time, and it meets groups of strips of the
// other one ("ours"). While the tiles of a group and block of k run, the next one is packed, a few rows after each
// tile, from lines that the tile has asked for. A long k makes two spans, summed up in y and beside it: two threads
// then share neither operands nor y. Spans depend on the shape alone.

static const int64_t kOurs = 64 * 1024;          // words of a group; two of them lie in the second-level cache
static const int64_t kTheirs = 2 * 1024 * 1024;  // words of the other operand in a span

// Whether a product is one of these. Floats in rows that do not push each other out are better packed by tiles.
static inline bool streams(const MatmulCall& c) {
  const bool gradient = c.transpose_a && !c.transpose_b && !c.packed && !c.bias;
  return gradient && (c.epilogue == kNone || c.epilogue == kAddTo) && (kPair > 1 || c.m % kSet == 0 || c.n % kSet == 0);
}

// Whether it takes the sums of rows of op(a) along, which it does where each is packed once.
static inline bool streams_sums(const MatmulCall& c) { return streams(c) && c.n <= c.m; }

// An operand in strips of `width`, with `step` words to an index of k and `stride` to the next strip.
struct Strips {
  Operand o;
  int64_t width, step, stride, count;
};

// Some for each of the threads, as even as they go, or all of `step`. Strips do not begin in the same set of a cache.
static Strips strips_of(const Operand& o, int64_t widest, int64_t step, int64_t depth, int64_t threads) {
  const int64_t width = widest == step ? step : ceil_div(o.size, round_up(ceil_div(o.size, widest), threads));
  return {o, width, step, depth * step + VL, ceil_div(o.size, width)};
}

// Strips first .. last - 1 of one block of k, on their way from memory: `depth` words, from p, are still to come.
struct Stream {
  const Strips* s;
  int64_t first, last, p, depth;
  float *to, *sums;

  // What is due when so many tiles, the next one included, remain until all must be packed.
  Fetch ask(int64_t tiles, int64_t steps) const {
    if (depth == 0) return {};
    return fetch(s->o, first * s->width, (last - first) * s->width, p, ceil_div(depth, tiles), steps);
  }
  void pack(int64_t tiles) {
    if (depth == 0) return;
    const int64_t words = ceil_div(depth, tiles);
    pack_rows(s->o, first * s->width, least(s->o.size, last * s->width), s->width, s->step, p, words, to, s->stride,
              sums);
    p += words, depth -= words, to += words * s->step;
  }
  void pack_all() {
    for (int64_t left = ceil_div(depth, 8); left > 0; --left) {
      Fetch next = fetch(s->o, first * s->width, (last - first) * s->width, p + 8, 8, 1);
      next.step();
      pack(left);
    }
  }
};

struct Streams {
  Product g;
  Strips ours, theirs;
  bool ours_is_a;
  int64_t number, span, groups;  // of the product; blocks; groups of our strips
  float *y[2], *sums[2];         // of even and of odd spans
};

// The tiles of a group and block of k, `mine`, while `next` is packed. y: of the first tile.
static void multiply_group(const Streams& x, const Stream& mine, const float* theirs, Stream next, float* y, bool add) {
  const Product& g = x.g;
  Fetch none = {};
  int64_t tiles = x.theirs.count * (mine.last - mine.first);
  for (int64_t s = 0; s < x.theirs.count; ++s) {
    for (int64_t o = mine.first; o < mine.last; ++o, --tiles) {
      const float *p = mine.to + (o - mine.first) * x.ours.stride, *q = theirs + s * x.theirs.stride;
      const int64_t i = x.ours_is_a ? o * x.ours.width : s * x.theirs.width, j = NR * (x.ours_is_a ? s : o);
      Fetch ask = next.ask(tiles, most(1, mine.depth / 4));
      Tile t = {};
      t.a = x.ours_is_a ? p : q, t.step_a = kSide, t.b = x.ours_is_a ? q : p, t.step_b = NR, t.depth = mine.depth;
      t.y = y + i * g.n + j, t.stride_y = g.n, t.cols = least(NR, g.n - j), t.add = add;
      t.next_a = &ask, t.next_b = &none;
      multiply_tile(t, least((x.ours_is_a ? x.ours : x.theirs).width, g.m - i), 0);
      next.pack(tiles);
    }
  }
}

// A stretch of tasks, a group and a span each; `first` is the even one of the spans that run now.
static void multiply_groups(const Run* run, const Streams& x, int64_t first, int64_t begin, int64_t end) {
  const Product& g = x.g;
  const int64_t room = ceil_div(x.ours.count, x.groups) * x.ours.stride, block_size = x.theirs.count * x.theirs.stride;
  float* memory = (float*)run->scratch(2, 2 * room * 4);
  Packed* packed = (Packed*)run->scratch(0, 64 + x.span * block_size * 4);
  int64_t now = 0;
  // Block i of a task's span.
  const auto stream = [&](int64_t task, int64_t i, int64_t at) -> Stream {
    const int64_t group = task % x.groups, odd = task / x.groups, block = (first + odd) * x.span + i;
    const int64_t from = x.ours.count * group / x.groups, to = x.ours.count * (group + 1) / x.groups;
    return {&x.ours, from, to, block * g.depth, depth_of(g, block), memory + at % 2 * room, x.sums[odd]};
  };
  stream(begin, 0, 0).pack_all();
  for (int64_t task = begin; task < end; ++task) {
    const int64_t odd = task / x.groups, from = (first + odd) * x.span, blocks = least(x.span, g.blocks - from);
    if (packed->owner != &products || packed->product != x.number || packed->part != from) {
      packed->owner = &products, packed->product = x.number, packed->part = from;
      for (int64_t i = 0; i < blocks; ++i) {
        float* to = packed->slivers + i * block_size;
        Stream{&x.theirs, 0, x.theirs.count, (from + i) * g.depth, depth_of(g, from + i), to, nullptr}.pack_all();
      }
    }
    for (int64_t i = 0; i < blocks; ++i, ++now) {
      Stream next = {};
      if (i + 1 < blocks) next = stream(task, i + 1, now + 1);
      else if (task + 1 < end) next = stream(task + 1, 0, now + 1);
      const bool add = i > 0 || first > 0 || (odd == 0 && g.call->epilogue == kAddTo);
      multiply_group(x, stream(task, i, now), packed->slivers + i * block_size, next, x.y[odd], add);
    }
  }
}

static void multiply_streams(const Run* run, const Product& g, int64_t number) {
  const MatmulCall& c = *g.call;
  const int64_t at_once = g.blocks >= 4 && g.m * g.n <= kTheirs ? 2 : 1, threads = ceil_div(g.threads, at_once);
  const Strips a = strips_of(g.a, MR, kSide, g.depth, threads), b = strips_of(g.b, NR, NR, g.depth, threads);
  const bool ours_is_a = g.n <= g.m, sums = c.sums != nullptr && streams_sums(c);
  Streams x = {g, ours_is_a ? a : b, ours_is_a ? b : a, ours_is_a, number, 0, 0, {g.y, nullptr}, {}};
  x.span = least(ceil_div(g.blocks, at_once), most(1, kTheirs / (x.theirs.count * x.theirs.stride)));
  // The first group of a thread has no tiles to be packed behind: it is one of three at least.
  const int64_t groups = most(3 * threads, ceil_div(x.ours.count, most(1, kOurs / x.ours.stride)));
  x.groups = least(x.ours.count, round_up(groups, threads));
  if (at_once == 2) x.y[1] = (float*)run->scratch(3, (g.m * g.n + g.m) * 4);
  if (sums) x.sums[0] = c.sums, x.sums[1] = at_once == 2 ? x.y[1] + g.m * g.n : nullptr;
  for (int64_t i = 0; i < g.m && sums; ++i) {
    if (c.epilogue != kAddTo) c.sums[i] = 0;
    if (at_once == 2) x.sums[1][i] = 0;
  }
  const int64_t spans = ceil_div(g.blocks, x.span);
  for (int64_t first = 0; first < spans; first += at_once) {
    const int64_t tasks = x.groups * least(at_once, spans - first);
    auto body = [&](int64_t begin, int64_t end) { multiply_groups(run, x, first, begin, end); };
    parallel(run, tasks, ceil_div(tasks, g.threads), body);
  }
  if (at_once == 1) return;
  accumulate(run, x.y[1], g.y, g.m * g.n);
  if (sums) accumulate(run, x.sums[1], c.sums, g.m);
}
