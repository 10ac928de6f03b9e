// What Swift cannot say: instructions picked at run time, and a few system calls it does not import.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// CRC-32C (Castagnoli, RFC 3720 appendix B.4) of `length` bytes, continuing from `crc` (0 to begin).
// Uses the SSE4.2 or ARMv8 instruction where the processor has it.
uint32_t tp_crc32c(uint32_t crc, const void *bytes, size_t length);

/// The CRC-32C of two runs of bytes, one after the other, from theirs; the second has `length` bytes.
uint32_t tp_crc32c_join(uint32_t first, uint32_t second, size_t length);

// Fletcher's checksum of 32 bits as HDF5's filter 3 computes it: big-endian words of 16 bits, an odd byte as
// the high half of one, sums modulo 65535.
uint32_t tp_fletcher32(const void *bytes, size_t length);

// Compresses `count` bytes into an LZ4 block of at most `room` bytes, looking for matches at the last place of the same
// four bytes and `stride` bytes before (0: there only). Returns its bytes; 0 where it would be longer, where the first
// `trial` bytes (0: none) do not become shorter by a sixteenth, or where there are fewer than 13 or more than
// TP_LZ4_LONGEST. The same bytes on every machine.
#define TP_LZ4_BITS 12
#define TP_LZ4_LONGEST ((size_t)1 << 30)
size_t tp_lz4_stride(const void *source, size_t count, void *destination, size_t room, size_t stride,
                     size_t trial, uint32_t table[1 << TP_LZ4_BITS]);

// The moments of a column's numbers: how many are finite, NaN, infinite; of the finite ones the least, the greatest, the
// mean and the sum of squared distances from it (infinity, -infinity, 0 and 0 where there are none).
typedef struct {
  int64_t count, missing, infinite;
  double minimum, maximum, mean, m2;
} tp_moments;

// The moments of `columns` columns side by side, of rows that are `stride` bytes apart: a pass for sums in the order of
// the rows, and one for distances. The same bits on every machine.
void tp_moments_f32(const void *values, size_t rows, size_t stride, size_t columns, tp_moments *out);
void tp_moments_f64(const void *values, size_t rows, size_t stride, size_t columns, tp_moments *out);

// What one pass over a column tells of it: how many numbers are finite, NaN, infinite, not whole, below the least normal
// float32; of steps from one row to the next, how many are finite and how many are zero; extremes and sums of the finite
// ones, and of the finite steps' sizes. `turn` is the largest step that the next one takes back in part: the lesser of
// the two.
typedef struct {
  int64_t finite, missing, infinite, fractions, tiny, moves, same;
  double minimum, maximum, sum, size_sum, step, step_sum, turn;
} tp_column_facts;

// Looks at `count` numbers; `carry` numbers before `values` (0 to 2) are the rows before them.
void tp_column_look(const double *values, size_t carry, size_t count, tp_column_facts *out);

// The same of each of the first `columns` float32 of rows that are `stride` bytes apart, without a copy of them: out[c] is of
// column c. `carry` rows (0 to 2) lie before `rows`; of every row 32 bytes may be read. Steps are those of float32, and sizes are
// added as float32 over 16 rows and as float64 over these sums; the same bits on every machine. `turn` is 0 or less than it is
// where the largest step is no more than 20 times the mean one, and no more than 8 / steps (at most 0.4) of their sum.
void tp_rows_look_f32(const void *rows, size_t stride, size_t carry, size_t count, size_t columns, tp_column_facts *out);

// The first `columns` float32 of rows that are `stride` bytes apart, as columns of float64: number r of column c becomes
// out[c * length + r].
void tp_columns_f32(const void *rows, size_t stride, size_t count, size_t columns, double *out, size_t length);

// Merges into one the first, the step-th, the 2 step-th ... of `more`, one by one (Chan, Golub, LeVeque 1979, eq. 1.5).
void tp_moments_add(tp_moments *into, const tp_moments *more, size_t count, size_t step);

// Sums over a[i] - b[i], in float64: of the squares and of the absolute values. The same bits on every machine.
void tp_error_sums_f64(const double *a, const double *b, size_t count, double *square_sum, double *size_sum);
void tp_error_sums_f32(const float *a, const float *b, size_t count, double *square_sum, double *size_sum);

// Sorts eight lists of `count` numbers, none NaN: number i of list c is values[8 * i + c].
void tp_sort_lanes(double *values, size_t count);

// SHA-256 (FIPS 180-4) of a stream of bytes. Uses the SHA extensions where the processor has them.
typedef struct {
  uint32_t state[8];
  uint64_t length;
  uint8_t block[64];
} tp_sha256;
void tp_sha256_begin(tp_sha256 *hash);
void tp_sha256_add(tp_sha256 *hash, const void *bytes, size_t length);
void tp_sha256_end(tp_sha256 *hash, uint8_t digest[32]);

