// One stretch of addresses, reserved at once and given memory as it is used: tensors never move, so an offset into it
// names one for life.
#pragma once
#include <stdint.h>

#if __has_include(<sys/mman.h>)
#include <sys/mman.h>
#define BG_HAS_MMAP 1
#else
#include <new>
#endif

class Arena {
 public:
  // As much of `bytes` as the system lets a process have (limits on address space exist), at least 64 MiB; else 0.
  explicit Arena(int64_t bytes) {
    for (size_ = round_up(bytes); size_ >= kStep; size_ = round_up(size_ / 2)) {
      base_ = reserve(size_);
      if (base_ != nullptr) return;
      if (size_ == kStep) break;
    }
    size_ = 0;
  }
  ~Arena() {
    if (base_ != nullptr) release();
  }
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  char* base() const { return base_; }
  int64_t size() const { return size_; }
  int64_t committed() const { return committed_; }

  // Makes at least the first `bytes` usable, and some more so that growth takes few calls. False: the system refuses.
  bool commit(int64_t bytes) {
    if (bytes <= committed_) return true;
    if (bytes > size_) return false;
    int64_t target = round_up(bytes + committed_ / 8);
    if (target > size_) target = size_;
    if (!back(target)) {
      target = round_up(bytes) < size_ ? round_up(bytes) : size_;
      if (!back(target)) return false;
    }
    committed_ = target;
    return true;
  }

  // Gives the whole pages of [from, to) back to the system. They stay usable, with any content.
  void discard(int64_t from, int64_t to) {
    from = (from + kPage - 1) / kPage * kPage;
    to = (to < committed_ ? to : committed_) / kPage * kPage;
    if (from >= 0 && from < to) drop(from, to);
  }

 private:
  static const int64_t kPage = 16384;  // a multiple of every page size there is on the processors served
  static const int64_t kStep = (int64_t)64 << 20;
  static int64_t round_up(int64_t bytes) { return (bytes + kStep - 1) / kStep * kStep; }

#ifdef BG_HAS_MMAP
  // Without access rights the range counts towards no limit on memory, only towards one on addresses.
  static char* reserve(int64_t bytes) {
#ifdef MAP_NORESERVE
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
#else
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS;
#endif
    void* p = mmap(nullptr, (size_t)bytes, PROT_NONE, flags, -1, 0);
    return p == MAP_FAILED ? nullptr : (char*)p;
  }
  bool back(int64_t target) {
    const size_t more = (size_t)(target - committed_);
    if (mprotect(base_ + committed_, more, PROT_READ | PROT_WRITE) != 0) return false;
#ifdef MADV_HUGEPAGE
    madvise(base_ + committed_, more, MADV_HUGEPAGE);  // advice: a refusal changes nothing but speed
#endif
    return true;
  }
  void drop(int64_t from, int64_t to) { madvise(base_ + from, (size_t)(to - from), MADV_DONTNEED); }
  void release() { munmap(base_, (size_t)size_); }
#else
  // No reservation without memory: take at most 2 GiB.
  static char* reserve(int64_t bytes) {
    if (bytes > (int64_t)2 << 30) return nullptr;
    return (char*)operator new((size_t)bytes, std::align_val_t(64), std::nothrow);
  }
  bool back(int64_t) { return true; }
  void drop(int64_t, int64_t) {}
  void release() { operator delete(base_, std::align_val_t(64)); }
#endif

  char* base_ = nullptr;
  int64_t size_ = 0, committed_ = 0;
};
