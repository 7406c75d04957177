// The instructions of AVX-512 that kernels name, in software: the text of isa_avx512*.cc runs where the processor lacks
// them. Vectors of 16 floats are the compiler's own, which cuts them in two. Semantics: Intel's manual, volume 2.
//   make -C test/native/check run SOFTWARE=1 ISA=avx512
#include <immintrin.h>
#include <stdint.h>

#define BG_REGISTER "m"

namespace software {

template <class T, int N = 64 / sizeof(T)>
struct Lanes {
  T of[N];
  template <class V>
  static Lanes from(V v) {
    Lanes x;
    static_assert(sizeof x == sizeof v, "as many bits");
    __builtin_memcpy(&x, &v, sizeof x);
    return x;
  }
  template <class V>
  V to() const {
    V v;
    static_assert(sizeof v == sizeof of, "as many bits");
    __builtin_memcpy(&v, of, sizeof v);
    return v;
  }
};
template <class T, class V, int N = 64 / sizeof(T), class Value>
static inline V make(Value value) {
  Lanes<T, N> y;
  for (int i = 0; i < N; ++i) y.of[i] = value(i);
  return y.template to<V>();
}

static inline __m512i load(const void* p) {
  __m512i v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}
static inline __m512i set1_epi32(int32_t x) {
  return make<int32_t, __m512i>([&](int) { return x; });
}
static inline __m512i set1_epi16(int16_t x) {
  return make<int16_t, __m512i>([&](int) { return x; });
}
template <class... T>
static inline __m512i setr_epi64(T... x) {
  const int64_t all[] = {x...};
  return load(all);
}
static inline __m512i min_epi32(__m512i a, __m512i b) {
  const auto x = Lanes<int32_t>::from(a), y = Lanes<int32_t>::from(b);
  return make<int32_t, __m512i>([&](int i) { return x.of[i] < y.of[i] ? x.of[i] : y.of[i]; });
}
static inline __m512i max_epi32(__m512i a, __m512i b) {
  const auto x = Lanes<int32_t>::from(a), y = Lanes<int32_t>::from(b);
  return make<int32_t, __m512i>([&](int i) { return x.of[i] > y.of[i] ? x.of[i] : y.of[i]; });
}
static inline __m128i cvtepi32_epi8(__m512i a) {
  const auto x = Lanes<int32_t>::from(a);
  return make<int8_t, __m128i, 16>([&](int i) { return (int8_t)x.of[i]; });
}

// Of two vectors the lanes that `pick` numbers.
template <class T, class I, class V>
static inline V choose(V a, __m512i pick, V b) {
  const int n = 64 / sizeof(T);
  const auto x = Lanes<T>::from(a), y = Lanes<T>::from(b);
  const auto from = Lanes<I>::from(pick);
  return make<T, V>([&](int i) { return (from.of[i] & n ? y : x).of[from.of[i] & (n - 1)]; });
}
static inline __m512 only(uint16_t mask, __m512 a) {
  const auto x = Lanes<float>::from(a);
  return make<float, __m512>([&](int i) { return mask >> i & 1 ? x.of[i] : 0; });
}
static inline __m512 maskz_permutexvar_ps(int mask, __m512i pick, __m512 a) {
  return only((uint16_t)mask, choose<float, int32_t>(a, pick, a));
}
// Within each 128 bits: lanes of a and b in turn, of the lower or the upper half.
template <class T, class V>
static inline V unpack(V a, V b, int upper) {
  const int n = 16 / sizeof(T);
  const auto x = Lanes<T>::from(a), y = Lanes<T>::from(b);
  return make<T, V>([&](int i) { return (i & 1 ? y : x).of[i / n * n + i % n / 2 + upper * n / 2]; });
}
static inline __m512 castps256_ps512(__m256 low) {
  const auto x = Lanes<float, 8>::from(low);
  return make<float, __m512>([&](int i) { return x.of[i & 7]; });
}
static inline __m512 insertf32x8(__m512 a, __m256 b, int at) {
  const auto x = Lanes<float>::from(a);
  const auto y = Lanes<float, 8>::from(b);
  return make<float, __m512>([&](int i) { return i / 8 == at ? y.of[i & 7] : x.of[i]; });
}

static inline __m512i madd_epi16(__m512i a, __m512i b) {
  const auto x = Lanes<int16_t>::from(a), y = Lanes<int16_t>::from(b);
  return make<int32_t, __m512i>([&](int i) { return x.of[2 * i] * y.of[2 * i] + x.of[2 * i + 1] * y.of[2 * i + 1]; });
}
static inline __m512i dpbusd_epi32(__m512i sum, __m512i a, __m512i b) {
  const auto s = Lanes<int32_t>::from(sum);
  const auto x = Lanes<uint8_t>::from(a);
  const auto y = Lanes<int8_t>::from(b);
  return make<int32_t, __m512i>([&](int i) {
    int32_t t = s.of[i];
    for (int j = 4 * i; j < 4 * i + 4; ++j) t += x.of[j] * y.of[j];
    return t;
  });
}

// Subnormal numbers count as 0, here and below.
static inline uint16_t bf16_of(float x) {
  uint32_t bits;
  __builtin_memcpy(&bits, &x, 4);
  if (x != x) return (uint16_t)(bits >> 16 | 0x40);
  if ((bits & 0x7f800000) == 0) return (uint16_t)(bits >> 16 & 0x8000);
  return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}
static inline float float_of(uint16_t x) {
  const uint32_t bits = (uint32_t)((x & 0x7f80) == 0 ? x & 0x8000 : x) << 16;
  float y;
  __builtin_memcpy(&y, &bits, 4);
  return y;
}
static inline __m512bh cvtne2ps_pbh(__m512 upper, __m512 lower) {
  const auto x = Lanes<float>::from(lower), y = Lanes<float>::from(upper);
  return make<uint16_t, __m512bh>([&](int i) { return bf16_of((i < 16 ? x : y).of[i & 15]); });
}
static inline __m256i cvtneps_pbh(__m512 a) {
  const auto x = Lanes<float>::from(a);
  return make<uint16_t, __m256i, 16>([&](int i) { return bf16_of(x.of[i]); });
}
static inline __m512 dpbf16_ps(__m512 sum, __m512bh a, __m512bh b) {
  const auto s = Lanes<float>::from(sum);
  const auto x = Lanes<uint16_t>::from(a), y = Lanes<uint16_t>::from(b);
  return make<float, __m512>([&](int i) {
    const float odd = __builtin_fmaf(float_of(x.of[2 * i + 1]), float_of(y.of[2 * i + 1]), s.of[i]);
    return __builtin_fmaf(float_of(x.of[2 * i]), float_of(y.of[2 * i]), odd);
  });
}

// x 2^floor(n)
static inline __m512 scalef(__m512 a, __m512 power) {
  const auto x = Lanes<float>::from(a), n = Lanes<float>::from(power);
  return make<float, __m512>([&](int i) {
    if (n.of[i] != n.of[i]) return n.of[i];
    const float whole = __builtin_floorf(n.of[i]);
    return __builtin_ldexpf(x.of[i], whole < -999 ? -999 : whole > 999 ? 999 : (int)whole);
  });
}
// The one of smaller size, with the sign of the first: what `kind` 2 asks for.
static inline __m512 range(int, __m512 a, __m512 b, int kind) {
  const auto x = Lanes<float>::from(a), y = Lanes<float>::from(b);
  if (kind != 2) __builtin_trap();
  return make<float, __m512>([&](int i) {
    const float size = __builtin_fminf(__builtin_fabsf(x.of[i]), __builtin_fabsf(y.of[i]));
    return __builtin_copysignf(size, x.of[i]);
  });
}

static inline uint32_t cmpge_epu16_mask(__m512i a, __m512i b) {
  const auto x = Lanes<uint16_t>::from(a), y = Lanes<uint16_t>::from(b);
  uint32_t mask = 0;
  for (int i = 0; i < 32; ++i) mask |= (uint32_t)(x.of[i] >= y.of[i]) << i;
  return mask;
}
template <class V, class W>
static inline W multiply_even(V a, V b, W, int) {
  const auto x = Lanes<uint32_t>::from(a), y = Lanes<uint32_t>::from(b);
  return make<uint64_t, W>([&](int i) { return (uint64_t)x.of[2 * i] * y.of[2 * i]; });
}
static inline __m512 double_even(__m512 a, __m512 other, uint16_t mask) {
  const auto x = Lanes<float>::from(a), y = Lanes<float>::from(other);
  return make<float, __m512>([&](int i) { return mask >> i & 1 ? x.of[i & ~1] : y.of[i]; });
}

static inline __m512 load_masked(const float* p, __m512 other, uint16_t mask) {
  const auto y = Lanes<float>::from(other);
  return make<float, __m512>([&](int i) { return mask >> i & 1 ? p[i] : y.of[i]; });
}
static inline void store_masked(float* p, __m512 a, uint16_t mask) {
  const auto x = Lanes<float>::from(a);
  for (int i = 0; i < 16; ++i)
    if (mask >> i & 1) p[i] = x.of[i];
}

}  // namespace software

