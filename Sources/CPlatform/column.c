#include "column_look.h"

// What one pass over a column of numbers tells of it. Four lanes; counts and extremes do not depend on their order, and
// sums are of the same bits on every machine, because the lanes are always four.

// The same of numbers that are all finite, as the two before them, and smaller than 2^51: most are, and nothing has to be masked.
INLINE void take_plain(state *s, numbers v, numbers before, numbers earlier) {
  const numbers none = {0, 0, 0, 0};
  const numbers rounder = none + 6755399441055744.0;
  numbers size = size_of(v);
  s->low = v < s->low ? v : s->low;
  s->high = v > s->high ? v : s->high;
  s->sum += v;
  s->size += size;
  s->fractions -= ((v + rounder) - rounder) != v;
  numbers d = v - before, e = before - earlier;
  numbers ds = size_of(d), es = size_of(e);
  s->same -= d == none;
  s->steps += ds;
  s->step = ds > s->step ? ds : s->step;
  // Where the signs of two steps differ, the lesser of both; a step of 0 gives 0.
  numbers least = ds < es ? ds : es;
  masks turns = ((masks)d ^ (masks)e) < 0;
  numbers turn = (numbers)((masks)least & turns);
  s->turn = turn > s->turn ? turn : s->turn;
}

// Numbers that are looked at together; a multiple of four.
enum { block = 256 };

// Whether `block` numbers and the two before them are finite and below 2^51, and none but 0 is smaller than any normal float32.
INLINE int is_plain(const double *values) {
  const numbers none = {0, 0, 0, 0};
  masks good = {-1, -1, -1, -1};
  numbers high = size_of(load(values - 2));
  for (size_t i = 0; i < block; i += 4) {
    numbers v = load(values + i), size = size_of(v);
    // NaN is below nothing.
    good &= size < (none + 2251799813685248.0);
    good &= (size >= (none + 0x1p-126)) | (v == none);
  }
  good &= high < (none + 2251799813685248.0);
  return (good[0] & good[1] & good[2] & good[3]) != 0;
}

INLINE void look(const double *values, size_t carry, size_t count, tp_column_facts *out) {
  const numbers none = {0, 0, 0, 0};
  state s;
  begin(&s);
  size_t i = 0;
  // The first rows have no rows before them, nor the last ones a whole vector.
  for (size_t lead = carry < 2 ? 2 - carry : 0; i < count && i < lead; i++) {
    numbers v = none + NAN, before = none + NAN, earlier = none + NAN;
    v[0] = values[i];
    if (i + carry >= 1) before[0] = values[(ptrdiff_t)i - 1];
    take(&s, v, before, earlier);
    s.missing[1] -= 1, s.missing[2] -= 1, s.missing[3] -= 1;
  }
  for (; i + block <= count; i += block) {
    if (is_plain(values + i)) {
      for (size_t k = i; k < i + block; k += 4) take_plain(&s, load(values + k), load(values + k - 1), load(values + k - 2));
      s.finite += block / 4;
      s.moves += block / 4;
    } else {
      for (size_t k = i; k < i + block; k += 4) take(&s, load(values + k), load(values + k - 1), load(values + k - 2));
    }
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

// Four rows of four columns at a time: numbers that lie side by side are read together, and turned.
INLINE void columns_f32(const char *rows, size_t stride, size_t count, size_t columns, double *out, size_t length) {
  size_t c = 0;
  for (; c + 4 <= columns; c += 4) {
    double *to = out + c * length;
    const char *from = rows + 4 * c;
    size_t r = 0;
    for (; r + 4 <= count; r += 4) {
      numbers a = __builtin_convertvector(load_f32(from + r * stride), numbers);
      numbers b = __builtin_convertvector(load_f32(from + (r + 1) * stride), numbers);
      numbers d = __builtin_convertvector(load_f32(from + (r + 2) * stride), numbers);
      numbers e = __builtin_convertvector(load_f32(from + (r + 3) * stride), numbers);
      numbers even = __builtin_shufflevector(a, b, 0, 4, 2, 6), odd = __builtin_shufflevector(a, b, 1, 5, 3, 7);
      numbers even2 = __builtin_shufflevector(d, e, 0, 4, 2, 6), odd2 = __builtin_shufflevector(d, e, 1, 5, 3, 7);
      store(to + r, __builtin_shufflevector(even, even2, 0, 1, 4, 5));
      store(to + length + r, __builtin_shufflevector(odd, odd2, 0, 1, 4, 5));
      store(to + 2 * length + r, __builtin_shufflevector(even, even2, 2, 3, 6, 7));
      store(to + 3 * length + r, __builtin_shufflevector(odd, odd2, 2, 3, 6, 7));
    }
    for (; r < count; r++) {
      for (size_t k = 0; k < 4; k++) {
        float value;
        memcpy(&value, from + r * stride + 4 * k, sizeof value);
        to[k * length + r] = value;
      }
    }
  }
  for (; c < columns; c++) {
    for (size_t r = 0; r < count; r++) {
      float value;
      memcpy(&value, rows + r * stride + 4 * c, sizeof value);
      out[c * length + r] = value;
    }
  }
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) static void columns_f32_avx2(const char *rows, size_t stride, size_t count, size_t columns,
                                                             double *out, size_t length) {
  columns_f32(rows, stride, count, columns, out, length);
}
#endif

void tp_columns_f32(const void *rows, size_t stride, size_t count, size_t columns, double *out, size_t length) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2")) {
    columns_f32_avx2(rows, stride, count, columns, out, length);
    return;
  }
#endif
  columns_f32(rows, stride, count, columns, out, length);
}
