#define VL 16
#define NV 2
#define MR 14
#define BG_ISA "avx512"
#define BG_TABLE bg_kernels_avx512
#include "kernels.inl"
