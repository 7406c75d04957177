// Exchange of rows and columns in registers.

// a0 b0 a1 b1 ... of the lower halves.
static inline Vec interleave_low(Vec a, Vec b) {
#if !defined(__clang__)
  IVec pick;
  for (int i = 0; i < VL; ++i) pick[i] = i / 2 + i % 2 * VL;
  return __builtin_shuffle(a, b, pick);
#elif VL == 4
  return __builtin_shufflevector(a, b, 0, 4, 1, 5);
#elif VL == 8
  return __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
#else
  return __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
#endif
}

// The same of the upper halves.
static inline Vec interleave_high(Vec a, Vec b) {
#if !defined(__clang__)
  IVec pick;
  for (int i = 0; i < VL; ++i) pick[i] = VL / 2 + i / 2 + i % 2 * VL;
  return __builtin_shuffle(a, b, pick);
#elif VL == 4
  return __builtin_shufflevector(a, b, 2, 6, 3, 7);
#elif VL == 8
  return __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
#else
  return __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
#endif
}

// log2 VL rounds of interleaving halves.
static inline void transpose_square(Vec (&row)[VL]) {
  for (int round = 1; round < VL; round *= 2) {
    Vec next[VL];
    for (int i = 0; i < VL / 2; ++i) {
      next[2 * i] = interleave_low(row[i], row[i + VL / 2]);
      next[2 * i + 1] = interleave_high(row[i], row[i + VL / 2]);
    }
    for (int i = 0; i < VL; ++i) row[i] = next[i];
  }
}
