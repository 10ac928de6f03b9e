#ifndef TRAJPACK_COLUMN_LOOK_H
#define TRAJPACK_COLUMN_LOOK_H

#include "platform.h"
#include <math.h>
#include <string.h>

// What one look at numbers tells of a column, four lanes at a time. In column.c the lanes are rows of one column, in
// column_rows.c they are columns.
#pragma STDC FP_CONTRACT OFF
#pragma GCC diagnostic ignored "-Wpsabi"

typedef double numbers __attribute__((ext_vector_type(4), aligned(8)));
typedef int64_t masks __attribute__((ext_vector_type(4), aligned(8)));
typedef float singles __attribute__((ext_vector_type(4), aligned(4)));

#define INLINE static inline __attribute__((always_inline))

INLINE numbers load(const double *at) {
  numbers v;
  memcpy(&v, at, sizeof v);
  return v;
}

INLINE void store(double *at, numbers v) { memcpy(at, &v, sizeof v); }

INLINE singles load_f32(const char *at) {
  singles v;
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

INLINE void begin(state *s) {
  const numbers none = {0, 0, 0, 0};
  memset(s, 0, sizeof *s);
  s->low = none + INFINITY;
  s->high = none - INFINITY;
}

// Takes numbers of any kind, with the two rows before each; a row that is not there is NaN.
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

#endif
