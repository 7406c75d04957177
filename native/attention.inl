// Attention over sequences laid end to end (Vaswani et al. 2017, arXiv:1706.03762, eq. 1), one head of one sequence at
// a time: its q, k and v move into scratch, padded to whole tiles, and blocks of queries see all keys of the sequence
// at once, so scores live in cache and never in memory of the batch. Gradients as in Dao et al. 2022, arXiv:2205.14135,
// appendix B.2. Every sum runs in the order of its index.

namespace {

// Rows and vectors of the accumulators of a product, and queries of a block.
#if VL == 16
enum { kTileRows = 4, kTileVecs = 4, kQueries = 32 };
#else
enum { kTileRows = 6, kTileVecs = 2, kQueries = 36 };
#endif
const int64_t kStretch = 128;  // rows of B that stay in the first-level cache while all rows of A pass

// A factor whose element (i, p) lies at `at + i * row + p * step`.
struct Left {
  const float* at;
  int64_t row, step;
};

// A factor whose rows lie `row` apart, or, with row = 0, cut into panels of kTileVecs vectors, `depth` rows each.
struct Right {
  const float* at;
  int64_t row, depth;
};

// One head of one sequence. Packed rows are an odd number of cache lines apart: columns then spread over all cache
// sets.
struct Head {
  int64_t first, length;             // rows of keys and values in the call's tensors
  int64_t first_query, query_count;  // rows of queries
  int64_t column, width, dim;        // columns of all of them
  int64_t vecs, row;                 // a packed row: its vectors, and the distance to the next
  int64_t queries, keys, score_row;  // their numbers in whole tiles and in whole vectors; distance of rows of scores
  const int32_t* places;             // of the queries; null: 0, 1, 2 ...
  int64_t random_row;                // random numbers of a query at place 0
};

}  // namespace

template <int N>
static inline void product_tile(Left a, const float* b, int64_t row_b, float* c, int64_t row_c, int64_t k, bool add) {
  Vec sum[kTileRows][N] = {};
  if (add)
    for (int i = 0; i < kTileRows; ++i)
      for (int j = 0; j < N; ++j) sum[i][j] = load(c + i * row_c + j * VL);
  for (int64_t p = 0; p < k; ++p) {
    Vec right[N];
    for (int j = 0; j < N; ++j) right[j] = load(b + p * row_b + j * VL);
    for (int i = 0; i < kTileRows; ++i) {
      const Vec left = splat(a.at[i * a.row + p * a.step]);
      for (int j = 0; j < N; ++j) sum[i][j] += left * right[j];
    }
  }
  for (int i = 0; i < kTileRows; ++i)
    for (int j = 0; j < N; ++j) store(c + i * row_c + j * VL, sum[i][j]);
}

// C = A B, or C += A B: C has m rows (whole tiles) of `vecs` vectors, row_c apart.
static void product(int64_t m, int64_t vecs, int64_t k, Left a, Right b, float* c, int64_t row_c, bool add) {
  for (int64_t p = 0; p < k; p += kStretch, add = true) {
    const int64_t depth = least(kStretch, k - p);
    for (int64_t j = 0; j < vecs; j += kTileVecs) {
      const int64_t n = least(kTileVecs, vecs - j), row_b = b.row == 0 ? n * VL : b.row;
      const float* pb = b.at + j * VL * (b.row == 0 ? b.depth : 1) + p * row_b;
      for (int64_t i = 0; i < m; i += kTileRows) {
        const Left pa = {a.at + i * a.row + p * a.step, a.row, a.step};
        float* pc = c + i * row_c + j * VL;
        if (n == 1) product_tile<1>(pa, pb, row_b, pc, row_c, depth, add);
        if (n == 2) product_tile<2>(pa, pb, row_b, pc, row_c, depth, add);
#if VL == 16
        if (n == 3) product_tile<3>(pa, pb, row_b, pc, row_c, depth, add);
        if (n == 4) product_tile<4>(pa, pb, row_b, pc, row_c, depth, add);
#endif
      }
    }
  }
}

static inline int64_t odd_lines(int64_t floats) { return round_up(floats, 16) | 16; }

