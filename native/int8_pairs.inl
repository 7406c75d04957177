// 8 bits, by the inner product of Winograd (1968): of numbers q of a row and w of a column
//   q0 w0 + q1 w1 = (q0 + w1) (q1 + w0) - q0 q1 - w0 w1,
// where what is taken off belongs to the row or to the column alone. One multiplication of 16-bit numbers does for two,
// and the additions find a place beside it: a processor has more units that add than such that multiply pairs.
static const int64_t kInt8Rows = VL == 16 ? 10 : 4, kInt8Piece = 512 * 1024, kInt8Depth = 192;
// Products of so few rows take slivers as they lie in memory.
static const int64_t kInBytes = VL == 8 ? 1 : 0;

typedef int16_t Number;
typedef Number Pairs __attribute__((vector_size(4 * VL)));
static const int64_t kPrepared = 2;
typedef int32_t Word __attribute__((aligned(2), may_alias));
static const bool kFromZero = true;  // a row holds q - z

// sum += x0 y0 + x1 y1 in each lane, which holds two numbers.
static inline IVec add_products(IVec sum, Pairs x, Pairs y) {
#if VL == 16 && defined(__x86_64__)
  return sum + (IVec)_mm512_madd_epi16((__m512i)x, (__m512i)y);
#elif VL == 8 && defined(__x86_64__)
  return sum + (IVec)_mm256_madd_epi16((__m256i)x, (__m256i)y);
#elif defined(__x86_64__)
  return sum + (IVec)_mm_madd_epi16((__m128i)x, (__m128i)y);
#else
  const IVec a = (IVec)x, b = (IVec)y;
  return sum + (a << 16 >> 16) * (b << 16 >> 16) + (a >> 16) * (b >> 16);
#endif
}

// Of four numbers the first and the third, then the second and the fourth: two words.
static inline void put(Number* q, IVec x) {
#if VL == 8 && defined(__x86_64__)
  const __m256i order = _mm256_setr_epi8(0, 1, 8, 9, 4, 5, 12, 13, 0, 1, 8, 9, 4, 5, 12, 13,  //
                                         0, 1, 8, 9, 4, 5, 12, 13, 0, 1, 8, 9, 4, 5, 12, 13);
  const __m256i words = _mm256_permute4x64_epi64(_mm256_shuffle_epi8((__m256i)x, order), 0x08);
  _mm_storeu_si128((__m128i*)q, _mm256_castsi256_si128(words));
#else
  for (int i = 0; i < VL; ++i) q[(i & ~3) | (i & 1) << 1 | (i >> 1 & 1)] = (Number)x[i];
#endif
}

static inline int32_t term_of_row(Number* q, int64_t n, int32_t) {
  typedef uint64_t Words __attribute__((vector_size(4 * VL)));
  typedef Pairs PairsAnywhere __attribute__((aligned(2), may_alias));
  if (round_up(n, VL) % (2 * VL) != 0) put(q + round_up(n, VL), IVec{});
  IVec sum = {};
  for (int64_t p = 0; p < n; p += 2 * VL) {
    const Pairs words = *(const PairsAnywhere*)(q + p);
    sum = add_products(sum, words, (Pairs)((Words)words >> 32));
  }
  int32_t term = 0;
  for (int i = 0; i < VL; ++i) term += sum[i];
  return term;
}
static inline int32_t term_of_column(const int8_t* w, int64_t n) {
  int32_t term = 0;
  for (int64_t p = 0; p < n; p += 2) term += w[p] * w[p + 1];
  return term;
}
static inline IVec whole_of(IVec sum, IVec of_columns, int32_t of_row) { return sum - of_columns - of_row; }

// Words of VL columns: of each the second and the fourth number, then of each the first and the third, to be widened by
// one instruction.
static inline void put_word(int32_t* words, int64_t column, const uint8_t* q) {
  uint8_t* to = (uint8_t*)(words + column / VL * VL) + 2 * (column % VL);
  to[0] = q[1], to[1] = q[3], to[2 * VL] = q[0], to[2 * VL + 1] = q[2];
}
static inline Pairs widen(const int8_t* q) {
#if VL == 8 && defined(__x86_64__)  // compilers find it for halves alone
  return (Pairs)_mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i*)q));
#else
  typedef int8_t Bytes __attribute__((vector_size(2 * VL)));
  Bytes bytes;
  __builtin_memcpy(&bytes, q, sizeof bytes);
  return __builtin_convertvector(bytes, Pairs);
#endif
}

#include "int8_round.inl"

// `words` words of a sliver as numbers of 16 bits.
static inline const int32_t* prepare(const int32_t* b, int64_t words, int32_t* to) {
  for (int64_t p = 0; p < 2 * NV * words; ++p) ((Pairs*)to)[p] = widen((const int8_t*)b + p * 2 * VL);
  return to;
}

template <int R>
static __attribute__((noinline)) void int8_tile(const Int8Tile& t) {
  IVec sum[R][NV];
  BG_UNROLL for (int r = 0; r < R; ++r) {
    BG_UNROLL for (int v = 0; v < NV; ++v) sum[r][v] = t.first ? IVec{} : t.sums[r * NV + v];
  }
  const bool wide = R > kInBytes || t.prepared;
  for (int64_t line = 0; line < t.lines && wide; ++line) __builtin_prefetch(t.ahead + 64 * line);
  const Number* a = t.a;
  const int32_t* b = t.b;
  _Pragma("GCC unroll 2") for (int64_t p = 0; p < t.words; ++p, a += kWord, b += wide ? 2 * NR : NR) {
    Pairs odd[NV], even[NV];
    BG_UNROLL for (int v = 0; v < NV; ++v) {
      const int8_t* bytes = (const int8_t*)(b + v * VL);
      odd[v] = wide ? ((const Pairs*)b)[2 * v] : widen(bytes);
      even[v] = wide ? ((const Pairs*)b)[2 * v + 1] : widen(bytes + 2 * VL);
    }
    BG_UNROLL for (int r = 0; r < R; ++r) {
      const Word* word = (const Word*)(a + r * t.stride_a);
      const Pairs first = (Pairs)(IVec{} + word[0]), second = (Pairs)(IVec{} + word[1]);
      BG_UNROLL for (int v = 0; v < NV; ++v) { sum[r][v] = add_products(sum[r][v], first + odd[v], second + even[v]); }
    }
  }
  if (t.last) return scale_tile<R>(t, sum);
  BG_UNROLL for (int r = 0; r < R; ++r) { BG_UNROLL for (int v = 0; v < NV; ++v) t.sums[r * NV + v] = sum[r][v]; }
}

#include "gemm_int8.inl"

#if VL == 8 && defined(__x86_64__)
#include "roof_narrow.inl"
static inline IVec four_products(IVec sum, IVec a, IVec b) {
  BG_HIDE(a);  // else the additions are done once for all sums
  return add_products(sum, (Pairs)a + (Pairs)b, (Pairs)b - (Pairs)a);
}
static double int8_loop(int64_t rounds) { return dot_loop<IVec, 4, four_products>(rounds); }
static const char* const kInt8By = BG_ISA;
#else
static double int8_loop(int64_t rounds) { return fma_loop(rounds); }
static const char* const kInt8By = nullptr;
#endif
