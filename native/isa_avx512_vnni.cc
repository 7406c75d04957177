#define VL 16
#define NV 2
#define BG_NARROW bg_int8_avx512
#include "int8.inl"