// A frame of samples of 1 or 2 bytes and how an archive stores it (archive-format.md, section 9): 16-bit ones as the low bytes
// of all samples and then the high ones; with `is_up` each sample as its difference from the one above. `stored` and `out`
// do not overlap; samples lie at a multiple of their size.
void tp_rows_restore(const void *stored, size_t width, size_t height, int bytes, int is_up, void *out);
void tp_rows_predict(const void *samples, size_t width, size_t height, int bytes, int is_up, void *out);

// A part of a picture; `mirrored`: left and right are swapped.
typedef struct {
  size_t left, top, width, height;
  int mirrored;
} tp_picture_part;
// Copies a part of a picture of rows of `stride` samples, scaled to another size by the nearest sample:
// floor((x + 0.5) w / W). `out` is packed.
void tp_take_part(const void *from, size_t stride, const tp_picture_part *part, size_t out_width, size_t out_height,
                  int bytes, void *out);

// A picture of samples: sample (y, x, channel) is element y · row + x · pixel + channel · plane.
typedef struct {
  size_t height, width, channels;
  size_t row, pixel, plane;
} tp_picture;
// Scales a picture by the nearest sample, floor((x + 0.5) w / W), of `bytes` bytes each; `mirrored`: left and right are
// swapped. Pictures do not overlap.
void tp_picture_nearest(const void *from, const tp_picture *in, void *to, const tp_picture *out, int bytes,
                        int mirrored);

// Swaps the first and the third of three planes of bytes: sample c of pixel i is byte i · pixel + c · plane.
void tp_swap_ends(void *samples, size_t pixels, size_t pixel, size_t plane);

// Weights of a triangle filter that scales `in` samples to `out`: for each sample of the result the first one that counts, how
// many do, and `taps` weights of sum 1, as doubles and as integers of sum 2^22.
typedef struct {
  const size_t *first, *count;
  size_t taps;
  const double *weights;
  const int32_t *fixed;
} tp_triangle;
size_t tp_triangle_taps(size_t in, size_t out);
// Fills arrays of `out` and `out · taps` elements. Source of the formula: Pillow, ImagingResample (Resample.c) with BILINEAR,
// whose bytes those of 8 bits are along each axis: the support is as wide as a pixel of the smaller picture.
void tp_triangle_weights(size_t in, size_t out, size_t *first, size_t *count, double *weights, int32_t *fixed);

// Types of samples that a triangle filter scales.
enum { TP_PICTURE_U8, TP_PICTURE_U16, TP_PICTURE_F32, TP_PICTURE_F64 };
// Bytes that `middle` of `tp_picture_triangle` takes.
size_t tp_picture_triangle_room(const tp_picture *in, const tp_picture *out, int element);
// Scales a picture by a triangle filter, along rows and then along columns.
void tp_picture_triangle(const void *from, const tp_picture *in, void *to, const tp_picture *out, const tp_triangle *x,
                         const tp_triangle *y, int element, int mirrored, void *middle);

// renameat2(RENAME_NOREPLACE) with a fall-back: 0, or -1 with errno (EEXIST where `to` exists).
int tp_rename_exclusive(const char *from, const char *to);

// Starts a program with arguments up to NULL and this process's environment: `channel` becomes its descriptor 3, its input
// is empty, what it prints goes where errors go, and no other descriptor is handed down. 0, or the error of posix_spawn.
int tp_spawn(const char *program, const char *const *arguments, int channel, pid_t *pid);

// Undoes HDF5's byte shuffle for some elements. `planes` holds `size` planes of `count` bytes: byte p of
// element e lies at planes[p * count + e]. Elements [first, end) go to dst, `stride` bytes apart.
void tp_unshuffle(const uint8_t *planes, size_t size, size_t count, size_t first, size_t end,
                  uint8_t *dst, size_t stride);

// The same for elements of up to 8 bytes that come to lie side by side, where planes lie in different places:
// byte p of element e is planes[p][e].
void tp_unshuffle_planes(const uint8_t *const *planes, size_t size, size_t first, size_t end,
                         uint8_t *dst);

// HDF5's byte shuffle: byte p of element e goes to planes[p * count + e].
void tp_shuffle(const uint8_t *elements, size_t size, size_t count, uint8_t *planes);

// Whether a file lies on this machine, where no page of it can get lost on the way: 0 for file systems of a
// network or of a process (FUSE), for unknown ones, and where the system does not say.
int tp_is_local(int descriptor);

