// Times products of OpenBLAS, BLIS or oneDNN, opened at run time: none of their headers is needed.
//   products openblas|blis|onednn THREADS
// Says what it found in a line of JSON, then answers orders, one a line, with the median rate:
//   {"layout":"nn","m":512,"k":768,"n":768,"seconds":0.1}  ->  {"gflops":205.1}
// nn = A[m,k] B[k,n], nt = A[m,k] B[n,k]^T, tn = A[m,k]^T B[m,n].
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <algorithm>
#include <chrono>
#include <functional>
#include <string>
#include <vector>

namespace {

typedef std::chrono::steady_clock Clock;
double since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

struct Order {
  char layout[4];
  long m, k, n;
  double seconds;
};

[[noreturn]] void fail(const std::string& why) {
  fprintf(stderr, "%s\n", why.c_str());
  exit(1);
}

// The first of these that opens. An OpenBLAS that starts threads of its own is slower than the one on OpenMP.
void* open_any(const std::vector<std::string>& names, std::string* found) {
  for (const std::string& name : names)
    if (void* library = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL)) return *found = name, library;
  fail(names.back() + " cannot be opened");
}
std::vector<std::string> places(const std::string& name, const std::string& folder) {
  return {"/usr/lib/x86_64-linux-gnu/" + folder + "/" + name, "/usr/lib/aarch64-linux-gnu/" + folder + "/" + name,
          name};
}
template <class F>
F symbol(void* library, const char* name) {
  void* found = dlsym(library, name);
  if (found == nullptr) fail(std::string(name) + " is not in the library");
  return (F)found;
}

float* numbers(long count) {
  float* x = (float*)aligned_alloc(4096, (size_t)(count * 4 + 4095) / 4096 * 4096);
  if (x == nullptr) fail("out of memory");
  uint32_t state = 12345;
  for (long i = 0; i < count; ++i) x[i] = (float)(state = state * 1664525u + 1013904223u) / 4294967296.f - 0.5f;
  return x;
}

// A product ready to run: what runs it, and what it holds.
struct Job {
  std::function<void()> run;
  std::vector<float*> memory;
  ~Job() {
    for (float* x : memory) free(x);
  }
};

typedef void (*Sgemm)(int, int, int, int, int, int, float, const float*, int, const float*, int, float, float*, int);

// Row-major is 101, no transpose 111, transpose 112 (cblas.h).
void prepare_blas(Sgemm sgemm, const Order& o, Job* job) {
  const bool tn = o.layout[0] == 't', nt = o.layout[1] == 't';
  const int m = (int)(tn ? o.k : o.m), k = (int)(tn ? o.m : o.k), n = (int)o.n;
  float *a = numbers(o.m * o.k), *b = numbers((long)k * n), *c = numbers((long)m * n);
  job->memory = {a, b, c};
  job->run = [=] { sgemm(101, tn ? 112 : 111, nt ? 112 : 111, m, n, k, 1, a, tn ? m : k, b, nt ? k : n, 0, c, n); };
}

// oneDNN 3 by its C interface (oneapi/dnnl/dnnl.h): handles, and numbers of its enumerations.
typedef void* Handle;
struct Argument {
  int which;
  Handle memory;
};
struct OneDnn {
  int (*engine_create)(Handle*, int, size_t);
  int (*stream_create)(Handle*, Handle, unsigned);
  int (*desc)(Handle*, int, const int64_t*, int, const int64_t*);
  int (*matmul_desc)(Handle*, Handle, Handle, Handle, Handle, Handle, Handle);
  int (*primitive_create)(Handle*, Handle);
  int (*memory_create)(Handle*, Handle, Handle, void*);
  int (*execute)(Handle, Handle, int, const Argument*);
  int (*wait)(Handle);
  Handle engine, stream;
};
void must(int status) {
  if (status != 0) fail("oneDNN refuses: status " + std::to_string(status));
}

OneDnn open_onednn(std::string* found) {
  void* library = open_any({"libdnnl.so.3", "libdnnl.so"}, found);
  OneDnn d;
  d.engine_create = symbol<decltype(d.engine_create)>(library, "dnnl_engine_create");
  d.stream_create = symbol<decltype(d.stream_create)>(library, "dnnl_stream_create");
  d.desc = symbol<decltype(d.desc)>(library, "dnnl_memory_desc_create_with_strides");
  d.matmul_desc = symbol<decltype(d.matmul_desc)>(library, "dnnl_matmul_primitive_desc_create");
  d.primitive_create = symbol<decltype(d.primitive_create)>(library, "dnnl_primitive_create");
  d.memory_create = symbol<decltype(d.memory_create)>(library, "dnnl_memory_create");
  d.execute = symbol<decltype(d.execute)>(library, "dnnl_primitive_execute");
  d.wait = symbol<decltype(d.wait)>(library, "dnnl_stream_wait");
  must(d.engine_create(&d.engine, 1, 0));         // a CPU
  must(d.stream_create(&d.stream, d.engine, 1));  // in order
  return d;
}

