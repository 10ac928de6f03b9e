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

// Elements of 2, 4 or 8 bytes that lie side by side, each plane at a place of its own: a tile needs fewer rounds.
static size_t unshuffle_small(const uint8_t *const *planes, size_t size, size_t first, size_t end,
                              uint8_t *dst) {
  size_t e = first;
  for (; e + 16 <= end; e += 16) {
    v16 a[8], b[8];
    for (size_t p = 0; p < size; p++) a[p] = *(const v16 *)(planes[p] + e);
    if (size == 2) {
      b[0] = LOW(a[0], a[1]), b[1] = HIGH(a[0], a[1]);
      a[0] = b[0], a[1] = b[1];
    } else if (size == 4) {
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

void tp_unshuffle_planes(const uint8_t *const *planes, size_t size, size_t first, size_t end,
                         uint8_t *dst) {
  size_t e = first;
  // The sizes are written out so that each gets a loop of its own.
  if (size == 4) e = unshuffle_small(planes, 4, first, end, dst);
  if (size == 8) e = unshuffle_small(planes, 8, first, end, dst);
  if (size == 2) e = unshuffle_small(planes, 2, first, end, dst);
  for (; e < end; e++)
    for (size_t p = 0; p < size; p++) dst[(e - first) * size + p] = planes[p][e];
}

#if defined(__x86_64__)
// Two 16 x 16 tiles at once, one in each half of a vector: 45 GB/s where one at a time makes 12.
typedef uint8_t v32 __attribute__((vector_size(32), aligned(1)));

#define LOW32(a, b)                                                                                \
  __builtin_shufflevector(a, b, 0, 32, 1, 33, 2, 34, 3, 35, 4, 36, 5, 37, 6, 38, 7, 39, 16, 48, 17, \
                          49, 18, 50, 19, 51, 20, 52, 21, 53, 22, 54, 23, 55)
#define HIGH32(a, b)                                                                               \
  __builtin_shufflevector(a, b, 8, 40, 9, 41, 10, 42, 11, 43, 12, 44, 13, 45, 14, 46, 15, 47, 24,  \
                          56, 25, 57, 26, 58, 27, 59, 28, 60, 29, 61, 30, 62, 31, 63)
#define PAIR32(in, out, i) out[2 * i] = LOW32(in[i], in[i + 8]), out[2 * i + 1] = HIGH32(in[i], in[i + 8]);
#define ROUND32(in, out)                                                                           \
  PAIR32(in, out, 0) PAIR32(in, out, 1) PAIR32(in, out, 2) PAIR32(in, out, 3) PAIR32(in, out, 4)     \
      PAIR32(in, out, 5) PAIR32(in, out, 6) PAIR32(in, out, 7)

static int has_avx2(void) {
  static int known = -1;
  int has = __atomic_load_n(&known, __ATOMIC_RELAXED);
  if (has < 0) __atomic_store_n(&known, has = __builtin_cpu_supports("avx2") != 0, __ATOMIC_RELAXED);
  return has;
}

// Whole tiles of 32 elements of 16 bytes or more; says which element comes next.
__attribute__((target("avx2"))) static size_t unshuffle_avx2(const uint8_t *planes, size_t size,
                                                             size_t count, size_t first, size_t end,
                                                             uint8_t *dst, size_t stride) {
  size_t e = first;
  for (; e + 32 <= end; e += 32)
    for (size_t p = 0; p < size; p += 16) {
      size_t q = p + 16 <= size ? p : size - 16;
      v32 a[16], b[16];
      for (int i = 0; i < 16; i++) a[i] = *(const v32 *)(planes + (q + i) * count + e);
      ROUND32(a, b) ROUND32(b, a) ROUND32(a, b) ROUND32(b, a)
      uint8_t *out = dst + (e - first) * stride + q;
      for (int i = 0; i < 16; i++) {
        *(v16 *)(out + i * stride) =
            __builtin_shufflevector(a[i], a[i], 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
        *(v16 *)(out + (i + 16) * stride) = __builtin_shufflevector(
            a[i], a[i], 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31);
      }
    }
  return e;
}
#endif

void tp_unshuffle(const uint8_t *planes, size_t size, size_t count, size_t first, size_t end,
                  uint8_t *dst, size_t stride) {
  if (first >= end) return;
  if (size == 1) {
    for (size_t e = first; e < end; e++) dst[(e - first) * stride] = planes[e];
    return;
  }
  if ((size == 2 || size == 4 || size == 8) && stride == size) {
    const uint8_t *each[8];
    for (size_t p = 0; p < size; p++) each[p] = planes + p * count;
    tp_unshuffle_planes(each, size, first, end, dst);
    return;
  }
  if (count < 16) {
    unshuffle_bytewise(planes, size, count, first, end, dst, stride);
    return;
  }
  size_t e = first;
#if defined(__x86_64__)
  if (size >= 16 && has_avx2()) e = unshuffle_avx2(planes, size, count, first, end, dst, stride);
#endif
  for (; e < end; e += 16) {
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

// Elements of 2, 4 or 8 bytes: four perfect shuffles of a tile turn its bytes from element by element to plane by plane.
static inline __attribute__((always_inline)) size_t shuffle_small(const uint8_t *elements, size_t size,
                                                                  size_t count, uint8_t *planes) {
  size_t e = 0;
  for (; e + 16 <= count; e += 16) {
    v16 a[8], b[8];
    memcpy(a, elements + e * size, 16 * size);
    for (int round = 0; round < 2; round++) {
      for (size_t i = 0; i < size / 2; i++)
        b[2 * i] = LOW(a[i], a[i + size / 2]), b[2 * i + 1] = HIGH(a[i], a[i + size / 2]);
      for (size_t i = 0; i < size / 2; i++)
        a[2 * i] = LOW(b[i], b[i + size / 2]), a[2 * i + 1] = HIGH(b[i], b[i + size / 2]);
    }
    for (size_t p = 0; p < size; p++) *(v16 *)(planes + p * count + e) = a[p];
  }
  return e;
}

void tp_shuffle(const uint8_t *elements, size_t size, size_t count, uint8_t *planes) {
  if (size == 2 || size == 4 || size == 8) {
    size_t e = size == 4   ? shuffle_small(elements, 4, count, planes)
               : size == 8 ? shuffle_small(elements, 8, count, planes)
                           : shuffle_small(elements, 2, count, planes);
    for (; e < count; e++)
      for (size_t p = 0; p < size; p++) planes[p * count + e] = elements[e * size + p];
    return;
  }
  // The transpose of a matrix of bytes is its own inverse with rows and columns exchanged.
  tp_unshuffle(elements, count, size, 0, size, planes, count);
}
