// What the machine allows: threads that do nothing but the work on the bytes. Built and called by limit.py.
#include <lz4.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

void tp_unshuffle(const uint8_t *, size_t, size_t, size_t, size_t, uint8_t *, size_t);

void tp_unshuffle_planes(const uint8_t *const *, size_t, size_t, size_t, uint8_t *);

struct chunk { int64_t offset, stored; int32_t file, element, codec; };  // element: bytes, 0 for not shuffled
struct column { int64_t from, width, out; };                             // bytes in a row; where a batch has it
struct block {
  int64_t row, rows;                                                     // bytes of a row, rows of a chunk
  const struct chunk *chunks;
  const uint8_t *mapped;                                                 // rows as they are, instead of chunks
  int64_t count;
  const struct column *columns;
};
struct work {
  const struct block *blocks;
  int64_t block_count;
  const int *files;
  const int64_t *starts;                                                 // the first row of each window
  int64_t window_count, length, batch;
  uint8_t *const *ring;                                                  // batches, used in turn
  int64_t ring_count, threads;
};
struct job { const struct work *work; int64_t number; int failed; };

static uint32_t big(const uint8_t *at) { return (uint32_t)at[0] << 24 | at[1] << 16 | at[2] << 8 | at[3]; }

// Finds the pieces of an lz4 chunk (schemas/archive-format.md, section 8): plain ones where they lie. Returns their
// number, 0 where they are damaged or too many.
static int pieces(const uint8_t *stored, uint8_t *raw, size_t size, const uint8_t *planes[8]) {
  size_t piece = big(stored + 8), done = 0;
  const uint8_t *at = stored + 12;
  int count = 0;
  for (; done < size && count < 8; count++) {
    size_t length = size - done < piece ? size - done : piece, n = big(at);
    at += 4;
    if (n == length) planes[count] = at;
    else {
      if (LZ4_decompress_safe((const char *)at, (char *)raw + done, n, length) != (int)length) return 0;
      planes[count] = raw + done;
    }
    at += n, done += length;
  }
  return done == size ? count : 0;
}

static int window(const struct work *w, int64_t i, uint8_t *stored, uint8_t *scratch, ZSTD_DCtx *zstd) {
  uint8_t *out = w->ring[i / w->batch % w->ring_count];
  for (int64_t b = 0; b < w->block_count; b++) {
    const struct block *block = w->blocks + b;
    if (block->mapped) {
      for (int64_t c = 0; c < block->count; c++) {
        const struct column *column = block->columns + c;
        memcpy(out + column->out + i % w->batch * w->length * column->width,
               block->mapped + w->starts[i] * block->row, w->length * block->row);
      }
      continue;
    }
    for (int64_t row = w->starts[i], end = row + w->length; row < end;) {
      const struct chunk *chunk = block->chunks + row / block->rows;
      size_t first = row % block->rows, last = block->rows;
      if (row - (int64_t)first + (int64_t)last > end) last = end - row + first;
      size_t size = block->row * block->rows;
      if (pread(w->files[chunk->file], stored, chunk->stored, chunk->offset) != chunk->stored) return 1;
      const uint8_t *planes[8], *raw = scratch;
      int count = 1;
      if (chunk->codec == 0) raw = stored;
      else if (chunk->codec == 3) {
        if (!(count = pieces(stored, scratch, size, planes))) return 1;
        if (count == 1) raw = planes[0];
      } else if (ZSTD_decompressDCtx(zstd, scratch, size, stored, chunk->stored) != size) return 1;
      for (int64_t c = 0; c < block->count; c++) {
        const struct column *column = block->columns + c;
        uint8_t *to = out + column->out + (i % w->batch * w->length + row - w->starts[i]) * column->width;
        if (chunk->element == block->row) {
          tp_unshuffle(raw + column->from * block->rows, column->width, block->rows, first, last, to, column->width);
        } else if (chunk->element) {
          size_t per = block->row / chunk->element, elements = per * block->rows;
          if (count > 1) tp_unshuffle_planes(planes, chunk->element, first * per, last * per, to);
          else tp_unshuffle(raw, chunk->element, elements, first * per, last * per, to, chunk->element);
        } else {
          for (size_t r = first; r < last; r++)
            memcpy(to + (r - first) * column->width, raw + r * block->row + column->from, column->width);
        }
      }
      row += last - first;
    }
  }
  return 0;
}

static void *thread(void *raw_job) {
  struct job *job = raw_job;
  const struct work *w = job->work;
  uint8_t *stored = malloc(16 << 20), *raw = malloc(16 << 20);
  ZSTD_DCtx *zstd = ZSTD_createDCtx();
  ZSTD_DCtx_setParameter(zstd, ZSTD_d_experimentalParam3, 1);            // no checksums, as in a warm loader
  // A batch belongs to one thread: no cache line goes back and forth.
  for (int64_t i = 0; i < w->window_count && !job->failed; i++)
    if (i / w->batch % w->threads == job->number) job->failed = window(w, i, stored, raw, zstd);
  ZSTD_freeDCtx(zstd);
  free(raw), free(stored);
  return NULL;
}

int limit_run(const struct work *w) {
  pthread_t threads[64];
  struct job jobs[64];
  int failed = 0;
  if (w->threads > 64) return 1;
  for (int64_t t = 0; t < w->threads; t++) {
    jobs[t] = (struct job){w, t, 0};
    if (pthread_create(threads + t, NULL, thread, jobs + t)) return 1;
  }
  for (int64_t t = 0; t < w->threads; t++) pthread_join(threads[t], NULL), failed |= jobs[t].failed;
  return failed;
}
