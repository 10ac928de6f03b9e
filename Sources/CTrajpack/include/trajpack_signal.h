/* C face of TrajpackSignal: pure functions over caller-owned, row-major buffers.
 *
 * Every function returns 0, or the fault (1 data, 2 usage, 3 machine) with its sentence in *error.
 * Element types: 0 float32, 1 float64. Masks are one byte an entry, 1 observed, 0 missing.
 */
#ifndef TRAJPACK_SIGNAL_H
#define TRAJPACK_SIGNAL_H

#include <stdint.h>

#ifdef __clang__
#pragma clang assume_nonnull begin
#define TP_SIGNAL_NULLABLE _Nullable
#else
#define TP_SIGNAL_NULLABLE
#endif

typedef struct {
  char message[504];
} tp_signal_error;

/* When rows happened. form 0: regular, row i at a_num/a_den + i * b_den/b_num (b: rows a second);
 * 1: int64 ticks of b_num/b_den seconds in values; 2: float64 times in values. */
typedef struct {
  int32_t form;
  int64_t count;
  int64_t a_num, a_den, b_num, b_den;
  const void *TP_SIGNAL_NULLABLE values;
} tp_signal_times;

/* A buffer of rows * components entries. observed may be null. */
typedef struct {
  int32_t dtype;
  int64_t rows, components;
  const void *TP_SIGNAL_NULLABLE values;
  const uint8_t *TP_SIGNAL_NULLABLE observed;
} tp_signal_input;

typedef struct {
  int64_t rows;
  void *TP_SIGNAL_NULLABLE values;
  uint8_t *TP_SIGNAL_NULLABLE mask;
} tp_signal_output;

/* method: 0 previous 1 next 2 nearest (earlier) 3 nearest (later) 4 linear 5 hermite-backward
 * 6 natural 7 not-a-knot 8 clamped 9 pchip 10 akima 11 makima 12 counter; 20 slerp 21 squad xyzw
 * 22 squad wxyz 23 directions 24 squad of unknown order. edges: 0 missing 1 hold 2 extrapolate
 * 3 reflect. gap < 0: no limit. angle: null, or period and lowest value. */
int32_t tp_signal_resample(const tp_signal_times *source, const tp_signal_times *target, int32_t method,
                      int32_t edges, double gap, const int64_t *TP_SIGNAL_NULLABLE breaks, int64_t break_count,
                      const double *TP_SIGNAL_NULLABLE angle, const tp_signal_input *input, const tp_signal_output *output,
                      tp_signal_error *TP_SIGNAL_NULLABLE error);

/* edges: 0 zero 1 hold 2 reflect 3 line 4 mean. */
int32_t tp_signal_polyphase(int64_t up, int64_t down, int32_t edges, int64_t bridge,
                       const tp_signal_input *input, const tp_signal_output *output, tp_signal_error *TP_SIGNAL_NULLABLE error);

int32_t tp_signal_moving_mean(const tp_signal_times *source, const tp_signal_times *target, double width,
                         double gap, const tp_signal_input *input, const tp_signal_output *output,
                         tp_signal_error *TP_SIGNAL_NULLABLE error);

/* statistic: 0 mean 1 sum 2 minimum 3 maximum 4 first 5 last 6 count. bins: a regular clock. */
int32_t tp_signal_bins(const tp_signal_times *source, const tp_signal_times *bins, int32_t statistic,
                  const tp_signal_input *input, const tp_signal_output *output, tp_signal_error *TP_SIGNAL_NULLABLE error);

/* direction: 0 backward 1 forward 2 nearest 3 exact. tolerance_den 0: tolerance_num is ignored and
 * tolerance (< 0: none) counts. A row that lies on the other side of the reference by up to `rounding` counts as at its
 * time, since times are rounded (0: exact; < 0: 0.001, and at most a quarter of the time between rows; what is given
 * counts up to half of it). */
int32_t tp_signal_align(const tp_signal_times *stream, const tp_signal_times *reference, int32_t direction,
                   double tolerance, int64_t tolerance_num, int64_t tolerance_den,
                   int32_t allows_same_time, double rounding, int32_t *TP_SIGNAL_NULLABLE rows,
                   double *TP_SIGNAL_NULLABLE offsets, tp_signal_error *TP_SIGNAL_NULLABLE error);