static Head make_head(const AttentionCall& c, int64_t sequence, int64_t head) {
  Head h;
  h.first = c.offsets[sequence], h.length = c.offsets[sequence + 1] - h.first;
  h.first_query = c.query_offsets[sequence], h.query_count = c.query_offsets[sequence + 1] - h.first_query;
  h.places = c.places == nullptr ? nullptr : c.places + h.first_query;
  h.dim = c.head_dim, h.width = c.heads * c.head_dim, h.column = head * c.head_dim;
  h.vecs = (h.dim + VL - 1) / VL, h.row = odd_lines(h.dim + 1);
  h.queries = round_up(h.query_count, kTileRows), h.keys = round_up(h.length, VL);
  h.score_row = odd_lines(most(round_up(h.length, kTileRows), h.keys));
  h.random_row = (sequence * c.heads + head) * c.max_seq;
  return h;
}

// Floats that a matrix of packed rows takes; every row count above fits.
static inline int64_t packed_size(int64_t length, int64_t row) { return (length + 16) * row; }

static inline float* take(float** scratch, int64_t floats) {
  float* p = *scratch;
  *scratch += round_up(floats, 16);
  return p;
}

// The head's `count` rows of x times `scale`, zeros in what pads a row and in the rows up to `rows`.
static float* pack(const Head& h, const float* x, int64_t first, int64_t count, float scale, int64_t rows,
                   float** scratch) {
  float* y = take(scratch, packed_size(count, h.row));
  for (int64_t i = 0; i < rows; ++i) {
    const float* from = x + (first + i) * h.width + h.column;
    float* to = y + i * h.row;
    for (int64_t j = 0; j < h.dim; j += 16) __builtin_prefetch(from + 16 * h.width + j);  // rows are far apart
    const int64_t dim = i < count ? h.dim : 0;
    each_vec(0, dim, to, [=](int64_t j, int64_t n) { return load_count(from + j, n) * scale; });
    for (int64_t j = dim; j < h.row; ++j) to[j] = 0.f;
  }
  return y;
}

static float* pack_keys(const Head& h, const float* x, int64_t rows, float** scratch) {
  return pack(h, x, h.first, h.length, 1.f, rows, scratch);
}

static void unpack(const Head& h, const float* x, int64_t first, int64_t rows, const float* scales, float scale,
                   float* y) {
  for (int64_t i = 0; i < rows; ++i) {
    const float *from = x + i * h.row, factor = scales == nullptr ? scale : scales[i];
    each_vec(0, h.dim, y + (first + i) * h.width + h.column,
             [=](int64_t j, int64_t n) { return load_count(from + j, n) * factor; });
  }
}

// The transpose of packed keys or values in panels; `last`, where given, becomes row h.dim.
static Right pack_transposed(const Head& h, const float* x, const float* last, float** scratch) {
  float* y = take(scratch, packed_size(h.length, h.row));
  const int64_t depth = h.dim + 1;
  for (int64_t j = 0; j < h.keys; j += kTileVecs * VL) {
    const int64_t n = least(kTileVecs * VL, h.keys - j);
    float* panel = y + j * depth;
    transpose(x + j * h.row, h.row, panel, n, n, h.dim);
    for (int64_t i = 0; i < n && last != nullptr; ++i)
      panel[h.dim * n + i] = j + i < h.length ? last[h.first + j + i] : -kInf;
  }
  return {y, 0, depth};
}

// Scores of queries first .. first + m - 1 with all keys. The bias of a key is one more component of it, which meets a
// 1 in the query; keys that fill up the last vector have -inf there, and so no weight.
static inline void score(const Head& h, const float* q, Right k_t, int64_t first, int64_t m, float* scores) {
  product(m, h.keys / VL, h.dim + 1, {q + first * h.row, h.row, 1}, k_t, scores, h.score_row, false);
}

static float* pack_queries(const Head& h, const AttentionCall& c, float** scratch) {
  float* q = pack(h, c.q, h.first_query, h.query_count, c.scale, h.queries, scratch);
  for (int64_t i = 0; i < h.queries; ++i) q[i * h.row + h.dim] = 1.f;
  return q;
}

