// Attention and its gradient over sequences of odd lengths, against src/backend/js/attention.ts in C++.
#include "check.h"

namespace {

typedef std::vector<int32_t> Ints;

// Results lie one after the other: y, d_q, d_k, d_v, each [rows, heads * dim], and lse [rows, heads].
struct Batch {
  Ints offsets;
  int64_t heads, dim, longest, width, rows, size;
  double rate;
  Floats q, k, v, bias, d_y;
  float scale = 0.7f;
};

const RandomKey kKey = {1, 2, 3, 4, 5};

Batch make_batch(const Ints& lengths, int64_t heads, int64_t dim, double rate, float shift = 0) {
  Batch b = {{0}, heads, dim, *std::max_element(lengths.begin(), lengths.end()), heads * dim, 0, 0, rate, {}, {},
             {},  {},    {}};
  for (const int32_t n : lengths) b.offsets.push_back(b.offsets.back() + n);
  b.rows = b.offsets.back(), b.size = b.rows * b.width;
  b.q = numbers(b.size, -1, 1, 1), b.k = numbers(b.size, -1, 1, 2), b.v = numbers(b.size, -1, 1, 3);
  b.d_y = numbers(b.size, -1, 1, 4), b.bias = Floats(b.rows);
  for (int64_t i = 1; i < b.rows; i += 7) b.bias[i] = i % 2 == 0 ? -10000.f : 0.5f;
  for (float& bias : b.bias) bias += shift;
  return b;
}

// Sequences from .. to - 1 by themselves; in bf16 the way forward alone.
void run_batch(const KernelTable& t, const Run* run, const Batch& b, size_t from, size_t to, float* out,
               bool bf16 = false) {
  const int64_t first = b.offsets[from], rows = b.offsets[to] - first, at = first * b.width, size = rows * b.width;
  Ints offsets;
  for (size_t i = from; i <= to; ++i) offsets.push_back(b.offsets[i] - (int32_t)first);
  AttentionCall c = {b.q.data() + at,
                     b.k.data() + at,
                     b.v.data() + at,
                     b.bias.data() + first,
                     offsets.data(),
                     offsets.data(),
                     nullptr,
                     rows,
                     rows,
                     (int64_t)(to - from),
                     b.heads,
                     b.dim,
                     b.longest,
                     b.scale,
                     b.rate,
                     kKey};
  c.key.row += (int64_t)from * c.heads * c.max_seq;
  float* lse = out + 4 * size;
  if (bf16) return t.bf16->attention(run, &c, out, lse);
  t.attention(run, &c, out, lse);
  t.attention_grad(run, &c, out, lse, b.d_y.data() + at, out + size, out + 2 * size, out + 3 * size);
}

// One query of one head.
void exact_query(const Batch& b, int64_t sequence, int64_t head, int64_t index, Doubles& out) {
  const int64_t first = b.offsets[sequence], length = b.offsets[sequence + 1] - first;
  const int64_t keys = first * b.width + head * b.dim, at = keys + index * b.width;
  const int64_t random_row = (sequence * b.heads + head) * b.longest + index;
  double *y = out.data(), *d_q = y + b.size, *d_k = d_q + b.size, *d_v = d_k + b.size, sum = 0, flow = 0;
  Doubles p(length), keep(length, 1), d_p(length);
  for (int64_t j = 0; j < length; ++j) {
    for (int64_t i = 0; i < b.dim; ++i) p[j] += (double)b.q[at + i] * b.k[keys + j * b.width + i] * b.scale;
    sum += p[j] = exp(p[j] + b.bias[first + j]);
    if (b.rate > 0)
      keep[j] = random_number(kKey, random_row, b.longest, j) < llround(b.rate * 65536) ? 0 : 1 / (1 - b.rate);
  }
  out[4 * b.size + (first + index) * b.heads + head] = log(sum);
  for (int64_t j = 0; j < length; ++j) {
    p[j] /= sum;
    for (int64_t i = 0, key = keys + j * b.width; i < b.dim; ++i, ++key) {
      y[at + i] += p[j] * keep[j] * b.v[key];
      d_v[key] += p[j] * keep[j] * b.d_y[at + i];
      d_p[j] += keep[j] * b.d_y[at + i] * b.v[key];
    }
    flow += p[j] * d_p[j];
  }
  for (int64_t j = 0; j < length; ++j) {
    const double d_score = p[j] * (d_p[j] - flow) * b.scale;
    for (int64_t i = 0, key = keys + j * b.width; i < b.dim; ++i, ++key)
      d_q[at + i] += d_score * b.k[key], d_k[key] += d_score * b.q[at + i];
  }
}

// Some rows alone ask: each gets the bits it has among all, and gradients of keys and values are sums over those.
void check_some(const KernelTable& t, const Ints& lengths, int64_t dim, double rate, float shift = 0) {
  const Batch b = make_batch(lengths, 2, dim, rate, shift);
  Ints starts = {0}, places, rows;
  for (size_t s = 0; s < lengths.size(); ++s) {
    for (int32_t i = (int32_t)s % 2; i < lengths[s]; i += 3) places.push_back(i), rows.push_back(b.offsets[s] + i);
    starts.push_back((int32_t)places.size());
  }
  const int64_t n = (int64_t)rows.size(), size = n * b.width;
  Floats all(4 * b.size + b.rows * b.heads), q(size), d_y(size), out(2 * size + 2 * b.size + n * b.heads);
  Batch rest = b;  // what arrives at the other rows counts for nothing
  rest.d_y.assign(b.size, 0.f);
  for (int64_t i = 0; i < n; ++i) {
    std::copy_n(b.q.data() + rows[i] * b.width, b.width, q.data() + i * b.width);
    std::copy_n(b.d_y.data() + rows[i] * b.width, b.width, d_y.data() + i * b.width);
    std::copy_n(b.d_y.data() + rows[i] * b.width, b.width, rest.d_y.data() + rows[i] * b.width);
  }
  run_batch(t, &kSerial, rest, 0, lengths.size(), all.data());
  AttentionCall c = {q.data(),
                     b.k.data(),
                     b.v.data(),
                     b.bias.data(),
                     b.offsets.data(),
                     starts.data(),
                     places.data(),
                     b.rows,
                     n,
                     (int64_t)lengths.size(),
                     b.heads,
                     b.dim,
                     b.longest,
                     b.scale,
                     b.rate,
                     kKey};
  float *y = out.data(), *d_q = y + size, *d_k = d_q + size, *d_v = d_k + b.size, *lse = d_v + b.size;
  t.attention(&kSerial, &c, y, lse);
  t.attention_grad(&kSerial, &c, y, lse, d_y.data(), d_q, d_k, d_v);
  for (int64_t i = 0; i < n; ++i) {
    same_bits(t, "attention of some rows", y + i * b.width, all.data() + rows[i] * b.width, b.width);
    same_bits(t, "attention of some rows: d_q", d_q + i * b.width, all.data() + b.size + rows[i] * b.width, b.width);
    same_bits(t, "attention of some rows: lse", lse + i * b.heads, all.data() + 4 * b.size + rows[i] * b.heads,
              b.heads);
  }
  for (int64_t i = 0; i < 2 * b.size; ++i)
    if (!(fabs(d_k[i] - all[2 * b.size + i]) <= 1e-5)) return fail(t, "attention of some rows: d_k and d_v");
}

void check_batch(const KernelTable& t, const Ints& lengths, int64_t dim, double rate, int64_t heads = 2,
                 float shift = 0) {
  const Batch b = make_batch(lengths, heads, dim, rate, shift);
  const std::string what = "attention, dim " + std::to_string(dim) + ", longest " + std::to_string(b.longest);
  Doubles exact(4 * b.size + b.rows * b.heads);
  for (size_t s = 0; s < lengths.size(); ++s)
    for (int64_t i = 0; i < b.heads * lengths[s]; ++i) exact_query(b, (int64_t)s, i % b.heads, i / b.heads, exact);
  // A score is a sum of `dim` products below 1; gradients are such sums again, of probabilities with its error.
  const Floats all = check(t, what, exact, ldexp(1, -24) * 16 * (16 + (double)dim + fabs(shift)),
                           [&](const Run* run, float* out) { run_batch(t, run, b, 0, lengths.size(), out); });
  for (size_t s = 0; s < lengths.size(); ++s) {
    const int64_t size = lengths[s] * b.width, at = b.offsets[s] * b.width;
    Floats alone(4 * size + lengths[s] * b.heads);
    run_batch(t, &kSerial, b, s, s + 1, alone.data());
    for (int64_t i = 0; i < 4; ++i)
      same_bits(t, what + ": a sequence alone", alone.data() + i * size, all.data() + i * b.size + at, size);
    same_bits(t, what + ": a sequence alone", alone.data() + 4 * size, all.data() + 4 * b.size + b.offsets[s] * b.heads,
              lengths[s] * b.heads);
  }
}

// Queries, keys and values that are bf16 numbers, also times scale log2 e = 1, so that probabilities alone are rounded:
// by 2^-8 of themselves.
void check_bf16(const KernelTable& t, const Ints& lengths, int64_t dim, double rate, float shift = 0) {
  Batch b = make_batch(lengths, 2, dim, rate, shift);
  for (Floats* x : {&b.q, &b.k, &b.v})
    for (float& number : *x) number = roundf(number * 64) / 64;
  b.scale = 0.693147181f;
  Doubles exact(4 * b.size + b.rows * b.heads);
  for (size_t s = 0; s < lengths.size(); ++s)
    for (int64_t i = 0; i < b.heads * lengths[s]; ++i) exact_query(b, (int64_t)s, i % b.heads, i / b.heads, exact);
  exact.resize(b.size);
  const double bound = ldexp(1, -8) / (1 - rate) + ldexp(1, -20) * ((double)dim + fabs(shift));
  check(t, "attention in bf16, dim " + std::to_string(dim), exact, bound, [&](const Run* run, float* y) {
    Floats all(4 * b.size + b.rows * b.heads);
    run_batch(t, run, b, 0, lengths.size(), all.data(), true);
    std::copy_n(all.begin(), b.size, y);
  });
}

// Keys of -inf have no weight; where no other is left, there is no result, and where a score is NaN.
void check_hidden(const KernelTable& t) {
  Batch b = make_batch({40, 3, 20}, 1, 16, 0);
  for (int64_t i = 0; i < b.rows; ++i)
    if (i < 5 || (i >= 40 && i < 43)) b.bias[i] = -INFINITY;
  b.q[45 * b.width] = NAN;
  Floats out(4 * b.size + b.rows);
  run_batch(t, &kSerial, b, 0, 3, out.data());
  for (int64_t row = 0; row < b.rows; ++row)
    if (isnan(out[row * b.width]) != ((row >= 40 && row < 43) || row == 45)) return fail(t, "attention of hidden keys");
  for (int64_t i = 0; i < 5 * b.width; ++i)
    if (out[2 * b.size + i] != 0 || out[3 * b.size + i] != 0) return fail(t, "gradients of hidden keys");
}

}  // namespace

