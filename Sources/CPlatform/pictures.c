#include <math.h>
#include <stdint.h>
#include <string.h>

#include "platform.h"

static size_t place_of(const tp_picture *picture, size_t y, size_t x, size_t channel) {
  return y * picture->row + x * picture->pixel + channel * picture->plane;
}

void tp_picture_nearest(const void *from, const tp_picture *in, void *to, const tp_picture *out, int bytes,
                        int mirrored) {
  const uint8_t *source = (const uint8_t *)from;
  uint8_t *target = (uint8_t *)to;
  size_t size = (size_t)bytes;
  // Samples that lie side by side in both pictures and keep their order are copied in one go.
  int is_packed = !mirrored && in->width == out->width && in->pixel == in->channels && out->pixel == in->pixel &&
                  (in->channels == 1 || (in->plane == 1 && out->plane == 1));
  for (size_t y = 0; y < out->height; y++) {
    size_t row = (2 * y + 1) * in->height / (2 * out->height);
    if (is_packed) {
      memcpy(target + place_of(out, y, 0, 0) * size, source + place_of(in, row, 0, 0) * size,
             in->width * in->channels * size);
      continue;
    }
    for (size_t x = 0; x < out->width; x++) {
      size_t column = (2 * x + 1) * in->width / (2 * out->width);
      size_t at = mirrored ? out->width - 1 - x : x;
      for (size_t channel = 0; channel < in->channels; channel++) {
        uint8_t *sample = target + place_of(out, y, at, channel) * size;
        const uint8_t *stored = source + place_of(in, row, column, channel) * size;
        if (size == 1) {
          *sample = *stored;
        } else {
          memcpy(sample, stored, size);
        }
      }
    }
  }
}

void tp_swap_ends(void *samples, size_t pixels, size_t pixel, size_t plane) {
  uint8_t *all = (uint8_t *)samples;
  for (size_t i = 0; i < pixels; i++) {
    uint8_t first = all[i * pixel];
    all[i * pixel] = all[i * pixel + 2 * plane];
    all[i * pixel + 2 * plane] = first;
  }
}

enum { precision = 22 };

size_t tp_triangle_taps(size_t in, size_t out) {
  double scale = (double)in / (double)out;
  return (size_t)ceil(scale < 1 ? 1 : scale) * 2 + 1;
}

void tp_triangle_weights(size_t in, size_t out, size_t *first, size_t *count, double *weights, int32_t *fixed) {
  size_t taps = tp_triangle_taps(in, out);
  double scale = (double)in / (double)out, support = scale < 1 ? 1 : scale;
  for (size_t i = 0; i < out; i++) {
    double center = ((double)i + 0.5) * scale, sum = 0;
    double low = center - support + 0.5, high = center + support + 0.5;
    first[i] = low < 0 ? 0 : (size_t)low;
    size_t end = high > (double)in ? in : (size_t)high;
    count[i] = end - first[i];
    double *own = weights + i * taps;
    for (size_t k = 0; k < count[i]; k++) {
      double distance = fabs(((double)(k + first[i]) - center + 0.5) * (1 / support));
      own[k] = distance < 1 ? 1 - distance : 0;
      sum += own[k];
    }
    for (size_t k = 0; k < count[i]; k++) {
      if (sum != 0) own[k] /= sum;
      fixed[i * taps + k] = (int32_t)(0.5 + own[k] * (1 << precision));
    }
  }
}

static inline uint8_t clipped(int32_t sum) {
  int32_t value = sum >> precision;
  return value < 0 ? 0 : value > 255 ? 255 : (uint8_t)value;
}

static inline uint16_t rounded_u16(double x) { return x <= 0 ? 0 : x >= 65535 ? 65535 : (uint16_t)(x + 0.5); }

// First along rows, then along columns, with a picture of in->height × out->width between.
// 8 bits are rounded in between, too; other types are doubles there.
#define TRIANGLE(NAME, TYPE, MIDDLE, SUM, START, WEIGHT, TO_MIDDLE, TO_OUT)                                        \
  static void NAME(const TYPE *from, const tp_picture *in, TYPE *to, const tp_picture *out, const tp_triangle *x, \
                   const tp_triangle *y, int mirrored, MIDDLE *middle) {                                         \
    size_t channels = in->channels, line = out->width * channels;                                                \
    for (size_t row = 0; row < in->height; row++) {                                                              \
      MIDDLE *target = middle + row * line;                                                                      \
      for (size_t at = 0; at < out->width; at++) {                                                               \
        const WEIGHT *weight = x->WEIGHT##_weights + at * x->taps;                                               \
        for (size_t channel = 0; channel < channels; channel++) {                                                \
          const TYPE *source = from + place_of(in, row, x->first[at], channel);                                  \
          SUM sum = START;                                                                                       \
          for (size_t k = 0; k < x->count[at]; k++) sum += (SUM)source[k * in->pixel] * weight[k];               \
          target[at * channels + channel] = TO_MIDDLE(sum);                                                      \
        }                                                                                                        \
      }                                                                                                          \
    }                                                                                                            \
    for (size_t row = 0; row < out->height; row++) {                                                             \
      const WEIGHT *weight = y->WEIGHT##_weights + row * y->taps;                                                \
      const MIDDLE *source = middle + y->first[row] * line;                                                      \
      for (size_t at = 0; at < out->width; at++) {                                                               \
        size_t place = mirrored ? out->width - 1 - at : at;                                                      \
        for (size_t channel = 0; channel < channels; channel++) {                                                \
          SUM sum = START;                                                                                       \
          for (size_t k = 0; k < y->count[row]; k++)                                                             \
            sum += (SUM)source[k * line + at * channels + channel] * weight[k];                                  \
          to[place_of(out, row, place, channel)] = TO_OUT(sum);                                                  \
        }                                                                                                        \
      }                                                                                                          \
    }                                                                                                            \
  }

#define AS_DOUBLE(X) (X)
#define AS_FLOAT(X) ((float)(X))
#define int32_t_weights fixed
#define double_weights weights
TRIANGLE(triangle_u8, uint8_t, uint8_t, int32_t, 1 << (precision - 1), int32_t, clipped, clipped)
TRIANGLE(triangle_u16, uint16_t, double, double, 0, double, AS_DOUBLE, rounded_u16)
TRIANGLE(triangle_f32, float, double, double, 0, double, AS_DOUBLE, AS_FLOAT)
TRIANGLE(triangle_f64, double, double, double, 0, double, AS_DOUBLE, AS_DOUBLE)

size_t tp_picture_triangle_room(const tp_picture *in, const tp_picture *out, int element) {
  return in->height * out->width * in->channels * (element == TP_PICTURE_U8 ? 1 : sizeof(double));
}

void tp_picture_triangle(const void *from, const tp_picture *in, void *to, const tp_picture *out, const tp_triangle *x,
                         const tp_triangle *y, int element, int mirrored, void *middle) {
  switch (element) {
    case TP_PICTURE_U8: triangle_u8(from, in, to, out, x, y, mirrored, middle); break;
    case TP_PICTURE_U16: triangle_u16(from, in, to, out, x, y, mirrored, middle); break;
    case TP_PICTURE_F32: triangle_f32(from, in, to, out, x, y, mirrored, middle); break;
    default: triangle_f64(from, in, to, out, x, y, mirrored, middle); break;
  }
}