/* A float64 buffer of rows * components, and its episodes as (first, end) row pairs. */
typedef struct {
  const double *TP_SIGNAL_NULLABLE values;
  int64_t rows, components, channel;
  const int64_t *TP_SIGNAL_NULLABLE episodes;
  int64_t episode_count;
} tp_signal_series;

/* values: max_lag + 1 numbers; lags: the first at which they are <= 0, < 1/e, < 1 - 1/e, or -1. */
int32_t tp_signal_autocorrelation(const tp_signal_series *series, int64_t max_lag, double *values,
                             int64_t *lags, tp_signal_error *TP_SIGNAL_NULLABLE error);

/* estimator: 0 equal bins (parameter: bins) 1 bisection 2 nearest neighbours (parameter: k).
 * minimum: the first lag whose value is below both its neighbours', or -1. */
int32_t tp_signal_mutual_information(const tp_signal_series *series, int64_t max_lag, int32_t estimator,
                                int64_t parameter, double *values, int64_t *bins,
                                int64_t *minimum,
                                tp_signal_error *TP_SIGNAL_NULLABLE error);

/* values: 3 * max_dimension numbers: by distance, by size, by either. dimension: the first whose
 * fraction is at most 0.05 and changes by no more to the next, or -1. */
int32_t tp_signal_false_neighbours(const tp_signal_series *series, int64_t lag, int64_t max_dimension,
                              int64_t window, int32_t threads, double ratio, double size,
                              double *values, int64_t *dimension,
                              tp_signal_error *TP_SIGNAL_NULLABLE error);

/* metric: 0 maximum 1 Euclidean. values: 2 * max_dimension numbers: E1, E2. dimension:
 * the first with E1 > 0.5 that changes by at most 0.05 to the next, or -1. is_stochastic: E2(1) > 0.9. */
int32_t tp_signal_cao(const tp_signal_series *series, int64_t lag, int64_t max_dimension, int64_t window,
                 int32_t threads, int32_t metric, double *values, int64_t *dimension,
                 int32_t *is_stochastic, tp_signal_error *TP_SIGNAL_NULLABLE error);

/* coordinates: (channel, lag) pairs, up to capacity of them; statistics: one a cycle. */
int32_t tp_signal_mdop(const tp_signal_series *series, int64_t max_lag, int64_t window, double ratio,
                  double threshold, int64_t max_cycles, int64_t *coordinates, double *statistics,
                  int64_t capacity, int64_t *count, tp_signal_error *TP_SIGNAL_NULLABLE error);
int32_t tp_signal_pecuzal(const tp_signal_series *series, int64_t max_lag, int64_t window, double threshold,
                     int32_t economic, int64_t *coordinates, double *statistics,
                     int64_t capacity, int64_t *count, tp_signal_error *TP_SIGNAL_NULLABLE error);
int32_t tp_signal_noise_amplification(const tp_signal_series *series, int64_t max_horizon, int64_t k,
                                 int64_t window, double *value, tp_signal_error *TP_SIGNAL_NULLABLE error);

/* estimator: 0 about zero, 1 about the mean. matrix: (order * components)^2 numbers. */
int32_t tp_signal_augmented_covariance(const tp_signal_series *series, int64_t order, int64_t lag,
                                  int32_t estimator, double *matrix,
                                  tp_signal_error *TP_SIGNAL_NULLABLE error);

/* Delay vectors: coordinates as (channel, lag) pairs; output may be null to learn the count. */
int32_t tp_signal_embed(const tp_signal_series *series, const int64_t *coordinates, int64_t dimension,
                   int32_t backward, int32_t skips_short, double *TP_SIGNAL_NULLABLE output,
                   int64_t *count, tp_signal_error *TP_SIGNAL_NULLABLE error);

/* mechanism: 0 entries 1 exact entries 2 rows 3 kept rows 4 listed rows (list) 5 blocks (length,
 * width in list) 6 channels (count in list) 7 by drivers (list, weights) 8 by value (weights[0] the
 * slope) 9 above (amount the offset) 10 by time (weights: cycle, phase; amount the scale).
 * amount: probability, fraction, offset or scale. mask: in and out. */
