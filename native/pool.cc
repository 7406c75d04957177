#include "pool.h"

#include <pthread.h>

#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <system_error>
#include <thread>

#if defined(__linux__)
#include <sched.h>
#endif

namespace {

const int kMaxThreads = 256;
// About 100 us: longer than the pause between two queues of a model that is asked again and again, too short to hurt
// whoever shares the core.
const int kSpins = 7500;

inline void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("isb");
#endif
}

// ---- scratch

const int kSlots = 8;

struct Scratch {
  void* memory[kSlots] = {};
  int64_t bytes[kSlots] = {};
  ~Scratch() {
    for (void* p : memory) std::free(p);
  }
};

thread_local Scratch scratch_of_thread;

void* scratch(int slot, int64_t bytes) {
  Scratch& s = scratch_of_thread;
  if (s.bytes[slot] < bytes) {
    std::free(s.memory[slot]);
    const int64_t rounded = (bytes + bytes / 4 + 4095) / 4096 * 4096;
    s.bytes[slot] = 0;
    s.memory[slot] = std::aligned_alloc(64, static_cast<size_t>(rounded));
    if (s.memory[slot] == nullptr) {
      std::fprintf(stderr, "bertgrad: out of memory: %lld bytes of scratch\n", static_cast<long long>(rounded));
      std::abort();
    }
    // BG_POISON: whoever reads what nobody wrote shows it; all ones are a NaN, and no id.
    static const char* const poison = std::getenv("BG_POISON");
    if (poison != nullptr && *poison == '1') std::memset(s.memory[slot], 0xff, static_cast<size_t>(rounded));
    s.bytes[slot] = rounded;
  }
  return s.memory[slot];
}

// ---- threads

thread_local bool inside_job = false;

// A thread's part of a job, in chunks.
struct alignas(64) Part {
  std::atomic<int64_t> next{0};
  int64_t end = 0;
};

// One job at a time. `gate` counts the threads inside the job in its low 16 bits; kOpen lets more in, and the bits
// above number the jobs. Only the caller opens and closes, so a worker that sleeps through a whole job is never waited
// for.
struct Pool {
  static constexpr uint64_t kOpen = 1 << 16, kJob = 1 << 17, kInside = kOpen - 1;

  // One line: who sees the gate open has the job too.
  alignas(64) std::atomic<uint64_t> gate{0};
  RangeFn fn = nullptr;
  void* context = nullptr;
  int64_t n = 0, grain = 1;
  int team = 1;
  std::atomic<int> helpers{0};  // workers that take part

  Part parts[kMaxThreads];
  std::atomic<int> sleepers{0};
  std::mutex sleep_mutex;
  std::condition_variable wake;

  std::mutex caller;  // several threads of JavaScript may call; one gets the workers, the others work alone
  int workers = 0;    // started so far

  // Every thread begins with its own range of chunks, the same one each time, and so finds in its cache what it wrote
  // in the kernel before: a line that another core has read takes ten times as long to write. Then it helps the others.
  void take_chunks(int index) {
    inside_job = true;
    for (int i = 0; i < team; ++i) {
      Part& part = parts[(index + i) % team];
      while (part.next.load(std::memory_order_relaxed) < part.end) {
        const int64_t chunk = part.next.fetch_add(1, std::memory_order_relaxed), begin = chunk * grain;
        if (chunk < part.end) fn(context, begin, begin + grain < n ? begin + grain : n);
      }
    }
    inside_job = false;
  }

  bool enter(uint64_t seen, int index) {
    uint64_t now = gate.load();
    while ((now & kOpen) != 0 && now / kJob != seen && index < helpers.load(std::memory_order_relaxed))
      if (gate.compare_exchange_weak(now, now + 1)) return true;
    return false;
  }

  bool news(uint64_t seen) { return (gate.load() & kOpen) != 0 && gate.load() / kJob != seen; }

  void sleep(uint64_t seen) {
    std::unique_lock<std::mutex> lock(sleep_mutex);
    sleepers.fetch_add(1);
    if (!news(seen)) wake.wait(lock);
    sleepers.fetch_sub(1);
  }

