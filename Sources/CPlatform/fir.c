#include "platform.h"

// The products of a polyphase filter, four or eight taps an instruction. Both builds of the loop add
// in the same order and never fuse a product with a sum, so that results are the same on every machine.
#pragma STDC FP_CONTRACT OFF

typedef double d4 __attribute__((vector_size(32), aligned(8)));
typedef float f4 __attribute__((vector_size(16), aligned(4)));

#define BODY(T, V)                                                                                 \
  size_t first = at->first, phase = at->phase, row = at->row;                                      \
  const size_t whole = down / up, rest = down % up;                                                \
  for (; row < end && first <= last; row++) {                                                      \
    const T *x = samples + first, *w = taps + phase * width;                                       \
    V even = {0}, odd = {0};                                                                       \
    for (size_t i = 0; i < width; i += 8) {                                                        \
      even += *(const V *)(x + i) * *(const V *)(w + i);                                           \
      odd += *(const V *)(x + i + 4) * *(const V *)(w + i + 4);                                    \
    }                                                                                              \
    V sum = even + odd;                                                                            \
    out[row * stride] = (sum[0] + sum[2]) + (sum[1] + sum[3]) + base;                              \
    first += whole;                                                                                \
    phase += rest;                                                                                 \
    if (phase >= up) phase -= up, first++;                                                         \
  }                                                                                                \
  at->first = first, at->phase = phase, at->row = row;

#define ARGUMENTS(T)                                                                               \
  const T *samples, const T *taps, size_t width, size_t up, size_t down, size_t last,              \
      tp_fir_place *at, size_t end, T base, T *out, size_t stride
#define PASS samples, taps, width, up, down, last, at, end, base, out, stride

#if defined(__x86_64__)
#define FILTER(NAME, T, V)                                                                         \
  __attribute__((target("avx2"))) static void NAME##_avx2(ARGUMENTS(T)) { BODY(T, V) }             \
  void NAME(ARGUMENTS(T)) {                                                                        \
    if (__builtin_cpu_supports("avx2")) {                                                          \
      NAME##_avx2(PASS);                                                                           \
    } else {                                                                                       \
      BODY(T, V)                                                                                   \
    }                                                                                              \
  }
#else
#define FILTER(NAME, T, V)                                                                         \
  void NAME(ARGUMENTS(T)) { BODY(T, V) }
#endif

FILTER(tp_fir_f64, double, d4)
FILTER(tp_fir_f32, float, f4)