int32_t tp_signal_mask(int32_t mechanism, double amount, const int64_t *TP_SIGNAL_NULLABLE list,
                  const double *TP_SIGNAL_NULLABLE weights, int64_t list_count, uint64_t seed,
                  uint64_t stream, const tp_signal_input *input, uint8_t *mask,
                  tp_signal_error *TP_SIGNAL_NULLABLE error);
int32_t tp_signal_random(uint64_t seed, uint64_t stream, int64_t count, uint64_t *words,
                    tp_signal_error *TP_SIGNAL_NULLABLE error);
int32_t tp_signal_time_since(const tp_signal_times *times, const tp_signal_input *input, void *output,
                        tp_signal_error *TP_SIGNAL_NULLABLE error);

/* kind: 0 natural cubic 1 Hermite backward. coefficients: (rows - 1) * 4 * components; path and
 * derivative: query_count * components each, or null. */
int32_t tp_signal_coefficients(int32_t kind, const tp_signal_times *times, const tp_signal_input *input,
                          void *TP_SIGNAL_NULLABLE coefficients, const double *TP_SIGNAL_NULLABLE queries,
                          int64_t query_count, void *TP_SIGNAL_NULLABLE path,
                          void *TP_SIGNAL_NULLABLE derivative, tp_signal_error *TP_SIGNAL_NULLABLE error);
int32_t tp_signal_rectilinear(const tp_signal_input *input, int64_t time_component, int32_t look_ahead,
                         const tp_signal_output *output, tp_signal_error *TP_SIGNAL_NULLABLE error);
/* ticks, values and mask have room for as many rows as come in. */
int32_t tp_signal_quantise(const tp_signal_times *times, double quantum, const tp_signal_input *input,
                      int64_t *ticks, const tp_signal_output *output, int64_t *rows,
                      tp_signal_error *TP_SIGNAL_NULLABLE error);

/* Series of equal components and one dtype on the union of the times at which any of them is observed. present: for
 * each series a byte a row, or null; null for all. There is room for the sum of all rows: times, ticks
 * (of 1/ticks_per_unit; 0 where some times are floats, and no ticks then), values and presence of
 * count * rows * components. presence: 0 not observed, 1 observed, 2 not present, 3 padding (outside a series' span). */
int32_t tp_signal_union(const tp_signal_times *times, const tp_signal_input *inputs,
                   const uint8_t *TP_SIGNAL_NULLABLE const *TP_SIGNAL_NULLABLE present, int64_t count,
                   double *union_times, int64_t *ticks, int64_t *ticks_per_unit, void *values,
                   uint8_t *presence, int64_t *rows, tp_signal_error *TP_SIGNAL_NULLABLE error);

/* A pinhole camera a frame. intrinsics: fx fy cx cy skew; positions: 3 numbers; rotations: 4 numbers (rotation_form 0
 * quaternions x y z w, 1 w x y z) or 9 (2 matrices by rows). pose: 0 camera-to-world 1 world-to-camera. axes of the
 * camera: 0 OpenGL (x right, y up, z backward) 1 OpenCV (x right, y down, z forward). A frame with a number that is not
 * finite has no camera: what comes out of it is NaN. */
typedef struct {
  int64_t frames;
  const double *intrinsics, *positions, *rotations;
  int32_t rotation_form, pose, axes;
} tp_signal_camera;

/* points: frames * count * 3, world. pixels: frames * count * 2, NaN where z <= near; depths: z, frames * count. */
int32_t tp_signal_project(const tp_signal_camera *camera, const double *points, int64_t count, double near_plane,
                     double *pixels, double *depths, tp_signal_error *TP_SIGNAL_NULLABLE error);
/* bones: pairs of the count points of a frame. segments: frames * bone_count * 4: u v of both ends, cut at z = near
 * where one end lies at z <= near, NaN where both do. */
int32_t tp_signal_project_bones(const tp_signal_camera *camera, const double *points, int64_t count,
                           const int64_t *bones, int64_t bone_count, double near_plane, double *segments,
                           tp_signal_error *TP_SIGNAL_NULLABLE error);
/* measured: 0 depths along the axis 1 along the ray. points: frames * count * 3, world. */
int32_t tp_signal_unproject(const tp_signal_camera *camera, const double *pixels, const double *depths,
                       int64_t count, int32_t measured, double *points,
                       tp_signal_error *TP_SIGNAL_NULLABLE error);

#ifdef __clang__
#pragma clang assume_nonnull end
#endif

#endif
