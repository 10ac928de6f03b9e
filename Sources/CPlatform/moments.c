#include "platform.h"
#include <math.h>
#include <string.h>

// Statistics of columns. Lanes are columns, so that each column's sums are taken in the order of its rows, whatever the
// processor: vectors give the same bits as one number after the other. No product is fused with a sum.
#pragma STDC FP_CONTRACT OFF
// Vectors pass between inlined functions only, so how they would be passed elsewhere does not matter.
#pragma GCC diagnostic ignored "-Wpsabi"

enum { LANES = 8 };
typedef double numbers __attribute__((vector_size(8 * LANES), aligned(8)));
typedef int64_t masks __attribute__((vector_size(8 * LANES), aligned(8)));
typedef float singles __attribute__((vector_size(4 * LANES), aligned(4)));

#define INLINE static inline __attribute__((always_inline))

// Eight numbers; `size` says of which type.
INLINE numbers loaded(size_t size, const uint8_t *at) {
  if (size == sizeof(float)) {
    singles v;
    memcpy(&v, at, sizeof v);
    return __builtin_convertvector(v, numbers);
  }
  numbers v;
  memcpy(&v, at, sizeof v);
  return v;
}

INLINE numbers chosen(masks where, numbers a, numbers b) {
  return (numbers)(((masks)a & where) | ((masks)b & ~where));
}

// Eight columns that begin at `at`.
INLINE void eight(size_t size, const uint8_t *at, size_t rows, size_t stride, tp_moments *out) {
  numbers none = {0}, sum = none, low = none + INFINITY, high = none - INFINITY, m2 = none, mean = none;
  masks count = {0}, missing = {0};
  const uint8_t *row = at;
  for (size_t r = 0; r < rows; r++, row += stride) {
    numbers v = loaded(size, row);
    masks finite = v - v == none;
    sum += chosen(finite, v, none);
    count -= finite;
    missing -= v != v;
    low = chosen(finite & (v < low), v, low);
    high = chosen(finite & (v > high), v, high);
  }
  for (size_t c = 0; c < LANES; c++) mean[c] = count[c] ? sum[c] / (double)count[c] : 0;
  row = at;
  for (size_t r = 0; r < rows; r++, row += stride) {
    numbers v = loaded(size, row), off = v - mean;
    m2 += chosen(v - v == none, off * off, none);
  }
  for (size_t c = 0; c < LANES; c++)
    out[c] = (tp_moments){count[c], missing[c], (int64_t)rows - count[c] - missing[c],
                          low[c],   high[c],    mean[c], m2[c]};
}

// One column, where there are fewer than eight.
INLINE void one(size_t size, const uint8_t *at, size_t rows, size_t stride, tp_moments *out) {
  tp_moments m = {0, 0, 0, INFINITY, -INFINITY, 0, 0};
  double sum = 0;
  for (size_t pass = 0; pass < 2; pass++) {
    const uint8_t *row = at;
    for (size_t r = 0; r < rows; r++, row += stride) {
      float single;
      double v;
      if (size == sizeof single) memcpy(&single, row, sizeof single), v = single;
      else memcpy(&v, row, sizeof v);
      if (pass) {
        if (v - v == 0) m.m2 += (v - m.mean) * (v - m.mean);
      } else if (v - v == 0) {
        sum += v;
        m.count++;
        if (v < m.minimum) m.minimum = v;
        if (v > m.maximum) m.maximum = v;
      } else if (v != v) {
        m.missing++;
      } else {
        m.infinite++;
      }
    }
    if (!pass && m.count) m.mean = sum / (double)m.count;
  }
  *out = m;
}

INLINE void every(size_t size, const uint8_t *values, size_t rows, size_t stride, size_t columns,
                  tp_moments *out) {
  if (columns < LANES) {
    for (size_t c = 0; c < columns; c++) one(size, values + c * size, rows, stride, out + c);
    return;
  }
  for (size_t c = 0; c < columns; c += LANES) {
    // The last eight are read with some that have been done.
    if (c + LANES > columns) c = columns - LANES;
    eight(size, values + c * size, rows, stride, out + c);
  }
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) static void every_avx2(int is_f32, const uint8_t *values, size_t rows,
                                                       size_t stride, size_t columns, tp_moments *out) {
  if (is_f32) every(sizeof(float), values, rows, stride, columns, out);
  else every(sizeof(double), values, rows, stride, columns, out);
}
#endif

static void moments(int is_f32, const void *values, size_t rows, size_t stride, size_t columns,
                    tp_moments *out) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2")) {
    every_avx2(is_f32, values, rows, stride, columns, out);
    return;
  }
#endif
  if (is_f32) every(sizeof(float), values, rows, stride, columns, out);
  else every(sizeof(double), values, rows, stride, columns, out);
}

void tp_moments_f32(const void *values, size_t rows, size_t stride, size_t columns, tp_moments *out) {
  moments(1, values, rows, stride, columns, out);
}

void tp_moments_f64(const void *values, size_t rows, size_t stride, size_t columns, tp_moments *out) {
  moments(0, values, rows, stride, columns, out);
}

static int64_t sum_of(int64_t a, int64_t b) {
  int64_t sum;
  return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

void tp_moments_add(tp_moments *into, const tp_moments *more, size_t count, size_t step) {
  for (size_t i = 0; i < count; i++, more += step) {
    if (more->count) {
      double a = (double)into->count, b = (double)more->count, total = a + b;
      double delta = more->mean - into->mean;
      into->m2 += more->m2 + delta * delta * (a / total) * b;
      into->mean += delta * (b / total);
      into->count = sum_of(into->count, more->count);
      if (more->minimum < into->minimum) into->minimum = more->minimum;
      if (more->maximum > into->maximum) into->maximum = more->maximum;
    }
    into->missing = sum_of(into->missing, more->missing);
    into->infinite = sum_of(into->infinite, more->infinite);
  }
}

// Batcher's odd-even merge sort: which numbers are compared does not depend on them, so eight lists are sorted at once.
INLINE void sort(double *values, size_t count) {
  for (size_t p = 1; p < count; p *= 2)
    for (size_t k = p; k >= 1; k /= 2)
      for (size_t j = k % p; j + k < count; j += 2 * k)
        for (size_t i = 0; i < k && i + j + k < count; i++) {
          if ((i + j) / (2 * p) != (i + j + k) / (2 * p)) continue;
          double *a = values + (i + j) * LANES, *b = a + k * LANES;
          numbers x, y;
          memcpy(&x, a, sizeof x);
          memcpy(&y, b, sizeof y);
          masks less = y < x;
          numbers low = chosen(less, y, x), high = chosen(less, x, y);
          memcpy(a, &low, sizeof low);
          memcpy(b, &high, sizeof high);
        }
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) static void sort_avx2(double *values, size_t count) { sort(values, count); }
#endif

void tp_sort_lanes(double *values, size_t count) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2")) {
    sort_avx2(values, count);
    return;
  }
#endif
  sort(values, count);
}
