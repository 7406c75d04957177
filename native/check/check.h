// What the parts of the check share: surroundings for kernels, numbers to feed them, and a verdict.
#pragma once
#include <math.h>
#include <stdint.h>
#include <string>
#include <vector>

#include "../kernels.h"

// One thread, chunks in order; and two threads, chunks from the last to the first.
extern const Run kSerial, kTwo;

typedef std::vector<float> Floats;
typedef std::vector<int32_t> Ints;

// Numbers within [low, high), the same for the same seed.
Floats numbers(int64_t n, float low, float high, uint32_t seed);

// Counts and prints what is wrong.
void fail(const KernelTable& table, const std::string& what);
void same_bits(const KernelTable& table, const std::string& what, const float* a, const float* b, int64_t n);
void check_near(const KernelTable& table, const std::string& what, const float* got, const double* exact, int64_t n, double bound);

// Random word of element `col` in a row of `cols` elements, as src/core/random.ts lays them out.
uint32_t random_word(const RandomKey& key, int64_t row, int64_t cols, int64_t col);

void check_functions(const std::vector<const KernelTable*>& tables, uint32_t stride);
void check_random(const KernelTable& table);
void check_rows(const KernelTable& table);
void check_others(const KernelTable& table);
void check_attention(const KernelTable& table);
