// The gradient of a weight, dY^T x: k is long, y is small, and k is contiguous in neither operand. Strips are cut from
// rows of memory then, which is slow where rows are long: lines are waited for, or push each other out of the cache.
//
// So a thread packs what comes next while it multiplies what is there, between their multiply-adds (Packing), and as
// many floats of a row at once as it can: groups of strips of the wider operand, its own ("ours"), meet all strips of
// the narrower one ("theirs"), which the first group packs block by block and the others find. A long k makes two
// spans, summed up in y and beside it: two threads then share neither operands nor y. Spans depend on the shape alone.

static const int64_t kOurs = 64 * 1024;                 // words of a group; two of them lie in the second-level cache
static const int64_t kTheirs = 2 * 1024 * 1024;         // words of the other operand in a part of a span
static const int64_t kSmall = 2 * 1024 * 1024;          // elements of a y that is summed up twice
static const int64_t kStrip = (MR + VL - 1) / VL * VL;  // floats to the next index of a's strips, whole vectors

// Whether a product is one of these. Floats are better packed by tiles, unless their rows push each other out, and in
// groups of panels whatever their rows.
static inline bool streams(const MatmulCall& c) {
  const bool gradient = c.transpose_a && !c.transpose_b && !c.packed && !c.bias;
  const bool pays = kPair > 1 || (kGroup == 1 && (c.m % kSet == 0 || c.n % kSet == 0));
  return gradient && pays && (c.epilogue == kNone || c.epilogue == kAddTo);
}

// Whether it takes the sums of rows of op(a) along, which it does where each is packed once.
static inline bool streams_sums(const MatmulCall& c) { return streams(c) && c.n <= c.m; }

// An operand in strips of `width`, with `step` words to an index of k and `stride` to the next strip.
struct Strips {
  Operand o;
  int64_t width, step, stride, count;
};

// Some for each of the pieces, as even as they go, or all of `step`. Strips do not begin in the same set of a cache.
static Strips strips_of(const Operand& o, int64_t widest, int64_t step, int64_t depth, int64_t pieces) {
  const int64_t width = widest == step ? step : ceil_div(o.size, round_up(ceil_div(o.size, widest), pieces));
  return {o, width, step, depth * step + VL, ceil_div(o.size, width)};
}

namespace {  // members that are not inlined would be exported from here, and taken for every instruction set

// Strips first .. last - 1 of one block of k, on their way from memory: `depth` words, from p, are still to come.
struct Stream {
  const Strips* s;
  int64_t first, last, p, depth;
  float *to, *sums;
  int64_t words, whole;  // of the present share; those that Packing takes

  // What a tile of so many steps packs, if so many tiles, itself included, remain until all must be there. What cannot
  // be read in whole vectors is left to `finish`.
  Packing share(int64_t tiles, int64_t steps) {
    words = depth == 0 ? 0 : ceil_div(depth, tiles);
    if (words == 0) return {};
    const Operand& o = s->o;
    const int64_t strips = last - first, room = o.end - o.x - ((last - 1) * s->width + s->step);
    whole = room < 0 || steps == 0 ? 0 : most(0, least(words, (room / o.stride + 1) / kPair - p));
    const int64_t row = kPair * o.stride;
    Packing next = {};
    next.x = o.x + p * row + first * s->width, next.to = to, next.sums = sums;
    next.stride = o.stride, next.ahead = ceil_div(kLinesAhead, strips) * row;
    next.width = s->width, next.next = s->stride, next.step = s->step;
    next.back_x = row - strips * s->width, next.back_to = s->step - strips * s->stride;
    next.strips = strips, next.words = whole, next.rate = steps == 0 ? 0 : ceil_div(whole * strips, steps);
    return next;
  }
  void finish() {
    if (words == 0) return;
    if (words > whole) {
      pack_rows(s->o, first * s->width, least(s->o.size, last * s->width), s->width, s->step, p + whole, words - whole,
                to + whole * s->step, s->stride, sums);
    }
    p += words, depth -= words, to += words * s->step;
  }
  void pack_all() {
    Packing all = share(1, 1);
    if (all.rate) all.run();
    finish();
  }
};

}  // namespace

struct Streams {
  Product g;
  Strips ours, theirs;
  bool ours_is_a;
  int64_t span, pieces;   // blocks; of our strips, one for a thread
  float *y[2], *sums[2];  // of the spans; sums as in Packing
};

// What is packed while the tiles of a stage run, and must be there after so many of them.
struct Coming {
  Stream ours, theirs;
  int64_t tiles;
  Fetch strip;  // of theirs, the next one
};

// The tiles of a group with strip s of theirs.
static void multiply_strip(const Streams& x, const Stream& mine, int64_t s, const float* theirs, Coming* next, float* y,
                           bool add) {
  const Product& g = x.g;
  const int64_t steps = mine.depth / kStep, lines = s + 1 < x.theirs.count ? mine.depth * x.theirs.step / 16 : 0;
  Fetch none = {};
  next->strip = {(const char*)(theirs + x.theirs.stride), 0, lines, 1, 0, 0};
  next->strip.rate = ceil_div(lines, most(1, (mine.last - mine.first) * steps));
  for (int64_t o = mine.first; o < mine.last; ++o, --next->tiles) {
    Packing pack_ours = next->ours.share(next->tiles, steps), pack_theirs = next->theirs.share(next->tiles, steps);
    const float* p = mine.to + (o - mine.first) * x.ours.stride;
    const int64_t i = x.ours_is_a ? o * x.ours.width : s * x.theirs.width, j = NR * (x.ours_is_a ? s : o);
    Tile t = {};
    t.a = x.ours_is_a ? p : theirs, t.step_a = kStrip, t.b = x.ours_is_a ? theirs : p, t.step_b = NR;
    t.depth = mine.depth, t.y = y + i * g.n + j, t.stride_y = g.n, t.cols = least(NR, g.n - j), t.add = add;
    t.next_a = &none, t.next_b = &next->strip, t.pack_a = &pack_ours, t.pack_b = &pack_theirs;
    multiply_tile(t, least((x.ours_is_a ? x.ours : x.theirs).width, g.m - i), 0);
    next->ours.finish(), next->theirs.finish();
  }
}

