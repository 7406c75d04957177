// Elementary functions of a vector. Bounds are the largest error over all floats of the range as test/native/check
// finds it; 1 ulp is the distance of neighbouring floats at the exact result. NaN gives NaN everywhere.

#include "work.inl"

static const float kInf = __builtin_inff();

// Lets the compiler know nothing about v. GCC finds the instructions for maximum and minimum only so.
#if defined(__x86_64__)
#define BG_HIDE(v) __asm__("" : "+v"(v))
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
  x = at_most(at_least(x, -105.f), 89.f);
  const Vec n = (x * 1.44269504f + 12582912.f) - 12582912.f;  // the nearest integer: 1.5 * 2^23 leaves no other digits
  const Vec r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  static const float c[] = {1.9875691500e-4f, 1.3981999507e-3f, 8.3334519073e-3f,
                            4.1665795894e-2f, 1.6666665459e-1f, 5.0000001201e-1f};
  return scale_by_power(polynomial(r, c) * (r * r) + r + 1.f, n);
}

// 2^x for x <= 1 within 1.1 ulp (1.4 where a multiply-add rounds twice), or 2^-126; exactly 0 below -127 and for -inf.
// Of x + 1.5 * 2^23 + 127 the last bits are the exponent of 2^n, n the nearest integer; minimax polynomial of (2^r - 1)
// / r, |r| <= 1 / 2.
static inline Vec vexp2_below(Vec x) {
  x = at_least(x, -127.f);
  const Vec shifted = x + 12583039.f, r = x - (shifted - 12583039.f);
  static const float c[] = {
      1.55946832e-4f, 1.34066442e-3f, 9.61769297e-3f, 5.55031055e-2f, 0.240226528f, 0.693147215f, 1.f};
  return polynomial(r, c) * (Vec)((UVec)shifted << 23);
}

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

// Distribution function of the standard normal and its density, which share one exponential:
// P(-a) = e^(-a^2/2) t q(t), t = 1 / (1 + 0.27 a): the form of Abramowitz and Stegun 7.1.26, fitted anew (degree 6) so
// that x P(x) is within 2e-8 of exact before rounding. P is within 1.2e-7, x P(x) within 2e-7 absolute or 1.5 ulp.
static inline Vec normal_cdf(Vec x, Vec* density) {
  static const float c[] = {-0.1187580834f, 0.4984958914f,  -0.4043508954f,
                            0.3840546866f,  0.02232131577f, 0.1182371316f};
  const Vec t = 1.f / (vabs(x) * 0.27f + 1.f);
  const Vec e = vexp(x * x * -0.5f);
  const Vec below = polynomial(t, c) * t * e;
  *density = e * 0.398942280f;
  return x < 0.f ? below : 1.f - below;
}

// The tanh form of GELU is x sigmoid(2 u), u = sqrt(2 / pi) (x + 0.044715 x^3); this returns 2 u.
static inline Vec gelu_tanh_argument(Vec x) { return x * (x * x * 0.0713548163f + 1.59576912f); }

// x^c lane by lane; the small powers that models use are products.
static inline Vec vpow(Vec x, float c) {
  if (c == 1.f) return x;
  if (c == 2.f) return x * x;
  if (c == 3.f) return x * x * x;
  Vec y;
  for (int i = 0; i < VL; ++i) y[i] = __builtin_powf(x[i], c);
  return y;
}
