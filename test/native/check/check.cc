// Checks the kernels of every instruction set this processor has against plain loops in double precision.
//   make -C test/native/check run STRIDE=257     looks at every 257th float in the scans (1: all; minutes)
//   make -C test/native/check run ISA=avx2       one instruction set
#include "check.h"

#include <stdlib.h>
#include <string.h>

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

// Each thread takes every other chunk, the last one first.
static void two_threads(int64_t n, int64_t grain, RangeFn fn, void* context) {
  auto half = [=](int64_t odd) {
    for (int64_t i = (n + grain - 1) / grain - 1; i >= 0; --i)
      if (i % 2 == odd) fn(context, i * grain, std::min((i + 1) * grain, n));
  };
  std::thread other(half, 1);
  half(0);
  other.join();
}

const Run kSerial = {one_thread, scratch, 1};
static const Run kTwo = {two_threads, scratch, 2};

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
  if (n > 0 && memcmp(a, b, (size_t)n * 4) != 0) fail(table, what + ": other bits");
}

Floats check(const KernelTable& table, const std::string& what, const Doubles& exact, double bound,
             const Kernel& kernel) {
  const int64_t n = (int64_t)exact.size(), guard = 32;
  Floats y(n + guard, 77.f), two = y;
  kernel(&kSerial, y.data());
  kernel(&kTwo, two.data());
  same_bits(table, what + " on two threads", y.data(), two.data(), n + guard);
  for (int64_t i = 0; i < n + guard; ++i) {
    const double right = i < n ? exact[i] : 77;
    if (fabs(y[i] - right) <= bound || y[i] == right) continue;
    char text[120];
    snprintf(text, sizeof text, ": element %ld of %ld is %.9g, not %.9g +- %.2g", (long)i, (long)n, y[i], right, bound);
    return fail(table, what + text), y;
  }
  return y;
}

// 16 bits of Philox4x32-7, Salmon et al. 2011, sec. 3.3, in plain words.
uint32_t random_number(const RandomKey& key, int64_t row, int64_t cols, int64_t col) {
  const uint64_t counter = (uint64_t)((key.row + row) * ((cols + 127) / 128 * 16) + col / 128 * 16 + col % 16);
  uint32_t x[4] = {(uint32_t)counter, (uint32_t)(counter >> 32), key.step, key.stream};
  uint32_t k0 = key.seed_low, k1 = key.seed_high;
  for (int round = 0; round < 7; ++round, k0 += 0x9e3779b9u, k1 += 0xbb67ae85u) {
    const uint64_t p0 = 0xd2511f53ull * x[0], p1 = 0xcd9e8d57ull * x[2];
    x[0] = (uint32_t)(p1 >> 32) ^ x[1] ^ k0, x[1] = (uint32_t)p1;
    x[2] = (uint32_t)(p0 >> 32) ^ x[3] ^ k1, x[3] = (uint32_t)p0;
  }
  return x[col / 16 % 4] >> (col % 128 < 64 ? 0 : 16) & 0xffff;
}

// The kernel's numbers, found by bisection: an element stays where its number is not below rate * 2^16.
static void check_random(const KernelTable& table, const RandomKey& key, int64_t cols, int64_t lane,
                         const uint32_t (&known)[4]) {
  const Floats ones(cols, 1.f);
  Floats y(cols);
  for (int64_t i = 0; i < cols; ++i) {
    uint32_t number = 0;
    for (uint32_t bit = 1u << 15; bit > 0; bit >>= 1) {
      table.dropout(&kSerial, ones.data(), y.data(), 1, cols, (number | bit) / 65536.0, &key);
      if (y[i] != 0.f) number |= bit;
    }
    if (number != random_number(key, 0, cols, i)) return fail(table, "random numbers: the layout");
    const uint32_t half = known[i / 16 % 4] >> (i < 64 ? 0 : 16) & 0xffff;
    if (i % 16 == lane && number != half) return fail(table, "random numbers: a known answer");
  }
}

static void check_table(const KernelTable& table) {
  const int before = failures;
  // Counter and key all zeros and all ones: kat_vectors of Random123, "philox4x32 7".
  check_random(table, {0, 0, 0, 0, 0}, 128, 0, {0x5f6fb709, 0x0d893f64, 0x4f121f81, 0x4f730a48});
  const uint32_t ones = 0xffffffff;
  check_random(table, {ones, ones, ones, ones, -1}, 128, 15, {0x5207ddc2, 0x45165e59, 0x4d8ee751, 0x8c52f662});
  check_random(table, {123, 45, 6, 7, 89}, 259, -1, {});
  check_rows(table);
  check_others(table);
  check_attention(table);
  check_matmul(table);
  check_narrow(table);
  printf("%s: %s\n", table.isa, failures > before ? "WRONG" : "all kernels exact enough, same bits on 1 and 2 threads");
}

#if defined(BG_SOFTWARE)  // of the Makefile: instructions that the processor may lack are functions
static bool runs(bool) { return true; }
#else
static bool runs(bool has) { return has; }
#endif

// check [STRIDE [ISA]]: one instruction set, else all that this processor has.
int main(int count, char** arguments) {
  std::vector<const KernelTable*> tables = {&bg_kernels_base};
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) tables.push_back(&bg_kernels_avx2);
  if (runs(__builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")))
    tables.push_back(&bg_kernels_avx512);
#elif defined(__aarch64__)
  tables.push_back(&bg_kernels_neon);
#endif
  if (count > 2) {
    const auto other = [&](const KernelTable* table) { return strcmp(table->isa, arguments[2]) != 0; };
    tables.erase(std::remove_if(tables.begin(), tables.end(), other), tables.end());
  }
  if (tables.empty()) return printf("no such instruction set here\n"), 1;
  check_functions(tables, count > 1 ? (uint32_t)std::max(atoi(arguments[1]), 1) : 257);
  for (const KernelTable* table : tables) check_table(*table);
#if defined(__x86_64__)
  if (tables.back() != &bg_kernels_avx512) return failures > 0 ? 1 : 0;
  // What dispatch.cc puts into the table of a processor that has the instructions.
  KernelTable more = bg_kernels_avx512;
  if (runs(__builtin_cpu_supports("avx512bf16"))) more.bf16 = &bg_bf16_avx512;
  if (runs(__builtin_cpu_supports("avx512vnni"))) more.int8 = &bg_int8_avx512;
  if (more.bf16->by != nullptr || more.int8->by != nullptr) check_narrow(more);
#endif
  return failures > 0 ? 1 : 0;
}
