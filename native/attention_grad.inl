// The gradient of attention as in Dao et al. 2022, arXiv:2205.14135, appendix B.2: probabilities are computed again
// from lse, block by block of queries, as on the way forward.

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

// Shifts and dots, above, of some queries.
static void row_numbers(const Head& h, const AttentionCall& c, int64_t first, int64_t rows, const float* y,
                        const float* lse, const float* d_y, float* shifts, float* dots) {
  for (int64_t i = 0; i < rows; ++i) {
    const int64_t row = h.first_query + first + i, at = row * h.width + h.column;
    const auto both = [=](int64_t j, int64_t n) { return load_count(y + at + j, n) * load_count(d_y + at + j, n); };
    shifts[i] = lse[row * c.heads + h.column / h.dim] * kLog2e, dots[i] = row_sum(h.dim, both);
  }
}

template <bool Drop>
static void score_grad(const Head& h, Left d_out, Right v_t, Mask mask, int64_t rows, const float* dots, float* scores,
                       float* d_scores, Ahead* ahead) {
  const ScoreGrad<Drop> ending = {mask, dots, scores - d_scores};
  product(rows, h.keys / VL, h.dim, d_out, v_t, kZeros, d_scores, h.score_row, ahead, ending);
}

static void attend_grad(const Head& h, const Head& next, const AttentionCall& c, const Dropout* drop, const float* y,
                        const float* lse, const float* d_y, float* d_q, float* d_k, float* d_v, float* scratch) {
  const Right k_t = pack_turned(h, c.k, c.scale * kLog2e, &scratch);
  const Right v_t = pack_turned(h, c.v, drop == nullptr ? 1.f : drop->scale, &scratch);
  const float *k = pack(h, c.k, h.first, h.length, c.scale, &scratch), *bias = pack_bias(h, c, &scratch);
  float *scores = take(&scratch, kQueries * h.score_row), *d_scores = take(&scratch, kQueries * h.score_row);
  float* out = take(&scratch, kQueries * h.row);
  float *sum_k = take(&scratch, h.length * h.row), *sum_v = take(&scratch, h.length * h.row);
  for (int64_t i = 0; i < h.length * h.row && h.query_count == 0; ++i) sum_k[i] = sum_v[i] = 0.f;
  float shifts[kQueries], dots[kQueries];
  const float* const tensors[] = {c.k, c.v, c.q, y, d_y, d_q, d_k, d_v};
  Ahead ahead = ahead_of(next, tensors, 8);
  for (int64_t first = 0; first < h.query_count; first += kQueries) {
    const int64_t rows = least(kQueries, h.query_count - first);
    float* part = scratch;
    const float* q = pack(h, c.q, h.first_query + first, rows, 1.f, &part);
    const float* d_out = pack(h, d_y, h.first_query + first, rows, 1.f, &part);
    row_numbers(h, c, first, rows, y, lse, d_y, shifts, dots);
    const Mask mask = draw_mask(h, drop, first, rows, part);
    product(rows, h.keys / VL, h.dim, {q, h.row, 1}, k_t, bias, scores, h.score_row, &ahead, Probabilities{shifts});
    (drop == nullptr ? score_grad<false> : score_grad<true>)(h, {d_out, h.row, 1}, v_t, mask, rows, dots, scores,
                                                             d_scores, &ahead);
    const Left p_t = {scores, 1, h.score_row}, d_t = {d_scores, 1, h.score_row};
    product(h.length, h.row / VL, rows, p_t, {d_out, h.row, 0}, first > 0 ? nullptr : kZeros, sum_v, h.row, &ahead);
    product(h.length, h.row / VL, rows, d_t, {q, h.row, 0}, first > 0 ? nullptr : kZeros, sum_k, h.row, &ahead);
    product(rows, h.row / VL, h.length, {d_scores, h.score_row, 1}, {k, h.row, 0}, kZeros, out, h.row, &ahead);
    unpack(h, out, h.first_query + first, rows, nullptr, 1.f, d_q);
  }
  unpack(h, sum_k, h.first, h.length, nullptr, c.scale, d_k);
  unpack(h, sum_v, h.first, h.length, nullptr, drop == nullptr ? 1.f : drop->scale, d_v);
}

static void attention_grad(const Run* run, const AttentionCall* call, const float* y, const float* lse,
                           const float* d_y, float* d_q, float* d_k, float* d_v) {
  const AttentionCall& c = *call;
  const int64_t keys = round_up(c.max_seq, 16), row = round_up(c.head_dim, 16);
  const int64_t floats = 5 * keys * row + keys + kQueries * (2 * odd_lines(keys) + 3 * row + keys + kBlock);
  each_head(run, c, 1, floats, [&](const Head& h, const Head& next, const Dropout* drop, float* scratch) {
    attend_grad(h, next, c, drop, y, lse, d_y, d_q, d_k, d_v, scratch);
  });
}
