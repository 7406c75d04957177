// Random words of src/core/random.ts, bit for bit: Philox4x32-10 (Salmon et al. 2011, sec. 3.3), in blocks of 64
// elements that take 16 counters, so that any vector length draws them without shuffling.

typedef uint64_t LVec __attribute__((vector_size(4 * VL)));

// Products of the even lanes, all 64 bits. GCC does not find the instruction in the plain text, clang does.
static inline LVec multiply_even(UVec a, uint32_t b) {
#if defined(__x86_64__) && !defined(__clang__)
  typedef int32_t Words __attribute__((vector_size(4 * VL)));
  const Words x = (Words)a, y = (Words)(UVec{} + b);
#if VL == 16
  typedef long long Product __attribute__((vector_size(4 * VL)));
  return (LVec)__builtin_ia32_pmuludq512_mask(x, y, Product{}, 0xff);
#elif VL == 8
  return (LVec)__builtin_ia32_pmuludq256(x, y);
#else
  return (LVec)__builtin_ia32_pmuludq128(x, y);
#endif
#else
  return ((LVec)a & 0xffffffffu) * (uint64_t)b;
#endif
}

static inline void multiply_wide(UVec a, uint32_t b, UVec* high, UVec* low) {
  const LVec even = multiply_even(a, b), odd = multiply_even((UVec)((LVec)a >> 32), b);
#if VL == 16 && !defined(__clang__)
  *high = (UVec)__builtin_ia32_movshdup512_mask((Vec)even, (Vec)odd, 0x5555);  // the line below in one instruction
#else
  *high = (UVec)((even >> 32) | (odd & 0xffffffff00000000u));
#endif
  *low = VL == 4 ? (UVec)((even & 0xffffffffu) | (odd << 32)) : a * b;  // SSE2 has no product of four words
}

static const int kBlock = 64, kBlockVecs = kBlock / VL;

// Dropout of a tensor of rows: which elements stay, and their factor 1 / (1 - rate).
struct Dropout {
  RandomKey key;
  int64_t row_counters;  // counters from one row to the next
  uint32_t threshold;    // a word below it drops its element
  float scale;
};

static inline Dropout make_dropout(const RandomKey& key, int64_t cols, double rate) {
  const uint64_t threshold = (uint64_t)(rate * 4294967296.0 + 0.5);
  return {key, round_up(cols, kBlock) / 4, (uint32_t)(threshold < 0xffffffffu ? threshold : 0xffffffffu),
          (float)(1 / (1 - rate))};
}

// Words of the block-th 64 elements of a row, in their order.
static inline void random_words(const Dropout& d, int64_t row, int64_t block, UVec (&out)[kBlockVecs]) {
  const uint64_t counter = (uint64_t)((d.key.row + row) * d.row_counters + block * 16);
  UVec lane;
  for (int i = 0; i < VL; ++i) lane[i] = (uint32_t)i;
  const int groups = 16 / VL;
  for (int group = 0; group < groups; ++group) {
    UVec x0 = lane + (uint32_t)(counter + group * VL), x1 = UVec{} + (uint32_t)(counter >> 32);
    UVec x2 = UVec{} + d.key.step, x3 = UVec{} + d.key.stream;
    uint32_t k0 = d.key.seed_low, k1 = d.key.seed_high;
    for (int round = 0; round < 10; ++round) {
      UVec high0, low0, high1, low1;
      multiply_wide(x0, 0xd2511f53u, &high0, &low0);
      multiply_wide(x2, 0xcd9e8d57u, &high1, &low1);
      x0 = high1 ^ x1 ^ k0;
      x1 = low1;
      x2 = high0 ^ x3 ^ k1;
      x3 = low0;
      k0 += 0x9e3779b9u;
      k1 += 0xbb67ae85u;
    }
    out[group] = x0;
    out[groups + group] = x1;
    out[2 * groups + group] = x2;
    out[3 * groups + group] = x3;
  }
}

static inline Vec keep(const Dropout& d, UVec words, Vec x) { return words >= d.threshold ? x * d.scale : Vec{}; }

static void dropout(const Run* run, const float* x, float* y, int64_t rows, int64_t cols, double rate,
                    const RandomKey* key) {
  const Dropout d = make_dropout(*key, cols, rate);
  const int64_t blocks = d.row_counters / 16;
  auto body = [=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t block = i % blocks, at = i / blocks * cols + block * kBlock, count = cols - block * kBlock;
      UVec words[kBlockVecs];
      random_words(d, i / blocks, block, words);
      for (int v = 0; v < kBlockVecs; ++v) {
        const float* from = x + at + v * VL;
        if (count >= (v + 1) * VL) store(y + at + v * VL, keep(d, words[v], load(from)));
        else if (count > v * VL)
          store_part(y + at + v * VL, keep(d, words[v], load_part(from, count - v * VL)), count - v * VL);
      }
    }
  };
  parallel(run, rows * blocks, kGrain / kBlock, body);
}
