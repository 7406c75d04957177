// Times products of OpenBLAS, BLIS or oneDNN, opened at run time: none of their headers is needed.
//   products openblas|blis|onednn THREADS
// Says what it found in a line of JSON, then answers orders, one a line, with the median rate:
//   {"layout":"nn","m":512,"k":768,"n":768,"seconds":0.1}  ->  {"gflops":205.1}
// nn = A[m,k] B[k,n], nt = A[m,k] B[n,k]^T, tn = A[m,k]^T B[m,n]. Or keeps products whose operands are files of floats,
// and calls them; C begins as the row in the third file, repeated, or as zero where it is named "-":
//   {"keep":{"layout":"nt","m":512,"k":768,"n":768},"a":"FILE","b":"FILE","c":"-"}  ->  {"id":0}
//   {"run":0,"times":3}  ->  {"seconds":0.01}      {"write":0,"file":"FILE"}  ->  {}      {"drop":0}  ->  {}
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <algorithm>
#include <chrono>
#include <functional>
#include <map>
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
  fail(names.back() + " cannot be opened: install it, or name in BG_PEERS_ROOT the root of a system that has it");
}
// Where Debian keeps the variants of a library; the plain name for all other systems.
std::vector<std::string> places(const std::string& name, const std::vector<std::string>& folders) {
  const char* root = getenv("BG_PEERS_ROOT");
  std::vector<std::string> found;
  for (const std::string& folder : folders)
    for (const char* arch : {"x86_64", "aarch64"})
      found.push_back(std::string(root == nullptr ? "" : root) + "/usr/lib/" + arch + "-linux-gnu/" + folder + "/" +
                      name);
  found.push_back(name);
  return found;
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

// Floats of a file; numbers of our own where there is none.
float* numbers_of(const std::string& file, long count) {
  if (file.empty()) return numbers(count);
  float* x = (float*)aligned_alloc(4096, (size_t)(count * 4 + 4095) / 4096 * 4096);
  FILE* f = fopen(file.c_str(), "rb");
  if (x == nullptr || f == nullptr || fread(x, 4, (size_t)count, f) != (size_t)count) fail(file + " cannot be read");
  fclose(f);
  return x;
}

// Files of the operands; empty: numbers of our own, and no row that C begins as.
struct Files {
  std::string a, b, row;
};

// A product ready to run: what runs it, and what it holds: a, b, c, and the row.
struct Job {
  std::function<void()> run;
  std::vector<float*> memory;
  long results = 0;
  Job() = default;
  Job(const Job&) = delete;
  ~Job() {
    for (float* x : memory) free(x);
  }
};

typedef void (*Sgemm)(int, int, int, int, int, int, float, const float*, int, const float*, int, float, float*, int);

// Row-major is 101, no transpose 111, transpose 112 (cblas.h).
void prepare_blas(Sgemm sgemm, const Order& o, const Files& files, Job* job) {
  const bool tn = o.layout[0] == 't', nt = o.layout[1] == 't', added = !files.row.empty();
  const int m = (int)(tn ? o.k : o.m), k = (int)(tn ? o.m : o.k), n = (int)o.n;
  float *a = numbers_of(files.a, o.m * o.k), *b = numbers_of(files.b, (long)k * n), *c = numbers((long)m * n);
  float* row = numbers_of(files.row, n);
  job->memory = {a, b, c, row};
  job->results = (long)m * n;
  job->run = [=] {
    for (long i = 0; added && i < m; ++i) memcpy(c + i * n, row, (size_t)n * 4);
    sgemm(101, tn ? 112 : 111, nt ? 112 : 111, m, n, k, 1, a, tn ? m : k, b, nt ? k : n, added ? 1.f : 0.f, c, n);
  };
}

// oneDNN 3 by its C interface (oneapi/dnnl/dnnl.h): handles, and numbers of its enumerations.
typedef void* Handle;
struct Argument {
  int which;
  Handle memory;
};
struct Version {
  int major, minor, patch;
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

OneDnn open_onednn(std::string* found, std::string* version) {
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
  const Version& v = *symbol<const Version* (*)()>(library, "dnnl_version")();
  *version = "oneDNN " + std::to_string(v.major) + "." + std::to_string(v.minor) + "." + std::to_string(v.patch);
  must(d.engine_create(&d.engine, 1, 0));         // a CPU
  must(d.stream_create(&d.stream, d.engine, 1));  // in order
  return d;
}

void prepare_onednn(const OneDnn& d, const Order& o, const Files& files, Job* job) {
  const bool tn = o.layout[0] == 't', nt = o.layout[1] == 't';
  const int64_t m = tn ? o.k : o.m, k = tn ? o.m : o.k, n = o.n;
  const int64_t dims[4][12] = {{m, k}, {k, n}, {m, n}, {1, n}};
  const int64_t steps[4][12] = {{tn ? 1 : k, tn ? m : 1}, {nt ? 1 : n, nt ? k : 1}, {n, 1}, {n, 1}};
  job->memory = {numbers_of(files.a, m * k), numbers_of(files.b, k * n), numbers(m * n), numbers_of(files.row, n)};
  job->results = m * n;
  Handle desc[4], memory[4], primitive_desc, primitive;
  const int f32 = 3;
  for (int i = 0; i < 4; ++i) must(d.desc(&desc[i], 2, dims[i], f32, steps[i]));
  Handle bias = files.row.empty() ? nullptr : desc[3];
  must(d.matmul_desc(&primitive_desc, d.engine, desc[0], desc[1], bias, desc[2], nullptr));
  must(d.primitive_create(&primitive, primitive_desc));
  for (int i = 0; i < 4; ++i) must(d.memory_create(&memory[i], desc[i], d.engine, job->memory[(size_t)i]));
  const std::vector<Argument> arguments = {
      {1, memory[0]}, {33, memory[1]}, {17, memory[2]}, {41, memory[3]}};  // source, weights, result, bias
  const int used = bias == nullptr ? 3 : 4;
  job->run = [=] {
    must(d.execute(primitive, d.stream, used, arguments.data()));
    must(d.wait(d.stream));
  };
}

double rate_of(const Order& o, const Job& job) {
  const double flops = 2.0 * (double)o.m * (double)o.k * (double)o.n;
  job.run();
  const int times = std::max(1, (int)(6e9 / flops));  // as matmul.mjs: a stall weighs alike in samples of one length
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

typedef std::function<void(const Order&, const Files&, Job*)> Prepare;

// A product that is kept, called, written down or dropped; false: another order.
bool answer_kept(const char* line, const Prepare& prepare, std::map<int, Job>* kept) {
  static int next = 0;
  Order o;
  char a[512], b[512], row[512];
  int id, times;
  if (sscanf(line,
             "{\"keep\":{\"layout\":\"%2[nt]\",\"m\":%ld,\"k\":%ld,\"n\":%ld},\"a\":\"%511[^\"]\",\"b\":\"%511[^\"]\","
             "\"c\":\"%511[^\"]\"}",
             o.layout, &o.m, &o.k, &o.n, a, b, row) == 7) {
    prepare(o, {a, b, row[0] == '-' ? "" : row}, &(*kept)[next]);
    printf("{\"id\":%d}\n", next++);
  } else if (sscanf(line, "{\"run\":%d,\"times\":%d}", &id, &times) == 2) {
    const Job& job = kept->at(id);
    const auto begin = Clock::now();
    for (int i = 0; i < times; ++i) job.run();
    printf("{\"seconds\":%.9f}\n", since(begin));
  } else if (sscanf(line, "{\"write\":%d,\"file\":\"%511[^\"]\"}", &id, a) == 2) {
    const Job& job = kept->at(id);
    FILE* f = fopen(a, "wb");
    if (f == nullptr || fwrite(job.memory[2], 4, (size_t)job.results, f) != (size_t)job.results)
      fail(std::string(a) + " cannot be written");
    fclose(f);
    printf("{}\n");
  } else if (sscanf(line, "{\"drop\":%d}", &id) == 1) {
    kept->erase(id);
    printf("{}\n");
  } else {
    return false;
  }
  return true;
}

void answer_rate(const char* line, const Prepare& prepare) {
  Order o;
  if (sscanf(line, "{\"layout\":\"%2[nt]\",\"m\":%ld,\"k\":%ld,\"n\":%ld,\"seconds\":%lf}", o.layout, &o.m, &o.k, &o.n,
             &o.seconds) != 5)
    fail("not an order");
  Job job;
  prepare(o, {}, &job);
  printf("{\"gflops\":%.2f}\n", rate_of(o, job));
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 3) fail("products openblas|blis|onednn THREADS");
  const std::string name = arguments[1], threads = arguments[2];
  setenv("OMP_NUM_THREADS", threads.c_str(), 1);
  std::string found, version;
  OneDnn dnn = {};
  Sgemm sgemm = nullptr;
  if (name == "onednn") {
    dnn = open_onednn(&found, &version);
  } else if (name == "blis") {
    void* library = open_any(places("libblis.so.4", {"blis-openmp", "blis-pthread"}), &found);
    sgemm = symbol<Sgemm>(library, "cblas_sgemm");
    version = std::string("BLIS ") + symbol<const char* (*)()>(library, "bli_info_get_version_str")();
    symbol<void (*)(long)>(library, "bli_thread_set_num_threads")(atol(threads.c_str()));
  } else if (name == "openblas") {
    void* library = open_any(places("libopenblas.so.0", {"openblas-openmp"}), &found);
    sgemm = symbol<Sgemm>(library, "cblas_sgemm");
    version = symbol<const char* (*)()>(library, "openblas_get_config")();
    version = version.substr(0, version.find(' ', version.find(' ') + 1));  // the name and the number
    symbol<void (*)(int)>(library, "openblas_set_num_threads")(atoi(threads.c_str()));
  } else {
    fail("no library " + name);
  }
  printf("{\"library\":\"%s\",\"version\":\"%s\"}\n", found.c_str(), version.c_str());
  fflush(stdout);
  const Prepare prepare = [&](const Order& o, const Files& files, Job* job) {
    if (name == "onednn") prepare_onednn(dnn, o, files, job);
    else prepare_blas(sgemm, o, files, job);
  };
  char line[2048];
  std::map<int, Job> kept;
  while (fgets(line, sizeof line, stdin)) {
    if (!answer_kept(line, prepare, &kept)) answer_rate(line, prepare);
    fflush(stdout);
  }
}
