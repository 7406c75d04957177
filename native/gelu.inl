// GELU, x P(x), and its slope, P(x) + x p(x): P the distribution function of the standard normal, p its density
// (Hendrycks and Gimpel 2016, arXiv:1606.08415). Bounds as in math.inl.

#if VL == 16 && defined(__x86_64__)
// Polynomials of r = 2.5 t - n, -1/2 <= r <= 1/2, the highest power first: of each coefficient a register holds those
// of all n, and n picks among them. Chebyshev interpolation in double precision, rounded; beyond 5.8 the limits.
template <int N>
static inline Vec piecewise(const float (&c)[N][16], Vec t) {
  const Vec shifted = t * 2.5f + 12582912.f, r = t * 2.5f - (shifted - 12582912.f);  // 1.5 * 2^23: its last bits are n
  Vec y = _mm512_maskz_permutexvar_ps(-1, (__m512i)shifted, load(c[0]));
  for (int i = 1; i < N; ++i) y = y * r + (Vec)_mm512_maskz_permutexvar_ps(-1, (__m512i)shifted, load(c[i]));
  return y;
}

// Within 1.5 ulp or 2e-7, by 1 - P(t), t = |x|; NaN at -inf.
static inline Vec gelu(Vec x) {
  alignas(64) static const float tail[6][16] = {
      {-9.93857175e-05f, -6.44861357e-05f, 1.03158936e-05f, 5.85012058e-05f, 5.46646552e-05f, 2.31192516e-05f,
       -2.89352943e-06f, -1.16550027e-05f, -9.42491806e-06f, -4.88603564e-06f, -1.87975297e-06f, -5.65755727e-07f,
       -1.36722306e-07f, -2.69335541e-08f, -4.3672701e-09f, 0.f},
      {-2.05426227e-06f, -0.000442049262f, -0.000578964711f, -0.000386419328f, -8.48126583e-05f, 0.000113115719f,
       0.000157149887f, 0.000114326525f, 5.91988428e-05f, 2.36534397e-05f, 7.55015935e-06f, 1.96134988e-06f,
       4.19358827e-07f, 7.43500763e-08f, 1.0987721e-08f, 0.f},
      {0.00425598305f, 0.00329964724f, 0.00111245597f, -0.000911305484f, -0.00184568588f, -0.0017277213f,
       -0.00113706966f, -0.00057752576f, -0.000234978041f, -7.80599439e-05f, -2.14105548e-05f, -4.88362593e-06f,
       -9.30899716e-07f, -1.48811637e-07f, -2.00022665e-08f, 0.f},
      {0.f, 0.0117842518f, 0.0185398441f, 0.0186417364f, 0.0141980089f, 0.00863874797f, 0.00429985113f, 0.00177307019f,
       0.000610300223f, 0.000176204296f, 4.28137537e-05f, 8.77541152e-06f, 1.51992492e-06f, 2.22749364e-07f,
       2.76496799e-08f, 0.f},
      {-0.159576908f, -0.147308052f, -0.115876622f, -0.0776744261f, -0.0443683341f, -0.021596387f, -0.00895781163f,
       -0.0031661801f, -0.000953635201f, -0.000244760857f, -5.35321633e-05f, -9.97702318e-06f, -1.58453133e-06f,
       -2.14444427e-07f, -2.47310936e-08f, 0.f},
      {0.5f, 0.344578266f, 0.211855412f, 0.115069672f, 0.0547992885f, 0.0227501299f, 0.00819753483f, 0.00255513028f,
       0.000687138294f, 0.000159108909f, 3.16714068e-05f, 5.41260442e-06f, 7.93345009e-07f, 9.96480196e-08f,
       1.07182654e-08f, 0.f},
  };
  const Vec beyond = piecewise(tail, at_most(vabs(x), 6.f));
  return x * (x < 0.f ? beyond : 1.f - beyond);
}

