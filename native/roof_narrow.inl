// Multiply-adds by `dot` in registers alone, `pairs` in each lane: as fma_loop of roof.inl.

template <class V, int pairs, V (*dot)(V, V, V)>
static double dot_loop(int64_t rounds) {
  const int chains =
      VL == 16 ? 24 : 12;  // at least latency times multiply-adds per cycle, at most the registers there are
  V chain[chains], a = {}, b = {};
  for (int i = 0; i < chains; ++i) {
    chain[i] = V{};
    __asm__ volatile("" : "+" BG_REGISTER(chain[i]));  // else they are all the same one
  }
  for (int64_t round = 0; round < rounds; ++round) {
    __asm__ volatile("" : "+" BG_REGISTER(a), "+" BG_REGISTER(b));  // values that the compiler cannot know
    _Pragma("GCC unroll 24") for (int i = 0; i < chains; ++i) chain[i] = dot(chain[i], a, b);
  }
  V sum = {};
  for (int i = 0; i < chains; ++i) sum += chain[i];
  __asm__ volatile("" ::BG_REGISTER(sum));
  return 2.0 * VL * pairs * chains * (double)rounds;
}
