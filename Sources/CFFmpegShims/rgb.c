#include "ffmpeg_shims.h"

#if __has_include(<libavformat/avformat.h>)
#include <string.h>

// swscale converts 8-bit YUV to RGB exactly (SWS_FULL_CHR_H_INT, SWS_ACCURATE_RND, SWS_BITEXACT) by plain C, a pixel at a
// time. This gives the same bytes for pictures that keep their size. Source of the formulas: FFmpeg 5.1,
// libswscale/output.c (yuv2rgb_full_1_c_template, yuv2rgb_write_full), utils.c (initFilter), yuv2rgb.c
// (ff_yuv2rgb_c_init_tables). With t = 4 u - 512 of a chroma sample u, or of four averaged ones,
//   R = clip30(64 (8 (y - offset) cy + t_v c + 2^15)) >> 22
// in 32 bits that wrap around, as there; G and B alike. Chroma is interpolated along rows by 3:1, and is that of the nearest row
// or the mean of two, as swscale's filter says for pictures whose sides are even.

enum { tile = 512 };

static int32_t rounded(int64_t value) {
  int64_t r = (value + (1 << 15)) >> 16;
  return (int16_t)(r < -0x7FFF ? 0x8000 : r > 0x7FFF ? 0x7FFF : r);
}

tpv_rgb_matrix tpv_rgb_matrix_make(const int coefficients[4], int is_full) {
  int64_t crv = coefficients[0], cbu = coefficients[1], cgu = -coefficients[2], cgv = -coefficients[3];
  int64_t cy = 1 << 16, oy = 0;
  if (is_full) {
    crv = crv * 224 / 255, cbu = cbu * 224 / 255, cgu = cgu * 224 / 255, cgv = cgv * 224 / 255;
  } else {
    cy = cy * 255 / 219, oy = 16 << 16;
  }
  return (tpv_rgb_matrix){.y = rounded(cy * (1 << 13)),
                          .offset = rounded(oy * (1 << 9)) / 512,
                          .v_r = rounded(crv * (1 << 13)),
                          .v_g = rounded(cgv * (1 << 13)),
                          .u_g = rounded(cgu * (1 << 13)),
                          .u_b = rounded(cbu * (1 << 13))};
}

#define CLIPPED(X) \
  ((uint8_t)((int32_t)((X) < 0 ? 0 : (X) > 0x3FFFFFFF ? 0x3FFFFFFF : (X)) >> 22))
#define WRAP(A) ((int32_t)((uint32_t)(A) << 6))

#define ROW_ARGUMENTS                                                                                            \
  const uint8_t *restrict y, const int16_t *restrict u, const int16_t *restrict v, intptr_t n, tpv_rgb_matrix m, \
      uint8_t *restrict r, uint8_t *restrict g, uint8_t *restrict b
#define ROW_BODY                                                           \
  for (intptr_t x = 0; x < n; x++) {                                       \
    int32_t base = 8 * ((int32_t)y[x] - m.offset) * m.y + (1 << 15);       \
    int32_t red = WRAP(base + v[x] * m.v_r);                               \
    int32_t green = WRAP(base + v[x] * m.v_g + u[x] * m.u_g);              \
    int32_t blue = WRAP(base + u[x] * m.u_b);                              \
    r[x] = CLIPPED(red), g[x] = CLIPPED(green), b[x] = CLIPPED(blue);      \
  }
#define MIX_ARGUMENTS                                                                             \
  const uint8_t *restrict r, const uint8_t *restrict g, const uint8_t *restrict b, intptr_t n, \
      uint8_t *restrict out
#define MIX_BODY                                                       \
  for (intptr_t x = 0; x < n; x++) {                                   \
    out[3 * x] = r[x], out[3 * x + 1] = g[x], out[3 * x + 2] = b[x];   \
  }
// Sums of two chroma rows, from place `from` on; what lies outside is the nearest that lies inside.
#define SUM_ARGUMENTS \
  const uint8_t *restrict a, const uint8_t *restrict b, intptr_t from, intptr_t n, intptr_t width, int16_t *restrict out