// A group of our strips and a block of k. Groups follow one another, each with all blocks of a part of the span.
struct Stage {
  int64_t part, group, block;  // part: its first block
};

// A piece of our strips and a span, added to y or written there.
static void multiply_piece(const Run* run, const Streams& x, int64_t piece, int64_t odd, bool add) {
  const Product& g = x.g;
  const int64_t from = x.ours.count * piece / x.pieces, strips = x.ours.count * (piece + 1) / x.pieces - from;
  if (strips == 0) return;
  const int64_t first = odd * x.span, last = least(g.blocks, first + x.span);
  const int64_t count = x.theirs.count, groups = ceil_div(strips * x.ours.stride, kOurs);
  const int64_t room = ceil_div(strips, groups) * x.ours.stride, their_room = count * x.theirs.stride;
  const int64_t part = least(last - first, most(1, kTheirs / their_room));
  float* memory = (float*)run->scratch(2, 2 * room * 4);
  float* slivers = ((Packed*)run->scratch(0, 64 + (part + 1) * their_room * 4))->slivers;
  const auto after = [&](const Stage& s) -> Stage {
    if (s.block + 1 < least(last, s.part + part)) return {s.part, s.group, s.block + 1};
    if (s.group + 1 < groups) return {s.part, s.group + 1, s.part};
    return {s.part + part, 0, s.part + part};
  };
  const auto ours = [&](const Stage& s, int64_t at) -> Stream {
    const int64_t begin = from + strips * s.group / groups, end = from + strips * (s.group + 1) / groups;
    float* sums = x.sums[odd] ? x.sums[odd] + begin * x.ours.step : nullptr;
    return {&x.ours, begin, end, s.block * g.depth, depth_of(g, s.block), memory + at % 2 * room, sums, 0, 0};
  };
  const auto theirs = [&](int64_t block) -> Stream {
    float* to = slivers + block % (part + 1) * their_room;
    return {&x.theirs, 0, count, block * g.depth, depth_of(g, block), to, nullptr, 0, 0};
  };
  Stage stage = {first, 0, first};
  ours(stage, 0).pack_all(), theirs(first).pack_all();
  for (int64_t now = 0; stage.block < last; ++now) {
    const Stage follows = after(stage);
    const Stream mine = ours(stage, now);
    const float* strip = theirs(stage.block).to;
    Coming next = {{}, {}, count * (mine.last - mine.first), {}};
    if (follows.block < last) next.ours = ours(follows, now + 1);
    if (follows.block < last && follows.group == 0) next.theirs = theirs(follows.block);
    for (int64_t s = 0; s < count; ++s)
      multiply_strip(x, mine, s, strip + s * x.theirs.stride, &next, x.y[odd], add || stage.block > first);
    stage = follows;
  }
}

// Sums of our strips begin as those of y, or as 0, and end there.
static void begin_sums(const Streams& x, float* sums, const float* y) {
  for (int64_t i = 0; i < x.ours.count * x.ours.width; ++i)
    sums[i / x.ours.width * x.ours.step + i % x.ours.width] = y && i < x.g.m ? y[i] : 0;
}
static void end_sums(const Streams& x, const float* sums, float* y, bool add) {
  for (int64_t i = 0; i < x.g.m; ++i) {
    const float sum = sums[i / x.ours.width * x.ours.step + i % x.ours.width];
    y[i] = add ? y[i] + sum : sum;
  }
}

static void multiply_streams(const Run* run, const Product& g) {
  const MatmulCall& c = *g.call;
  const int64_t spans = g.blocks >= 4 && g.m * g.n <= kSmall ? 2 : 1;
  const int64_t pieces = g.threads % spans == 0 ? g.threads / spans : g.threads;
  const Strips a = strips_of(g.a, MR, kStrip, g.depth, pieces), b = strips_of(g.b, NR, NR, g.depth, pieces);
  const bool ours_is_a = g.n <= g.m, sums = c.sums != nullptr && streams_sums(c), add = c.epilogue == kAddTo;
  Streams x = {g, ours_is_a ? a : b, ours_is_a ? b : a, ours_is_a, ceil_div(g.blocks, spans), pieces, {g.y, nullptr},
               {}};
  const int64_t apart = spans == 2 ? round_up(g.m * g.n, VL) : 0, all_sums = sums ? a.count * kStrip : 0;
  float* memory = (float*)run->scratch(3, (apart + spans * all_sums) * 4);
  if (spans == 2) x.y[1] = memory;
  for (int64_t odd = 0; odd < spans && sums; ++odd) {
    x.sums[odd] = memory + apart + odd * all_sums;
    begin_sums(x, x.sums[odd], odd == 0 && add ? c.sums : nullptr);
  }
  auto body = [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) multiply_piece(run, x, i % pieces, i / pieces, i < pieces && add);
  };
  parallel(run, spans * pieces, ceil_div(spans * pieces, g.threads), body);
  if (spans == 2) accumulate(run, x.y[1], g.y, g.m * g.n);
  for (int64_t odd = 0; odd < spans && sums; ++odd) end_sums(x, x.sums[odd], c.sums, odd == 1);
}
