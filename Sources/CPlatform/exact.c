#include "platform.h"
#include <math.h>
#include <string.h>

// Exact sums of doubles and of their squares: fixed-point numbers in digits of 32 bits (a "superaccumulator", Neal 2015,
// arXiv:1505.05571), so that the order of the numbers and of merges cannot change a bit.

typedef __int128 wide;
typedef unsigned __int128 uwide;

enum { SUM = TP_SUM_DIGITS, SQUARES = TP_SQUARE_DIGITS, EXPONENTS = 2048, PIECE = 1 << 20 };

// Sums of the integer significands of one exponent. Their squares have 106 bits, so that 2^20 of them fit.
struct tp_exact_table {
  wide sums[EXPONENTS];
  uwide squares[EXPONENTS];
};

size_t tp_exact_table_bytes(void) { return sizeof(struct tp_exact_table); }

void tp_exact_begin(tp_exact *total) {
  memset(total, 0, sizeof *total);
  total->minimum = INFINITY;
  total->maximum = -INFINITY;
}

// Passes carries on: all digits but the last come to lie in 0 ..< 2^32, so that equal sums have equal digits.
static void carry(int64_t *digits, size_t count) {
  int64_t more = 0;
  for (size_t i = 0; i + 1 < count; i++) {
    int64_t digit = digits[i] + more;
    more = digit >> 32;
    digits[i] = digit & 0xFFFFFFFF;
  }
  digits[count - 1] += more;
}

// Adds value * 2^bit.
static void add(int64_t *digits, uwide value, int is_negative, size_t bit) {
  size_t at = bit / 32, shift = bit % 32;
  uwide low = value << shift;
  uint32_t parts[5] = {(uint32_t)low, (uint32_t)(low >> 32), (uint32_t)(low >> 64), (uint32_t)(low >> 96),
                       shift ? (uint32_t)(value >> (128 - shift)) : 0};
  for (size_t i = 0; i < 5; i++) {
    if (!parts[i]) continue;
    digits[at + i] += is_negative ? -(int64_t)parts[i] : (int64_t)parts[i];
  }
}

static size_t piece(tp_exact *total, const double *values, size_t count, struct tp_exact_table *table,
                    double *finite) {
  size_t found = 0;
  int64_t missing = 0;
  double low = total->minimum, high = total->maximum;
  unsigned first = EXPONENTS, last = 0;
  for (size_t i = 0; i < count; i++) {
    double value = values[i];
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    unsigned exponent = bits >> 52 & 2047;
    if (exponent == 2047) {
      missing += value != value;
      continue;
    }
    if (finite) finite[found] = value;
    found++;
    if (value < low) low = value;
    if (value > high) high = value;
    uint64_t significand = bits & (((uint64_t)1 << 52) - 1);
    // Denormal numbers have the unit of the least normal ones, and no hidden bit.
    if (exponent) significand |= (uint64_t)1 << 52;
    else exponent = 1;
    if (exponent < first) first = exponent;
    if (exponent > last) last = exponent;
    table->sums[exponent] += bits >> 63 ? -(int64_t)significand : (int64_t)significand;
    table->squares[exponent] += (uwide)significand * significand;
  }
  for (unsigned e = first; e <= last && e < EXPONENTS; e++) {
    if (!table->squares[e]) continue;
    wide sum = table->sums[e];
    add(total->sum, sum < 0 ? -(uwide)sum : (uwide)sum, sum < 0, e - 1);
    add(total->squares, table->squares[e], 0, 2 * (size_t)(e - 1));
    table->sums[e] = 0;
    table->squares[e] = 0;
  }
  carry(total->sum, SUM);
  carry(total->squares, SQUARES);
  total->minimum = low;
  total->maximum = high;
  total->count += found;
  total->missing += missing;
  total->infinite += (int64_t)(count - found) - missing;
  return found;
}

size_t tp_exact_add(tp_exact *total, const double *values, size_t count, void *table, double *finite) {
  size_t found = 0;
  for (size_t at = 0; at < count; at += PIECE)
    found += piece(total, values + at, count - at < PIECE ? count - at : PIECE, table,
                   finite ? finite + found : NULL);
  return found;
}

void tp_exact_merge(tp_exact *total, const tp_exact *more) {
  for (size_t i = 0; i < SUM; i++) total->sum[i] += more->sum[i];
  for (size_t i = 0; i < SQUARES; i++) total->squares[i] += more->squares[i];
  carry(total->sum, SUM);
  carry(total->squares, SQUARES);
  total->count += more->count;
  total->missing += more->missing;
  total->infinite += more->infinite;
  if (more->minimum < total->minimum) total->minimum = more->minimum;
  if (more->maximum > total->maximum) total->maximum = more->maximum;
}

// Digits below 2^32 as a number with 64 significant bits, of which the last says whether anything lies below, times
// 2^exponent. 0 where all are 0.
static uint64_t leading(const uint64_t *digits, size_t count, int *exponent) {
  size_t top = count;
  while (top > 0 && !digits[top - 1]) top--;
  *exponent = 0;
  if (!top) return 0;
  uwide value = 0;
  int rest = 0;
  for (size_t i = 0; i < 4; i++) value = value << 32 | (top > i ? digits[top - 1 - i] : 0);
  for (size_t i = 4; i < top && !rest; i++) rest = digits[top - 1 - i] != 0;
  int shift = 0;
  while (!(value >> 127)) value <<= 1, shift++;
  uint64_t bits = (uint64_t)(value >> 64);
  if (rest || (uint64_t)value) bits |= 1;
  *exponent = 32 * ((int)top - 4) - shift + 64;
  return bits;
}

