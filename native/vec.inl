// Vectors of VL floats, by the compiler's vector extensions: the same text for every instruction set.
#include <stdint.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

// Where inline assembler finds a vector: in a register, unless the compiler cuts it in pieces.
#if defined(__aarch64__)
#define BG_REGISTER "w"
#elif !defined(BG_REGISTER)
#define BG_REGISTER "v"
#endif

typedef float Vec __attribute__((vector_size(4 * VL)));
typedef int32_t IVec __attribute__((vector_size(4 * VL)));
typedef uint32_t UVec __attribute__((vector_size(4 * VL)));
// In memory alone: clang forgets a smaller alignment where a value of the type becomes an array's element.
typedef float VecAnywhere __attribute__((vector_size(4 * VL), aligned(4), may_alias));

static inline Vec load(const float* p) { return *(const VecAnywhere*)p; }
static inline void store(float* p, Vec v) { *(VecAnywhere*)p = v; }
static inline Vec splat(float x) { return x - Vec{}; }

// The first n <= VL elements; zeros follow.
#if VL == 16
static inline Vec load_part(const float* p, int64_t n) {
  return __builtin_ia32_loadups512_mask(p, Vec{}, (uint16_t)((1u << n) - 1));
}
static inline void store_part(float* p, Vec v, int64_t n) {
  __builtin_ia32_storeups512_mask(p, v, (uint16_t)((1u << n) - 1));
}
#elif VL == 8
static inline Vec load_part(const float* p, int64_t n) {
  const IVec lane = {0, 1, 2, 3, 4, 5, 6, 7};
  return (Vec)_mm256_maskload_ps(p, (__m256i)(lane < (int32_t)n));
}
// Not under a mask, which takes AMD's processors a dozen cycles.
static inline void store_part(float* p, Vec v, int64_t n) {
  if (n >= VL) return store(p, v);
  __m128 rest = _mm256_castps256_ps128((__m256)v);
  if (n & 4) _mm_storeu_ps(p, rest), p += 4, rest = _mm256_extractf128_ps((__m256)v, 1);
  if (n & 2) _mm_storel_pi((__m64*)p, rest), p += 2, rest = _mm_movehl_ps(rest, rest);
  if (n & 1) _mm_store_ss(p, rest);
}
#else
static inline Vec load_part(const float* p, int64_t n) {
  Vec v = {};
  __builtin_memcpy(&v, p, (unsigned long)n * 4);
  return v;
}
static inline void store_part(float* p, Vec v, int64_t n) { __builtin_memcpy(p, &v, (unsigned long)n * 4); }
#endif

// The lane `shift` places on, for every lane.
static inline Vec rotate(Vec x, int shift) {
#if defined(__clang__)
  Vec y;
  for (int i = 0; i < VL; ++i) y[i] = x[(i + shift) % VL];
  return y;
#else
  IVec from;
  for (int i = 0; i < VL; ++i) from[i] = (i + shift) % VL;
  return __builtin_shuffle(x, from);
#endif
}

// Halves the vector until one lane is left.
template <class Join>
static inline float fold_lanes(Vec x, Join join) {
  if (VL >= 16) x = join(x, rotate(x, 8));
  if (VL >= 8) x = join(x, rotate(x, 4));
  x = join(x, rotate(x, 2));
  return join(x, rotate(x, 1))[0];
}
static inline float hsum(Vec x) {
  return fold_lanes(x, [](Vec a, Vec b) { return a + b; });
}
