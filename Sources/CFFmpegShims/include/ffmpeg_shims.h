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

/// Takes libav's log away from stderr, once a process: the last error line of each thread is kept.
void tpv_silence(void);
/// Forgets the calling thread's error lines.
void tpv_log_clear(void);
/// The calling thread's first error line since `tpv_log_clear`, or an empty string.
const char *tpv_log_line(void);
/// How many error lines a demuxer wrote on the calling thread since `tpv_log_clear`.
int tpv_log_demuxer_errors(void);

/// Copies samples of `bytes` (1 or 2) bytes from the nearest place, floor((x + 0.5) w / W): `out` is packed. `swap`
/// turns the bytes of each around.
void tpv_take_nearest(const uint8_t *from, intptr_t stride, intptr_t width, intptr_t height, void *out,
                      intptr_t out_width, intptr_t out_height, int bytes, int swap);
/// Takes an RGB picture apart into three packed planes.
void tpv_split_rgb(const uint8_t *from, intptr_t stride, intptr_t width, intptr_t height, uint8_t *out);

/// Makes `format` refuse to open any further file, whatever the bytes ask for.
void tpv_refuse_nested_files(AVFormatContext *format);
#endif
