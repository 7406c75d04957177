// The gradient of attention as in Dao et al. 2022, arXiv:2205.14135, appendix B.2: probabilities are computed again
// from lse, block by block of queries, as on the way forward. A long sequence's keys come a part after the other: parts
// stay in the caches, and where heads are few the threads share them. d_q is a sum over parts.

namespace {

// Scores become probabilities.
struct Probabilities {
  enum { kPlain = false };
  const float* shifts;  // log2 of the sum of a row's powers

  struct Row {
    Vec shift;
    void put(float* to, Vec score, int64_t) const { store(to, vexp2(score - shift)); }
    void close() const {}
  };
  Row row(int64_t i) const { return {splat(shifts[i])}; }
};

// What flows into probabilities becomes the gradient of scores; probabilities lose what dropout takes.
template <bool Drop>
struct ScoreGrad {
  enum { kPlain = false };
  Mask mask;
  const float* dots;         // of a row's result and what flows into it
  int64_t to_probabilities;  // from a gradient

  struct Row {
    const Kept* kept;
    Vec dot;
    int64_t to_probabilities;
    void put(float* to, Vec flow, int64_t j) const {
      const Vec p = load(to + to_probabilities);
      store(to, p * ((Drop ? only(kept[j], flow) : flow) - dot));
      if (Drop) store(to + to_probabilities, only(kept[j], p));
    }
    void close() const {}
  };
  Row row(int64_t i) const { return {mask.kept + (Drop ? i * mask.row : 0), splat(dots[i]), to_probabilities}; }
};

}  // namespace

// Shifts and dots, above, of all queries.
static void row_numbers(const Head& h, const AttentionCall& c, const float* y, const float* lse, const float* d_y,
                        float* shifts, float* dots) {
  for (int64_t i = 0; i < h.query_count; ++i) {
    const int64_t row = h.first_query + i, at = row * h.width + h.column;
    const auto both = [=](int64_t j, int64_t n) { return load_count(y + at + j, n) * load_count(d_y + at + j, n); };
    shifts[i] = lse[row * c.heads + h.column / h.dim] * kLog2e, dots[i] = row_sum(h.dim, both);
  }
}

// Of a block of queries on the way back: sums over them are short, and what begins and ends a tile is paid once a
// block.
enum { kQueriesBack = VL == 16 ? kQueries : 2 * kQueries };

// Parts depend on the length alone; the last takes what is left.
enum { kKeys = 256 };
static inline int64_t key_parts(int64_t length) { return most(1, (length + kKeys / 2) / kKeys); }
static Head keys_of(Head h, int64_t part) {
  const int64_t begin = part * kKeys;
  h.length = part + 1 < key_parts(h.length) ? (int64_t)kKeys : h.length - begin;
  h.first += begin, h.keys = round_up(h.length, VL), h.score_row = odd_lines(h.keys), h.block = begin / kBlock;
  return h;
}

template <bool Drop>
static void score_grad(const Head& h, Left d_out, Right v_t, Mask mask, int64_t rows, const float* dots, float* scores,
                       float* d_scores, Ahead* ahead) {
  const ScoreGrad<Drop> ending = {mask, dots, scores - d_scores};
  product(rows, h.keys / VL, h.dim, d_out, v_t, kZeros, d_scores, h.score_row, ahead, ending);
}

namespace {

// What all parts of a head share.
struct Gradient {
  const AttentionCall& c;
  const Dropout* drop;
  const float *y, *lse, *d_y;
  float *d_q, *d_k, *d_v;
};

}  // namespace

