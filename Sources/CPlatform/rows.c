#include "platform.h"

#include <string.h>

// Pointers that may overlap by a whole row keep compilers from wide steps; `restrict` per row says that they do not.
static void add_u8(uint8_t *restrict row, const uint8_t *restrict above, size_t width) {
  for (size_t x = 0; x < width; x++) row[x] = (uint8_t)(row[x] + above[x]);
}

static void add_u16(uint16_t *restrict row, const uint16_t *restrict above, size_t width) {
  for (size_t x = 0; x < width; x++) row[x] = (uint16_t)(row[x] + above[x]);
}

void tp_rows_restore(const void *stored, size_t width, size_t height, int bytes, int is_up, void *out) {
  size_t count = width * height;
  if (bytes == 1) {
    memcpy(out, stored, count);
    uint8_t *samples = out;
    for (size_t y = 1; is_up && y < height; y++) add_u8(samples + y * width, samples + (y - 1) * width, width);
    return;
  }
  const uint8_t *low = stored, *high = low + count;
  uint16_t *samples = out;
  for (size_t i = 0; i < count; i++) samples[i] = (uint16_t)(low[i] | high[i] << 8);
  for (size_t y = 1; is_up && y < height; y++) add_u16(samples + y * width, samples + (y - 1) * width, width);
}

void tp_rows_predict(const void *from, size_t width, size_t height, int bytes, int is_up, void *out) {
  size_t count = width * height;
  uint8_t *low = out, *high = low + count;
  if (bytes == 1) {
    const uint8_t *samples = from;
    size_t first = is_up && height > 0 ? width : count;
    memcpy(low, samples, first);
    for (size_t i = first; i < count; i++) low[i] = (uint8_t)(samples[i] - samples[i - width]);
    return;
  }
  const uint16_t *samples = from;
  for (size_t i = 0; i < count; i++) {
    uint16_t rest = (uint16_t)(samples[i] - (is_up && i >= width ? samples[i - width] : 0));
    low[i] = (uint8_t)rest;
    high[i] = (uint8_t)(rest >> 8);
  }
}

void tp_take_part(const void *from, size_t stride, const tp_picture_part *part, size_t out_width, size_t out_height,
                  int bytes, void *out) {
  for (size_t y = 0; y < out_height; y++) {
    size_t row = part->top + (2 * y + 1) * part->height / (2 * out_height);
    const uint8_t *source = (const uint8_t *)from + (row * stride + part->left) * (size_t)bytes;
    uint8_t *to = (uint8_t *)out + y * out_width * (size_t)bytes;
    if (out_width == part->width && !part->mirrored) {
      memcpy(to, source, out_width * (size_t)bytes);
      continue;
    }
    for (size_t x = 0; x < out_width; x++) {
      size_t at = (2 * x + 1) * part->width / (2 * out_width);
      size_t place = part->mirrored ? out_width - 1 - x : x;
      if (bytes == 1) {
        to[place] = source[at];
      } else {
        memcpy(to + 2 * place, source + 2 * at, 2);
      }
    }
  }
}
