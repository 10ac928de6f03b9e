#include "platform.h"
#include <math.h>
#include <string.h>

// What one pass over a column of numbers tells of it. Four lanes; counts and extremes do not depend on their order, and
// sums are of the same bits on every machine, because the lanes are always four.
#pragma STDC FP_CONTRACT OFF
#pragma GCC diagnostic ignored "-Wpsabi"

typedef double numbers __attribute__((ext_vector_type(4), aligned(8)));
typedef int64_t masks __attribute__((ext_vector_type(4), aligned(8)));

#define INLINE static inline __attribute__((always_inline))

INLINE numbers load(const double *at) {
  numbers v;
  memcpy(&v, at, sizeof v);
  return v;
}

INLINE numbers size_of(numbers v) {
  return (numbers)((masks)v & (masks)(INT64_MAX));
}

typedef struct {
  numbers low, high, sum, size, turn, step, steps;
  masks finite, missing, fractions, tiny, same, moves;
} state;

INLINE void take(state *s, numbers v, numbers before, numbers earlier) {
  const numbers none = {0, 0, 0, 0};
  const numbers rounder = none + 6755399441055744.0;
  numbers size = size_of(v);
  masks finite = size < (none + INFINITY);
  s->finite -= finite;
  s->missing -= v != v;
  s->low = (v < s->low) & finite ? v : s->low;
  s->high = (v > s->high) & finite ? v : s->high;
  s->sum += finite ? v : none;
  s->size += finite ? size : none;
  s->fractions -= finite & (size < (none + 2251799813685248.0)) & (((v + rounder) - rounder) != v);
  s->tiny -= (size < (none + 0x1p-126)) & (v != none);
  numbers d = v - before, e = before - earlier;
  numbers ds = size_of(d), es = size_of(e);
  masks moved = ds < (none + INFINITY);
  s->same -= d == none;
  s->moves -= moved;
  s->steps += moved ? ds : none;
  s->step = (ds > s->step) & moved ? ds : s->step;
  numbers least = ds < es ? ds : es;
  masks turns = ((d > none) & (e < none)) | ((d < none) & (e > none));
  s->turn = (turns & (least > s->turn) & (least < (none + INFINITY))) ? least : s->turn;
}

INLINE void look(const double *values, size_t carry, size_t count, tp_column_facts *out) {
  const numbers none = {0, 0, 0, 0};
  state s;
  memset(&s, 0, sizeof s);
  s.low = none + INFINITY;
  s.high = none - INFINITY;
  size_t i = 0;
  // The first rows have no rows before them, nor the last ones a whole vector.
  for (size_t lead = carry < 2 ? 2 - carry : 0; i < count && i < lead; i++) {
    numbers v = none + NAN, before = none + NAN, earlier = none + NAN;
    v[0] = values[i];
    if (i + carry >= 1) before[0] = values[(ptrdiff_t)i - 1];
    take(&s, v, before, earlier);
    s.missing[1] -= 1, s.missing[2] -= 1, s.missing[3] -= 1;
  }
  for (; i + 4 <= count; i += 4) take(&s, load(values + i), load(values + i - 1), load(values + i - 2));
  for (; i < count; i++) {
    numbers v = none + NAN, before = none + NAN, earlier = none + NAN;
    v[0] = values[i], before[0] = values[(ptrdiff_t)i - 1], earlier[0] = values[(ptrdiff_t)i - 2];
    take(&s, v, before, earlier);
    s.missing[1] -= 1, s.missing[2] -= 1, s.missing[3] -= 1;
  }
  tp_column_facts f = {0};
  f.minimum = INFINITY, f.maximum = -INFINITY;
  for (int k = 0; k < 4; k++) {
    f.finite += s.finite[k], f.missing += s.missing[k], f.fractions += s.fractions[k];
    f.tiny += s.tiny[k], f.same += s.same[k], f.moves += s.moves[k];
    f.sum += s.sum[k], f.size_sum += s.size[k], f.step_sum += s.steps[k];
    if (s.low[k] < f.minimum) f.minimum = s.low[k];
    if (s.high[k] > f.maximum) f.maximum = s.high[k];
    if (s.step[k] > f.step) f.step = s.step[k];
    if (s.turn[k] > f.turn) f.turn = s.turn[k];
  }
  f.infinite = (int64_t)count - f.finite - f.missing;
  *out = f;
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) static void look_avx2(const double *values, size_t carry, size_t count,
                                                      tp_column_facts *out) {
  look(values, carry, count, out);
}
#endif

void tp_column_look(const double *values, size_t carry, size_t count, tp_column_facts *out) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2")) {
    look_avx2(values, carry, count, out);
    return;
  }
#endif
  look(values, carry, count, out);
}
