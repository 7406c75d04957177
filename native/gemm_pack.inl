// How the operands of a product are laid out before they are multiplied: in the order in which the innermost loop reads
// them. What is packed is used from cache many times; memory is asked for early, as packing has nothing to hide a wait
// behind.

static const int64_t NR = NV * VL;
// Longest block of k. A tile's beginning and end take about 80 cycles: with AVX2 much beside 6 an index.
static const int64_t kDepth = VL == 8 ? 768 : 512;

// A panel of a has at most MR rows of one block of k. Where k is contiguous in memory it is read as it lies there, or
// copied, rows kRow floats apart. Else the rows of one index of k stand side by side, kSide floats to the next index:
// whole lines with AVX-512; else nothing may lie between, as 768 of them must fit the first-level cache.
static const int64_t kRow = kDepth + 16, kSide = VL == 16 ? VL : MR;
static const int64_t kPanel = MR * kRow > kDepth* kSide ? MR* kRow : kDepth* kSide;
static const int64_t kLine = 16;   // floats of a cache line
static const int64_t kSet = 1024;  // floats: rows a multiple of this apart share a set
static const int64_t kWays = 6;    // lines of a set that rows of a may take; b needs some as well
// Panels of floats, rows side by side, that are packed at once before they are multiplied. With AVX-512 one is packed
// between its multiply-adds, which fill 28 cycles an index of k; in 6 there is no room for it.
static const int64_t kGroup = kPair > 1 || VL == 16 ? 1 : 8;

// One operand: `size` rows of a or columns of b, with `stride` floats between rows of memory.
struct Operand {
  const float *x, *end;
  int64_t size, stride, k;
  int turned;  // k is the contiguous axis
};

static inline Operand operand(const float* x, int64_t size, int64_t k, int k_contiguous) {
  return {x, x + size * k, size, k_contiguous ? k : size, k, k_contiguous};
}

// What is packed are words of kPair numbers that follow one another in k: a float, or two of 16 bits. Where p and depth
// are of something packed they count words. These are in gemm_floats.inl or gemm_bf16.inl:
static inline Vec multiply_add(Vec sum, Vec a, Vec b);
static void pack_sliver(const Operand& b, int64_t first, int64_t p, int64_t depth, float* sliver);
// The word of each of VL columns at x, whose rows lie `stride` apart, and the sum of its numbers.
static inline Vec word_of(const float* x, int64_t stride);
static inline Vec sum_of(const float* x, int64_t stride);

// Up to VL floats at p, of which `count` are wanted.
static inline Vec load_within(const Operand& o, const float* p, int64_t count) {
  return p + VL <= o.end ? load(p) : load_part(p, count);
}

// The sum over k of each row of a panel whose rows stand side by side is added to sums[0 .. rows - 1], or begins them.
// Even and odd indices of k go to a sum each, and blocks are added in order.
static inline void sum_panel(const float* x, int64_t step, int64_t rows, int64_t depth, float* sums, int add) {
  for (int64_t r = 0; r < rows; r += VL) {
    const int64_t count = least(VL, rows - r);
    Vec even = {}, odd = {};
    int64_t q = 0;
    for (; q + 2 <= depth; q += 2) {
      even += load_count(x + q * step + r, count);
      odd += load_count(x + (q + 1) * step + r, count);
    }
    if (q < depth) even += load_count(x + q * step + r, count);
    store_count(sums + r, even + odd + (add ? load_count(sums + r, count) : Vec{}), count);
  }
}

// op(b) in slivers, all of k one after the other.
static void pack_once(const Run* run, const float* b, float* y, int64_t k, int64_t n, int transpose_b) {
  const Operand o = operand(b, n, k, transpose_b);
  const int64_t depth = ceil_div(k, kPair);
  auto body = [=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) pack_sliver(o, i * NR, 0, depth, y + i * depth * NR);
  };
  parallel(run, ceil_div(n, NR), most(1, kGrain / most(1, depth * NR)), body);
}

// b as it was before `pack_once`.
static void unpack(const Run* run, const float* packed, float* b, int64_t k, int64_t n, int transpose_b) {
  auto body = [=](int64_t begin, int64_t end) {
    for (int64_t j = begin; j < end; ++j) {
      const float* column = packed + j / NR * k * NR + j % NR;
      float* to = transpose_b ? b + j * k : b + j;
      for (int64_t p = 0; p < k; ++p) to[transpose_b ? p : p * n] = column[p * NR];
    }
  };
  parallel(run, n, most(1, kGrain / most(1, k)), body);
}
