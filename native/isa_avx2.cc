#define VL 8
#define NV 2
#define MR 6
#define BG_ISA "avx2"
#define BG_TABLE bg_kernels_avx2
#include "kernels.inl"
