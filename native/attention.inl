// Attention over sequences laid end to end (Vaswani et al. 2017, arXiv:1706.03762, eq. 1), one head of one sequence at
// a time: its keys, turned, and its values move into scratch once, then blocks of queries see all keys of the sequence,
// so scores live in cache and never in memory of the batch. Scores are in bits (times log2 e), for powers of 2 take
// fewer instructions than powers of e. Every sum runs in the order of its index.

namespace {

// Which scores dropout leaves: a row for each query of a block.
struct Mask {
  const Kept* kept;  // null: all
  int64_t row;
};

// Scores become their powers of 2, without what dropout takes; `sums`, a vector for each row, grow by all of them.
template <bool Drop>
struct Powers {
  enum { kPlain = false };
  Mask mask;
  float* sums;

  struct Row {
    const Kept* kept;
    float* to_sum;
    Vec sum;
    void put(float* to, Vec score, int64_t j) {
      const Vec power = vexp2(score);
      sum += power;
      store_words(to, j, Drop ? only(kept[j], power) : power);
    }
    void close() const { store(to_sum, sum); }
  };
  Row row(int64_t i) const { return {mask.kept + (Drop ? i * mask.row : 0), sums + i * VL, load(sums + i * VL)}; }
};

// Sums times a factor of their row.
struct Scaled {
  enum { kPlain = false };
  const float* scales;

  struct Row {
    Vec scale;
    void put(float* to, Vec sum, int64_t) const { store(to, sum * scale); }
    void close() const {}
  };
  Row row(int64_t i) const { return {splat(scales[i])}; }
};

}  // namespace

static Mask draw_mask(const Head& h, const Dropout* drop, int64_t first, int64_t rows, float* room) {
  if (drop == nullptr) return {nullptr, 0};
  Kept* kept = (Kept*)room;
  const int64_t blocks = ceil_div(h.keys, kBlock);
  for (int64_t i = 0; i < rows * blocks; ++i)
    draw_kept(*drop, random_row(h, first + i / blocks), h.block + i % blocks, kept + i * kBlockVecs);
  return {kept, blocks * kBlockVecs};
}

// A sum of powers that needs no largest score taken off: what is then lost, below 2^-126, is 2^-78 of the sum at most.
static inline bool in_range(float sum) { return sum > 0x1p-48f && sum < 0x1p48f; }

// Sums of the lanes of each of some rows.
static void add_lanes(const float* folded, int64_t rows, float* sums) {
  for (int64_t i = 0; i < rows; i += VL) {
    float lanes[VL * VL];
    turn_square(folded + i * VL, VL, lanes, VL);
    Vec sum = load(lanes);
    for (int lane = 1; lane < VL; ++lane) sum += load(lanes + lane * VL);
    store(sums + i, sum);
  }
}

// Powers of 2 of the scores of some queries, each score less what `tops` then holds, and their sums. Most rows are done
// with their tiles: 0 is taken off. Where a sum shows that this will not do, it is the largest score of the row, and
// rows that are computed a second time get the same bits.
template <bool Drop>
static void powers(const Head& h, Left q, Right k, const float* bias, Mask mask, int64_t rows, float* scores,
                   float* tops, float* sums, Ahead* ahead) {
  float folded[(kQueries + VL) * VL] = {};
  const Powers<Drop> ending = {mask, folded};
  product(rows, h.keys / VL, ceil_div(h.dim, kPair), q, k, bias, scores, h.score_row, ahead, ending);
  add_lanes(folded, rows, sums);
  bool all = true;
  for (int64_t i = 0; i < rows; ++i) tops[i] = 0.f, all = all && in_range(sums[i]);
  if (all) return;
  product(rows, h.keys / VL, ceil_div(h.dim, kPair), q, k, bias, scores, h.score_row, ahead);
  for (int64_t i = 0; i < rows; ++i) {
    float* p = scores + i * h.score_row;
    if (!in_range(sums[i])) tops[i] = row_max(p, h.keys);
    if (tops[i] < 0.1f * kHidden) tops[i] = __builtin_nanf("");  // no key is left
    store(folded + i * VL, Vec{});
    auto row = ending.row(i);
    for (int64_t j = 0; j < h.keys; j += VL) row.put(p + j, load(p + j) - tops[i], j / VL);
    row.close();
  }
  add_lanes(folded, rows, sums);
}

