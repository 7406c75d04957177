#define VL 4
#define NV 3
#define MR 8
#define BG_ISA "neon"
#define BG_TABLE bg_kernels_neon
#include "kernels.inl"
