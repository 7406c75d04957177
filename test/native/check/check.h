// What the parts of the check share.
#pragma once
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <algorithm>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "kernels.h"

typedef std::vector<float> Floats;
typedef std::vector<double> Doubles;
typedef std::function<void(const Run*, float* y)> Kernel;

// Numbers within [low, high), the same for the same seed.
Floats numbers(int64_t n, float low, float high, uint32_t seed);

// Counts and prints what is wrong.
void fail(const KernelTable& table, const std::string& what);
void same_bits(const KernelTable& table, const std::string& what, const float* a, const float* b, int64_t n);

// Results of the kernel, all of them within `bound` of exact, with the same bits on one and on two threads, and nothing
// written behind them. `y` holds 77 everywhere before.
Floats check(const KernelTable& table, const std::string& what, const Doubles& exact, double bound,
             const Kernel& kernel);

// Runs on the calling thread, whatever is in its scratch.
extern const Run kSerial;

// Random word of element `col` in a row of `cols` elements, as src/core/random.ts lays them out.
uint32_t random_number(const RandomKey& key, int64_t row, int64_t cols, int64_t col);

void check_functions(const std::vector<const KernelTable*>& tables, uint32_t stride);
void check_rows(const KernelTable& table);
void check_others(const KernelTable& table);
void check_attention(const KernelTable& table);
void check_matmul(const KernelTable& table);
void check_narrow(const KernelTable& table);
