#include "platform.h"

// Eight points against eight: one point after the other, the eight queries side by side. Both builds of
// the loop add in the same order and fuse nothing, so that results are the same on every machine.
#pragma STDC FP_CONTRACT OFF

typedef double d4 __attribute__((vector_size(32), aligned(8)));
typedef int64_t i4 __attribute__((vector_size(32), aligned(8)));

#define SELECT(mask, a, b) (d4)(((mask) & (i4)(a)) | (~(mask) & (i4)(b)))

#define BODY(GROW)                                                                                 \
  for (size_t p = 0; p < 8; p++) {                                                                 \
    if (leaf[p] == __builtin_inf()) continue;                                                      \
    const int64_t member = members[p], stamp = stamps ? stamps[member] : member;                   \
    for (size_t half = 0; half < 8; half += 4) {                                                   \
      d4 total = {0};                                                                              \
      for (size_t c = 0; c < q->dimension; c++) {                                                  \
        d4 difference = *(const d4 *)(q->points + 8 * c + half) - leaf[8 * c + p];                 \
        GROW                                                                                       \
      }                                                                                            \
      d4 best = *(d4 *)(q->best + half);                                                           \
      i4 near = (i4)(total <= best);                                                               \
      if (!(near[0] | near[1] | near[2] | near[3])) continue;                                      \
      i4 index = *(i4 *)(q->index + half), apart = *(const i4 *)(q->stamps + half) - stamp;        \
      near &= (i4)(total < best) | (index > member);                                               \
      near &= (apart > q->window) | (apart < -q->window);                                          \
      if (q->skips_zero) near &= (i4)(total > 0);                                                  \
      *(d4 *)(q->best + half) = SELECT(near, total, best);                                         \
      *(i4 *)(q->index + half) = (near & member) | (~near & index);                                \
    }                                                                                              \
  }

#define SQUARES total += difference * difference;
#define LARGEST                                                                                    \
  difference = (d4)((i4)difference & INT64_MAX);                                               \
  total = SELECT((i4)(total > difference), total, difference);

#define ARGUMENTS                                                                                  \
  tp_leaf_queries *q, const double *leaf, const int32_t *members, const int64_t *stamps
#define PASS q, leaf, members, stamps

#if defined(__x86_64__)
#define NEAREST(NAME, GROW)                                                                        \
  __attribute__((target("avx2"))) static void NAME##_avx2(ARGUMENTS) { BODY(GROW) }                \
  static void NAME(ARGUMENTS) {                                                                    \
    if (__builtin_cpu_supports("avx2")) {                                                          \
      NAME##_avx2(PASS);                                                                           \
    } else {                                                                                       \
      BODY(GROW)                                                                                   \
    }                                                                                              \
  }
#else
#define NEAREST(NAME, GROW)                                                                        \
  static void NAME(ARGUMENTS) { BODY(GROW) }
#endif

NEAREST(nearest_euclidean, SQUARES)
NEAREST(nearest_maximum, LARGEST)

double tp_leaf_nearest(tp_leaf_queries *q, const double *leaf, const int32_t *members,
                       const int64_t *stamps, int is_maximum) {
  if (is_maximum) {
    nearest_maximum(PASS);
  } else {
    nearest_euclidean(PASS);
  }
  double bound = q->best[0];
  for (size_t i = 1; i < 8; i++) bound = q->best[i] > bound ? q->best[i] : bound;
  return bound;
}
