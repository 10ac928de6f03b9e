#include "platform.h"

// Sums of squared and absolute differences, sixteen an iteration: Swift's code for it is two to four times slower. Both
// builds of the loop add in the same order and never fuse a product with a sum, so that results are the same on every
// machine.
#pragma STDC FP_CONTRACT OFF

typedef double d4 __attribute__((vector_size(32), aligned(8)));
typedef float f4 __attribute__((vector_size(16), aligned(4)));
typedef int64_t l4 __attribute__((vector_size(32)));

#define WIDE(V, from) __builtin_convertvector(*(const V *)(from), d4)

#define BODY(T, V)                                                                                 \
  const l4 sign = {INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX};                                    \
  d4 squares[4] = {{0}, {0}, {0}, {0}}, sizes[4] = {{0}, {0}, {0}, {0}};                           \
  size_t i = 0;                                                                                    \
  for (; i + 16 <= count; i += 16) {                                                               \
    for (int k = 0; k < 4; k++) {                                                                  \
      d4 e = WIDE(V, a + i + 4 * k) - WIDE(V, b + i + 4 * k);                                      \
      squares[k] += e * e;                                                                         \
      sizes[k] += (d4)((l4)e & sign);                                                              \
    }                                                                                              \
  }                                                                                                \
  d4 q = (squares[0] + squares[1]) + (squares[2] + squares[3]);                                    \
  d4 s = (sizes[0] + sizes[1]) + (sizes[2] + sizes[3]);                                            \
  double square = (q[0] + q[2]) + (q[1] + q[3]), size = (s[0] + s[2]) + (s[1] + s[3]);             \
  for (; i < count; i++) {                                                                         \
    double e = (double)a[i] - (double)b[i];                                                        \
    square += e * e;                                                                               \
    size += e < 0 ? -e : e;                                                                        \
  }                                                                                                \
  *square_sum = square, *size_sum = size;

#define ARGUMENTS(T) const T *a, const T *b, size_t count, double *square_sum, double *size_sum
#define PASS a, b, count, square_sum, size_sum

#if defined(__x86_64__)
#define ERRORS(NAME, T, V)                                                                         \
  static void NAME##_plain(ARGUMENTS(T)) { BODY(T, V) }                                            \
  __attribute__((target("avx2"))) static void NAME##_avx2(ARGUMENTS(T)) { BODY(T, V) }             \
  void NAME(ARGUMENTS(T)) {                                                                        \
    if (__builtin_cpu_supports("avx2")) {                                                          \
      NAME##_avx2(PASS);                                                                           \
    } else {                                                                                       \
      NAME##_plain(PASS);                                                                          \
    }                                                                                              \
  }
#else
#define ERRORS(NAME, T, V)                                                                         \
  void NAME(ARGUMENTS(T)) { BODY(T, V) }
#endif

ERRORS(tp_error_sums_f64, double, d4)
ERRORS(tp_error_sums_f32, float, f4)
