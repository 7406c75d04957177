// Elementary functions of a vector. Bounds are the largest error over all floats of the range as test/native/check
// finds it; 1 ulp is the distance of neighbouring floats at the exact result. NaN gives NaN everywhere.

#include "work.inl"

static const float kInf = __builtin_inff();

// Lets the compiler know nothing about v. GCC finds the instructions for maximum and minimum only so.
#if defined(__x86_64__)
#define BG_HIDE(v) __asm__("" : "+" BG_REGISTER(v))
#else
#define BG_HIDE(v)
#endif

static inline Vec vabs(Vec x) { return (Vec)((IVec)x & 0x7fffffff); }
static inline Vec copy_sign(Vec size, Vec sign) { return (Vec)((IVec)size | ((IVec)sign & (int32_t)0x80000000)); }

static inline Vec vsqrt(Vec x) {
  Vec y;
  for (int i = 0; i < VL; ++i) y[i] = __builtin_sqrtf(x[i]);  // one instruction: compilers see through the loop
  return y;
}

// sum of c[i] * x^(n - 1 - i), by Horner.
template <int N>
static inline Vec polynomial(Vec x, const float (&c)[N]) {
  Vec y = splat(c[0]);
  for (int i = 1; i < N; ++i) y = y * x + c[i];
  return y;
}

// The nearer of x and the end of a range; NaN stays.
static inline Vec at_least(Vec x, float low) {
  Vec end = splat(low);
  BG_HIDE(end);
  return end > x ? end : x;
}
static inline Vec at_most(Vec x, float high) {
  Vec end = splat(high);
  BG_HIDE(end);
  return end < x ? end : x;
}

// x * 2^n for whole n in -152 .. 129, also where the result is denormal.
static inline Vec scale_by_power(Vec x, Vec n) {
#if VL == 16 && defined(__x86_64__)
  return (Vec)__builtin_ia32_scalefps512_mask(x, n, x, -1, 4);
#else
  const IVec exponent = __builtin_convertvector(n, IVec), half = exponent >> 1;  // either factor is a normal number
  return x * (Vec)((half + 127) << 23) * (Vec)((exponent - half + 127) << 23);
#endif
}

// e^x within 1.1 ulp, denormal results included; exactly 0 below -104 and for -inf, +inf above 88.8.
// x = n ln 2 + r, |r| <= ln 2 / 2; polynomial of Cephes expf (Moshier).
static inline Vec vexp(Vec x) {
  static const float c[] = {1.9875691500e-4f, 1.3981999507e-3f, 8.3334519073e-3f,
                            4.1665795894e-2f, 1.6666665459e-1f, 5.0000001201e-1f};
  // The nearest integer: 1.5 * 2^23 leaves no other digits.
  const auto shifted = [](Vec x) { return x * 1.44269504f + 12582912.f; };
  const auto power = [](Vec x, Vec n) {
    const Vec r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
    return polynomial(r, c) * (r * r) + r + 1.f;
  };
#if VL == 8 && defined(__x86_64__)
  // The same bits, where all results are normal numbers: n is added to exponents, which are not looked at.
  if (__builtin_expect(_mm256_movemask_ps((__m256)(vabs(x) <= 87.f)) == 0xff, 1)) {
    const Vec n = shifted(x);
    return (Vec)((IVec)power(x, n - 12582912.f) + ((IVec)n << 23));
  }
#endif
  x = at_most(at_least(x, -105.f), 89.f);
  const Vec n = shifted(x) - 12582912.f;
  return scale_by_power(power(x, n), n);
}

