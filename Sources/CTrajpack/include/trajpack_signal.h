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
#define TPKS_NULLABLE _Nullable
#else
#define TPKS_NULLABLE
#endif

typedef struct {
  char message[504];
} tpks_error;

/* When rows happened. form 0: regular, row i at a_num/a_den + i * b_den/b_num (b: rows a second);
 * 1: int64 ticks of b_num/b_den seconds in values; 2: float64 times in values. */
typedef struct {
  int32_t form;
  int64_t count;
  int64_t a_num, a_den, b_num, b_den;
  const void *TPKS_NULLABLE values;
} tpks_times;

/* A buffer of rows * components entries. observed may be null. */
typedef struct {
  int32_t dtype;
  int64_t rows, components;
  const void *TPKS_NULLABLE values;
  const uint8_t *TPKS_NULLABLE observed;
} tpks_input;

typedef struct {
  int64_t rows;
  void *TPKS_NULLABLE values;
  uint8_t *TPKS_NULLABLE mask;
} tpks_output;

/* method: 0 previous 1 next 2 nearest (earlier) 3 nearest (later) 4 linear 5 hermite-backward
 * 6 natural 7 not-a-knot 8 clamped 9 pchip 10 akima 11 makima 12 counter; 20 slerp 21 squad xyzw
 * 22 squad wxyz 23 directions 24 squad of unknown order. edges: 0 missing 1 hold 2 extrapolate
 * 3 reflect. gap < 0: no limit. angle: null, or period and lowest value. */
int32_t tpks_resample(const tpks_times *source, const tpks_times *target, int32_t method,
                      int32_t edges, double gap, const int64_t *TPKS_NULLABLE breaks, int64_t break_count,
                      const double *TPKS_NULLABLE angle, const tpks_input *input, const tpks_output *output,
                      tpks_error *TPKS_NULLABLE error);

/* edges: 0 zero 1 hold 2 reflect 3 line 4 mean. */
int32_t tpks_polyphase(int64_t up, int64_t down, int32_t edges, int64_t bridge,
                       const tpks_input *input, const tpks_output *output, tpks_error *TPKS_NULLABLE error);

int32_t tpks_moving_mean(const tpks_times *source, const tpks_times *target, double width,
                         double gap, const tpks_input *input, const tpks_output *output,
                         tpks_error *TPKS_NULLABLE error);

/* statistic: 0 mean 1 sum 2 minimum 3 maximum 4 first 5 last 6 count. bins: a regular clock. */
int32_t tpks_bins(const tpks_times *source, const tpks_times *bins, int32_t statistic,
                  const tpks_input *input, const tpks_output *output, tpks_error *TPKS_NULLABLE error);

/* direction: 0 backward 1 forward 2 nearest 3 exact. tolerance_den 0: tolerance_num is ignored and
 * tolerance (< 0: none) counts. */
int32_t tpks_align(const tpks_times *stream, const tpks_times *reference, int32_t direction,
                   double tolerance, int64_t tolerance_num, int64_t tolerance_den,
                   int32_t allows_same_time, int32_t *TPKS_NULLABLE rows,
                   double *TPKS_NULLABLE offsets, tpks_error *TPKS_NULLABLE error);

/* A float64 buffer of rows * components, and its episodes as (first, end) row pairs. */
typedef struct {
  const double *TPKS_NULLABLE values;
  int64_t rows, components, channel;
  const int64_t *TPKS_NULLABLE episodes;
  int64_t episode_count;
} tpks_series;

/* values: max_lag + 1 numbers. */
int32_t tpks_autocorrelation(const tpks_series *series, int64_t max_lag, double *values,
                             tpks_error *TPKS_NULLABLE error);

/* estimator: 0 equal bins (parameter: bins) 1 bisection 2 nearest neighbours (parameter: k). */
int32_t tpks_mutual_information(const tpks_series *series, int64_t max_lag, int32_t estimator,
                                int64_t parameter, double *values, int64_t *bins,
                                tpks_error *TPKS_NULLABLE error);

