#include "platform.h"
#include <string.h>

typedef uint8_t v16 __attribute__((vector_size(16), aligned(1)));

#define LOW(a, b)                                                                                  \
  __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#define HIGH(a, b)                                                                                 \
  __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)

// One round of the perfect shuffle of 16 vectors; four rounds transpose the 16 x 16 bytes.
#define ROUND(in, out)                                                                             \
  for (int i = 0; i < 8; i++) out[2 * i] = LOW(in[i], in[i + 8]), out[2 * i + 1] = HIGH(in[i], in[i + 8]);

static inline __attribute__((always_inline)) void transpose16(v16 a[16]) {
  v16 b[16];
  ROUND(a, b)
  ROUND(b, a)
  ROUND(a, b)
  ROUND(b, a)
}

static void unshuffle_bytewise(const uint8_t *planes, size_t size, size_t count, size_t first,
                               size_t end, uint8_t *dst, size_t stride) {
  for (size_t p = 0; p < size; p++)
    for (size_t e = first; e < end; e++) dst[(e - first) * stride + p] = planes[p * count + e];
}

// Elements of exactly 4 or 8 bytes that lie side by side: a tile needs fewer rounds.
static size_t unshuffle_small(const uint8_t *planes, size_t size, size_t count, size_t first,
                              size_t end, uint8_t *dst) {
  size_t e = first;
  for (; e + 16 <= end; e += 16) {
    v16 a[8], b[8];
    for (size_t p = 0; p < size; p++) a[p] = *(const v16 *)(planes + p * count + e);
    if (size == 4) {
      b[0] = LOW(a[0], a[2]), b[1] = HIGH(a[0], a[2]), b[2] = LOW(a[1], a[3]), b[3] = HIGH(a[1], a[3]);
      a[0] = LOW(b[0], b[2]), a[1] = HIGH(b[0], b[2]), a[2] = LOW(b[1], b[3]), a[3] = HIGH(b[1], b[3]);
    } else {
      for (int i = 0; i < 4; i++) b[2 * i] = LOW(a[i], a[i + 4]), b[2 * i + 1] = HIGH(a[i], a[i + 4]);
      for (int i = 0; i < 4; i++) a[2 * i] = LOW(b[i], b[i + 4]), a[2 * i + 1] = HIGH(b[i], b[i + 4]);
      for (int i = 0; i < 4; i++) b[2 * i] = LOW(a[i], a[i + 4]), b[2 * i + 1] = HIGH(a[i], a[i + 4]);
      memcpy(a, b, sizeof a);
    }
    memcpy(dst + (e - first) * size, a, 16 * size);
  }
  return e;
}

void tp_unshuffle(const uint8_t *planes, size_t size, size_t count, size_t first, size_t end,
                  uint8_t *dst, size_t stride) {
  if (first >= end) return;
  if (size == 1) {
    for (size_t e = first; e < end; e++) dst[(e - first) * stride] = planes[e];
    return;
  }
  if ((size == 4 || size == 8) && stride == size) {
    size_t done = unshuffle_small(planes, size, count, first, end, dst);
    unshuffle_bytewise(planes, size, count, done, end, dst + (done - first) * size, size);
    return;
  }
  if (count < 16) {
    unshuffle_bytewise(planes, size, count, first, end, dst, stride);
    return;
  }
  for (size_t e = first; e < end; e += 16) {
    // A tile of 16 elements that stays inside the plane; elements before `e` in it are done already.
    size_t t = e + 16 <= count ? e : count - 16;
    size_t from = e - t, to = (end - t < 16 ? end - t : 16);
    for (size_t p = 0; p < size; p += 16) {
      size_t q = p + 16 <= size ? p : (size >= 16 ? size - 16 : 0);
      size_t width = size - q < 16 ? size - q : 16;
      v16 a[16];
      for (size_t i = 0; i < width; i++) a[i] = *(const v16 *)(planes + (q + i) * count + t);
      for (size_t i = width; i < 16; i++) a[i] = (v16){0};
      transpose16(a);
      uint8_t *out = dst + (t + from - first) * stride + q;
      if (width == 16) {
        for (size_t i = from; i < to; i++, out += stride) *(v16 *)out = a[i];
      } else {
        for (size_t i = from; i < to; i++, out += stride) memcpy(out, &a[i], width);
      }
    }
  }
}

void tp_shuffle(const uint8_t *elements, size_t size, size_t count, uint8_t *planes) {
  // The transpose of a matrix of bytes is its own inverse with rows and columns exchanged.
  tp_unshuffle(elements, count, size, 0, size, planes, count);
}
