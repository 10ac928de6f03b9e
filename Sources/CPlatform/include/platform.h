// What Swift cannot say: instructions picked at run time, and a few system calls it does not import.
#pragma once
#include <stddef.h>
#include <stdint.h>

// CRC-32C (Castagnoli, RFC 3720 appendix B.4) of `length` bytes, continuing from `crc` (0 to begin).
// Uses the SSE4.2 or ARMv8 instruction where the processor has it.
uint32_t tp_crc32c(uint32_t crc, const void *bytes, size_t length);

/// The CRC-32C of two runs of bytes, one after the other, from theirs; the second has `length` bytes.
uint32_t tp_crc32c_join(uint32_t first, uint32_t second, size_t length);

// SHA-256 (FIPS 180-4) of a stream of bytes. Uses the SHA extensions where the processor has them.
typedef struct {
  uint32_t state[8];
  uint64_t length;
  uint8_t block[64];
} tp_sha256;
void tp_sha256_begin(tp_sha256 *hash);
void tp_sha256_add(tp_sha256 *hash, const void *bytes, size_t length);
void tp_sha256_end(tp_sha256 *hash, uint8_t digest[32]);

// renameat2(RENAME_NOREPLACE) with a fall-back: 0, or -1 with errno (EEXIST where `to` exists).
int tp_rename_exclusive(const char *from, const char *to);

// Undoes HDF5's byte shuffle for some elements. `planes` holds `size` planes of `count` bytes: byte p of
// element e lies at planes[p * count + e]. Elements [first, end) go to dst, `stride` bytes apart.
void tp_unshuffle(const uint8_t *planes, size_t size, size_t count, size_t first, size_t end,
                  uint8_t *dst, size_t stride);

// HDF5's byte shuffle: byte p of element e goes to planes[p * count + e].
void tp_shuffle(const uint8_t *elements, size_t size, size_t count, uint8_t *planes);

// The processors that this process may use, at least 1.
int tp_processors(void);

// out[i] = 1 where number i is no NaN, else 0.
void tp_observed_f32(const void *numbers, size_t count, uint8_t *out);
void tp_observed_f64(const void *numbers, size_t count, uint8_t *out);

// Where a polyphase filter stands: the first sample that the next output row needs, the row's phase, the row.
typedef struct {
  size_t first, phase, row;
} tp_fir_place;

// Filters until row `end`, or until a row's samples begin after samples[last]:
// out[row * stride] = base + sum over i < width of samples[first + i] * taps[phase * width + i], and then first
// and phase go on by down / up. `width` is a multiple of 8. The same bits on every machine.
void tp_fir_f64(const double *samples, const double *taps, size_t width, size_t up, size_t down,
                size_t last, tp_fir_place *at, size_t end, double base, double *out, size_t stride);
void tp_fir_f32(const float *samples, const float *taps, size_t width, size_t up, size_t down,
                size_t last, tp_fir_place *at, size_t end, float base, float *out, size_t stride);

// Eight points of a k-d tree's leaf that look for their nearest neighbour: coordinate c of point i at
// points[8 * c + i], its place in time, and the best so far: its (squared) distance, its number. A lane that
// looks for nothing has a best of -infinity.
typedef struct {
  const double *points;
  size_t dimension;
  int64_t window;
  int64_t skips_zero;
  const int64_t *stamps;
  double *best;
  int64_t *index;
} tp_leaf_queries;

// Compares the eight with the points of a leaf (laid out alike, infinite where there is none; numbers in
// members, places in time in stamps by number, or the numbers where it is null): a point becomes the best of a query
// that is nearer, or as near and of a smaller number, and more than `window` away in time. Gives the largest best.
double tp_leaf_nearest(tp_leaf_queries *queries, const double *leaf, const int32_t *members,
                       const int64_t *stamps, int is_maximum);

// A column of a block of int64 rows: number i is base + i * slope + the `width` bytes at bytes[i * width], as
// an unsigned number; 0 bytes where the numbers are a line. All of it wraps.
typedef struct {
  int64_t base, slope;
  uint64_t mask, width;
  const uint8_t *bytes;
} tp_column;

// The most columns of a row.
#define TP_COLUMNS 12

// Fits each column of at least one row; gives the bytes that packing them takes. Leaves `bytes` as it was.
size_t tp_columns_fit(const int64_t *rows, size_t count, size_t columns, tp_column *out);

// Packs rows by what tp_columns_fit said into its number of bytes, with 8 to spare behind them.
void tp_columns_pack(const int64_t *rows, size_t count, size_t columns, tp_column *out,
                     uint8_t *bytes);

// The first `count` numbers of a column.
void tp_column_unpack(const tp_column *column, size_t count, int64_t *out);
