#include "platform.h"
#include <string.h>

// Columns of int64 rows as lines and what is left over. All arithmetic wraps, so that every number comes
// back whatever the file says.
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "packed columns are little-endian"
#endif

typedef int64_t v4 __attribute__((vector_size(32), aligned(8)));
typedef uint64_t u4 __attribute__((vector_size(32), aligned(8)));

#define LESS(a, b) (((a) < (b)) & (a)) | (((a) >= (b)) & (b))

// K vectors of four lanes a row; lanes behind the last column see the next row and mean nothing.
#define ROWS(K)                                                                                    \
  for (size_t i = 0; i < whole; i++) {                                                             \
    const int64_t *row = rows + i * columns;                                                       \
    for (size_t k = 0; k < K; k++) {                                                               \
      v4 rest = (v4)(*(const u4 *)(row + 4 * k) - line[k]);                                        \
      line[k] += step[k];                                                                          \
      least[k] = LESS(rest, least[k]);                                                             \
      most[k] = ~(LESS(~rest, ~most[k]));                                                          \
    }                                                                                              \
  }

#define BODY                                                                                       \
  size_t vectors = (columns + 3) / 4;                                                              \
  u4 line[3], step[3];                                                                             \
  v4 least[3], most[3];                                                                            \
  for (size_t c = 0; c < 12; c++) {                                                                \
    line[c / 4][c % 4] = c < columns ? (uint64_t)lines[c].base : 0;                                \
    step[c / 4][c % 4] = c < columns ? (uint64_t)lines[c].slope : 0;                               \
    least[c / 4][c % 4] = INT64_MAX;                                                               \
    most[c / 4][c % 4] = INT64_MIN;                                                                \
  }                                                                                                \
  size_t whole = count * columns < 4 * vectors ? 0 : (count * columns - 4 * vectors) / columns + 1;\
  if (vectors == 1) { ROWS(1) } else if (vectors == 2) { ROWS(2) } else { ROWS(3) }                \
  for (size_t c = 0; c < columns; c++) {                                                           \
    low[c] = least[c / 4][c % 4];                                                                  \
    high[c] = most[c / 4][c % 4];                                                                  \
    for (size_t i = whole; i < count; i++) {                                                       \
      int64_t rest = (int64_t)((uint64_t)rows[i * columns + c] - (uint64_t)lines[c].base -         \
                               i * (uint64_t)lines[c].slope);                                      \
      if (rest < low[c]) low[c] = rest;                                                            \
      if (rest > high[c]) high[c] = rest;                                                          \
    }                                                                                              \
  }

#define ARGUMENTS                                                                                  \
  const int64_t *rows, size_t count, size_t columns, const tp_column *lines, int64_t *low,         \
      int64_t *high

#if defined(__x86_64__)
__attribute__((target("avx2"))) static void range_avx2(ARGUMENTS) { BODY }
#endif
static void range_portable(ARGUMENTS) { BODY }

static void range(ARGUMENTS) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2")) {
    range_avx2(rows, count, columns, lines, low, high);
    return;
  }
#endif
  range_portable(rows, count, columns, lines, low, high);
}

size_t tp_columns_fit(const int64_t *rows, size_t count, size_t columns, tp_column *out) {
  int64_t low[TP_COLUMNS], high[TP_COLUMNS];
  for (size_t c = 0; c < columns; c++) {
    uint64_t first = (uint64_t)rows[c], last = (uint64_t)rows[(count - 1) * columns + c];
    out[c].base = (int64_t)first;
    out[c].slope = count > 1 ? (int64_t)(last - first) / (int64_t)(count - 1) : 0;
  }
  range(rows, count, columns, out, low, high);
  size_t bytes = 0;
  for (size_t c = 0; c < columns; c++) {
    out[c].base = (int64_t)((uint64_t)out[c].base + (uint64_t)low[c]);
    uint64_t rest = (uint64_t)high[c] - (uint64_t)low[c];
    out[c].width = rest == 0 ? 0 : 8 - (uint64_t)__builtin_clzll(rest) / 8;
    out[c].mask = out[c].width == 0 ? 0 : UINT64_MAX >> (64 - 8 * out[c].width);
    bytes += out[c].width * count;
  }
  return bytes;
}

void tp_columns_pack(const int64_t *rows, size_t count, size_t columns, tp_column *out,
                     uint8_t *bytes) {
  for (size_t c = 0; c < columns; c++) {
    const size_t width = out[c].width;
    if (width == 0) continue;
    out[c].bytes = bytes;
    uint64_t line = (uint64_t)out[c].base, slope = (uint64_t)out[c].slope;
    // What is written too far is written over by the next number, or lies in the spare bytes at the end.
    for (size_t i = 0; i < count; i++, line += slope, bytes += width) {
      uint64_t rest = (uint64_t)rows[i * columns + c] - line;
      memcpy(bytes, &rest, 8);
    }
  }
}

// Widths of whole types become vector instructions.
#define UNPACK(T)                                                                                  \
  for (size_t i = 0; i < count; i++, line += slope) {                                              \
    T rest;                                                                                        \
    memcpy(&rest, bytes + i * sizeof rest, sizeof rest);                                           \
    out[i] = (int64_t)(line + rest);                                                               \
  }

void tp_column_unpack(const tp_column *column, size_t count, int64_t *out) {
  uint64_t line = (uint64_t)column->base;
  const uint64_t slope = (uint64_t)column->slope, mask = column->mask;
  const uint8_t *bytes = column->bytes;
  switch (column->width) {
  case 0: {
    u4 four = {line, line + slope, line + 2 * slope, line + 3 * slope};
    size_t i = 0;
    for (; i + 4 <= count; i += 4, four += 4 * slope) *(u4 *)(out + i) = four;
    for (line += i * slope; i < count; i++, line += slope) out[i] = (int64_t)line;
    return;
  }
  case 1: UNPACK(uint8_t) return;
  case 2: UNPACK(uint16_t) return;
  case 4: UNPACK(uint32_t) return;
  default:
    for (size_t i = 0; i < count; i++, line += slope, bytes += column->width) {
      uint64_t rest;
      memcpy(&rest, bytes, 8);
      out[i] = (int64_t)(line + (rest & mask));
    }
  }
}
