// Products of rows and columns as int8_round.inl has them, by `int8_tile`, which takes `kInt8Rows` rows at most and the
// `kInt8Depth` words of a sliver that `prepare` gives it. A task takes some rows and a range of slivers, so that a part
// of a sliver is read for all those rows while it is in the first-level cache.

template <int R>
static inline void int8_rows(int64_t rows, const Int8Tile& t) {
  if constexpr (R > 1)
    if (rows < R) return int8_rows<R - 1>(rows, t);
  int8_tile<R>(t);
}

// What else becomes of a tile that lies in a buffer: y from row i, column j on.
template <class F>
static inline void finish_int8(const MatmulCall& c, int64_t i, int64_t j, int64_t rows, const float* tile) {
  for (int64_t r = 0; r < rows; ++r) {
    for (int v = 0; v < NV && j + v * VL < c.n; ++v) {
      const int64_t count = least(VL, c.n - j - v * VL), place = (i + r) * c.n + j + v * VL;
      Vec t = load(tile + r * NR + v * VL);
      if (c.epilogue == kAddTo) t += load_count(c.y + place, count);
      if (c.epilogue == kActivate && c.x) store_count(c.x + place, t, count);
      if (c.epilogue == kSlope) t *= F::d(load_count(c.x + place, count), Vec{}, 0.f);
      else t = F::f(t, 0.f);
      store_count(c.y + place, t, count);
    }
  }
}

namespace {
struct Same {
  static inline Vec f(Vec x, float) { return x; }
  static inline Vec d(Vec, Vec, float) { return splat(1.f); }
};

// What the calling thread has rounded of a, for the tasks it takes next.
struct Rounded {
  const void* owner;  // each copy of this file counts its products
  int64_t product, first, unused[5];
};
}  // namespace
static int64_t int8_products = 0;

// A task's share: `group` panels of `height` rows, of which one takes `bytes`, and `width` slivers of one of `parts`,
// in `blocks` of at most `depth` words.
struct Shares {
  int64_t words, bytes, height, group, groups, parts, width, blocks, depth;
};
static Shares share_out(const MatmulCall& c, int threads) {
  // Rows of an odd number of cache lines spread over all cache sets; panels are as even as they go.
  const int64_t words = words_of(c.k), bytes = round_up(words * kWord * (int64_t)sizeof(Number), 64) | 64;
  const int64_t panels = ceil_div(c.m, kInt8Rows), height = ceil_div(c.m, panels), slivers = ceil_div(c.n, NR);
  const int64_t fit = most(1, kInt8Piece / (height * bytes)), share = ceil_div(panels, threads);
  const int64_t group = ceil_div(panels, ceil_div(panels, least(fit, share))), groups = ceil_div(panels, group);
  const int64_t wanted = threads > 1 ? 6 * threads : 1, parts = least(slivers, ceil_div(wanted, groups));
  const int64_t blocks = most(1, ceil_div(words, kInt8Depth)), depth = most(1, ceil_div(words, blocks));
  return {words, bytes, height, group, groups, parts, ceil_div(slivers, parts), blocks, depth};
}

template <class F>
static void multiply_int8(const Run* run, const MatmulCall& c, const Columns& b) {
  const int64_t product = __atomic_add_fetch(&int8_products, 1, __ATOMIC_RELAXED);
  const Shares share = share_out(c, run->threads);
  const int64_t words = share.words, height = share.height, depth = share.depth, most_rows = share.group * height;
  auto task = [&](int64_t begin, int64_t) {
    const int64_t first = begin / share.parts * most_rows, last = least(c.m, first + most_rows);
    const int64_t from = begin % share.parts * share.width, to = least(ceil_div(c.n, NR), from + share.width);
    Rounded* rounded = (Rounded*)run->scratch(4, 64 + most_rows * (8 + share.bytes) + 2 * VL);
    float* scales = (float*)(rounded + 1);
    const Rows a = {(Number*)(scales + 2 * most_rows), scales, (int32_t*)(scales + most_rows),
                    share.bytes / (int64_t)sizeof(Number)};
    if (rounded->owner != &int8_products || rounded->product != product || rounded->first != first) {
      *rounded = {&int8_products, product, first, {}};
      for (int64_t i = first; i < last; ++i) round_activations(c.a + i * c.k, c.k, a, i - first);
    }
    int32_t* prepared = (int32_t*)run->scratch(5, 4 * NR * (kPrepared * depth + (share.blocks > 1) * most_rows));
    IVec* sums = (IVec*)(prepared + NR * kPrepared * depth);
    for (int64_t sliver = from; sliver < to; ++sliver) {
      const int64_t j = sliver * NR, cols = least(NR, c.n - j), next = sliver + 1 < to ? 4 * NR * words : 0;
      const int64_t lines = ceil_div(next * height, 64 * share.blocks * (last - first));
      const float* bias = c.bias ? c.bias + j : nullptr;
      const bool direct = cols == NR && c.epilogue == kNone;
      const char* ahead = (const char*)(b.words + (j + NR) * words);
      for (int64_t at = 0, left = words; at == 0 || left > 0; at += depth, left -= depth) {
        const int32_t* column = b.words + j * words + at * NR;
        if (height > kInBytes) column = prepare(column, least(depth, left), prepared);
        for (int64_t i = first; i < last; i += height, ahead += 64 * lines) {
          float buffer[kInt8Rows * NR];
          const int64_t rows = least(height, last - i), row = i - first;
          int8_rows<kInt8Rows>(
              rows, {a.q + row * a.stride + at * kWord, a.stride, column, least(depth, left), cols, sums + row * NV,
                     at == 0, left <= depth, ahead, lines, scales + row, b.scales + j, bias, a.terms + row, b.terms + j,
                     direct ? c.y + i * c.n + j : buffer, direct ? c.n : NR, height > kInBytes});
          if (!direct && left <= depth) finish_int8<F>(c, i, j, rows, buffer);
        }
      }
    }
  };
  parallel(run, share.groups * share.parts, 1, task);
}

// One b under all rows of a, which is not transposed: what inference needs.
static void matmul_int8(const Run* run, const MatmulCall* call) {
  MatmulCall c = *call;
  c.m *= c.batch;
  if (c.m == 0 || c.n == 0) return;
  float* packed = (float*)c.packed;
  if (packed == nullptr) {
    packed = (float*)run->scratch(3, (words_of(c.k) + 2) * round_up(c.n, NR) * 4);
    pack_int8(run, c.b, packed, c.k, c.n, c.transpose_b);
  }
  const Columns b = columns_of(packed, c.k, c.n);
  const bool slope = c.epilogue == kActivate || c.epilogue == kSlope;
  if (!slope) multiply_int8<Same>(run, c, b);
  else if (c.fn == kRelu) multiply_int8<Relu>(run, c, b);
  else if (c.fn == kGelu) multiply_int8<Gelu>(run, c, b);
  else multiply_int8<GeluTanh>(run, c, b);
}
