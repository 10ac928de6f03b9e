#include "column_look.h"

// What one pass over rows of float32 tells of each of their columns. Each lane is a column, so that rows are read as they
// lie; every column has the same order of additions, whatever the width of the processor's vectors.

typedef float wide __attribute__((ext_vector_type(8), aligned(4)));
typedef int32_t wide_bits __attribute__((ext_vector_type(8), aligned(4)));
typedef uint32_t wide_counts __attribute__((ext_vector_type(8), aligned(4)));

// Columns of a vector, rows whose sizes are added as float32, and bytes of rows that are looked at column by column, so that
// they stay in the first cache.
enum { lanes = 8, burst = 16, tile_bytes = 16384 };

INLINE wide load_wide(const char *at) {
  wide v;
  memcpy(&v, at, sizeof v);
  return v;
}

INLINE wide wide_size(wide v) { return (wide)((wide_bits)v & INT32_MAX); }

INLINE numbers low_half(wide v) { return __builtin_convertvector(v.lo, numbers); }
INLINE numbers high_half(wide v) { return __builtin_convertvector(v.hi, numbers); }

static void add(tp_column_facts *to, const tp_column_facts *more) {
  to->finite += more->finite, to->missing += more->missing, to->infinite += more->infinite;
  to->fractions += more->fractions, to->tiny += more->tiny;
  to->moves += more->moves, to->same += more->same;
  to->minimum = more->minimum < to->minimum ? more->minimum : to->minimum;
  to->maximum = more->maximum > to->maximum ? more->maximum : to->maximum;
  to->sum += more->sum, to->size_sum += more->size_sum, to->step_sum += more->step_sum;
  to->step = more->step > to->step ? more->step : to->step;
  to->turn = more->turn > to->turn ? more->turn : to->turn;
}

// Numbers of any kind, four columns at a time. `rows` is the first row; `before` rows lie before it.
INLINE void look_at_any(const char *rows, size_t stride, size_t before, size_t count, size_t columns,
                        tp_column_facts *out) {
  const numbers none = {0, 0, 0, 0};
  for (size_t c = 0; c < columns; c += 4) {
    const char *from = rows + 4 * c;
    state s;
    begin(&s);
    numbers one = before >= 1 ? __builtin_convertvector(load_f32(from - stride), numbers) : none + NAN;
    numbers two = before >= 2 ? __builtin_convertvector(load_f32(from - 2 * stride), numbers) : none + NAN;
    for (size_t r = 0; r < count; r++) {
      numbers v = __builtin_convertvector(load_f32(from + r * stride), numbers);
      take(&s, v, one, two);
      two = one;
      one = v;
    }
    for (size_t k = 0; k < 4 && c + k < columns; k++) {
      tp_column_facts f = {
          .finite = s.finite[k], .missing = s.missing[k], .fractions = s.fractions[k], .tiny = s.tiny[k],
          .moves = s.moves[k], .same = s.same[k], .minimum = s.low[k], .maximum = s.high[k], .sum = s.sum[k],
          .size_sum = s.size[k], .step = s.step[k], .step_sum = s.steps[k], .turn = s.turn[k]};
      f.infinite = (int64_t)count - f.finite - f.missing;
      add(&out[c + k], &f);
    }
  }
}

