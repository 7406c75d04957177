// Attention over sequences laid end to end (Vaswani et al. 2017, arXiv:1706.03762, eq. 1), one head of one sequence at
// a time: its keys, turned, and its values move into scratch once, then blocks of queries see all keys of the sequence,
// so scores live in cache and never in memory of the batch. Scores are in bits (times log2 e), for powers of 2 take
// fewer instructions than powers of e. Every sum runs in the order of its index.

static const float kLog2e = 1.44269504f, kLn2 = 0.693147181f;
static const float kHidden = -1e30f;  // a bias that leaves no weight; vexp2 knows no infinity
enum { kQueries = 36 };               // of a block: whole tiles

namespace {

// One head of one sequence.
struct Head {
  int64_t first, length;             // rows of keys and values in the call's tensors
  int64_t first_query, query_count;  // rows of queries
  int64_t column, width, dim;        // columns of all of them
  int64_t row, depth;                // of a packed row: dim in whole vectors; its words, in whole vectors
  int64_t keys, score_row;           // their number in whole vectors; distance of rows of scores, in odd cache lines
  const int32_t* places;             // of the queries; null: 0, 1, 2 ...
  int64_t random_row;                // random numbers of a query at place 0
  int64_t block;                     // of them, the first
};

}  // namespace

static inline int64_t odd_lines(int64_t floats) { return round_up(floats, 16) | 16; }

static Head make_head(const AttentionCall& c, int64_t index) {
  const int64_t sequence = index / c.heads, head = index % c.heads;
  Head h;
  h.first = c.offsets[sequence], h.length = c.offsets[sequence + 1] - h.first;
  h.first_query = c.query_offsets[sequence], h.query_count = c.query_offsets[sequence + 1] - h.first_query;
  h.places = c.places == nullptr ? nullptr : c.places + h.first_query;
  h.dim = c.head_dim, h.width = c.heads * c.head_dim, h.column = head * c.head_dim;
  h.row = round_up(h.dim, VL), h.depth = round_up(ceil_div(h.dim, kPair), VL);
  h.keys = round_up(h.length, VL), h.score_row = odd_lines(h.keys);
  h.random_row = index * c.max_seq, h.block = 0;
  return h;
}

// The part-th of `parts` stretches of a head's queries, in whole blocks.
static Head part_of(Head h, int64_t part, int64_t parts) {
  const int64_t blocks = (h.query_count + kQueries - 1) / kQueries;
  const int64_t begin = blocks * part / parts * kQueries;
  const int64_t end = least(blocks * (part + 1) / parts * kQueries, h.query_count);
  h.first_query += begin, h.query_count = end - begin;
  if (h.places == nullptr) h.random_row += begin;
  else h.places += begin;
  return h;
}

// Into how many parts the queries of `count` heads are cut so that all threads have work. A part moves keys and values
// again, a sixteenth of a head's time; queries know nothing of each other, so no bit depends on it.
static int64_t parts_of(int64_t count, int64_t threads, int64_t queries) {
  int64_t best = 1, least_time = 0;
  for (int64_t parts = 1; parts <= 4 && (parts - 1) * kQueries < queries; ++parts) {
    const int64_t rounds = (count * parts + threads - 1) / threads, time = rounds * (240 / parts + 15);
    if (parts == 1 || time < least_time) best = parts, least_time = time;
  }
  return best;
}

// Where a row of x stands that belongs to a head.
static inline const float* row_of(const Head& h, const float* x, int64_t row) { return x + row * h.width + h.column; }

// The head's `count` rows of x from `first` on, times `scale`, filled up with zeros to whole vectors of words.
static float* pack(const Head& h, const float* x, int64_t first, int64_t count, float scale, float** scratch) {
  float* y = take(scratch, count * h.depth);
  for (int64_t i = 0; i < count; ++i) {
    const float* from = row_of(h, x, first + i);
    for (int64_t d = 0; d < h.depth; d += VL)
      store(y + i * h.depth + d, load_words(from + kPair * d, h.dim - kPair * d, scale));
  }
  return y;
}