#define SUM_BODY                                                            \
  intptr_t first = from < 0 ? -from : 0, last = width - from < n ? width - from : n; \
  const uint8_t *p = a + from, *q = b + from;                               \
  for (intptr_t i = first; i < last; i++) out[i] = (int16_t)(p[i] + q[i]);  \
  for (intptr_t i = 0; i < first; i++) out[i] = out[first];                 \
  for (intptr_t i = last; i < n; i++) out[i] = out[last - 1];
#define WIDE_ARGUMENTS const int16_t *restrict s, intptr_t n, int16_t *restrict out
#define WIDE_BODY                                             \
  for (intptr_t i = 0; i < n; i++) {                          \
    int16_t near = (int16_t)(3 * s[i + 1] - 1024);            \
    out[2 * i] = (int16_t)(near + s[i]);                      \
    out[2 * i + 1] = (int16_t)(near + s[i + 2]);              \
  }
#define FLAT_BODY \
  for (intptr_t i = 0; i < n; i++) out[i] = (int16_t)(4 * s[i + 1] - 1024);

#define ALL(SUFFIX, TARGET)                                                                                         \
  TARGET static inline void row##SUFFIX(ROW_ARGUMENTS) { ROW_BODY }                                                 \
  TARGET static inline void mix##SUFFIX(MIX_ARGUMENTS) { MIX_BODY }                                                 \
  TARGET static inline void sum##SUFFIX(SUM_ARGUMENTS) { SUM_BODY }                                                 \
  TARGET static inline void wide##SUFFIX(WIDE_ARGUMENTS) { WIDE_BODY }                                              \
  TARGET static inline void flat##SUFFIX(WIDE_ARGUMENTS) { FLAT_BODY }                                              \
  TARGET static void convert##SUFFIX(const tpv_yuv_picture *from, tpv_rgb_matrix m, int planar, uint8_t *out) { \
    intptr_t w = from->out_width, right = from->left + w, plane = w * from->out_height;                         \
    intptr_t chroma = from->width >> from->sub_x;                                                               \
    int16_t sums[tile + 4], u[tile + 4], v[tile + 4];                                                   \
    uint8_t colours[3][tile];                                                                                   \
    for (intptr_t i = 0; i < from->out_height; i++) {                                                     \
      intptr_t y = from->top + i, a = y, b = y;                                                               \
      if (from->sub_y) {                                                                                        \
        a = b = y / 2;                                                                                          \
        if ((y % 2 == 0 || y == from->height - 1) && b > 0) a = b - 1;                                          \
      }                                                                                                         \
      for (intptr_t x = from->left; x < right; x += tile) {                                                     \
        intptr_t n = right - x < tile ? right - x : tile;                                                       \
        intptr_t odd = x & from->sub_x, c = x >> from->sub_x, k = (n + odd + from->sub_x) >> from->sub_x;       \
        for (int which = 0; which < 2; which++) {                                                               \
          const uint8_t *p = from->chroma[which];                                                               \
          intptr_t stride = from->chroma_stride[which];                                                         \
          sum##SUFFIX(p + a * stride, p + b * stride, c - 1, k + 2, chroma, sums);                              \
          if (from->sub_x) {                                                                                    \
            wide##SUFFIX(sums, k, which ? v : u);                                                               \
          } else {                                                                                              \
            flat##SUFFIX(sums, k, which ? v : u);                                                               \
          }                                                                                                     \
        }                                                                                                       \
        const uint8_t *luma = from->luma + y * from->luma_stride + x;                                           \
        intptr_t at = i * w + x - from->left;                                                                 \
        if (planar) {                                                                                           \
          row##SUFFIX(luma, u + odd, v + odd, n, m, out + at, out + at + plane, out + at + 2 * plane);          \
        } else {                                                                                                \
          row##SUFFIX(luma, u + odd, v + odd, n, m, colours[0], colours[1], colours[2]);                        \
          mix##SUFFIX(colours[0], colours[1], colours[2], n, out + 3 * at);                                     \
        }                                                                                                       \
      }                                                                                                         \
    }                                                                                                           \
  }

ALL(_plain, )
#if defined(__x86_64__)
ALL(_avx2, __attribute__((target("avx2"))))
#endif

void tpv_yuv_to_rgb(const tpv_yuv_picture *from, tpv_rgb_matrix matrix, int planar, uint8_t *out) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2")) return convert_avx2(from, matrix, planar, out);
#endif
  convert_plain(from, matrix, planar, out);
}
#endif
