// Scans functions of one float against the double-precision library.
#include "check.h"

// powers.cc, for each instruction set.
extern "C" {
typedef void PowersFn(const float* x, float* y, int64_t n);
PowersFn bg_powers_base, bg_powers_avx2, bg_powers_avx512, bg_powers_neon;
}

namespace {

const int kPower = -1;  // 2^x, in place of a code of `unary`

PowersFn* powers_of(const KernelTable& table) {
#if defined(__x86_64__)
  if (table.vector_length == 16) return bg_powers_avx512;
  if (table.vector_length == 8) return bg_powers_avx2;
#elif defined(__aarch64__)
  if (&table == &bg_kernels_neon) return bg_powers_neon;
#endif
  return bg_powers_base;
}

void apply(const KernelTable& table, int code, const float* x, float* y, int64_t n, float c = 0) {
  if (code == kPower) powers_of(table)(x, y, n);
  else table.unary(&kSerial, code, x, y, n, c);
}

double sigmoid(double x) { return 1 / (1 + exp(-x)); }
double gelu(double x) { return x * 0.5 * erfc(-x * M_SQRT1_2); }
double gelu_tanh(double x) { return x * sigmoid(2 * sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)); }

struct Function {
  const char* name;
  int code;
  double (*exact)(double);
  double low, high;  // range of x
  double ulps;       // bound stated in native/math.inl
  double absolute;   // an error up to this one is not counted
  float c = 0;       // the function's constant
};

#define POW(name, c, low, ulps)                                                               \
  {                                                                                           \
    name, kPowScalar, [](double x) { return pow(x, (double)(c)); }, low, HUGE_VAL, ulps, 0, c \
  }

const Function kFunctions[] = {
    {"exp", kExp, exp, -HUGE_VAL, HUGE_VAL, 1.1, 0},
    {"log", kLog, log, 0, HUGE_VAL, 1, 0},
    {"tanh", kTanh, tanh, -HUGE_VAL, HUGE_VAL, 1.5, 0},
    {"sigmoid", kSigmoid, sigmoid, -HUGE_VAL, HUGE_VAL, 2.5, 0},
    {"erf", kErf, erf, -HUGE_VAL, HUGE_VAL, 1.5, 0},
    {"gelu", kGelu, gelu, -1e18, 1e18, 1.5, 2e-7},
    {"exp2", kPower, exp2, -1e30, 126, 1.8, 0x1p-126},
    {"gelu_tanh", kGeluTanh, gelu_tanh, -1e12, 1e12, 2, 2e-7},
    POW("x^2.5", 2.5f, 0, 0.52),
    POW("x^-0.7", -0.7f, 0, 0.52),
    POW("x^7", 7.f, -HUGE_VAL, 0.52),
    POW("x^-40", -40.f, -HUGE_VAL, 0.52),
    POW("x^0.01", 0.01f, 0, 0.52),
    POW("x^3", 3.f, -HUGE_VAL, 1.5),
    POW("x^0.5", 0.5f, 0, 0.52),
    POW("x^-1", -1.f, -HUGE_VAL, 0.52),
};

struct Worst {
  double ulps;
  float x;
};

// In units of the distance of neighbouring floats at the exact result.
double error_in_ulps(float got, double exact) {
  if (isinf(got) || isinf((float)exact)) return got == (float)exact ? 0 : HUGE_VAL;
  int exponent;
  frexp(exact, &exponent);
  return fabs(got - exact) / ldexp(1, std::max(exact == 0 ? -149 : exponent - 24, -149));
}

// Every stride-th float of [begin, end), taken by its bits; finds the worst of each table.
void scan(const Function& f, const std::vector<const KernelTable*>& tables, uint64_t begin, uint64_t end,
          uint32_t stride, std::vector<Worst>& worst) {
  Floats x, y(4096);
  Doubles exact;
  for (uint64_t bits = begin; bits < end;) {
    x.clear(), exact.clear();
    for (; bits < end && x.size() < y.size(); bits += stride) {
      const uint32_t word = (uint32_t)bits;
      float value;
      memcpy(&value, &word, 4);
      if (value >= f.low && value <= f.high) x.push_back(value), exact.push_back(f.exact(value));
    }
    for (size_t t = 0; t < tables.size(); ++t) {
      apply(*tables[t], f.code, x.data(), y.data(), (int64_t)x.size(), f.c);
      for (size_t i = 0; i < x.size(); ++i) {
        const double error = fabs(y[i] - exact[i]) <= f.absolute ? 0 : error_in_ulps(y[i], exact[i]);
        if (!(error <= worst[t].ulps)) worst[t] = {error, x[i]};
      }
    }
  }
}

}  // namespace

// Powers of what is no ordinary number, as JavaScript's ** has them.
static void check_powers(const KernelTable& table) {
  const float inf = INFINITY, x[] = {0.f, -0.f, inf, -inf, 1.f, -1.f, -2.f, 0.5f};
  struct {
    float c, y[8];
  } const rows[] = {
      {0, {1, 1, 1, 1, 1, 1, 1, 1}},
      {0.5f, {0, 0, inf, inf, 1, NAN, NAN, (float)sqrt(0.5)}},
      {-1, {inf, -inf, 0, -0.f, 1, -1, -0.5f, 2}},
      {5, {0, -0.f, inf, -inf, 1, -1, -32, 0.03125f}},
      {-2, {inf, inf, 0, 0, 1, 1, 0.25f, 4}},
      {-1.5f, {inf, inf, 0, 0, 1, NAN, NAN, (float)sqrt(8)}},
      {inf, {0, 0, inf, inf, NAN, NAN, inf, 0}},
      {-inf, {inf, inf, 0, 0, NAN, NAN, 0, inf}},
      {NAN, {NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN}},
  };
  for (const auto& row : rows) {
    float y[8];
    apply(table, kPowScalar, x, y, 8, row.c);
    for (int i = 0; i < 8; ++i)
      if (isnan(row.y[i]) ? !isnan(y[i]) : y[i] != row.y[i] || signbit(y[i]) != signbit(row.y[i]))
        fail(table, std::to_string(x[i]) + " to the power of " + std::to_string(row.c));
  }
}

void check_functions(const std::vector<const KernelTable*>& tables, uint32_t stride) {
  const uint64_t half = 1ull << 31;
  for (const Function& f : kFunctions) {
    std::vector<Worst> worst(tables.size()), others = worst;
    std::thread other([&] { scan(f, tables, half, 2 * half, stride, others); });
    scan(f, tables, 0, half, stride, worst);
    other.join();
    printf("%-9s", f.name);
    for (size_t t = 0; t < tables.size(); ++t) {
      const Worst& w = worst[t].ulps >= others[t].ulps ? worst[t] : others[t];
      const float nan = NAN;
      float y;
      apply(*tables[t], f.code, &nan, &y, 1, f.c);
      printf("  %s %.2f ulp at %.9g", tables[t]->isa, w.ulps, w.x);
      if (!(w.ulps <= f.ulps)) fail(*tables[t], std::string(f.name) + " is less exact than stated");
      if (!isnan(y)) fail(*tables[t], std::string(f.name) + " of NaN is a number");
    }
    printf("\n");
  }
  for (const KernelTable* table : tables) {
    check_powers(*table);
    // What fills a row of scores up, and what a mask hides, must have no weight at all.
    const float x[] = {-1e30f, -10000.f, -127.5f, 0.f};
    float y[4];
    apply(*table, kPower, x, y, 4);
    if (y[0] != 0 || y[1] != 0 || y[2] != 0 || y[3] != 1) fail(*table, "exp2 at the ends of its range");
  }
}