// 2^x for -126 <= x <= 126; below, 2^-126 at most and exactly 0 from -127 on; above, 2^126 at least. x is no infinity.
#if VL == 16 && defined(__x86_64__)
// Within 1.8 ulp: 2^(n / 32) (1 + c1 r + c2 r^2), |r| <= 1 / 64, the powers of 2^(1 / 32) in two registers. Of x +
// 1.5 * 2^18 the last bits are n; what n / 32 adds to an exponent is taken off the table, so that one shift adds both.
static inline Vec vexp2(Vec x) {
  alignas(64) static const int32_t roots[32] = {
      0x3f800000, 0x3f7ecd87, 0x3f7daac3, 0x3f7c980f, 0x3f7b95c2, 0x3f7aa43a, 0x3f79c3d3, 0x3f78f4f0,
      0x3f7837f0, 0x3f778d3a, 0x3f76f532, 0x3f767043, 0x3f75fed7, 0x3f75a15b, 0x3f75583f, 0x3f7523f6,
      0x3f7504f3, 0x3f74fbaf, 0x3f7508a4, 0x3f752c4d, 0x3f75672a, 0x3f75b9be, 0x3f76248c, 0x3f76a81e,
      0x3f7744fd, 0x3f77fbb8, 0x3f78ccdf, 0x3f79b907, 0x3f7ac0c7, 0x3f7be4ba, 0x3f7d257d, 0x3f7e83b3};
  const Vec shifted = (Vec)_mm512_maskz_range_ps(-1, x, splat(127.f), 2) + 393216.f;  // x's sign, the smaller size
  const Vec r = x - (shifted - 393216.f);
  const IVec root =
      (IVec)_mm512_permutex2var_epi32(_mm512_load_si512(roots), (__m512i)shifted, _mm512_load_si512(roots + 16));
  const Vec power = (Vec)(root + ((IVec)shifted << 18));
  return power * r * (r * 0.240226507f + 0.693157345f) + power;
}
#elif VL == 8 && defined(__x86_64__)
// The same with the powers of 2^(1 / 8) in one register and a polynomial of the third degree, |r| <= 1 / 16.
static inline Vec vexp2(Vec x) {
  alignas(32) static const int32_t roots[8] = {0x3f800000, 0x3f7b95c2, 0x3f7837f0, 0x3f75fed7,
                                               0x3f7504f3, 0x3f75672a, 0x3f7744fd, 0x3f7ac0c7};
  x = at_most(at_least(x, -127.f), 127.f);
  const Vec shifted = x + 1572864.f, r = x - (shifted - 1572864.f);
  const IVec root = (IVec)_mm256_permutevar8x32_epi32(*(const __m256i*)roots, (__m256i)shifted);
  const Vec power = (Vec)(root + ((IVec)shifted << 20));
  return power * r * ((r * 0.05549622f + 0.24025764f) * r + 0.69314724f) + power;
}
#else
// Within 1.1 ulp (1.4 where a multiply-add rounds twice). Of x + 1.5 * 2^23 + 127 the last bits are the exponent of
// 2^n, n the nearest integer; minimax polynomial of (2^r - 1) / r, |r| <= 1 / 2.
static inline Vec vexp2(Vec x) {
  x = at_most(at_least(x, -127.f), 127.f);
  const Vec shifted = x + 12583039.f, r = x - (shifted - 12583039.f);
  static const float c[] = {
      1.55946832e-4f, 1.34066442e-3f, 9.61769297e-3f, 5.55031055e-2f, 0.240226528f, 0.693147215f, 1.f};
  return polynomial(r, c) * (Vec)((UVec)shifted << 23);
}
#endif

// ln x within 1 ulp; -inf at 0, NaN below. Mantissa in [sqrt 1/2, sqrt 2); polynomial of Cephes logf (Moshier).
static inline Vec vlog(Vec x) {
  const IVec tiny = x < 1.17549435e-38f;
  const IVec bits = (IVec)vabs(tiny ? x * 8388608.f : x);
  const IVec exponent = (bits - 0x3f3504f3) >> 23;
  const Vec f = (Vec)(bits - (exponent << 23)) - 1.f;
  const Vec e = __builtin_convertvector(exponent - (tiny & 23), Vec);
  static const float c[] = {7.0376836292e-2f,  -1.1514610310e-1f, 1.1676998740e-1f,
                            -1.2420140846e-1f, 1.4249322787e-1f,  -1.6668057665e-1f,
                            2.0000714765e-1f,  -2.4999993993e-1f, 3.3333331174e-1f};
  const Vec z = f * f;
  const Vec y = (polynomial(f, c) * f * z - e * 2.12194440e-4f) - z * 0.5f;
  const Vec special = x == 0.f ? splat(-kInf) : splat(__builtin_nanf(""));
  return x > 0.f ? (x < kInf ? f + y + e * 0.693359375f : x) : special;
}

// tanh x within 1.5 ulp. Odd polynomial of Cephes tanhf (Moshier) near 0, 1 - 2 / (e^2x + 1) beyond.
static inline Vec vtanh(Vec x) {
  static const float c[] = {-5.70498872745e-3f, 2.06390887954e-2f, -5.37397155531e-2f, 1.33314422036e-1f,
                            -3.33332819422e-1f};
  const Vec a = vabs(x), z = x * x;
  const Vec far = copy_sign(1.f - 2.f / (vexp(a + a) + 1.f), x);
  return a < 0.625f ? polynomial(z, c) * z * x + x : far;
}

// 1 / (1 + e^-x) within 2.5 ulp, small results below x = 0 included.
static inline Vec vsigmoid(Vec x) {
  const Vec e = vexp(-vabs(x));
  return (x < 0.f ? e : splat(1.f)) / (e + 1.f);
}

// erf x within 1.5 ulp: odd polynomial near 0, 1 - e^-p(x) beyond (coefficients: N. Juffa, "my_erff", public domain).
static inline Vec verf(Vec x) {
  static const float near[] = {-5.96761703e-4f, 4.99119423e-3f,  -2.67681349e-2f,
                               1.12819925e-1f,  -3.76125336e-1f, 1.28379166e-1f};
  static const float far[] = {-1.72853470e-5f, 3.83197126e-4f,  -3.88396438e-3f, 2.42546219e-2f,
                              -1.06777877e-1f, -6.34846687e-1f, -1.28717512e-1f};
  Vec a = vabs(x);
  a = a > 4.f ? splat(4.f) : a;  // erf 4 = 1 - 1.5e-8 rounds to 1
  const Vec tail = copy_sign(1.f - vexp(polynomial(a, far) * a - a), x);
  const Vec y = a > 0.927734375f ? tail : polynomial(x * x, near) * x + x;
  return x == x ? y : x;
}

