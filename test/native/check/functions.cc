// Scans functions of one float against the double-precision library.
#include "check.h"

namespace {

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
};

const Function kFunctions[] = {
    {"exp", kExp, exp, -HUGE_VAL, HUGE_VAL, 1.1, 0},
    {"log", kLog, log, 0, HUGE_VAL, 1, 0},
    {"tanh", kTanh, tanh, -HUGE_VAL, HUGE_VAL, 1.5, 0},
    {"sigmoid", kSigmoid, sigmoid, -HUGE_VAL, HUGE_VAL, 2.5, 0},
    {"erf", kErf, erf, -HUGE_VAL, HUGE_VAL, 1.5, 0},
    {"gelu", kGelu, gelu, -1e18, 1e18, 1.5, 2e-7},
    {"gelu_tanh", kGeluTanh, gelu_tanh, -1e12, 1e12, 2, 2e-7},
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
      tables[t]->unary(&kSerial, f.code, x.data(), y.data(), (int64_t)x.size(), 0.f);
      for (size_t i = 0; i < x.size(); ++i) {
        const double error = fabs(y[i] - exact[i]) <= f.absolute ? 0 : error_in_ulps(y[i], exact[i]);
        if (!(error <= worst[t].ulps)) worst[t] = {error, x[i]};
      }
    }
  }
}

}  // namespace

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
      tables[t]->unary(&kSerial, f.code, &nan, &y, 1, 0.f);
      printf("  %s %.2f ulp at %.9g", tables[t]->isa, w.ulps, w.x);
      if (!(w.ulps <= f.ulps)) fail(*tables[t], std::string(f.name) + " is less exact than stated");
      if (!isnan(y)) fail(*tables[t], std::string(f.name) + " of NaN is a number");
    }
    printf("\n");
  }
}