// Within 2.5e-7: 1/2 and, with the sign of x, P(t) - 1/2 + t p(t).
static inline Vec gelu_slope(Vec x) {
  alignas(64) static const float half[7][16] = {
      {-2.6755979e-05f, -8.46100374e-05f, -7.20899916e-05f, 3.56836563e-06f, 4.68658691e-05f, 3.18214952e-05f,
       1.29673754e-06f, -1.10426936e-05f, -7.60655576e-06f, -1.8890953e-06f, 5.40058181e-07f, 6.93857942e-07f,
       3.34973294e-07f, 1.0718928e-07f, 2.54969912e-08f, 0.f},
      {0.000631006027f, 0.000319300045f, -0.000202582611f, -0.000413836242f, -0.000231075435f, 2.56625935e-05f,
       0.000120784374f, 8.07392207e-05f, 2.06924014e-05f, -6.64744721e-06f, -9.05613706e-06f, -4.76284231e-06f,
       -1.674597e-06f, -4.40208339e-07f, -9.05159609e-08f, 0.f},
      {-6.18152035e-06f, 0.00255563483f, 0.00281050778f, 0.0010523526f, -0.000682618003f, -0.00115178816f,
       -0.000698447693f, -0.00016017539f, 8.3145831e-05f, 0.000101986305f, 5.59620494e-05f, 2.10543385e-05f,
       5.99103805e-06f, 1.34302513e-06f, 2.42369083e-07f, 0.f},
      {-0.0170204602f, -0.0114134876f, 0.000217065768f, 0.00829796121f, 0.00871551782f, 0.00460747629f, 0.000750825449f,
       -0.000893742021f, -0.000945486594f, -0.000530293153f, -0.000211280494f, -6.47255511e-05f, -1.57818922e-05f,
       -3.12050497e-06f, -5.06123399e-07f, 0.f},
      {0.f, -0.0452530272f, -0.0622952655f, -0.0477231666f, -0.0204449333f, 0.f, 0.00756756123f, 0.00680855615f,
       0.00380843785f, 0.00157900038f, 0.000513907929f, 0.000134856935f, 2.89624968e-05f, 5.13836994e-06f,
       7.57825035e-07f, 0.f},
      {0.319153816f, 0.271046817f, 0.157592222f, 0.0434976928f, -0.0248462651f, -0.0431927815f, -0.0336813778f,
       -0.0184904952f, -0.0078579532f, -0.00268257712f, -0.000749449013f, -0.000173200591f, -3.33383723e-05f,
       -5.36964671e-06f, -7.26096687e-07f, 0.f},
      {0.f, 0.302729785f, 0.519897819f, 0.617953598f, 0.622674048f, 0.585231781f, 0.545549333f, 0.51960814f,
       0.506941915f, 0.502043724f, 0.500503659f, 0.500104308f, 0.500018239f, 0.500002682f, 0.500000358f, 0.5f},
  };
  return copy_sign(piecewise(half, at_most(vabs(x), 6.f)), x) + 0.5f;
}
#else
// Distribution function of the standard normal, by P(-a) = 2^q(a): q of degree 8, fitted so that x P(x) is within 2e-8
// of exact before rounding, in even and odd powers apart, a chain half as long. From -16 on P is 0. P is within 1.2e-7,
// x P(x) within 2e-7 absolute or 1.5 ulp.
static inline Vec normal_cdf(Vec x) {
  static const float even[] = {-2.335064516e-6f, -1.613042227e-4f, 7.126819978e-3f, -0.4591982937f, -1.f};
  static const float odd[] = {3.373958778e-5f, -1.91673645e-4f, -0.05253357804f, -1.151106041f};
  const Vec a = at_most(vabs(x), 16.f), z = a * a, below = vexp2(polynomial(z, odd) * a + polynomial(z, even));
  return (IVec)x < 0 ? below : 1.f - below;
}
static inline Vec gelu(Vec x) { return x * normal_cdf(x); }
static inline Vec gelu_slope(Vec x) { return normal_cdf(x) + x * (vexp2(x * x * -0.721347520f) * 0.398942280f); }
#endif
