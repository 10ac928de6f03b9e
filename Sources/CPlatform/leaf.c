#include "platform.h"

// Leaves of a k-d tree, eight points side by side, and the boxes of its nodes in float32, rounded outwards: what a
// box rules out lies surely too far away, what it lets through is measured exactly.
#pragma STDC FP_CONTRACT OFF

typedef float f8 __attribute__((vector_size(32), aligned(4)));
typedef float f4 __attribute__((vector_size(16), aligned(4)));
typedef int32_t m8 __attribute__((vector_size(32), aligned(4)));
typedef int32_t m4 __attribute__((vector_size(16), aligned(4)));

#define PICK(F, M, mask, a, b) (F)(((mask) & (M)(a)) | (~(mask) & (M)(b)))
#define LARGER(a, b) PICK(f8, m8, (m8)((a) > (b)), a, b)
#define LARGER4(a, b) PICK(f4, m4, (m4)((a) > (b)), a, b)
#define LOW4(a) __builtin_shufflevector(a, a, 0, 1, 2, 3)
#define HIGH4(a) __builtin_shufflevector(a, a, 4, 5, 6, 7)

// The eight that look for a neighbour.
typedef struct {
  const int64_t *times;
  double *best;
  int64_t *index;
} lanes8;

#define LANES 4
#define NAME(x) x##_plain
#include "leaf_walk.h"

#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)
#define LANES 4
#define NAME(x) x##_avx2
#include "leaf_walk.h"
#pragma clang attribute pop

#pragma clang attribute push(__attribute__((target("avx512f,avx512dq,avx512vl"))), apply_to = function)
#define LANES 8
#define NAME(x) x##_avx512
#include "leaf_walk.h"
#pragma clang attribute pop
#endif

void tp_leaf_nearest(const tp_leaf_tree *tree, const int64_t times[8], double best[8], int64_t index[8],
                     size_t leaf) {
  lanes8 lanes = {times, best, index};
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")) {
    return search_avx512(tree, &lanes, leaf);
  }
  if (__builtin_cpu_supports("avx2")) return search_avx2(tree, &lanes, leaf);
#endif
  search_plain(tree, &lanes, leaf);
}

void tp_leaf_boxes(const tp_leaf_tree *tree, float *boxes, const double *middle, double scale,
                   size_t first, size_t end) {
  const float limit = 1e37f, ulp = 1.2e-7f, least = 1e-30f;
  for (size_t number = first; number < end; number++) {
    const double *leaf = tree->leaves + 8 * tree->dimension * number;
    float *box = boxes + 2 * tree->width * (((size_t)1 << tree->depth) + number);
    for (size_t c = 0; c < tree->width; c++) {
      double low = __builtin_inf(), high = -__builtin_inf();
      float *to = box + c / 8 * 16 + c % 8;
      if (c >= tree->dimension) {
        to[0] = to[8] = 0;
        continue;
      }
      for (size_t p = 0; p < 8; p++) {
        const double value = leaf[8 * c + p];
        low = value < low ? value : low;
        high = value > high && value < __builtin_inf() ? value : high;
      }
      const float f = (float)((low - middle[c]) * scale), g = (float)((high - middle[c]) * scale);
      const float under = f < limit ? f : limit, over = g > -limit ? g : -limit;
      to[0] = under - __builtin_fabsf(under) * ulp - least;
      to[8] = over + __builtin_fabsf(over) * ulp + least;
    }
  }
}

void tp_leaf_join(const tp_leaf_tree *tree, float *boxes) {
  for (size_t node = ((size_t)1 << tree->depth) - 1; node > 0; node--) {
    float *box = boxes + 2 * tree->width * node;
    const float *a = boxes + 4 * tree->width * node, *b = a + 2 * tree->width;
    for (size_t c = 0; c < 2 * tree->width; c += 16) {
      for (size_t k = c; k < c + 8; k++) box[k] = a[k] < b[k] ? a[k] : b[k];
      for (size_t k = c + 8; k < c + 16; k++) box[k] = a[k] > b[k] ? a[k] : b[k];
    }
  }
}
