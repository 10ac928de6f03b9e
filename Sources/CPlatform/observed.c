#include "platform.h"
#include <string.h>

// A NaN is the one number that differs from itself. Loops of this form become vector
// instructions.
void tp_observed_f32(const void *numbers, size_t count, uint8_t *out) {
  const uint8_t *p = numbers;
  for (size_t i = 0; i < count; i++) {
    float x;
    memcpy(&x, p + 4 * i, 4);
    out[i] = x == x;
  }
}

void tp_observed_f64(const void *numbers, size_t count, uint8_t *out) {
  const uint8_t *p = numbers;
  for (size_t i = 0; i < count; i++) {
    double x;
    memcpy(&x, p + 8 * i, 8);
    out[i] = x == x;
  }
}
