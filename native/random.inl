// Random numbers of src/core/random.ts, bit for bit: 16 bits an element of Philox4x32-7 (Salmon et al. 2011, sec. 3.3),
// in blocks of 128 elements that take 16 counters, so that any vector length draws them without shuffling.

typedef uint64_t LVec __attribute__((vector_size(4 * VL)));

// Products of the lower halves of all lanes. GCC does not find the instruction in the plain text, clang does.
static inline LVec multiply_halves(LVec a, uint32_t b) {
#if defined(__x86_64__) && !defined(__clang__)
  typedef int32_t Words __attribute__((vector_size(4 * VL)));
  const Words x = (Words)a, y = (Words)(LVec{} + b);
#if VL == 16
  typedef long long Product __attribute__((vector_size(4 * VL)));
  return (LVec)__builtin_ia32_pmuludq512_mask(x, y, Product{}, 0xff);
#elif VL == 8
  return (LVec)__builtin_ia32_pmuludq256(x, y);
#else
  return (LVec)__builtin_ia32_pmuludq128(x, y);
#endif
#else
  return (a & 0xffffffffu) * (uint64_t)b;
#endif
}

// The lower halves of even's lanes before those of odd's.
static inline UVec join_halves(LVec even, LVec odd) {
#if VL == 16 && !defined(__clang__)
  return (UVec)__builtin_ia32_movsldup512_mask((Vec)odd, (Vec)even, 0xaaaa);  // the line below in one instruction
#elif VL == 8
  return (UVec)_mm256_blend_epi32((__m256i)even, (__m256i)(odd << 32), 0xaa);
#else
  return (UVec)((even & 0xffffffffu) | (odd << 32));
#endif
}

static const int kBlock = 128, kBlockVecs = kBlock / VL, kRounds = 7;

// Dropout of a tensor of rows: which elements stay, and their factor 1 / (1 - rate).
struct Dropout {
  RandomKey key;
  uint64_t round_keys[2 * kRounds];
  int64_t row_counters;  // counters from one row to the next
  uint32_t threshold;    // an element whose number, in the upper half of a word, is below it is dropped
  float scale;
};

static inline Dropout make_dropout(const RandomKey& key, int64_t cols, double rate) {
  const int64_t threshold = least((int64_t)(rate * 65536.0 + 0.5), 65535);
  Dropout d = {key, {}, round_up(cols, kBlock) / 8, (uint32_t)threshold << 16, (float)(1 / (1 - rate))};
  for (uint32_t round = 0; round < kRounds; ++round) {
    d.round_keys[2 * round] = key.seed_low + round * 0x9e3779b9u;
    d.round_keys[2 * round + 1] = key.seed_high + round * 0xbb67ae85u;
  }
  return d;
}

// Counters of the group-th vector of a block, as the generator begins with them: words of even and of odd counters in
// vectors of their own, with room for products; what stands in the upper halves is never looked at.
typedef LVec Counters[4][2];
static inline __attribute__((always_inline)) void begin_random(const Dropout& d, int64_t row, int64_t block, int group,
                                                               Counters& x) {
  const uint64_t counter = (uint64_t)((d.key.row + row) * d.row_counters + block * 16);
  UVec lane;
  for (int i = 0; i < VL; ++i) lane[i] = (uint32_t)i;
  x[0][0] = (LVec)(lane + (uint32_t)(counter + group * VL)), x[0][1] = x[0][0] >> 32;
  for (int odd = 0; odd < 2; ++odd) {
    x[1][odd] = LVec{} + (counter >> 32);
    x[2][odd] = LVec{} + (uint64_t)d.key.step;
    x[3][odd] = LVec{} + (uint64_t)d.key.stream;
  }
}