  void work(int index) {
    uint64_t seen = 0;
    for (int spins = 0;; ++spins) {
      if (enter(seen, index)) {
        seen = gate.load() / kJob;  // it cannot change while this thread is inside
        take_chunks(index + 1);
        gate.fetch_sub(1);
        spins = 0;
      } else if (spins < kSpins) {
        pause();
      } else {
        if (news(seen)) seen = gate.load() / kJob;  // a job for fewer threads
        sleep(seen);
        spins = 0;
      }
    }
  }

  // As many workers as wanted, or as the system gives.
  void start(int count) {
    try {
      for (; workers < count; ++workers) std::thread([this, index = workers] { work(index); }).detach();
    } catch (const std::system_error&) {
      // The limit on processes is reached.
    }
    helpers.store(workers < count ? workers : count);
  }

  void run(int64_t length, int64_t chunk, RangeFn function, void* data) {
    n = length, grain = chunk, fn = function, context = data;
    const int64_t chunks = (n + grain - 1) / grain;
    team = chunks <= helpers.load() ? static_cast<int>(chunks) : helpers.load() + 1;
    for (int i = 0; i < team; ++i) {
      parts[i].next.store(i * chunks / team, std::memory_order_relaxed);
      parts[i].end = (i + 1) * chunks / team;
    }
    gate.store((gate.load() / kJob + 1) * kJob + kOpen);
    if (sleepers.load() > 0) {
      { std::lock_guard<std::mutex> lock(sleep_mutex); }
      wake.notify_all();
    }
    take_chunks(0);
    gate.fetch_and(~kOpen);
    for (int spins = 0; (gate.load() & kInside) != 0; ++spins) spins < kSpins ? pause() : std::this_thread::yield();
  }
};

Pool* pool = nullptr;  // never freed: its threads outlive every destructor
Run run_of_pool = {nullptr, scratch, 1};

void parallel_for(int64_t n, int64_t grain, RangeFn fn, void* context) {
  if (n <= 0) return;
  if (grain < 1) grain = 1;
  if (n > grain && !inside_job && run_of_pool.threads > 1) {
    std::unique_lock<std::mutex> lock(pool->caller, std::try_to_lock);
    if (lock.owns_lock()) return pool->run(n, grain, fn, context);
  }
  for (int64_t begin = 0; begin < n; begin += grain) fn(context, begin, begin + grain < n ? begin + grain : n);
}

// A forked child has no workers, and locks in any state: it begins anew.
void after_fork() {
  pool = new Pool;
  pool->start(run_of_pool.threads - 1);
}

}  // namespace

int bg_cores() {
  int count = static_cast<int>(std::thread::hardware_concurrency());
#if defined(__linux__)
  cpu_set_t usable;
  if (sched_getaffinity(0, sizeof usable, &usable) == 0) {
    count = 0;
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
      if (!CPU_ISSET(cpu, &usable)) continue;
      // The first thread of a core stands for the core, unless it is withheld.
      char path[96];
      std::snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", cpu);
      int first = cpu;
      if (std::FILE* file = std::fopen(path, "r")) {
        if (std::fscanf(file, "%d", &first) != 1) first = cpu;
        std::fclose(file);
      }
      if (first == cpu || first < 0 || first >= CPU_SETSIZE || !CPU_ISSET(first, &usable)) ++count;
    }
  }
  double quota = 0, period = 0;
  if (std::FILE* file = std::fopen("/sys/fs/cgroup/cpu.max", "r")) {
    if (std::fscanf(file, "%lf %lf", &quota, &period) == 2 && period > 0 && quota / period < count)
      count = static_cast<int>(quota / period + 0.5);
    std::fclose(file);
  }
#endif
  return count < 1 ? 1 : (count > kMaxThreads ? kMaxThreads : count);
}

bool bg_set_threads(int threads) {
  if (threads < 1 || threads > kMaxThreads) return false;
  bg_run();
  pool->start(threads - 1);
  run_of_pool.threads = threads;
  return true;
}

const Run* bg_run() {
  static const bool ready = [] {
    run_of_pool.parallel_for = parallel_for;
    pool = new Pool;
    const char* wanted = std::getenv("BG_THREADS");
    const int given = wanted == nullptr ? 0 : std::atoi(wanted);
    run_of_pool.threads = given >= 1 && given <= kMaxThreads ? given : bg_cores();
    pool->start(run_of_pool.threads - 1);
    pthread_atfork(nullptr, nullptr, after_fork);
    return true;
  }();
  (void)ready;
  return &run_of_pool;
}