// Calls f(j, kept) for every vector of a row of scores; `kept` is -1 in lanes that dropout leaves.
template <class F>
static inline void each_score(const Dropout* drop, int64_t random_row, int64_t keys, F f) {
  UVec words[kBlockVecs] = {};
  const uint32_t threshold = drop == nullptr ? 0 : drop->threshold;
  for (int64_t block = 0; block * kBlock < keys; ++block) {
    if (drop != nullptr) random_words(*drop, random_row, block, words);
    for (int v = 0; v < kBlockVecs && block * kBlock + v * VL < keys; ++v)
      f(block * kBlock + v * VL, (IVec)(words[v] >= threshold));
  }
}

static inline int64_t random_row(const Head& h, int64_t query) {
  return h.random_row + (h.places == nullptr ? query : h.places[query]);
}

// Scores become e^(score - largest), without what dropout takes; `sums` holds the sum of all.
static void exponentials(const Head& h, const Dropout* drop, int64_t first, int64_t rows, float* scores, float* tops,
                         float* sums) {
  for (int64_t i = 0; i < rows; ++i) {
    float* p = scores + i * h.score_row;
    const float top = row_max(p, h.keys);
    Vec sum = {};
    each_score(drop, random_row(h, first + i), h.keys, [&](int64_t j, IVec kept) {
      const Vec e = vexp(load(p + j) - top);
      sum += e;
      store(p + j, (Vec)((IVec)e & kept));
    });
    tops[i] = top, sums[i] = hsum(sum);
  }
}

static void attend(const Head& h, const AttentionCall& c, const Dropout* drop, float* y, float* lse, float* scratch) {
  const float* q = pack_queries(h, c, &scratch);
  const float* k = pack_keys(h, c.k, h.keys, &scratch);
  const float* v = pack_keys(h, c.v, h.length, &scratch);
  const Right k_t = pack_transposed(h, k, c.key_bias, &scratch);
  float *scores = take(&scratch, kQueries * h.score_row), *out = take(&scratch, kQueries * h.row);
  float tops[kQueries + VL] = {}, sums[kQueries + VL] = {};
  const float kept = drop == nullptr ? 1.f : drop->scale;
  for (int64_t first = 0; first < h.query_count; first += kQueries) {
    const int64_t rows = least(kQueries, h.query_count - first), m = round_up(rows, kTileRows);
    score(h, q, k_t, first, m, scores);
    exponentials(h, drop, first, rows, scores, tops, sums);
    product(m, h.vecs, h.length, {scores, h.score_row, 1}, {v, h.row, 0}, out, h.row, false);
    for (int64_t i = 0; i < rows; i += VL) {
      const Vec sum = load(sums + i);
      store(tops + i, load(tops + i) + vlog(sum));
      store(sums + i, kept / sum);
    }
    unpack(h, out, h.first_query + first, rows, sums, 1.f, y);
    for (int64_t i = 0; i < rows; ++i) lse[(h.first_query + first + i) * c.heads + h.column / h.dim] = tops[i];
  }
}

// Scores become the probabilities that dropout keeps, d_scores (with what flows into those) their gradient.
static void score_grad(const Head& h, const AttentionCall& c, const Dropout* drop, int64_t first, int64_t rows,
                       const float* y, const float* lse, const float* d_y, float* scores, float* d_scores) {
  for (int64_t i = 0; i < rows; ++i) {
    const int64_t row = h.first_query + first + i, at = row * h.width + h.column;
    const float shift = lse[row * c.heads + h.column / h.dim];
    const float dot =
        row_sum(h.dim, [=](int64_t j, int64_t n) { return load_count(y + at + j, n) * load_count(d_y + at + j, n); });
    float *p = scores + i * h.score_row, *d = d_scores + i * h.score_row;
    each_score(drop, random_row(h, first + i), h.keys, [=](int64_t j, IVec kept) {
      const Vec e = vexp(load(p + j) - shift);
      store(d + j, e * ((Vec)((IVec)load(d + j) & kept) - dot));
      store(p + j, (Vec)((IVec)e & kept));
    });
  }
}

