// What Swift cannot say of FFmpeg: macros that hold casts or tags, variadic logging, and the
// callback that refuses nested files. Empty where FFmpeg's headers are not installed, so that a
// build without the trait `Video` needs none of them.
#pragma once

#if __has_include(<libavformat/avformat.h>)
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/crc.h>
#include <libavutil/display.h>
#include <libavutil/imgutils.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>

/// `AVERROR_EOF`: the end of the file.
static inline int tpv_error_eof(void) { return AVERROR_EOF; }
/// `AVERROR(EAGAIN)`: feed or drain the decoder first.
static inline int tpv_error_again(void) { return AVERROR(EAGAIN); }
/// `AVERROR_EXTERNAL`: the byte source failed; its own error is kept on the Swift side.
static inline int tpv_error_external(void) { return AVERROR_EXTERNAL; }
/// `AV_PKT_FLAG_KEY`, `AV_PKT_FLAG_CORRUPT`, `AV_PKT_FLAG_DISCARD`.
static inline int tpv_flag_key(void) { return AV_PKT_FLAG_KEY; }
static inline int tpv_flag_corrupt(void) { return AV_PKT_FLAG_CORRUPT; }
static inline int tpv_flag_discard(void) { return AV_PKT_FLAG_DISCARD; }
/// Every bitstream check that libavcodec has, and an error instead of a concealed picture.
static inline int tpv_strict_decoding(void) {
  return AV_EF_CRCCHECK | AV_EF_BITSTREAM | AV_EF_BUFFER | AV_EF_EXPLODE;
}

/// Loads FFmpeg's libraries unless they are loaded: 1, or 0 with a sentence in `message`. Whoever calls a function of
/// FFmpeg before that loads them, too, but the process ends where they are missing.
int tpv_load(char *message, size_t size);

/// Takes libav's log away from stderr, once a process: the first error line of each thread is kept.
void tpv_silence(void);
/// Takes the log again where something else in the process has taken it. The number that it gives says with
/// `tpv_log_is_complete` whether the log was here all the time since then: only then is no line as good as no error.
unsigned tpv_log_watch(void);
_Bool tpv_log_is_complete(unsigned watch);
/// Forgets the calling thread's error lines.
void tpv_log_clear(void);
/// The calling thread's first error line since `tpv_log_clear`, or an empty string.
const char *tpv_log_line(void);
/// How many error lines a demuxer wrote on the calling thread since `tpv_log_clear`.
int tpv_log_demuxer_errors(void);

/// Makes the decoder allocate each picture by itself, in pages that go back to the system with it. Else it takes them from a
/// pool of its own, which never gives memory back while the decoder lives: one whose pictures others keep for a while would
/// hold as much once more.
void tpv_allocate_pictures(AVCodecContext *context);

/// Copies samples of `bytes` (1 or 2) bytes from the nearest place, floor((x + 0.5) w / W): `out` is packed. `swap`
/// turns the bytes of each around.
void tpv_take_nearest(const uint8_t *from, intptr_t stride, intptr_t width, intptr_t height, void *out,
                      intptr_t out_width, intptr_t out_height, int bytes, int swap);
/// Takes an RGB picture apart into three packed planes.
void tpv_split_rgb(const uint8_t *from, intptr_t stride, intptr_t width, intptr_t height, uint8_t *out);

/// How swscale computes RGB of full range from YUV of 8 bits.
typedef struct tpv_rgb_matrix {
  int32_t y, offset, v_r, v_g, u_g, u_b;
} tpv_rgb_matrix;
/// The matrix by libswscale's coefficients (`sws_getCoefficients`) and the range of the samples.
tpv_rgb_matrix tpv_rgb_matrix_make(const int coefficients[4], int is_full);
/// A picture of three planes of 8 bits, and the part of it that is wanted. `sub_x`, `sub_y`: 1 where chroma has half as many
/// samples; that side is even and at least 8 then.
typedef struct tpv_yuv_picture {
  const uint8_t *luma, *chroma[2];
  intptr_t luma_stride, chroma_stride[2];
  intptr_t width, height;
  intptr_t left, top, out_width, out_height;
  int32_t sub_x, sub_y;
} tpv_yuv_picture;
/// The bytes that swscale gives with `SWS_BILINEAR | SWS_ACCURATE_RND | SWS_BITEXACT | SWS_FULL_CHR_H_INT` for RGB24 of the
/// same size, some twenty times as fast: packed, or as three planes; a part is the same part of the whole.
void tpv_yuv_to_rgb(const tpv_yuv_picture *from, tpv_rgb_matrix matrix, int planar, uint8_t *out);

/// Mirrors packed rows of `pixel` bytes a pixel left to right, in place.
void tpv_mirror(uint8_t *picture, intptr_t width, intptr_t height, intptr_t pixel);

/// Makes `format` refuse to open any further file, whatever the bytes ask for.
void tpv_refuse_nested_files(AVFormatContext *format);
#endif
