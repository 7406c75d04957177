#define VL 4
#define NV 2
#define MR 4
#define BG_ISA "base"
#define BG_TABLE bg_kernels_base
#include "kernels.inl"