void check_attention(const KernelTable& t) {
  for (const double rate : {0.0, 0.1}) {
    for (const int64_t dim : {1, 5, 16, 64, 80}) check_batch(t, {3, 1, 0, 17, 64, 65}, dim, rate);
    check_batch(t, {128, 31, 150}, 64, rate);
    check_batch(t, {150}, 32, rate, 1);  // fewer heads than threads
    check_batch(t, {5, 0, 100}, 16, rate, 1);
    check_batch(t, {400}, 32, rate, 1);  // long enough for several parts of its keys
    check_batch(t, {389, 0, 20}, 16, rate, 1);
    for (const int64_t dim : {1, 5, 32, 64, 80, 300}) check_bf16(t, {3, 1, 0, 17, 64, 65, 150}, dim, rate);
    for (const int64_t dim : {5, 32, 64}) check_some(t, {3, 1, 0, 17, 64, 150}, dim, rate);
    check_some(t, {400, 3}, 16, rate);
    // Powers of some rows, or of all, are out of range unless their largest score is taken off.
    for (const float shift : {33.f, -33.f, 200.f, -500.f}) {
      check_batch(t, {40, 17}, 16, rate, 2, shift);
      check_some(t, {40, 17}, 16, rate, shift);
      check_bf16(t, {40, 17}, 16, rate, shift);
    }
  }
  check_hidden(t);
  // One hidden key more may change the last bits.
  Batch b = make_batch({33}, 2, 64, 0);
  b.bias[32] = -10000.f;
  Floats y(5 * b.size);
  run_batch(t, &kSerial, b, 0, 1, y.data());
  b.offsets = {0, 32};
  check(t, "attention without a hidden key", Doubles(y.begin(), y.begin() + 32 * b.width), 1e-6,
        [&](const Run* run, float* out) {
          Floats shorter(5 * b.size);
          run_batch(t, run, b, 0, 1, shorter.data());
          std::copy_n(shorter.begin(), 32 * b.width, out);
        });
}
