// Multiply-adds in registers alone: the upper bound of every kernel of this instruction set.

#if defined(__aarch64__)
#define BG_REGISTER "w"
static const int kChains = 24;  // at least latency times multiply-adds per cycle, at most the registers there are
#else
#define BG_REGISTER "x"
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