// Numbers that are finite, smaller than 2^23, and none but 0 smaller than any normal float32, as those of the two rows before
// them: nothing has to be masked. Says whether they are; where not, nothing is added. Of eight columns those from `first` on
// count, `columns` of them. Either the largest turn alone is added, or all else.
INLINE int look_at_plain(const char *rows, size_t stride, size_t count, size_t first, size_t columns, int turns,
                         tp_column_facts *out) {
  const wide none = {0, 0, 0, 0, 0, 0, 0, 0};
  const wide limit = none + 8388608.0f;
  wide before = load_wide(rows - stride), earlier = load_wide(rows - 2 * stride);
  wide e = before - earlier, es = wide_size(e);
  wide low = none + INFINITY, high = none - INFINITY, step = none, turn = none;
  wide_counts least = (wide_counts)(none) - 1u;
  wide_bits fractions = (wide_bits)none, same = (wide_bits)none;
  wide_bits good = (wide_size(before) < limit) & (wide_size(earlier) < limit);
  numbers sum[2] = {{0}}, size[2] = {{0}}, steps[2] = {{0}};
  for (size_t r = 0; r < count;) {
    size_t end = r + burst < count ? r + burst : count;
    wide some_size = none, some_steps = none;
    for (; r < end; r++) {
      const char *at = rows + r * stride;
      wide v = load_wide(at), s = wide_size(v);
      low = v < low ? v : low;
      high = v > high ? v : high;
      fractions -= ((s + limit) - limit) != s;
      wide_counts bits = (wide_counts)s - 1u;
      least = bits < least ? bits : least;
      sum[0] += low_half(v);
      sum[1] += high_half(v);
      some_size += s;
      wide d = v - before, ds = wide_size(d);
      same -= d == none;
      some_steps += ds;
      step = ds > step ? ds : step;
      before = v;
      if (turns) {
        // Where the signs of two steps differ, the lesser of both; a step of 0 gives 0.
        wide lesser = ds < es ? ds : es;
        wide back = (wide)((wide_bits)lesser & (((wide_bits)d ^ (wide_bits)e) >> 31));
        turn = back > turn ? back : turn;
        e = d, es = ds;
      }
    }
    size[0] += low_half(some_size), size[1] += high_half(some_size);
    steps[0] += low_half(some_steps), steps[1] += high_half(some_steps);
  }
  good &= (low > -limit) & (high < limit) & (wide_bits)(least >= 0x007FFFFFu);
  for (size_t k = first; k < first + columns; k++) {
    // An infinite number or a NaN makes the sum so.
    if (!good[k] || !isfinite(sum[k / 4][k % 4])) return 0;
  }
  for (size_t k = first; k < first + columns; k++) {
    if (turns) {
      if (turn[k] > out[k - first].turn) out[k - first].turn = turn[k];
      continue;
    }
    tp_column_facts f = {
        .finite = (int64_t)count, .fractions = fractions[k], .moves = (int64_t)count, .same = same[k],
        .minimum = low[k], .maximum = high[k], .sum = sum[k / 4][k % 4], .size_sum = size[k / 4][k % 4],
        .step = step[k], .step_sum = steps[k / 4][k % 4]};
    add(&out[k - first], &f);
  }
  return 1;
}

// Whether the largest step is far beyond the mean one, so that a turn, which is no larger, may be.
INLINE int may_turn(const tp_column_facts *f) {
  double moves = f->moves;
  return moves >= 8
         && (f->step * moves > (0.4 * moves < 8 ? 0.4 * moves : 8) * f->step_sum || f->step > 20 * f->step_sum / moves);
}

INLINE void look(const char *rows, size_t stride, size_t carry, size_t count, size_t columns, tp_column_facts *out) {
  for (size_t c = 0; c < columns; c++) out[c] = (tp_column_facts){.minimum = INFINITY, .maximum = -INFINITY};
  // The first rows of all have no two rows before them.
  size_t r = carry < 2 ? 2 - carry : 0;
  if (r > count) r = count;
  if (r > 0) look_at_any(rows, stride, carry, r, columns, out);
  size_t tile = tile_bytes / stride;
  if (tile < 64) tile = 64;
  // Turns are looked for in a second pass, where there may be any that matter: in few columns.
  for (int turns = 0; turns <= 1; turns++) {
    for (size_t begin = r; begin < count; begin += tile) {
      size_t some = count - begin < tile ? count - begin : tile;
      const char *from = rows + begin * stride;
      for (size_t c = 0; c < columns; c += lanes) {
        size_t own = columns - c < lanes ? columns - c : lanes;
        // The last columns are read with those before them, where there are any.
        size_t first = own < lanes && columns >= lanes ? lanes - own : 0;
        const char *at = from + 4 * (c - first);
        if (!turns) {
          if (!look_at_plain(at, stride, some, first, own, 0, &out[c]))
            look_at_any(from + 4 * c, stride, 2, some, own, &out[c]);
          continue;
        }
        int wanted = 0;
        for (size_t k = c; k < c + own; k++) wanted |= may_turn(&out[k]);
        if (wanted) look_at_plain(at, stride, some, first, own, 1, &out[c]);
      }
    }
  }
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) static void look_avx2(const char *rows, size_t stride, size_t carry, size_t count,
                                                      size_t columns, tp_column_facts *out) {
  look(rows, stride, carry, count, columns, out);
}
#endif

void tp_rows_look_f32(const void *rows, size_t stride, size_t carry, size_t count, size_t columns,
                      tp_column_facts *out) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2")) {
    look_avx2(rows, stride, carry, count, columns, out);
    return;
  }
#endif
  look(rows, stride, carry, count, columns, out);
}
