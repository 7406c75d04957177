#include "dispatch.h"

#include <chrono>
#include <cstring>

#include "pool.h"

namespace {

struct Isa {
  const char* name;
  const KernelTable* table;  // null: not made for this architecture
  bool (*runs)();            // asks the operating system too: it must save the wide registers
};

#if defined(__x86_64__)
bool has_avx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
bool has_avx512() {
  return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}

// AVX-512 with what this processor multiplies numbers of fewer bits by.
const KernelTable* avx512() {
  static const KernelTable table = [] {
    KernelTable t = bg_kernels_avx512;
    if (__builtin_cpu_supports("avx512bf16")) t.bf16 = &bg_bf16_avx512;
    if (__builtin_cpu_supports("avx512vnni")) t.int8 = &bg_int8_avx512;
    return t;
  }();
  return &table;
}
#endif
bool always() { return true; }

// Best first.
const Isa kIsas[] = {
#if defined(__x86_64__)
    {"avx512", avx512(), has_avx512},
    {"avx2", &bg_kernels_avx2, has_avx2},
    {"neon", nullptr, always},
#elif defined(__aarch64__)
    {"neon", &bg_kernels_neon, always},
    {"avx512", nullptr, always},
    {"avx2", nullptr, always},
#endif
    {"base", &bg_kernels_base, always},
};
const int kIsaCount = sizeof kIsas / sizeof kIsas[0];

const KernelTable* chosen = nullptr;

}  // namespace

const KernelTable* const* bg_isas() {
  static const KernelTable* list[kIsaCount + 1];
  const KernelTable** next = list;
  for (const Isa& isa : kIsas)
    if (isa.table != nullptr && isa.runs()) *next++ = isa.table;
  *next = nullptr;
  return list;
}

const KernelTable* bg_select(const char* wanted, const char** error) {
  for (const KernelTable* const* table = bg_isas(); *table != nullptr; ++table)
    if (wanted == nullptr || std::strcmp((*table)->isa, wanted) == 0) return chosen = *table;
  *error = "no such instruction set; known are base, avx2, avx512 and neon";
  for (const Isa& isa : kIsas)
    if (wanted != nullptr && std::strcmp(isa.name, wanted) == 0)
      *error = "this processor does not have that instruction set";
  return nullptr;
}

double bg_peak(int threads, int bits) {
  const char* error;
  if (chosen == nullptr) bg_select(nullptr, &error);
  const int before = bg_run()->threads;
  if (!bg_set_threads(threads)) return 0;
  struct Round {
    double (*loop)(int64_t rounds);
    double operations[256];
  } round = {bits == 8 ? chosen->int8->loop : bits == 16 ? chosen->bf16->loop : chosen->fma_loop, {}};
  auto body = [](void* context, int64_t begin, int64_t) {
    Round* r = static_cast<Round*>(context);
    r->operations[begin] = r->loop(1 << 20);
  };
  // The best of several: the clock rises with load, and a thread may be late to the first.
  double best = 0;
  for (int i = 0; i < 20; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    bg_run()->parallel_for(threads, 1, body, &round);
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
    double operations = 0;
    for (int t = 0; t < threads; ++t) operations += round.operations[t];
    if (operations / seconds.count() > best) best = operations / seconds.count();
  }
  bg_set_threads(before);
  return best / 1e9;
}

double bg_bandwidth(float* p, int64_t bytes) {
  struct Pass {
    const KernelTable* table;
    float* p;
    int64_t floats, rounds;  // of a part
    int way;
    double moved[256];
  } pass = {chosen, p, 0, 1, kMoveWrite, {}};
  const Run* run = bg_run();
  pass.floats = bytes / 4 / run->threads / 16 * 16;
  auto body = [](void* context, int64_t part, int64_t) {
    Pass* a = static_cast<Pass*>(context);
    a->moved[part] = a->table->move_loop(a->way, a->p + part * a->floats, a->floats, a->rounds);
  };
  run->parallel_for(run->threads, 1, body, &pass);  // each part is written first by whom it belongs to
  // A hand-off weighs nothing beside 64 MiB. The best of several: a thread may be late, and neighbours use a cache too.
  pass.rounds = bytes < (1 << 26) ? (1 << 26) / bytes : 1;
  const std::chrono::duration<double> turn(0.015);
  double best = 0;
  for (pass.way = 0; pass.way < kMoveCount; ++pass.way) {
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < 5 || std::chrono::steady_clock::now() - start < turn; ++i) {
      const auto begin = std::chrono::steady_clock::now();
      run->parallel_for(run->threads, 1, body, &pass);
      const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
      double moved = 0;
      for (int t = 0; t < run->threads; ++t) moved += pass.moved[t];
      if (moved / seconds.count() > best) best = moved / seconds.count();
    }
  }
  return best / 1e9;
}
