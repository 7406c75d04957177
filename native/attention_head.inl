// One head of one sequence of attention: where its rows lie, and how its factors are laid out in scratch.

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

// Columns that are moved by the line, of which none asks whether it is the last: with AVX2, where moving a head takes
// a share of its time that counts.
static inline int64_t whole_lines(const Head& h) { return VL == 8 ? h.dim / 16 * 16 : 0; }
static inline void move_line(const float* x, float scale, float* y) {
  BG_UNROLL for (int j = 0; j < 16; j += VL) store(y + j, load(x + j) * scale);
}

// The head's `count` rows of x from `first` on, times `scale`, filled up with zeros to whole vectors of words.
static float* pack(const Head& h, const float* x, int64_t first, int64_t count, float scale, float** scratch) {
  float* y = take(scratch, count * h.depth);
  const int64_t lines = whole_lines(h);
  for (int64_t i = 0; i < count; ++i) {
    const float* from = row_of(h, x, first + i);
    for (int64_t d = 0; d < lines; d += 16) move_line(from + d, scale, y + i * h.depth + d);
    for (int64_t d = lines; d < h.depth; d += VL)
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

// Some rows of queries as a factor; floats are read where they lie.
static inline Left lay_queries(const Head& h, const float* q, int64_t first, int64_t rows, float* scratch) {
  if (kPair == 1) return {row_of(h, q, first), h.width, 1};
  return {pack(h, q, first, rows, 1.f, &scratch), h.depth, 1};
}

// The head's `count` rows of x from `first` on, times `scale`, as a right factor: columns in panels of kTileVecs
// vectors.
static Right lay_rows(const Head& h, const float* x, int64_t first, int64_t count, float scale, float** scratch) {
  const int64_t depth = ceil_div(count, kPair), lines = whole_lines(h);
  float* y = take(scratch, depth * h.row);
  for (int64_t i = 0; i < count; i += kPair) {
    const float *row = row_of(h, x, first + i), *next = row + h.width;
    for (int64_t d = 0; d < lines; d += 16) move_line(row + d, scale, y + d * depth + i * 16);
    for (int64_t panel = lines, cols; panel < h.row; panel += cols) {
      cols = least(kTileVecs * VL, h.row - panel);
      float* to = y + panel * depth + i / kPair * cols;
      for (int64_t j = panel; j < panel + cols; j += VL, to += VL) {
        const int64_t n = least(VL, h.dim - j);
        const Vec odd = kPair > 1 && i + 1 < count ? load_count(next + j, n) : Vec{};
        store(to, join_rows(load_count(row + j, n) * scale, odd * scale));
      }
    }
  }
  return {y, 0, depth};
}

// Of a row a tile has four lines with AVX-512, one elsewhere: so many rows, a tensor's width apart, push each other out
// of the first-level cache.
static Right lay_values(const Head& h, const float* v, float** scratch) {
  if (VL == 16 && kPair == 1 && h.dim == h.row) return {row_of(h, v, h.first), h.width, 0};
  return lay_rows(h, v, h.first, h.length, 1.f, scratch);
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

// y of the head's rows becomes x times `scale`; with `add`, grows by it.
static void unpack(const Head& h, const float* x, int64_t first, int64_t rows, float scale, float* y,
                   bool add = false) {
  const int64_t lines = add ? 0 : whole_lines(h);
  for (int64_t i = 0; i < rows; ++i) {
    const float* from = x + i * h.row;
    float* to = y + (first + i) * h.width + h.column;
    for (int64_t j = 0; j < lines; j += 16) move_line(from + j, scale, to + j);
    for (int64_t j = lines; j < h.dim; j += VL) {
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
  if (next.places != nullptr) count = least(count, 2), own = 0;
  const int64_t rows = count * next.length, lines = (h.dim + 15) / 16;
  const int64_t calls = products * h.query_count * h.keys * h.row / (kStep * kTileRows * kTileVecs * VL);
  const int64_t pace = calls * 4 / 5 / most(1, rows * lines / 2);
  Ahead a = {{}, count, lines, h.width, rows, next.length >= 256, pace, 0, 0, 0};
  for (int i = 0; i < count; ++i) {
    const Head& of = i < count - own ? next : h;
    a.row[i] = tensors[i] + of.first * of.width + of.column;
  }
  return a;
}