#define _mm512_loadu_si512 software::load
#define _mm512_load_si512 software::load
#define _mm512_set1_epi32 software::set1_epi32
#define _mm512_set1_epi16 software::set1_epi16
#undef _mm512_setr_epi64
#define _mm512_setr_epi64 software::setr_epi64
#define _mm512_min_epi32 software::min_epi32
#define _mm512_max_epi32 software::max_epi32
#define _mm512_cvtepi32_epi8 software::cvtepi32_epi8
#define _mm512_permutex2var_epi32 software::choose<int32_t, int32_t>
#define _mm512_permutex2var_epi16 software::choose<int16_t, int16_t>
#define _mm512_permutex2var_pd software::choose<double, int64_t>
#define _mm512_permutexvar_epi16(pick, a) software::choose<int16_t, int16_t>(a, pick, a)
#define _mm512_maskz_permutexvar_ps software::maskz_permutexvar_ps
#define _mm512_maskz_mov_ps software::only
#define _mm512_unpacklo_ps(a, b) software::unpack<float, __m512>(a, b, 0)
#define _mm512_unpackhi_ps(a, b) software::unpack<float, __m512>(a, b, 1)
#define _mm512_unpacklo_pd(a, b) software::unpack<double, __m512d>(a, b, 0)
#define _mm512_unpackhi_pd(a, b) software::unpack<double, __m512d>(a, b, 1)
#undef _mm512_insertf32x8
#define _mm512_insertf32x8 software::insertf32x8
#define _mm512_castps256_ps512 software::castps256_ps512
#define _mm512_madd_epi16 software::madd_epi16
#define _mm512_dpbusd_epi32 software::dpbusd_epi32
#define _mm512_cvtne2ps_pbh software::cvtne2ps_pbh
#define _mm512_cvtneps_pbh software::cvtneps_pbh
#define _mm512_dpbf16_ps software::dpbf16_ps
#undef _mm512_maskz_range_ps
#define _mm512_maskz_range_ps software::range
#undef _mm512_cmpge_epu16_mask
#define _mm512_cmpge_epu16_mask software::cmpge_epu16_mask
#define __builtin_ia32_scalefps512_mask(x, n, other, mask, rounding) software::scalef(x, n)
#define __builtin_ia32_pmuludq512_mask software::multiply_even
#define __builtin_ia32_movsldup512_mask software::double_even
#define __builtin_ia32_loadups512_mask software::load_masked
#define __builtin_ia32_storeups512_mask software::store_masked
#define __builtin_ia32_movntps512(p, v) software::store_masked((float*)(p), v, 0xffff)
