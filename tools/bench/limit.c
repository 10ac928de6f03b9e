// What the machine allows: threads that do nothing but the work on the bytes. Built and called by limit.py.
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

void tp_unshuffle(const uint8_t *, size_t, size_t, size_t, size_t, uint8_t *, size_t);

struct chunk { int64_t offset, stored; int32_t file, element; };         // element: bytes, 0 for not shuffled
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

static int window(const struct work *w, int64_t i, uint8_t *stored, uint8_t *raw, ZSTD_DCtx *zstd) {
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
      if (ZSTD_decompressDCtx(zstd, raw, size, stored, chunk->stored) != size) return 1;
      for (int64_t c = 0; c < block->count; c++) {
        const struct column *column = block->columns + c;
        uint8_t *to = out + column->out + (i % w->batch * w->length + row - w->starts[i]) * column->width;
        if (chunk->element == block->row) {
          tp_unshuffle(raw + column->from * block->rows, column->width, block->rows, first, last, to, column->width);
        } else if (chunk->element) {
          size_t per = block->row / chunk->element, count = per * block->rows;
          tp_unshuffle(raw, chunk->element, count, first * per, last * per, to, chunk->element);
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
