// Checks the kernels of every instruction set this processor has against plain loops in double precision.
//   native/check/run.sh [stride]     looks at every stride-th float in the scans (1: all; minutes); default 257
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <algorithm>
#include <thread>

static int failures = 0;

void fail(const KernelTable& table, const std::string& what) {
  ++failures;
  printf("FAILED %s: %s\n", table.isa, what.c_str());
}

static void* scratch(int slot, int64_t bytes) {
  static thread_local std::vector<char> memory[8];
  if ((int64_t)memory[slot].size() < bytes + 64) memory[slot].assign((size_t)bytes + 64, (char)0xff);  // NaN
  return (void*)(((uintptr_t)memory[slot].data() + 63) / 64 * 64);
}

static void one_thread(int64_t n, int64_t grain, RangeFn fn, void* context) {
  for (int64_t i = 0; i < n; i += grain) fn(context, i, std::min(i + grain, n));
}

static void two_threads(int64_t n, int64_t grain, RangeFn fn, void* context) {
  const int64_t chunks = (n + grain - 1) / grain;
  auto half = [=](int64_t rest) {
    for (int64_t i = chunks - 1; i >= 0; --i)
      if (i % 2 == rest) fn(context, i * grain, std::min((i + 1) * grain, n));
  };
  std::thread other(half, 1);
  half(0);
  other.join();
}

const Run kSerial = {one_thread, scratch, 1}, kTwo = {two_threads, scratch, 2};

Floats numbers(int64_t n, float low, float high, uint32_t seed) {
  Floats x(n);
  uint32_t state = seed * 2654435761u + 12345;
  for (float& value : x) {
    state = state * 1664525u + 1013904223u;
    value = low + (high - low) * (float)(state >> 8) / 16777216.f;
  }
  return x;
}

void same_bits(const KernelTable& table, const std::string& what, const float* a, const float* b, int64_t n) {
  if (n > 0 && memcmp(a, b, (size_t)n * 4) != 0) fail(table, what + ": bits differ");
}

void check_near(const KernelTable& table, const std::string& what, const float* got, const double* exact, int64_t n,
                double bound) {
  for (int64_t i = 0; i < n; ++i) {
    if (fabs(got[i] - exact[i]) <= bound || (isnan(got[i]) && isnan(exact[i])) || got[i] == exact[i]) continue;
    char text[200];
    snprintf(text, sizeof text, "%s: element %ld is %.9g, not %.9g (allowed: %.2g)", what.c_str(), (long)i, got[i],
             exact[i], bound);
    return fail(table, text);
  }
}

// Philox4x32-10, Salmon et al. 2011, sec. 3.3, in plain words.
uint32_t random_word(const RandomKey& key, int64_t row, int64_t cols, int64_t col) {
  const uint64_t counter = (uint64_t)((key.row + row) * ((cols + 63) / 64 * 16) + col / 64 * 16 + col % 16);
  uint32_t x[4] = {(uint32_t)counter, (uint32_t)(counter >> 32), key.step, key.stream};
  uint32_t k0 = key.seed_low, k1 = key.seed_high;
  for (int round = 0; round < 10; ++round, k0 += 0x9e3779b9u, k1 += 0xbb67ae85u) {
    const uint64_t p0 = 0xd2511f53ull * x[0], p1 = 0xcd9e8d57ull * x[2];
    x[0] = (uint32_t)(p1 >> 32) ^ x[1] ^ k0, x[1] = (uint32_t)p1;
    x[2] = (uint32_t)(p0 >> 32) ^ x[3] ^ k1, x[3] = (uint32_t)p0;
  }
  return x[col / 16 % 4];
}

// The words themselves, found by bisection: an element stays where its word is not below rate * 2^32.
static void words_of(const KernelTable& table, const RandomKey& key, int64_t cols, std::vector<uint32_t>& words) {
  const Floats ones(cols, 1.f);
  Floats y(cols);
  words.assign(cols, 0);
  for (int bit = 31; bit >= 0; --bit) {
    for (int64_t i = 0; i < cols; ++i) {
      const uint32_t with = words[i] | 1u << bit;
      table.dropout(&kSerial, ones.data(), y.data(), 1, cols, with / 4294967296.0, &key);
      if (y[i] != 0.f) words[i] = with;
    }
  }
}

void check_random(const KernelTable& table) {
  // Known answers of Random123's kat_vectors: counter and key all zero, and all ones.
  const uint32_t zero[] = {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8};
  const uint32_t ones[] = {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd};
  const RandomKey other = {123, 45, 6, 7, 89};
  std::vector<uint32_t> words;
  words_of(table, {0, 0, 0, 0, 0}, 64, words);
  for (int i = 0; i < 4; ++i)
    if (words[16 * i] != zero[i]) fail(table, "philox of zeros");
  words_of(table, {0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, -1}, 64, words);
  for (int i = 0; i < 4; ++i)
    if (words[16 * i + 15] != ones[i]) fail(table, "philox of ones");
  words_of(table, other, 131, words);
  for (int64_t i = 0; i < 131; ++i)
    if (words[i] != random_word(other, 0, 131, i)) return fail(table, "layout of random words");
}

int main(int count, char** arguments) {
  const uint32_t stride = count > 1 ? (uint32_t)atoi(arguments[1]) : 257;
  std::vector<const KernelTable*> tables = {&bg_kernels_base};
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) tables.push_back(&bg_kernels_avx2);
  if (__builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")) tables.push_back(&bg_kernels_avx512);
#elif defined(__aarch64__)
  tables.push_back(&bg_kernels_neon);
#endif
  check_functions(tables, std::max(stride, 1u));
  for (const KernelTable* table : tables) {
    const int before = failures;
    check_random(*table);
    check_rows(*table);
    check_others(*table);
    check_attention(*table);
    if (failures == before) printf("%s: every kernel as exact as it should be, same bits on 1 and 2 threads\n", table->isa);
  }
  return failures > 0 ? 1 : 0;
}