static void attend_grad(const Head& h, const AttentionCall& c, const Dropout* drop, const float* y, const float* lse,
                        const float* d_y, float* d_q, float* d_k, float* d_v, float* scratch) {
  const float* q = pack_queries(h, c, &scratch);
  const float* k = pack_keys(h, c.k, h.keys, &scratch);
  const float* v = pack_keys(h, c.v, h.keys, &scratch);
  const float* d_out =
      pack(h, d_y, h.first_query, h.query_count, drop == nullptr ? 1.f : drop->scale, h.queries, &scratch);
  const Right k_t = pack_transposed(h, k, c.key_bias, &scratch), v_t = pack_transposed(h, v, nullptr, &scratch);
  float *scores = take(&scratch, kQueries * h.score_row), *d_scores = take(&scratch, kQueries * h.score_row);
  float *out = take(&scratch, kQueries * h.row), *sum_k = take(&scratch, packed_size(h.length, h.row));
  float* sum_v = take(&scratch, packed_size(h.length, h.row));
  // Whole rows of zeros where nothing is added: a sequence without queries.
  for (int64_t i = 0; i < h.length * h.row && h.query_count == 0; ++i) sum_k[i] = sum_v[i] = 0.f;
  for (int64_t first = 0; first < h.query_count; first += kQueries) {
    const int64_t rows = least(kQueries, h.query_count - first), m = round_up(rows, kTileRows), at = first * h.row;
    score(h, q, k_t, first, m, scores);
    product(m, h.keys / VL, h.dim, {d_out + at, h.row, 1}, v_t, d_scores, h.score_row, false);
    score_grad(h, c, drop, first, rows, y, lse, d_y, scores, d_scores);
    product(round_up(h.length, kTileRows), h.vecs, rows, {scores, 1, h.score_row}, {d_out + at, h.row, 0}, sum_v, h.row,
            first > 0);
    product(round_up(h.length, kTileRows), h.vecs, rows, {d_scores, 1, h.score_row}, {q + at, h.row, 0}, sum_k, h.row,
            first > 0);
    product(m, h.vecs, h.length, {d_scores, h.score_row, 1}, {k, h.row, 0}, out, h.row, false);
    unpack(h, out, h.first_query + first, rows, nullptr, c.scale, d_q);
  }
  unpack(h, sum_k, h.first, h.length, nullptr, 1.f, d_k);
  unpack(h, sum_v, h.first, h.length, nullptr, 1.f, d_v);
}

// body(head, dropout or null, scratch) for every head of every sequence that has rows.
template <class F>
static inline void each_head(const Run* run, const AttentionCall& c, F body) {
  const Dropout drop = make_dropout(c.key, c.max_seq, c.dropout_rate);
  // The gradient's scratch: two packed matrices of queries, six of keys, two blocks of scores, one of results.
  int64_t most_queries = 0;
  for (int64_t s = 0; s < c.sequences; ++s)
    most_queries = most(most_queries, c.query_offsets[s + 1] - c.query_offsets[s]);
  const int64_t row = odd_lines(c.head_dim + 1), scores = kQueries * odd_lines(c.max_seq + 16);
  const int64_t floats = 2 * packed_size(most_queries, row) + 6 * packed_size(c.max_seq, row) + 2 * scores;
  const int64_t bytes = 4 * (floats + kQueries * row + 11 * 16);
  auto heads = [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const Head h = make_head(c, i / c.heads, i % c.heads);
      if (h.length > 0) body(h, c.dropout_rate > 0 ? &drop : nullptr, (float*)run->scratch(0, bytes));
    }
  };
  parallel(run, c.sequences * c.heads, 1, heads);
}

static void attention(const Run* run, const AttentionCall* call, float* y, float* lse) {
  const AttentionCall& c = *call;
  each_head(run, c, [&](const Head& h, const Dropout* drop, float* scratch) { attend(h, c, drop, y, lse, scratch); });
}

// Probabilities are computed again from lse.
static void attention_grad(const Run* run, const AttentionCall* call, const float* y, const float* lse,
                           const float* d_y, float* d_q, float* d_k, float* d_v) {
  const AttentionCall& c = *call;
  each_head(run, c, [&](const Head& h, const Dropout* drop, float* scratch) {
    attend_grad(h, c, drop, y, lse, d_y, d_q, d_k, d_v, scratch);
  });
}
