#include "ffmpeg_shims.h"

#if __has_include(<libavformat/avformat.h>)
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

// Thread-local, so that two threads that demux do not read each other's lines.
static _Thread_local char line[256];
static _Thread_local int demuxer_errors;

// FFmpeg has one callback for the log of the whole process. The libraries of Python that read and that write videos have
// each a copy of this file, and other packages of the process may set the callback, too. So each copy hands lines on to
// the one that it has replaced, and asks through the log itself whether lines still come to it.
typedef void log_callback(void *context, int level, const char *format, va_list arguments);

// What the question is asked with, in place of the context that a line is about: FFmpeg wants its class first.
typedef struct log_question {
  const AVClass *class;
  log_callback *asker;   // the copy that asks
  log_callback *holder;  // the copy that the callback of the process leads to, where it is one of ours
  int is_heard;          // whether lines come to the copy that asks
} log_question;

// Above all levels of FFmpeg, so that no other callback writes it.
enum { QUESTION_LEVEL = AV_LOG_TRACE + 1 };
static const char question_name[] = "trajpack log question 1";

static const char *name_of_question(void *context) {
  (void)context;
  return question_name;
}

static const AVClass question_class = {
    .class_name = question_name, .item_name = name_of_question, .version = LIBAVUTIL_VERSION_INT};

static log_callback *_Atomic replaced;
static _Atomic unsigned installs;

static void record(void *context, int level, const char *format, va_list arguments) {
  if (level > AV_LOG_ERROR) return;
  if (context) {
    const AVClass *class = *(const AVClass **)context;
    if (class) {
      AVClassCategory category =
          class->get_category ? class->get_category(context) : class->category;
      if (category == AV_CLASS_CATEGORY_DEMUXER) demuxer_errors += 1;
    }
  }
  if (line[0]) return;
  vsnprintf(line, sizeof line, format, arguments);
  size_t length = strlen(line);
  while (length > 0 && (line[length - 1] == '\n' || line[length - 1] == '.')) {
    line[--length] = 0;
  }
}

static void keep(void *context, int level, const char *format, va_list arguments) {
  static _Thread_local int is_inside;
  if (is_inside) return;
  is_inside = 1;
  log_callback *other = atomic_load(&replaced);
  if (other) {
    va_list copy;
    va_copy(copy, arguments);
    other(context, level, format, copy);
    va_end(copy);
  }
  const AVClass *class = level == QUESTION_LEVEL && context ? *(const AVClass **)context : NULL;
  if (class && class->class_name && strcmp(class->class_name, question_name) == 0) {
    log_question *question = context;
    question->holder = keep;
    if (question->asker == keep) question->is_heard = 1;
  } else {
    record(context, level, format, arguments);
  }
  is_inside = 0;
}

// Takes the log unless lines come here already.
static void listen(void) {
  log_question question = {.class = &question_class, .asker = keep};
  av_log(&question, QUESTION_LEVEL, "%s", "");
  if (question.is_heard) return;
  if (question.holder) atomic_store(&replaced, question.holder);
  atomic_fetch_add(&installs, 1);
  av_log_set_callback(keep);
}

void tpv_silence(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, listen);
}

unsigned tpv_log_watch(void) {
  listen();
  return atomic_load(&installs);
}

_Bool tpv_log_is_complete(unsigned watch) {
  log_question question = {.class = &question_class, .asker = keep};
  av_log(&question, QUESTION_LEVEL, "%s", "");
  return question.is_heard && atomic_load(&installs) == watch;
}

void tpv_log_clear(void) {
  line[0] = 0;
  demuxer_errors = 0;
}

const char *tpv_log_line(void) { return line; }

int tpv_log_demuxer_errors(void) { return demuxer_errors; }

static int refuse(AVFormatContext *format, AVIOContext **io, const char *url, int flags,
                  AVDictionary **options) {
  (void)format, (void)io, (void)url, (void)flags, (void)options;
  return AVERROR(EACCES);
}

static void release(void *bytes, uint8_t *data) { munmap(data, (size_t)bytes); }

