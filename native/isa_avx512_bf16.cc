#define VL 16
#define NV 2
#define MR 14
#define BG_NARROW bg_bf16_avx512
#include "bf16.inl"
