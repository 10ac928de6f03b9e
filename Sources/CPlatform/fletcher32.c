#include "platform.h"

static uint32_t folded(uint32_t sum) { return (sum & 0xFFFF) + (sum >> 16); }

uint32_t tp_fletcher32(const void *bytes, size_t length) {
  const uint8_t *at = bytes;
  uint32_t sum1 = 0, sum2 = 0;
  for (size_t words = length / 2; words;) {
    // libhdf5 folds every 360 words.
    size_t part = words < 360 ? words : 360;
    words -= part;
    for (; part; part--, at += 2) {
      sum1 += (uint32_t)at[0] << 8 | at[1];
      sum2 += sum1;
    }
    sum1 = folded(sum1);
    sum2 = folded(sum2);
  }
  if (length & 1) {
    sum1 += (uint32_t)*at << 8;
    sum2 += sum1;
    sum1 = folded(sum1);
    sum2 = folded(sum2);
  }
  return folded(sum2) << 16 | folded(sum1);
}