static int allocate(AVCodecContext *context, AVFrame *frame, int flags) {
  if (!(context->codec->capabilities & AV_CODEC_CAP_DR1)) {
    return avcodec_default_get_buffer2(context, frame, flags);
  }
  // As libavcodec's own function lays out its pictures.
  int width = frame->width, height = frame->height, aligned, code;
  int needed[AV_NUM_DATA_POINTERS], rows[4];
  avcodec_align_dimensions2(context, &width, &height, needed);
  do {
    if ((code = av_image_fill_linesizes(rows, frame->format, width)) < 0) return code;
    aligned = 1;
    for (int i = 0; i < 4; i++) aligned &= rows[i] % needed[i] == 0;
    width += width & -width;
  } while (!aligned);
  ptrdiff_t strides[4];
  size_t sizes[4], bytes = 0;
  for (int i = 0; i < 4; i++) strides[i] = rows[i];
  if ((code = av_image_fill_plane_sizes(sizes, frame->format, height, strides)) < 0) return code;
  for (int i = 0; i < 4; i++) {
    if (sizes[i] > INT_MAX / 8) return AVERROR(EINVAL);
    // Whole vectors are read past the end of a plane.
    sizes[i] = sizes[i] ? (sizes[i] + 64 + 63) / 64 * 64 : 0;
    bytes += sizes[i];
  }
  // Pages of its own: what malloc gets back of one thread it gives to no other, and keeps.
  uint8_t *memory =
      mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (memory == MAP_FAILED) return AVERROR(ENOMEM);
  frame->buf[0] = av_buffer_create(memory, bytes, release, (void *)bytes, 0);
  if (!frame->buf[0]) {
    release((void *)bytes, memory);
    return AVERROR(ENOMEM);
  }
  for (int i = 0; i < 4; i++) {
    frame->data[i] = sizes[i] ? memory : NULL;
    frame->linesize[i] = rows[i];
    memory += sizes[i];
  }
  frame->extended_data = frame->data;
  return 0;
}

void tpv_allocate_pictures(AVCodecContext *context) {
  context->get_buffer2 = allocate;
#if LIBAVCODEC_VERSION_MAJOR < 60
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wdeprecated-declarations"
  // Else the calling thread allocates for all threads, which wait for it.
  context->thread_safe_callbacks = 1;
#pragma clang diagnostic pop
#endif
}

void tpv_take_nearest(const uint8_t *from, intptr_t stride, intptr_t width, intptr_t height, void *out,
                      intptr_t out_width, intptr_t out_height, int bytes, int swap) {
  for (intptr_t y = 0; y < out_height; y++) {
    const uint8_t *row = from + (2 * y + 1) * height / (2 * out_height) * stride;
    if (out_width == width && !swap) {
      memcpy((uint8_t *)out + y * width * bytes, row, (size_t)(width * bytes));
    } else if (bytes == 1) {
      uint8_t *to = (uint8_t *)out + y * out_width;
      for (intptr_t x = 0; x < out_width; x++) to[x] = row[(2 * x + 1) * width / (2 * out_width)];
    } else {
      uint8_t *to = (uint8_t *)out + y * out_width * 2;
      for (intptr_t x = 0; x < out_width; x++) {
        const uint8_t *at = row + (2 * x + 1) * width / (2 * out_width) * 2;
        to[2 * x] = at[swap ? 1 : 0];
        to[2 * x + 1] = at[swap ? 0 : 1];
      }
    }
  }
}

void tpv_split_rgb(const uint8_t *from, intptr_t stride, intptr_t width, intptr_t height, uint8_t *out) {
  intptr_t plane = width * height;
  for (intptr_t y = 0; y < height; y++) {
    const uint8_t *row = from + y * stride;
    uint8_t *to = out + y * width;
    for (intptr_t x = 0; x < width; x++) {
      to[x] = row[3 * x];
      to[plane + x] = row[3 * x + 1];
      to[2 * plane + x] = row[3 * x + 2];
    }
  }
}

void tpv_mirror(uint8_t *picture, intptr_t width, intptr_t height, intptr_t pixel) {
  for (intptr_t y = 0; y < height; y++) {
    uint8_t *row = picture + y * width * pixel;
    for (intptr_t x = 0; x < width / 2; x++) {
      for (intptr_t i = 0; i < pixel; i++) {
        uint8_t *a = row + x * pixel + i, *b = row + (width - 1 - x) * pixel + i, kept = *a;
        *a = *b;
        *b = kept;
      }
    }
  }
}

void tpv_refuse_nested_files(AVFormatContext *format) { format->io_open = refuse; }
#endif