// `count` bytes of zeros in a file of `folder` that has no name and is gone with the process: what is not looked at need not
// stay in memory. NULL where no disk of this machine is there or has room for them. `descriptor` is the file's.
void *tp_disk_memory(const char *folder, size_t count, int *descriptor);
// Gives back all but the first `used` of the `count` bytes, lets what was written leave memory, and closes the file.
// Returns how many bytes are still mapped.
size_t tp_disk_memory_settle(void *start, size_t count, size_t used, int descriptor);

// The soft limit on open files (RLIMIT_NOFILE), at most 2^20.
uint64_t tp_file_limit(void);

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

// A k-d tree whose leaves hold eight points: coordinate c of point p of leaf n at leaves[8 * (dimension * n + c) + p],
// infinite where there is no point; its number in members[8 * n + p], its place in time in stamps by number (the
// number itself where stamps is null). Node n of the heap has its box at boxes[2 * width * n]: eight lows, eight
// highs, the next eight coordinates; width is the dimension, rounded up to eights. Distances (squared if Euclidean)
// times `measure` are those of boxes.
typedef struct {
  const double *leaves;
  const int32_t *members;
  const int64_t *stamps;
  const float *boxes;
  size_t dimension, width, depth;
  double measure;
  int64_t window;
  int is_maximum, skips_zero;
} tp_leaf_tree;

// Finds the nearest neighbours of a leaf's eight points: more than `window` away in time, not at distance 0 where
// that is skipped, of the smaller number among equals. The same bits on every machine. Of the eight: places in time,
// and (squared) distances and numbers of the best so far; a lane that looks for nothing has a best of -infinity,
// one without a neighbour +infinity.
void tp_leaf_nearest(const tp_leaf_tree *tree, const int64_t times[8], double best[8], int64_t index[8],
                     size_t leaf);

// Makes the boxes of leaves [first, end) around (value - middle[c]) * scale, and those of all other nodes from them.
void tp_leaf_boxes(const tp_leaf_tree *tree, float *boxes, const double *middle, double scale,
                   size_t first, size_t end);
void tp_leaf_join(const tp_leaf_tree *tree, float *boxes);

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

// The exact sums of finite doubles and of their squares: sum is the sum of sum[i] * 2^(32 i - 1074), squares that of
// squares[i] * 2^(32 i - 2148). All digits but the last are in 0 ..< 2^32 between calls, so that equal sums are equal
// bytes, whatever the order in which numbers were added and merged. Up to 2^63 numbers.
#define TP_SUM_DIGITS 68
#define TP_SQUARE_DIGITS 137
typedef struct {
  int64_t count, missing, infinite;
  double minimum, maximum;
  int64_t sum[TP_SUM_DIGITS], squares[TP_SQUARE_DIGITS];
} tp_exact;

// Of no numbers.
void tp_exact_begin(tp_exact *total);

// Adds numbers; NaN is counted as missing, an infinite one as infinite. `table` is room of tp_exact_table_bytes bytes,
// aligned to 16, that is all zero before and after. The finite ones go to `finite`, in their order, where it is given.
// Returns how many they are.
size_t tp_exact_table_bytes(void);
size_t tp_exact_add(tp_exact *total, const double *values, size_t count, void *table, double *finite);

// Adds what another has counted.
void tp_exact_merge(tp_exact *total, const tp_exact *more);

// The mean, the sum of squared distances from it and the standard deviation of the population, each from the exact
// sums and then rounded to a double; NaN of no numbers.
void tp_exact_figures(const tp_exact *total, double *mean, double *m2, double *deviation);

// Sorts numbers, none NaN, by way of room for as many; fewer than 2^32.
void tp_sort_doubles(double *values, double *room, size_t count);

// Every second number of two sorted lists of `count` numbers, merged: those at odd places, or at even ones.
void tp_halve_sorted(const double *a, const double *b, size_t count, int odd, double *out);

// What a library with threads needs to survive fork: a count of the forks behind this process, and a
// gate that fork waits for, so that no child is born while a lock of ours is held for long.

// Registers the handlers (once a process; later calls do nothing).
void tp_fork_install(void);
// The number of forks between the process that installed the handlers and this one.
uint64_t tp_fork_generation(void);
// Nothing forks between these two; calls do not nest.
void tp_fork_gate_enter(void);
void tp_fork_gate_leave(void);

// A flag that threads set and look at without a lock.
static inline uint8_t tp_flag_look(const uint8_t *flag) { return __atomic_load_n(flag, __ATOMIC_RELAXED); }
static inline void tp_flag_set(uint8_t *flag) { __atomic_store_n(flag, 1, __ATOMIC_RELAXED); }