static void attend(const Head& h, const Head& next, const AttentionCall& c, const Dropout* drop, float* y, float* lse,
                   float* scratch) {
  if (h.query_count == 0) return;
  const Right k = pack_turned(h, c.k, c.scale * kLog2e, &scratch);
  const Right v = lay_values(h, c.v, &scratch);
  const bool whole = h.dim == h.row;  // results are written where they lie
  const float* bias = pack_bias(h, c, &scratch);
  float *scores = take(&scratch, kQueries * h.score_row), *out = take(&scratch, kQueries * h.row);
  float* words = take(&scratch, kQueries * h.depth);
  float tops[kQueries + VL] = {}, sums[kQueries + VL] = {};
  const float kept = drop == nullptr ? 1.f : drop->scale;
  const float* const tensors[] = {c.k, c.v, c.q, y};
  Ahead ahead = ahead_of(h, next, tensors, 4, 1, 2);
  for (int64_t first = 0; first < h.query_count; first += kQueries) {
    const int64_t rows = least(kQueries, h.query_count - first);
    const Left q = lay_queries(h, c.q, h.first_query + first, rows, words);
    const Mask mask = draw_mask(h, drop, first, rows, scratch);
    (drop == nullptr ? powers<false> : powers<true>)(h, q, k, bias, mask, rows, scores, tops, sums, &ahead);
    for (int64_t i = 0; i < rows; i += VL) {
      const Vec sum = load(sums + i);
      store(tops + i, load(tops + i) * kLn2 + vlog(sum));
      store(sums + i, kept / sum);
    }
    const Left p = {scores, h.score_row, 1};
    float* to = whole ? y + (h.first_query + first) * h.width + h.column : out;
    product(rows, h.row / VL, ceil_div(h.length, kPair), p, v, kZeros, to, whole ? h.width : h.row, &ahead,
            Scaled{sums});
    if (!whole) unpack(h, out, h.first_query + first, rows, 1.f, y);
    for (int64_t i = 0; i < rows; ++i) lse[(h.first_query + first + i) * c.heads + h.column / h.dim] = tops[i];
  }
}

// body(head, the next one, dropout or null, scratch) for every head of every sequence that has rows, its queries cut
// into `parts`.
template <class F>
static inline void each_head(const Run* run, const AttentionCall& c, int64_t parts, int64_t floats, F body) {
  const Dropout drop = make_dropout(c.key, c.max_seq, c.dropout_rate);
  const int64_t count = c.sequences * c.heads * parts;
  auto heads = [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const Head h = part_of(make_head(c, i / parts), i % parts, parts);
      const Head next = make_head(c, least(i + 1, count - 1) / parts);
      if (h.length > 0) body(h, next, c.dropout_rate > 0 ? &drop : nullptr, (float*)run->scratch(0, 4 * floats));
    }
  };
  parallel(run, count, 1, heads);
}

static void attention(const Run* run, const AttentionCall* call, float* y, float* lse) {
  const AttentionCall& c = *call;
  const int64_t keys = round_up(c.max_seq, 16), row = round_up(c.head_dim, 16);
  const int64_t floats = 2 * keys * row + keys + kQueries * (odd_lines(keys) + 2 * row + keys + kBlock);
  const int64_t parts = parts_of(c.sequences * c.heads, run->threads, c.query_rows / most(1, c.sequences));
  each_head(run, c, parts, floats, [&](const Head& h, const Head& next, const Dropout* drop, float* scratch) {
    attend(h, next, c, drop, y, lse, scratch);
  });
}