// Keys or values times `scale`, turned, in panels of kTileVecs vectors; columns behind the last are zeros.
static Right pack_turned(const Head& h, const float* x, float scale, float** scratch) {
  float* y = take(scratch, h.keys * h.depth);
  for (int64_t j = 0; j < h.keys; j += VL) {
    const int64_t panel = j / (kTileVecs * VL) * (kTileVecs * VL), cols = least(kTileVecs * VL, h.keys - panel);
    float* to = y + panel * h.depth + (j - panel);
    for (int64_t d = 0; d < h.depth; d += VL) {
      const float* from = row_of(h, x, h.first + j) + kPair * d;
      const int64_t numbers = h.dim - kPair * d;
      if (h.length - j >= VL && numbers >= kPair * VL) {
        turn_words(from, h.width, to + d * cols, cols, scale);
        continue;
      }
      Vec square[VL];
      for (int i = 0; i < VL; ++i)
        square[i] = j + i < h.length ? load_words(from + i * h.width, numbers, scale) : Vec{};
      transpose_square(square);
      for (int i = 0; i < VL; ++i) store(to + (d + i) * cols, square[i]);
    }
  }
  return {y, 0, h.depth};
}

// Some rows of queries as a factor; floats are read where they lie, and so are values.
static inline Left lay_queries(const Head& h, const float* q, int64_t first, int64_t rows, float* scratch) {
  if (kPair == 1) return {row_of(h, q, first), h.width, 1};
  return {pack(h, q, first, rows, 1.f, &scratch), h.depth, 1};
}

static Right lay_values(const Head& h, const float* v, float** scratch) {
  if (kPair == 1 && h.dim == h.row) return {row_of(h, v, h.first), h.width, 0};
  float* y = take(scratch, ceil_div(h.length, kPair) * h.row);
  for (int64_t i = 0; i < h.length; i += kPair) {
    const float *row = row_of(h, v, h.first + i), *next = row + h.width;
    for (int64_t j = 0; j < h.row; j += VL) {
      const int64_t n = least(VL, h.dim - j);
      const Vec odd = i + 1 < h.length ? load_count(next + j, n) : Vec{};
      store(y + i / kPair * h.row + j, join_rows(load_count(row + j, n), odd));
    }
  }
  return {y, h.row, 0};
}

// What scores begin with: the bias of each key; those that fill up the last vector are hidden, as keys of -inf are.
static float* pack_bias(const Head& h, const AttentionCall& c, float** scratch) {
  float* y = take(scratch, h.keys);
  for (int64_t j = 0; j < h.keys; ++j) {
    const float bias = j < h.length ? c.key_bias[h.first + j] * kLog2e : kHidden;
    y[j] = bias < kHidden ? kHidden : bias;
  }
  return y;
}

static inline int64_t random_row(const Head& h, int64_t query) {
  return h.random_row + (h.places == nullptr ? query : h.places[query]);
}

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

// y of the head's rows becomes x times `scale`; with `add`, grows by it.
static void unpack(const Head& h, const float* x, int64_t first, int64_t rows, float scale, float* y,
                   bool add = false) {
  for (int64_t i = 0; i < rows; ++i) {
    const float* from = x + i * h.row;
    float* to = y + (first + i) * h.width + h.column;
    for (int64_t j = 0; j < h.dim; j += VL) {
      const int64_t n = least(VL, h.dim - j);
      const Vec before = add ? load_count(to + j, n) : Vec{};
      store_count(to + j, before + load(from + j) * scale, n);
    }
  }
}

// Rows of `next` and, of the last `own` tensors, those that h will write, to be asked for while h multiplies so many
// products of its queries and keys. Results of h rather than of `next`: rows lie `width` apart in all tensors, so that
// a head's columns share a part of the second-level cache, which holds 8 tensors of 128 rows. Short ones wait there,
// and push nothing out of the first level. Where some rows alone are queries there is no time for more than keys and
// values.
static Ahead ahead_of(const Head& h, const Head& next, const float* const* tensors, int count, int own, int products) {
  if (next.places != nullptr) count = 2, own = 0;
  const int64_t rows = count * next.length, lines = (h.dim + 15) / 16;
  const int64_t calls = products * h.query_count * h.keys * h.row / (4 * kTileRows * kTileVecs * VL);
  const int64_t pace = calls * 4 / 5 / most(1, rows * lines / 2);
  Ahead a = {{}, count, lines, h.width, rows, next.length >= 256, pace, 0, 0, 0};
  for (int i = 0; i < count; ++i) {
    const Head& of = i < count - own ? next : h;
    a.row[i] = tensors[i] + of.first * of.width + of.column;
  }
  return a;
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
