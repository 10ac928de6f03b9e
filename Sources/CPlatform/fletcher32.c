#include "platform.h"
#include <string.h>

// Words that a lane takes before its sums could overflow: 360 * 361 / 2 * 65535 < 2^32.
enum { LANES = 16, STEPS = 360 };
typedef uint16_t words __attribute__((vector_size(2 * LANES)));
typedef uint32_t sums __attribute__((vector_size(4 * LANES)));

#define INLINE static inline __attribute__((always_inline))

// libhdf5 folds sums of 32 bits to 16, which keeps them modulo 65535 and never makes 0 of another number.
INLINE uint32_t folded(uint64_t sum) { return sum ? (uint32_t)((sum - 1) % 65535 + 1) : 0; }

INLINE uint32_t fletcher(const uint8_t *at, size_t length) {
  uint64_t sum1 = 0, sum2 = 0;
  size_t count = length / 2;
  while (count >= LANES) {
    size_t steps = count / LANES < STEPS ? count / LANES : STEPS, part = steps * LANES;
    sums one = {0}, two = {0};
    for (size_t i = 0; i < steps; i++, at += 2 * LANES) {
      words w;
      memcpy(&w, at, sizeof w);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
      w = w << 8 | w >> 8;
#endif
      one += __builtin_convertvector(w, sums);
      two += one;
    }
    // Word i of the part counts part - i times, and lane l has words l, l + LANES, ...
    sum2 += part * sum1;
    for (size_t l = 0; l < LANES; l++) {
      sum1 += one[l];
      sum2 += (uint64_t)LANES * two[l] - l * (uint64_t)one[l];
    }
    sum1 = folded(sum1);
    sum2 = folded(sum2);
    count -= part;
  }
  for (; count; count--, at += 2) {
    sum1 += (uint32_t)at[0] << 8 | at[1];
    sum2 += sum1;
  }
  if (length & 1) {
    sum1 += (uint32_t)*at << 8;
    sum2 += sum1;
  }
  return folded(sum2) << 16 | folded(sum1);
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) static uint32_t fletcher_avx2(const uint8_t *at, size_t length) {
  return fletcher(at, length);
}
#endif

uint32_t tp_fletcher32(const void *bytes, size_t length) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2")) return fletcher_avx2(bytes, length);
#endif
  return fletcher(bytes, length);
}