// Divides digits by a number; what remains makes the last digit odd, which is far below the bits that are kept.
static void divide(uint64_t *digits, size_t count, uint64_t by) {
  uwide rest = 0;
  for (size_t i = count; i-- > 0;) {
    rest = rest << 32 | digits[i];
    digits[i] = (uint64_t)(rest / by);
    rest %= by;
  }
  if (rest) digits[0] |= 1;
}

// Digits of a magnitude; whether it is negative.
static int magnitude(const int64_t *digits, size_t count, uint64_t *out) {
  int is_negative = digits[count - 1] < 0;
  int64_t more = 0;
  for (size_t i = 0; i < count; i++) {
    int64_t digit = (is_negative ? -digits[i] : digits[i]) + more;
    // The last one keeps what there is.
    if (i + 1 < count) more = digit >> 32, digit &= 0xFFFFFFFF;
    out[i] = (uint64_t)digit;
  }
  return is_negative;
}

// Room below the sums for what a division leaves: 4 digits more than a double holds.
enum { BELOW = 6, ALL = BELOW + SQUARES + 8 };

void tp_exact_figures(const tp_exact *total, double *mean, double *m2, double *deviation) {
  *mean = *m2 = *deviation = NAN;
  if (total->count <= 0) return;
  uint64_t n = (uint64_t)total->count;
  uint64_t sum[SUM], quotient[BELOW + SUM] = {0};
  int is_negative = magnitude(total->sum, SUM, sum), exponent;
  memcpy(quotient + BELOW, sum, sizeof sum);
  divide(quotient, BELOW + SUM, n);
  uint64_t bits = leading(quotient, BELOW + SUM, &exponent);
  *mean = (is_negative ? -1 : 1) * ldexp((double)bits, exponent - 1074 - 32 * BELOW);

  // n * sum of squares - (sum)^2, which is n^2 times the variance and never below 0.
  uint64_t spread[ALL] = {0};
  uwide more = 0;
  for (size_t i = 0; i < SQUARES + 4; i++) {
    if (i < SQUARES) more += (uwide)(uint64_t)total->squares[i] * n;
    spread[BELOW + i] = (uint64_t)more & 0xFFFFFFFF;
    more >>= 32;
  }
  size_t low = 0, high = SUM;
  while (low < SUM && !sum[low]) low++;
  while (high > low && !sum[high - 1]) high--;
  for (size_t i = low; i < high; i++) {
    uwide carried = 0;
    for (size_t j = low; j < high; j++) {
      carried += (uwide)sum[i] * sum[j];
      uint64_t digit = (uint64_t)carried & 0xFFFFFFFF;
      carried >>= 32;
      uint64_t *at = spread + BELOW + i + j;
      if (*at < digit) *at += (uint64_t)1 << 32, carried += 1;
      *at -= digit;
    }
    for (size_t at = BELOW + i + high; carried && at < ALL; at++) {
      uint64_t digit = (uint64_t)carried & 0xFFFFFFFF;
      carried >>= 32;
      if (spread[at] < digit) spread[at] += (uint64_t)1 << 32, carried += 1;
      spread[at] -= digit;
    }
  }
  divide(spread, ALL, n);
  bits = leading(spread, ALL, &exponent);
  exponent -= 2148 + 32 * BELOW;
  *m2 = ldexp((double)bits, exponent);
  divide(spread, ALL, n);
  bits = leading(spread, ALL, &exponent);
  exponent -= 2148 + 32 * BELOW;
  double variance = (double)bits;
  if (exponent & 1) variance *= 2, exponent -= 1;
  *deviation = ldexp(sqrt(variance), exponent / 2);
}

// Numbers as integers in the same order.
static uint64_t key(double value) {
  uint64_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits ^ ((uint64_t)((int64_t)bits >> 63) | (uint64_t)1 << 63);
}

void tp_sort_doubles(double *values, double *room, size_t count) {
  if (count < 64) {
    for (size_t i = 1; i < count; i++) {
      double value = values[i];
      size_t at = i;
      for (; at > 0 && key(values[at - 1]) > key(value); at--) values[at] = values[at - 1];
      values[at] = value;
    }
    return;
  }
  // Six turns of 11 bits from the lowest; those in which all numbers agree are left out.
  enum { BITS = 11, TURNS = 6, SIZE = 1 << BITS };
  uint32_t counts[TURNS][SIZE];
  memset(counts, 0, sizeof counts);
  for (size_t i = 0; i < count; i++) {
    uint64_t k = key(values[i]);
    for (int t = 0; t < TURNS; t++) counts[t][k >> (BITS * t) & (SIZE - 1)]++;
  }
  double *from = values, *to = room;
  for (int t = 0; t < TURNS; t++) {
    uint32_t *ends = counts[t];
    if (ends[key(from[0]) >> (BITS * t) & (SIZE - 1)] == count) continue;
    uint32_t sum = 0;
    for (size_t d = 0; d < SIZE; d++) {
      uint32_t here = ends[d];
      ends[d] = sum;
      sum += here;
    }
    for (size_t i = 0; i < count; i++) to[ends[key(from[i]) >> (BITS * t) & (SIZE - 1)]++] = from[i];
    double *swapped = from;
    from = to;
    to = swapped;
  }
  if (from != values) memcpy(values, from, count * sizeof *values);
}

void tp_halve_sorted(const double *a, const double *b, size_t count, int odd, double *out) {
  size_t i = 0, j = 0;
  for (size_t n = 0; n < 2 * count; n++) {
    double value = j == count || (i < count && a[i] <= b[j]) ? a[i++] : b[j++];
    if ((n & 1) == (size_t)odd) *out++ = value;
  }
}