/* values: 3 * max_dimension numbers: by distance, by size, by either. */
int32_t tpks_false_neighbours(const tpks_series *series, int64_t lag, int64_t max_dimension,
                              int64_t window, int32_t threads, double ratio, double size,
                              double *values,
                              tpks_error *TPKS_NULLABLE error);

/* metric: 0 maximum 1 Euclidean. values: 2 * max_dimension numbers: E1, E2. */
int32_t tpks_cao(const tpks_series *series, int64_t lag, int64_t max_dimension, int64_t window,
                 int32_t threads, int32_t metric, double *values, tpks_error *TPKS_NULLABLE error);

/* coordinates: (channel, lag) pairs, up to capacity of them; statistics: one a cycle. */
int32_t tpks_mdop(const tpks_series *series, int64_t max_lag, int64_t window, double ratio,
                  double threshold, int64_t max_cycles, int64_t *coordinates, double *statistics,
                  int64_t capacity, int64_t *count, tpks_error *TPKS_NULLABLE error);
int32_t tpks_pecuzal(const tpks_series *series, int64_t max_lag, int64_t window, double threshold,
                     int32_t economic, int64_t *coordinates, double *statistics,
                     int64_t capacity, int64_t *count, tpks_error *TPKS_NULLABLE error);
int32_t tpks_noise_amplification(const tpks_series *series, int64_t max_horizon, int64_t k,
                                 int64_t window, double *value, tpks_error *TPKS_NULLABLE error);

/* estimator: 0 about zero, 1 about the mean. matrix: (order * components)^2 numbers. */
int32_t tpks_augmented_covariance(const tpks_series *series, int64_t order, int64_t lag,
                                  int32_t estimator, double *matrix,
                                  tpks_error *TPKS_NULLABLE error);

/* Delay vectors: coordinates as (channel, lag) pairs; output may be null to learn the count. */
int32_t tpks_embed(const tpks_series *series, const int64_t *coordinates, int64_t dimension,
                   int32_t backward, int32_t skips_short, double *TPKS_NULLABLE output,
                   int64_t *count, tpks_error *TPKS_NULLABLE error);

/* mechanism: 0 entries 1 exact entries 2 rows 3 kept rows 4 listed rows (list) 5 blocks (length,
 * width in list) 6 channels (count in list) 7 by drivers (list, weights) 8 by value (weights[0] the
 * slope) 9 above (amount the offset). amount: probability, fraction or offset. mask: in and out. */
int32_t tpks_mask(int32_t mechanism, double amount, const int64_t *TPKS_NULLABLE list,
                  const double *TPKS_NULLABLE weights, int64_t list_count, uint64_t seed,
                  uint64_t stream, const tpks_input *input, uint8_t *mask,
                  tpks_error *TPKS_NULLABLE error);
int32_t tpks_random(uint64_t seed, uint64_t stream, int64_t count, uint64_t *words,
                    tpks_error *TPKS_NULLABLE error);
int32_t tpks_time_since(const tpks_times *times, const tpks_input *input, void *output,
                        tpks_error *TPKS_NULLABLE error);

/* kind: 0 natural cubic 1 Hermite backward. coefficients: (rows - 1) * 4 * components; path and
 * derivative: query_count * components each, or null. */
int32_t tpks_coefficients(int32_t kind, const tpks_times *times, const tpks_input *input,
                          void *TPKS_NULLABLE coefficients, const double *TPKS_NULLABLE queries,
                          int64_t query_count, void *TPKS_NULLABLE path,
                          void *TPKS_NULLABLE derivative, tpks_error *TPKS_NULLABLE error);
int32_t tpks_rectilinear(const tpks_input *input, int64_t time_component, int32_t look_ahead,
                         const tpks_output *output, tpks_error *TPKS_NULLABLE error);
/* ticks, values and mask have room for as many rows as come in. */
int32_t tpks_quantise(const tpks_times *times, double quantum, const tpks_input *input,
                      int64_t *ticks, const tpks_output *output, int64_t *rows,
                      tpks_error *TPKS_NULLABLE error);

#ifdef __clang__
#pragma clang assume_nonnull end
#endif

#endif
