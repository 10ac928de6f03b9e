// libtrajpack-video: decoded frames by their packet table. The only library of trajpack that uses FFmpeg,
// which it loads when it is first needed.
//
// libtrajpack uses no FFmpeg. Whoever wants frames loads this library, asks tpv_functions for its table and gives
// that to tp_video_register (trajpack.h), once a process. A function that can fail returns 0, or the code of a
// tp_status (1 data, 2 usage, 3 machine) and fills the error. A pool and a video may be used by any number of threads at
// once. Nothing here starts threads but a decoder that is asked to use several.
#pragma once
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// One sentence: what is wrong, where, and what to do about it. UTF-8, cut where it is too long.
typedef struct tpv_error {
  int32_t code;
  char message[1024];
} tpv_error;

// What a decoder has to know of a stream; texts are libavcodec's and libavutil's names.
typedef struct tpv_stream {
  const char *name;  // what errors call it
  const char *codec, *pixel_format, *color_range, *color_space;
  int32_t width, height;  // pixels, before rotation
  const uint8_t *extradata;
  size_t extradata_bytes;
  uint32_t codec_tag;             // the container's name of the codec, by which some decoders choose; 0 where it does not matter
  int32_t bits_per_coded_sample;  // the same
} tpv_stream;

// Packets in decode order, `count` of each.
typedef struct tpv_packets {
  size_t count;
  const int64_t *offset;  // of the payload among the bytes that `read` gives; -1 where it does not lie there in one piece
  const int32_t *size;
  const int64_t *pts;       // the smallest int64 where unknown
  const int32_t *frame;     // its number in presentation order; -1 where it is never shown
  const uint8_t *keyframe;  // 1 where decoding may begin
  int64_t bytes;            // how many bytes `read` can give
  uint8_t by_container;     // 1: payloads alone are not enough, the container has to be read
} tpv_packets;

// Gives bytes of the file: `bytes` from `offset` on, all of them. Called by the thread that calls `decode`.
typedef int32_t (*tpv_read)(void *context, int64_t offset, void *memory, size_t bytes, tpv_error *error);

// What frames are written as: rows lie one after the other with no padding.
typedef enum tpv_format {
  TPV_USUAL = 0,   // gray8 or gray16 where the stream has nothing but brightness, else rgb24
  TPV_RGB24 = 1,   // uint8 of full range, by the stream's matrix and range
  TPV_GRAY8 = 2,   // uint8, the stored samples of the first plane
  TPV_GRAY16 = 3,  // uint16, the stored samples of the first plane, 9 to 16 bits
  TPV_NATIVE = 4,  // the decoder's planes, one after the other
} tpv_format;
typedef struct tpv_output {
  int32_t format;
  int32_t width, height;  // 0: the stream's, or the crop's. Gray takes the nearest sample; colours a triangle filter
  int32_t planar;         // 1: colours as [3, height, width]
  int32_t crop_width, crop_height;  // 0: the whole; else the size of the part that is taken before scaling
} tpv_output;
// The same, settled for a stream: no 0 but `planar`, and the bytes of a frame.
typedef struct tpv_layout {
  tpv_output output;
  int64_t bytes;
} tpv_layout;

// A frame that is wanted, and where it goes. Several may have the same number.
typedef struct tpv_frame {
  int64_t frame;
  void *memory;
  int32_t left, top;  // of the part, where the output is cropped
  int32_t mirrored;   // 1: left and right are swapped, after cropping
} tpv_frame;

typedef struct tpv_request {
  tpv_output output;
  int32_t threads;    // of the codec; 1 where a loader has threads of its own
  int32_t goes_on;    // 1: what follows is likely to be asked for next; 0: the decoder is done after these
  tpv_read read;
  void *context;
} tpv_request;

// What a pool may keep, in bytes. Decoders that work are not counted among those that are kept.
typedef struct tpv_limits {
  int64_t frames;    // decoded pictures
  int64_t decoders;  // idle decoders, by an estimate from their picture size
} tpv_limits;
typedef struct tpv_counts {
  int64_t frames;         // that were given out
  int64_t packets;        // that were decoded for them
  int64_t cached_frames;  // that were given out without decoding
  int64_t frame_bytes, decoder_bytes;  // held now
} tpv_counts;

typedef struct tpv_pool tpv_pool;
typedef struct tpv_video tpv_video;

#define TPV_ABI 2
typedef struct tpv_functions {
  int32_t abi;
  int32_t (*layout)(const tpv_stream *stream, const tpv_output *output, tpv_layout *layout,
                    tpv_error *error);
  tpv_pool *(*pool_create)(const tpv_limits *limits);
  void (*pool_free)(tpv_pool *pool);
  void (*pool_counts)(tpv_pool *pool, tpv_counts *counts);
  // Nothing is read or decoded yet. `pool` must live longer.
  int32_t (*open)(tpv_pool *pool, const tpv_stream *stream, const tpv_packets *packets,
                  tpv_video **video, tpv_error *error);
  void (*free)(tpv_video *video);
  // For each of `count` frames: the number of the keyframe, among those that decoding begins at, that it is decoded from.
  int32_t (*groups)(tpv_video *video, int32_t *groups, size_t count, tpv_error *error);
  int32_t (*decode)(tpv_video *video, const tpv_request *request, const tpv_frame *frames,
                    size_t count, tpv_error *error);
} tpv_functions;

// The table; lives as long as the library.
const tpv_functions *tpv_functions_table(void);
// The majors of libavcodec that the library was built for and that it has loaded: equal, or the second is 0 where none is
// there.
void tpv_versions(int32_t *built, int32_t *found);

#ifdef __cplusplus
}
#endif