// The tanh form of GELU is x sigmoid(2 u), u = sqrt(2 / pi) (x + 0.044715 x^3); this returns 2 u.
static inline Vec gelu_tanh_argument(Vec x) { return x * (x * x * 0.0713548163f + 1.59576912f); }

// Half as many doubles as a vector has floats: where float32 has too few digits in between.
typedef float Half __attribute__((vector_size(2 * VL)));
typedef double DVec __attribute__((vector_size(4 * VL)));
typedef int64_t DIVec __attribute__((vector_size(4 * VL)));
typedef uint64_t DUVec __attribute__((vector_size(4 * VL)));

static inline DVec dsplat(double x) { return x - DVec{}; }

// log2 a for floats a >= 0, within 2^-37 of the result; -inf at 0. Mantissa m in [sqrt 1/2, sqrt 2), 2 atanh(s) / ln 2
// with s = (m - 1) / (m + 1) by a minimax polynomial in s^2.
static inline DVec dlog2(DVec a) {
  static const double c[] = {0.34073017685420719, 0.41167271486031312, 0.57708358503747197, 0.96179667334147724,
                             2.8853900817900859};
  const DUVec bits = (DUVec)a, biased = (bits + 0x00095f619980c433) >> 52;  // the exponent, 1023 added
  const DVec m = (DVec)(bits - (biased << 52) + ((uint64_t)1023 << 52));
  const DVec exponent = (DVec)(biased | 0x4330000000000000) - (0x1p52 + 1023);
  const DVec s = (m - 1.) / (m + 1.), z = s * s;
  DVec p = dsplat(c[0]);
  for (int i = 1; i < 5; ++i) p = p * z + c[i];
  const DVec finite = a < (double)kInf ? p * s + exponent : a;
  return a == 0. ? dsplat(-(double)kInf) : finite;
}

// 2^t within 2^-34 of the result, for results that are floats; what is too large or small for one stays so.
static inline DVec dexp2(DVec t) {
  static const double c[] = {1.5201854450861378e-5, 1.5469289406442467e-4, 1.3333922843441671e-3, 9.6180272604326252e-3,
                             5.5504103531415146e-2, 0.24022651198097682,   0.69314718072851791,   0.9999999999616875};
  const DVec low = dsplat(-160.), high = dsplat(160.);
  t = low > t ? low : t;
  t = high < t ? high : t;
  const DVec shifted = t + 0x1.8p52, r = t - (shifted - 0x1.8p52);  // the last bits of `shifted` are n of 2^n
  DVec p = dsplat(c[0]);
  for (int i = 1; i < 8; ++i) p = p * r + c[i];
  return (DVec)((DUVec)p + ((DUVec)shifted << 52));
}

// a^c for floats a >= 0 within 0.52 ulp: 2^(c log2 a) with doubles in between, rounded once.
static inline Vec power_of_size(Vec a, float c) {
  Half half[2];
  __builtin_memcpy(half, &a, sizeof a);
  const DVec low = dexp2(dlog2(__builtin_convertvector(half[0], DVec)) * (double)c);
  const DVec high = dexp2(dlog2(__builtin_convertvector(half[1], DVec)) * (double)c);
  Vec y;
  for (int i = 0; i < VL / 2; ++i) y[i] = (float)low[i];
  for (int i = 0; i < VL / 2; ++i) y[VL / 2 + i] = (float)high[i];
  return y;
}

// x^c within 0.52 ulp; NaN, 0 and infinity as JavaScript's ** has them: 1^inf is NaN. Floats from 2^24 on are even.
static inline Vec any_power(Vec x, float c) {
  const Vec y = power_of_size(vabs(x), c);
  const bool small = c > -0x1p24f && c < 0x1p24f;
  const int32_t whole = small ? (int32_t)c : 0;
  if (small && (float)whole != c) return ((x < 0.f) & (x > -kInf)) ? splat(__builtin_nanf("")) : y;
  return whole % 2 == 0 ? y : copy_sign(y, x);
}

// The powers that models use take an operation or two and are within 1.5 ulp.
static inline bool is_plain_power(float c) {
  return c == 0.f || c == 1.f || c == 2.f || c == 3.f || c == -1.f || c == 0.5f;
}
static inline Vec plain_power(Vec x, float c) {
  if (c == 0.f) return splat(1.f);
  if (c == 2.f) return x * x;
  if (c == 3.f) return x * x * x;
  if (c == -1.f) return 1.f / x;
  if (c == 0.5f) return x == -kInf ? splat(kInf) : vsqrt(x + 0.f);  // of -0 it is +0
  return x;
}