static inline __attribute__((always_inline)) void next_round(const Dropout& d, int round, Counters& x) {
  for (int odd = 0; odd < 2; ++odd) {
    const LVec a = multiply_halves(x[0][odd], 0xd2511f53u), b = multiply_halves(x[2][odd], 0xcd9e8d57u);
    x[0][odd] = (b >> 32) ^ x[1][odd] ^ d.round_keys[2 * round];
    x[2][odd] = (a >> 32) ^ x[3][odd] ^ d.round_keys[2 * round + 1];
    x[1][odd] = b;
    x[3][odd] = a;
  }
}

static inline __attribute__((always_inline)) void draw(const Dropout& d, int64_t row, int64_t block, int group,
                                                       Counters& x) {
  begin_random(d, row, block, group, x);
  for (int round = 0; round < kRounds; ++round) next_round(d, round, x);
}

// Words of the block-th 128 elements of a row, in their order: the upper half of each is its element's number. The
// lower halves of what the generator gives belong to the first 64 elements, the upper ones to the rest.
static inline void random_words(const Dropout& d, int64_t row, int64_t block, UVec* out) {
  const int groups = 16 / VL;
  for (int group = 0; group < groups; ++group) {
    Counters x;
    draw(d, row, block, group, x);
    for (int word = 0; word < 4; ++word) {
      const UVec both = join_halves(x[word][0], x[word][1]);
      out[word * groups + group] = both << 16;
      out[(4 + word) * groups + group] = both;
    }
  }
}

// Which elements of a vector stay; of the block-th 128 of a row.
#if VL == 16 && defined(__x86_64__)
typedef uint16_t Kept;
static inline Vec only(Kept kept, Vec x) { return _mm512_maskz_mov_ps(kept, x); }
static inline void draw_kept(const Dropout& d, int64_t row, int64_t block, Kept* out) {
  Counters x;
  draw(d, row, block, 0, x);
  __m512i pick;  // lower halves of all words, then the upper ones
  for (int i = 0; i < 32; ++i) ((uint16_t*)&pick)[i] = i % 16 / 2 * 4 + i % 2 * 32 + i / 16;
  for (int word = 0; word < 4; ++word) {
    const __m512i both = _mm512_permutex2var_epi16((__m512i)x[word][0], pick, (__m512i)x[word][1]);
    const uint32_t kept = _mm512_cmpge_epu16_mask(both, _mm512_set1_epi16((int16_t)(d.threshold >> 16)));
    *(volatile Kept*)(out + word) = (Kept)kept;  // else GCC gathers them in a vector, one by one
    *(volatile Kept*)(out + word + 4) = (Kept)(kept >> 16);
  }
}
#elif VL == 8 && defined(__x86_64__)
// Bit 4 i is lane i's: whole vectors of masks would fill half of the first-level cache.
typedef int32_t Kept;
static inline Vec only(Kept kept, Vec x) {
  IVec bit;
  for (int i = 0; i < VL; ++i) bit[i] = 1 << 4 * i;
  return (Vec)((IVec)x & (((IVec{} + kept) & bit) != 0));
}
static inline void draw_kept(const Dropout& d, int64_t row, int64_t block, Kept* out) {
  const __m256i threshold = _mm256_set1_epi16((int16_t)(d.threshold >> 16));
  for (int group = 0; group < 2; ++group) {
    Counters x;
    draw(d, row, block, group, x);
    for (int word = 0; word < 4; ++word) {
      const __m256i both = (__m256i)join_halves(x[word][0], x[word][1]);
      const int32_t kept = _mm256_movemask_epi8(_mm256_cmpeq_epi16(_mm256_max_epu16(both, threshold), both));
      out[2 * word + group] = kept;
      out[2 * word + group + 8] = kept >> 2;
    }
  }
}
#else
typedef IVec Kept;
static inline Vec only(const Kept& kept, Vec x) { return (Vec)((IVec)x & kept); }
static inline void draw_kept(const Dropout& d, int64_t row, int64_t block, Kept* out) {
  UVec words[kBlockVecs];
  random_words(d, row, block, words);
  for (int i = 0; i < kBlockVecs; ++i) out[i] = (IVec)(words[i] >= d.threshold);
}
#endif

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
