// Vectors of VL floats, by the compiler's vector extensions: the same text for every instruction set.
#include <stdint.h>

typedef float Vec __attribute__((vector_size(4 * VL), aligned(4), may_alias));
typedef int32_t IVec __attribute__((vector_size(4 * VL), aligned(4), may_alias));
typedef uint32_t UVec __attribute__((vector_size(4 * VL), aligned(4), may_alias));

static inline Vec load(const float* p) { return *(const Vec*)p; }
static inline void store(float* p, Vec v) { *(Vec*)p = v; }
static inline Vec splat(float x) { return x - Vec{}; }
static inline Vec load_part(const float* p, int64_t n) {
  Vec v = {};
  __builtin_memcpy(&v, p, (unsigned long)n * 4);
  return v;
}
static inline void store_part(float* p, Vec v, int64_t n) { __builtin_memcpy(p, &v, (unsigned long)n * 4); }
static inline float hsum(Vec v) {
  for (int k = VL / 2; k > 0; k /= 2)
    for (int i = 0; i < k; ++i) v[i] += v[i + k];
  return v[0];
}