// One part of a head's keys; take_q(out, first, rows) gets what it adds to d_q of some queries.
template <class TakeQ>
static void grad_of_keys(const Head& h, const Gradient& g, const float* shifts, const float* dots, Ahead* ahead,
                         float* scratch, TakeQ take_q) {
  const float scale = g.c.scale, kept = g.drop == nullptr ? 1.f : g.drop->scale;
  const Right k_t = pack_turned(h, g.c.k, scale * kLog2e, &scratch), v_t = pack_turned(h, g.c.v, kept, &scratch);
  const Right k = lay_rows(h, g.c.k, h.first, h.length, scale, &scratch);
  const float* bias = pack_bias(h, g.c, &scratch);
  float *scores = take(&scratch, kQueriesBack * h.score_row), *d_scores = take(&scratch, kQueriesBack * h.score_row);
  float* out = take(&scratch, kQueriesBack * h.row);
  float *sum_k = take(&scratch, h.length * h.row), *sum_v = take(&scratch, h.length * h.row);
  for (int64_t i = 0; i < h.length * h.row && h.query_count == 0; ++i) sum_k[i] = sum_v[i] = 0.f;
  for (int64_t first = 0; first < h.query_count; first += kQueriesBack) {
    const int64_t rows = least(kQueriesBack, h.query_count - first);
    float* rest = scratch;
    const float* q = pack(h, g.c.q, h.first_query + first, rows, 1.f, &rest);
    const float* d_out = pack(h, g.d_y, h.first_query + first, rows, 1.f, &rest);
    const Mask mask = draw_mask(h, g.drop, first, rows, rest);
    const Probabilities probabilities = {shifts + first};
    product(rows, h.keys / VL, h.dim, {q, h.row, 1}, k_t, bias, scores, h.score_row, ahead, probabilities);
    (g.drop == nullptr ? score_grad<false> : score_grad<true>)(h, {d_out, h.row, 1}, v_t, mask, rows, dots + first,
                                                               scores, d_scores, ahead);
    const Left p_t = {scores, 1, h.score_row}, d_t = {d_scores, 1, h.score_row};
    product(h.length, h.row / VL, rows, p_t, {d_out, h.row, 0}, first > 0 ? nullptr : kZeros, sum_v, h.row, ahead);
    product(h.length, h.row / VL, rows, d_t, {q, h.row, 0}, first > 0 ? nullptr : kZeros, sum_k, h.row, ahead);
    product(rows, h.row / VL, h.length, {d_scores, h.score_row, 1}, k, kZeros, out, h.row, ahead);
    take_q(out, first, rows);
  }
  unpack(h, sum_k, h.first, h.length, scale, g.d_k);
  unpack(h, sum_v, h.first, h.length, kept, g.d_v);
}

// A head's parts from .. to - 1. d_q grows by each in its order, or else each leaves rows of whole vectors in `apart`.
static void attend_grad(const Head& h, const Head& next, const Gradient& g, int64_t from, int64_t to, float* apart,
                        float* scratch) {
  const float* const tensors[] = {g.c.k, g.c.v, g.c.q, g.y, g.d_y, g.d_q, g.d_k, g.d_v};
  Ahead ahead = ahead_of(h, next, tensors, 8, 3, 5);
  float *shifts = take(&scratch, h.query_count), *dots = take(&scratch, h.query_count);
  row_numbers(h, g.c, g.y, g.lse, g.d_y, shifts, dots);
  for (int64_t part = from; part < to; ++part) {
    grad_of_keys(keys_of(h, part), g, shifts, dots, &ahead, scratch, [&](const float* out, int64_t first, int64_t n) {
      if (apart == nullptr) return unpack(h, out, h.first_query + first, n, 1.f, g.d_q, part > 0);
      __builtin_memcpy(apart + first * h.row, out, (unsigned long)(4 * n * h.row));
    });
  }
}

// Heads that threads cannot share evenly: each part of one leaves what it adds to d_q, which is then their sum.
static void grad_apart(const Run* run, const Gradient& g, int64_t count, int64_t parts, int64_t floats) {
  const int64_t row = round_up(g.c.head_dim, VL), size = g.c.max_seq * row;
  float* apart = (float*)run->scratch(1, 4 * count * parts * size);
  auto one_part = [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const Head h = make_head(g.c, i / parts);
      const int64_t part = i % parts;
      if (h.length > 0 && part < key_parts(h.length))
        attend_grad(h, h, g, part, part + 1, apart + i * size, (float*)run->scratch(0, 4 * floats));
    }
  };
  parallel(run, count * parts, 1, one_part);
  auto sums = [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const Head all = make_head(g.c, i / parts), h = part_of(all, i % parts, parts);
      const float* first = apart + i / parts * parts * size + (h.first_query - all.first_query) * row;
      for (int64_t part = 0; h.length > 0 && part < key_parts(h.length); ++part)
        unpack(h, first + part * size, h.first_query, h.query_count, 1.f, g.d_q, part > 0);
    }
  };
  parallel(run, count * parts, 1, sums);
}

static void attention_grad(const Run* run, const AttentionCall* call, const float* y, const float* lse,
                           const float* d_y, float* d_q, float* d_k, float* d_v) {
  const AttentionCall& c = *call;
  const int64_t keys = least(round_up(c.max_seq, 16), 2 * kKeys), row = round_up(c.head_dim, 16);
  const int64_t floats = 2 * round_up(c.max_seq, 16) + 5 * keys * row + keys +
                         kQueriesBack * (2 * odd_lines(keys) + 3 * row + keys + kBlock);
  const int64_t count = c.sequences * c.heads, parts = key_parts(c.max_seq);
  const Dropout dropout = make_dropout(c.key, c.max_seq, c.dropout_rate);
  const Gradient g = {c, c.dropout_rate > 0 ? &dropout : nullptr, y, lse, d_y, d_q, d_k, d_v};
  if (parts > 1 && count < 2 * run->threads && count % run->threads > 0)
    return grad_apart(run, g, count, parts, floats);
  each_head(run, c, 1, floats, [&](const Head& h, const Head& next, const Dropout*, float* scratch) {
    attend_grad(h, next, g, 0, key_parts(h.length), nullptr, scratch);
  });
}
