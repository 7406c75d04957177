// Attention and its gradient over sequences of odd lengths.
#include "check.h"

namespace {

struct Batch {
  Ints offsets;
  int64_t heads, dim, rows;
  AttentionCall call;
  Floats q, k, v, bias, d_y;
};

struct Outcome {
  Floats y, lse, d_q, d_k, d_v;
};

// Keys 1, 8, 15, ... of every sequence carry a bias.
Batch make_batch(const Ints& lengths, int64_t heads, int64_t dim, double rate) {
  Batch b = {{0}, heads, dim, 0, {}, {}, {}, {}, {}, {}};
  int64_t longest = 0;
  for (const int32_t n : lengths) b.offsets.push_back(b.offsets.back() + n), longest = std::max<int64_t>(longest, n);
  b.rows = b.offsets.back();
  const int64_t size = b.rows * heads * dim;
  b.q = numbers(size, -1, 1, 1), b.k = numbers(size, -1, 1, 2), b.v = numbers(size, -1, 1, 3), b.d_y = numbers(size, -1, 1, 4);
  b.bias = Floats(b.rows);
  for (int64_t i = 1; i < b.rows; i += 7) b.bias[i] = i % 2 == 0 ? -10000.f : 0.5f;
  b.call = {nullptr, nullptr, nullptr, nullptr, nullptr, b.rows, (int64_t)lengths.size(), heads, dim, longest, 0.7f, rate, {1, 2, 3, 4, 5}};
  return b;
}

// Sequences `from` .. `to` - 1 of the batch by themselves.
Outcome run_batch(const KernelTable& t, const Run* run, const Batch& b, size_t from, size_t to) {
  const int64_t width = b.heads * b.dim, first = b.offsets[from], rows = b.offsets[to] - first, at = first * width;
  Ints offsets;
  for (size_t i = from; i <= to; ++i) offsets.push_back(b.offsets[i] - (int32_t)first);
  AttentionCall c = b.call;
  c.q = b.q.data() + at, c.k = b.k.data() + at, c.v = b.v.data() + at, c.key_bias = b.bias.data() + first;
  c.offsets = offsets.data(), c.rows = rows, c.sequences = (int64_t)(to - from);
  c.key.row += (int64_t)from * c.heads * c.max_seq;
  Outcome o = {Floats(rows * width), Floats(rows * b.heads), Floats(rows * width), Floats(rows * width), Floats(rows * width)};
  t.attention(run, &c, o.y.data(), o.lse.data());
  t.attention_grad(run, &c, o.y.data(), o.lse.data(), b.d_y.data() + at, o.d_q.data(), o.d_k.data(), o.d_v.data());
  return o;
}

struct Exact {
  std::vector<double> y, lse, d_q, d_k, d_v;
};

// One query of one head, as in src/backend/js/attention.ts.
void exact_query(const Batch& b, int64_t sequence, int64_t head, int64_t index, Exact& e) {
  const int64_t width = b.heads * b.dim, first = b.offsets[sequence], length = b.offsets[sequence + 1] - first;
  const int64_t column = head * b.dim, at = (first + index) * width + column;
  std::vector<double> p(length), keep(length, 1), d_p(length);
  double sum = 0, flow = 0;
  for (int64_t j = 0; j < length; ++j) {
    for (int64_t i = 0; i < b.dim; ++i) p[j] += (double)b.q[at + i] * b.k[(first + j) * width + column + i] * b.call.scale;
    sum += p[j] = exp(p[j] + b.bias[first + j]);
    const int64_t row = (sequence * b.heads + head) * b.call.max_seq + index;
    if (b.call.dropout_rate > 0)
      keep[j] = random_word(b.call.key, row, b.call.max_seq, j) < llround(b.call.dropout_rate * 4294967296.0) ? 0 : 1 / (1 - b.call.dropout_rate);
  }
  e.lse[(first + index) * b.heads + head] = log(sum);
  for (int64_t j = 0; j < length; ++j) {
    p[j] /= sum;
    for (int64_t i = 0; i < b.dim; ++i) {
      const int64_t key = (first + j) * width + column + i;
      e.y[at + i] += p[j] * keep[j] * b.v[key];
      e.d_v[key] += p[j] * keep[j] * b.d_y[at + i];
      d_p[j] += keep[j] * b.d_y[at + i] * b.v[key];
    }
    flow += p[j] * d_p[j];
  }
  for (int64_t j = 0; j < length; ++j) {
    const double d_score = p[j] * (d_p[j] - flow) * b.call.scale;
    for (int64_t i = 0; i < b.dim; ++i) {
      const int64_t key = (first + j) * width + column + i;
      e.d_q[at + i] += d_score * b.k[key], e.d_k[key] += d_score * b.q[at + i];
    }
  }
}

// Equal bits of rows first .. of `all` and of `part`.
void same_outcome(const KernelTable& t, const std::string& what, const Batch& b, const Outcome& all, const Outcome& part, int64_t first) {
  const int64_t at = first * b.heads * b.dim, n = (int64_t)part.y.size();
  same_bits(t, what, all.y.data() + at, part.y.data(), n);
  same_bits(t, what, all.lse.data() + first * b.heads, part.lse.data(), (int64_t)part.lse.size());
  same_bits(t, what, all.d_q.data() + at, part.d_q.data(), n);
  same_bits(t, what, all.d_k.data() + at, part.d_k.data(), n);
  same_bits(t, what, all.d_v.data() + at, part.d_v.data(), n);
}

void check_batch(const KernelTable& t, const Ints& lengths, int64_t heads, int64_t dim, double rate) {
  const Batch b = make_batch(lengths, heads, dim, rate);
  const std::string what = "attention, dim " + std::to_string(dim) + ", longest " + std::to_string(b.call.max_seq);
  const size_t n = b.q.size();
  Exact e = {std::vector<double>(n), std::vector<double>(b.rows * heads), std::vector<double>(n), std::vector<double>(n), std::vector<double>(n)};
  for (size_t s = 0; s < lengths.size(); ++s)
    for (int64_t i = 0; i < heads * lengths[s]; ++i) exact_query(b, (int64_t)s, i % heads, i / heads, e);
  const Outcome all = run_batch(t, &kSerial, b, 0, lengths.size());
  // Scores are sums of `dim` products, each at most scale; their error is the relative error of a probability.
  const double bound = ldexp(1, -24) * (64 + 4 * (double)dim);
  check_near(t, what + ": y", all.y.data(), e.y.data(), (int64_t)n, bound);
  check_near(t, what + ": lse", all.lse.data(), e.lse.data(), (int64_t)e.lse.size(), bound);
  check_near(t, what + ": d_q", all.d_q.data(), e.d_q.data(), (int64_t)n, 8 * bound);
  check_near(t, what + ": d_k", all.d_k.data(), e.d_k.data(), (int64_t)n, 8 * bound);
  check_near(t, what + ": d_v", all.d_v.data(), e.d_v.data(), (int64_t)n, 8 * bound);
  same_outcome(t, what + " on two threads", b, all, run_batch(t, &kTwo, b, 0, lengths.size()), 0);
  for (size_t s = 0; s < lengths.size(); ++s)
    same_outcome(t, what + ": a sequence alone", b, all, run_batch(t, &kSerial, b, s, s + 1), b.offsets[s]);
}

// One hidden key more may change the last bits.
void check_padding(const KernelTable& t) {
  Batch longer = make_batch({33}, 2, 64, 0), shorter = longer;
  longer.bias[32] = -10000.f;
  shorter.offsets = {0, 32};
  const Outcome a = run_batch(t, &kSerial, longer, 0, 1), b = run_batch(t, &kSerial, shorter, 0, 1);
  const std::vector<double> y(b.y.begin(), b.y.end());
  check_near(t, "attention with a hidden key", a.y.data(), y.data(), (int64_t)y.size(), 1e-6);
}

}  // namespace

void check_attention(const KernelTable& t) {
  check_padding(t);
  for (const double rate : {0.0, 0.1}) {
    for (const int64_t dim : {1, 5, 16, 64, 80}) check_batch(t, {3, 1, 0, 17, 64, 65}, 2, dim, rate);
    check_batch(t, {128, 31, 150}, 3, 64, rate);
  }
}