void prepare_onednn(const OneDnn& d, const Order& o, Job* job) {
  const bool tn = o.layout[0] == 't', nt = o.layout[1] == 't';
  const int64_t m = tn ? o.k : o.m, k = tn ? o.m : o.k, n = o.n;
  const int64_t dims_a[12] = {m, k}, dims_b[12] = {k, n}, dims_c[12] = {m, n};
  const int64_t steps_a[12] = {tn ? 1 : k, tn ? m : 1}, steps_b[12] = {nt ? 1 : n, nt ? k : 1}, steps_c[12] = {n, 1};
  job->memory = {numbers(m * k), numbers(k * n), numbers(m * n)};
  Handle desc[3], memory[3], primitive_desc, primitive;
  const int f32 = 3;
  must(d.desc(&desc[0], 2, dims_a, f32, steps_a));
  must(d.desc(&desc[1], 2, dims_b, f32, steps_b));
  must(d.desc(&desc[2], 2, dims_c, f32, steps_c));
  must(d.matmul_desc(&primitive_desc, d.engine, desc[0], desc[1], nullptr, desc[2], nullptr));
  must(d.primitive_create(&primitive, primitive_desc));
  for (int i = 0; i < 3; ++i) must(d.memory_create(&memory[i], desc[i], d.engine, job->memory[(size_t)i]));
  const std::vector<Argument> arguments = {
      {1, memory[0]}, {33, memory[1]}, {17, memory[2]}};  // source, weights, result
  job->run = [=] {
    must(d.execute(primitive, d.stream, 3, arguments.data()));
    must(d.wait(d.stream));
  };
}

double rate_of(const Order& o, const Job& job) {
  const double flops = 2.0 * (double)o.m * (double)o.k * (double)o.n;
  job.run();
  const int times = std::max(1, (int)(5e8 / flops));
  std::vector<double> rates;
  const auto start = Clock::now();
  while (rates.size() < 3 || since(start) < o.seconds) {
    const auto begin = Clock::now();
    for (int i = 0; i < times; ++i) job.run();
    rates.push_back(flops * times / since(begin) / 1e9);
  }
  std::sort(rates.begin(), rates.end());
  return rates[rates.size() / 2];
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 3) fail("products openblas|blis|onednn THREADS");
  const std::string name = arguments[1], threads = arguments[2];
  setenv("OMP_NUM_THREADS", threads.c_str(), 1);
  std::string found;
  OneDnn dnn = {};
  Sgemm sgemm = nullptr;
  if (name == "onednn") {
    dnn = open_onednn(&found);
  } else if (name == "blis") {
    void* library = open_any(places("libblis.so.4", "blis-openmp"), &found);
    sgemm = symbol<Sgemm>(library, "cblas_sgemm");
    symbol<void (*)(long)>(library, "bli_thread_set_num_threads")(atol(threads.c_str()));
  } else if (name == "openblas") {
    void* library = open_any(places("libopenblas.so.0", "openblas-openmp"), &found);
    sgemm = symbol<Sgemm>(library, "cblas_sgemm");
    symbol<void (*)(int)>(library, "openblas_set_num_threads")(atoi(threads.c_str()));
  } else {
    fail("no library " + name);
  }
  printf("{\"library\":\"%s\"}\n", found.c_str());
  fflush(stdout);
  char line[256];
  while (fgets(line, sizeof line, stdin)) {
    Order o;
    if (sscanf(line, "{\"layout\":\"%2[nt]\",\"m\":%ld,\"k\":%ld,\"n\":%ld,\"seconds\":%lf}", o.layout, &o.m, &o.k,
               &o.n, &o.seconds) != 5)
      fail("not an order");
    Job job;
    if (name == "onednn") prepare_onednn(dnn, o, &job);
    else prepare_blas(sgemm, o, &job);
    printf("{\"gflops\":%.2f}\n", rate_of(o, job));
    fflush(stdout);
  }
}
