// Multiply-adds in registers alone: the upper bound of every kernel of this instruction set.

// Chains at least latency times multiply-adds per cycle, at most the registers there are.
#if defined(__aarch64__)
static const int kChains = 24;
#else
static const int kChains = 12;
#endif

static double fma_loop(int64_t rounds) {
  Vec chain[kChains], factor = splat(0.999999f), addend = splat(1e-6f);
  __asm__ volatile("" : "+" BG_REGISTER(factor), "+" BG_REGISTER(addend));  // values that the compiler cannot know
  for (int i = 0; i < kChains; ++i) chain[i] = splat((float)i);
  for (int64_t round = 0; round < rounds; ++round)
    for (int i = 0; i < kChains; ++i) chain[i] = chain[i] * factor + addend;
  Vec sum = {};
  for (int i = 0; i < kChains; ++i) sum += chain[i];
  __asm__ volatile("" ::BG_REGISTER(sum));
  return 2.0 * VL * kChains * (double)rounds;
}

// Ways to move memory and do nothing else: the upper bound of every kernel that memory decides. Vectors are aligned and
// eight of them follow one another without a jump.
const int64_t kSweep = 8 * VL;

template <class Body>
static inline void sweep(int64_t n, Body body) {
  for (int64_t i = 0; i < n; i += kSweep) _Pragma("GCC unroll 8") for (int j = 0; j < 8; ++j) body(i + j * VL);
}

typedef Vec VecAligned __attribute__((may_alias));

// What the compiler must load, and may not turn into a call of memcpy.
static inline Vec take(const float* p) {
  Vec v = *(const VecAligned*)p;
  __asm__ volatile("" : "+" BG_REGISTER(v));
  return v;
}
static inline void put(float* p, Vec v) { *(VecAligned*)p = v; }

// Past the caches, where there is an instruction for it: the line is not read first.
static inline void put_past(float* p, Vec v) {
#if defined(__clang__)
  __builtin_nontemporal_store(v, (VecAligned*)p);
#elif VL == 16 && defined(__x86_64__)
  __builtin_ia32_movntps512(p, v);
#elif VL == 8 && defined(__x86_64__)
  __builtin_ia32_movntps256(p, v);
#elif defined(__x86_64__)
  __builtin_ia32_movntps(p, v);
#else
  put(p, v);
#endif
}

static double move_loop(int way, float* p, int64_t n, int64_t rounds) {
  const int64_t whole = n / kSweep * kSweep, half = n / 2 / kSweep * kSweep, third = n / 3 / kSweep * kSweep;
  Vec one = splat(1.f);
  __asm__ volatile("" : "+" BG_REGISTER(one));
  const auto over = [=](int64_t size, int accesses, auto body) {
    for (int64_t round = 0; round < rounds; ++round) sweep(size, body);
    return 4. * accesses * (double)size * (double)rounds;
  };
  switch (way) {
    case kMoveRead: return over(whole, 1, [=](int64_t i) { take(p + i); });
    case kMoveWrite: return over(whole, 1, [=](int64_t i) { put(p + i, one); });
    case kMoveWritePast: return over(whole, 1, [=](int64_t i) { put_past(p + i, one); });
    case kMoveScale: return over(whole, 2, [=](int64_t i) { put(p + i, take(p + i) * one); });
    case kMoveCopy: return over(half, 2, [=](int64_t i) { put(p + half + i, take(p + i)); });
    case kMoveCopyPast: return over(half, 2, [=](int64_t i) { put_past(p + half + i, take(p + i)); });
    case kMoveAdd: return over(half, 3, [=](int64_t i) { put(p + half + i, take(p + half + i) * one + take(p + i)); });
    case kMoveTriad:
      return over(third, 3, [=](int64_t i) { put(p + i, take(p + third + i) * one + take(p + 2 * third + i)); });
    case kMoveTriadPast:
      return over(third, 3, [=](int64_t i) { put_past(p + i, take(p + third + i) * one + take(p + 2 * third + i)); });
  }
  return 0;
}
