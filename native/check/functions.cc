// Scans functions of one float against the double-precision library.
#include <float.h>
#include <stdio.h>
#include <string.h>

#include <algorithm>
#include <thread>

#include "check.h"

namespace {

struct Function {
  const char* name;
  int code;
  double (*exact)(double);
  double low, high;  // range of x
  double ulps;       // bound stated in math.inl and elementwise.inl
  double absolute;   // an error below this is never counted
};

double sigmoid(double x) { return 1 / (1 + exp(-x)); }
double gelu(double x) { return x * 0.5 * erfc(-x * M_SQRT1_2); }
double gelu_tanh(double x) { return x * sigmoid(2 * sqrt(M_2_PI) * (x + 0.044715 * x * x * x)); }

const Function kFunctions[] = {
    {"exp", kExp, exp, -HUGE_VAL, HUGE_VAL, 2, 0},
    {"log", kLog, log, 0, HUGE_VAL, 2, 0},
    {"tanh", kTanh, tanh, -HUGE_VAL, HUGE_VAL, 2, 0},
    {"sigmoid", kSigmoid, sigmoid, -HUGE_VAL, HUGE_VAL, 3, 0},
    {"erf", kErf, erf, -HUGE_VAL, HUGE_VAL, 2, 0},
    {"gelu", kGelu, gelu, -1e18, 1e18, 4, 2e-7},
    {"gelu_tanh", kGeluTanh, gelu_tanh, -1e12, 1e12, 4, 2e-7},
};

struct Worst {
  double ulps = 0;
  float x = 0;
};

// In units of the distance of neighbouring floats at the exact result.
double error_in_ulps(float got, double exact) {
  if (isnan(exact)) return isnan(got) ? 0 : HUGE_VAL;
  if (isinf(got) || isinf((float)exact)) return got == (float)exact ? 0 : HUGE_VAL;
  int exponent;
  frexp(exact, &exponent);
  return fabs(got - exact) / ldexp(1, exact == 0 || exponent < -125 ? -149 : exponent - 24);
}

// Every stride-th float of [begin, end), taken by its bits; finds the worst of each table.
void scan(const Function& f, const std::vector<const KernelTable*>& tables, uint64_t begin, uint64_t end, uint32_t stride,
          std::vector<Worst>& worst) {
  const int64_t block = 4096;
  Floats x, y(block);
  std::vector<double> exact;
  for (uint64_t bits = begin; bits < end;) {
    x.clear(), exact.clear();
    for (; bits < end && (int64_t)x.size() < block; bits += stride) {
      const uint32_t word = (uint32_t)bits;
      float value;
      memcpy(&value, &word, 4);
      if (value >= f.low && value <= f.high) x.push_back(value), exact.push_back(f.exact(value));
    }
    for (size_t t = 0; t < tables.size(); ++t) {
      tables[t]->unary(&kSerial, f.code, x.data(), y.data(), (int64_t)x.size(), 0.f);
      for (size_t i = 0; i < x.size(); ++i) {
        if (fabs(y[i] - exact[i]) <= f.absolute) continue;
        const double error = error_in_ulps(y[i], exact[i]);
        if (error > worst[t].ulps) worst[t] = {error, x[i]};
      }
    }
  }
}

}  // namespace

void check_functions(const std::vector<const KernelTable*>& tables, uint32_t stride) {
  const uint64_t half = 1ull << 31;
  for (const Function& f : kFunctions) {
    std::vector<Worst> worst[2] = {std::vector<Worst>(tables.size()), std::vector<Worst>(tables.size())};
    std::thread other([&] { scan(f, tables, half, 2 * half, stride, worst[1]); });
    scan(f, tables, 0, half, stride, worst[0]);
    other.join();
    printf("%-9s", f.name);
    for (size_t t = 0; t < tables.size(); ++t) {
      const Worst& w = worst[0][t].ulps > worst[1][t].ulps ? worst[0][t] : worst[1][t];
      printf("  %s %.2f ulp at %.9g", tables[t]->isa, w.ulps, w.x);
      if (!(w.ulps <= f.ulps)) fail(*tables[t], std::string(f.name) + " is less exact than stated");
      const float nan = NAN;
      float y;
      tables[t]->unary(&kSerial, f.code, &nan, &y, 1, 0.f);
      if (!isnan(y)) fail(*tables[t], std::string(f.name) + " of NaN");
    }
    printf("\n");
  }
}
