// The door between Node and the kernels: checks arguments, unwraps them, calls. No arithmetic and no policy.
#include <napi.h>

#include <cstring>
#include <memory>
#include <mutex>
#include <shared_mutex>

#include "commands.h"
#include "dispatch.h"
#include "pool.h"

namespace {

Napi::Error fail(const Napi::CallbackInfo& info, const char* message) { return Napi::Error::New(info.Env(), message); }

double number(const Napi::CallbackInfo& info, size_t i) {
  if (!info[i].IsNumber()) throw Napi::TypeError::New(info.Env(), "a number is wanted");
  return info[i].As<Napi::Number>().DoubleValue();
}

// Pool and tables belong to the process, which may run several workers of Node: they compute side by side, but while
// one changes the number of threads no other may compute.
std::shared_mutex pool_in_use;

std::shared_lock<std::shared_mutex> use_pool(int threads) {
  for (;;) {
    std::shared_lock<std::shared_mutex> use(pool_in_use);
    if (bg_run()->threads == threads) return use;
    use.unlock();
    const std::unique_lock<std::shared_mutex> change(pool_in_use);
    bg_set_threads(threads);
  }
}

// A backend's memory, its kernels and its number of threads.
class Engine : public Napi::ObjectWrap<Engine> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "Engine",
                       {
                           InstanceMethod<&Engine::commit>("commit"),
                           InstanceMethod<&Engine::discard>("discard"),
                           InstanceMethod<&Engine::exec>("exec"),
                           InstanceMethod<&Engine::copy_in>("copyIn"),
                           InstanceMethod<&Engine::copy_out>("copyOut"),
                           InstanceMethod<&Engine::fma_peak>("fmaPeak"),
                           InstanceMethod<&Engine::bandwidth>("bandwidth"),
                           InstanceAccessor<&Engine::isa>("isa"),
                           InstanceAccessor<&Engine::bf16>("bf16"),
                           InstanceAccessor<&Engine::int8>("int8"),
                           InstanceAccessor<&Engine::size>("size"),
                       });
  }

  // new Engine(bytes to reserve, instruction set or "", threads)
  explicit Engine(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Engine>(info) {
    const double bytes = number(info, 0);
    const std::string isa = info[1].ToString().Utf8Value();
    threads_ = (int)number(info, 2);
    if (threads_ < 1 || threads_ > 256) throw fail(info, "the number of threads is out of range");
    const std::unique_lock<std::shared_mutex> alone(pool_in_use);
    const char* error = nullptr;
    table_ = bg_select(isa.empty() ? nullptr : isa.c_str(), &error);
    if (table_ == nullptr) throw fail(info, error);
    if (!(bytes > 0 && bytes < 1e15)) throw fail(info, "the size of the arena is out of range");
    arena_ = std::make_unique<Arena>((int64_t)bytes);
    if (arena_->size() == 0) throw fail(info, "the system gives no address space");
  }

  // The collector cannot see the arena: told of it, it hurries to drop backends that nobody holds any more.
  void Finalize(Napi::BasicEnv env) override {
    Napi::MemoryManagement::AdjustExternalMemory(env, -arena_->committed());
  }

 private:
  // commit(bytes): makes the first `bytes` usable; false where the system has no more.
  Napi::Value commit(const Napi::CallbackInfo& info) {
    const int64_t before = arena_->committed();
    const bool done = arena_->commit((int64_t)number(info, 0));
    Napi::MemoryManagement::AdjustExternalMemory(info.Env(), arena_->committed() - before);
    return Napi::Boolean::New(info.Env(), done);
  }

  // discard(from, to): the system may have these bytes until they are used again; what they hold is lost.
  Napi::Value discard(const Napi::CallbackInfo& info) {
    arena_->discard((int64_t)number(info, 0), (int64_t)number(info, 1));
    return info.Env().Undefined();
  }

  // exec(words, count, marks or undefined): runs the commands in the first `count` numbers of a Float64Array, and
  // leaves in another how long each took.
  Napi::Value exec(const Napi::CallbackInfo& info) {
    auto words = doubles(info, 0);
    Marks marks = {nullptr, nullptr};
    if (!info[2].IsUndefined()) {
      auto array = doubles(info, 2);
      marks = {array.Data(), array.Data() + array.ElementLength()};
    }
    const double count = number(info, 1);
    if (!(count >= 0 && count <= (double)words.ElementLength())) throw fail(info, "exec: more commands than numbers");
    const auto use = use_pool(threads_);
    run_queue(table_, bg_run(), *arena_, words.Data(), (int64_t)count, marks);
    return info.Env().Undefined();
  }

  // copyIn(offset, data), copyOut(offset, data): between a typed array and the arena at a byte offset.
  Napi::Value copy_in(const Napi::CallbackInfo& info) {
    const Span data = span(info);
    memcpy(at(info, data.bytes), data.start, data.bytes);
    return info.Env().Undefined();
  }
  Napi::Value copy_out(const Napi::CallbackInfo& info) {
    const Span data = span(info);
    memcpy(data.start, at(info, data.bytes), data.bytes);
    return info.Env().Undefined();
  }

  // fmaPeak(threads, bits): measured GFLOP/s of this instruction set on numbers of 32, 16 or 8 bits.
  Napi::Value fma_peak(const Napi::CallbackInfo& info) {
    const std::unique_lock<std::shared_mutex> alone(pool_in_use);
    const char* error = nullptr;
    bg_select(table_->isa, &error);
    return Napi::Number::New(info.Env(), bg_peak((int)number(info, 0), (int)number(info, 1)));
  }

  // bandwidth(offset, bytes): measured GB/s of moving memory within so many bytes of the arena, which are overwritten.
  Napi::Value bandwidth(const Napi::CallbackInfo& info) {
    const double bytes = number(info, 1);
    if (!(bytes >= 1024)) throw fail(info, "bandwidth: too few bytes");
    float* const p = (float*)at(info, (size_t)bytes);
    const std::unique_lock<std::shared_mutex> alone(pool_in_use);
    bg_set_threads(threads_);
    const char* error = nullptr;
    bg_select(table_->isa, &error);
    return Napi::Number::New(info.Env(), bg_bandwidth(p, (int64_t)bytes));
  }

  Napi::Value isa(const Napi::CallbackInfo& info) { return Napi::String::New(info.Env(), table_->isa); }
  // The instruction that multiplies numbers of so many bits, or null.
  Napi::Value bf16(const Napi::CallbackInfo& info) { return name_or_null(info, table_->bf16->by); }
  Napi::Value int8(const Napi::CallbackInfo& info) { return name_or_null(info, table_->int8->by); }
  static Napi::Value name_or_null(const Napi::CallbackInfo& info, const char* name) {
    return name == nullptr ? info.Env().Null() : Napi::String::New(info.Env(), name);
  }
  Napi::Value size(const Napi::CallbackInfo& info) { return Napi::Number::New(info.Env(), (double)arena_->size()); }

  static Napi::Float64Array doubles(const Napi::CallbackInfo& info, size_t i) {
    if (!info[i].IsTypedArray() || info[i].As<Napi::TypedArray>().TypedArrayType() != napi_float64_array)
      throw fail(info, "exec: a Float64Array is wanted");
    return info[i].As<Napi::Float64Array>();
  }

  struct Span {
    char* start;
    size_t bytes;
  };
  static Span span(const Napi::CallbackInfo& info) {
    if (!info[1].IsTypedArray()) throw fail(info, "a typed array is wanted");
    const auto array = info[1].As<Napi::TypedArray>();
    return {(char*)array.ArrayBuffer().Data() + array.ByteOffset(), array.ByteLength()};
  }
  char* at(const Napi::CallbackInfo& info, size_t bytes) const {
    const double offset = number(info, 0);
    if (!(offset >= 0 && offset + (double)bytes <= (double)arena_->committed()))
      throw fail(info, "memory outside the arena");
    return arena_->base() + (int64_t)offset;
  }

  const KernelTable* table_ = nullptr;
  int threads_ = 1;
  std::unique_ptr<Arena> arena_;
};

Napi::Object init(Napi::Env env, Napi::Object exports) {
  Napi::Array commands = Napi::Array::New(env, kCommandCount);
  for (int i = 0; i < kCommandCount; ++i) commands[(uint32_t)i] = Napi::String::New(env, kCommands[i].name);
  exports["commands"] = commands;
  exports["unaryFunctions"] = Napi::Number::New(env, kUnaryCount);
  exports["binaryFunctions"] = Napi::Number::New(env, kBinaryCount);
  Napi::Array isas = Napi::Array::New(env);
  for (const KernelTable* const* table = bg_isas(); *table != nullptr; ++table)
    isas[isas.Length()] = Napi::String::New(env, (*table)->isa);
  exports["isas"] = isas;
  exports["cores"] = Napi::Number::New(env, bg_cores());
  exports["Engine"] = Engine::define(env);
  return exports;
}

}  // namespace

NODE_API_MODULE(bertgrad, init)
