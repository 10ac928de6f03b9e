// The C functions of TrajpackEvaluate in libtrajpack: every evaluator by name, arrays in, JSON out.
#pragma once

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// The types of elements.
enum { TP_ARRAY_FLOAT32 = 0, TP_ARRAY_FLOAT64 = 1, TP_ARRAY_INT64 = 2, TP_ARRAY_UINT8 = 3 };

/// A row-major array, borrowed for the length of one call.
typedef struct tp_array {
  /// The name the evaluator knows it by, UTF-8, ends with a zero byte.
  const char *name;
  /// The elements; may be null when there are none.
  const void *data;
  /// The length of each axis.
  const int64_t *shape;
  /// How many axes: 1 to 8.
  int32_t rank;
  /// One of TP_ARRAY_FLOAT32 … TP_ARRAY_UINT8.
  int32_t type;
} tp_array;

/// Computes the scores of one evaluator.
///
/// `options` is lines of `name=value`, or null. Returns 0 and a JSON array of scores in `*result`,
/// or 1 (data), 2 (usage) and one sentence in `*result`. Free it with tp_text_free.
int32_t tp_evaluate(const char *evaluator, const tp_array *arrays, int64_t count,
                     const char *options, char **result);

/// The same, ended early where the caller wants: another thread may set `*stop` to other than 0, and the call then soon
/// returns 3 (machine). Null never ends it.
int32_t tp_evaluate_until(const char *evaluator, const tp_array *arrays, int64_t count,
                          const char *options, const int32_t *stop, char **result);

/// The catalogue as JSON: name, summary, inputs, options with their defaults. Free with tp_text_free of trajpack.h.
char *tp_evaluators(void);

#ifdef __cplusplus
}
#endif
