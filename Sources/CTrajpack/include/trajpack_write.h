// The C functions of libtrajpack-write: add episodes to a dataset, each durable when it is committed.
//
// Rules, beside those of trajpack.h. A writer and the beginning, committing and freeing of its episodes
// belong to one thread at a time; rows of different episodes may be added by different threads at once.
// After fork, the child calls tpw_writer_leave and nothing else.
#pragma once
#include "trajpack.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tpw_writer tpw_writer;
typedef struct tpw_episode tpw_episode;

// Of this header's functions: it grows when one changes.
#define TPW_ABI 4
int32_t tpw_abi(void);
// Frees text that a function gave out. Null is allowed.
void tpw_text_free(char *text);

// As tp_remote_set_credentials, for what this library writes to buckets.
int32_t tpw_remote_set_credentials(tp_credentials provider, void *context, tp_error *error);

// Opens a dataset for adding to it, or makes a new one: a folder, or s3://bucket/prefix (docs/remote.md). `options` is the JSON of an
// object, or null.
// Options of writer, written by tools/python/generate_options.py:
//   "new"        true or false, default true. Whether a dataset that is there is refused; otherwise it is gone on with.
//   "codec"      "none" | "gzip" | "zstd" | "lz4", default "lz4". What chunks are compressed with.
//   "level"      integer from 0 to 19. How hard it compresses; by default the codec's own.
//   "chunk_rows" integer from 1 to 2^20. Rows of a chunk; by default as many as make chunks of a good size.
//   "shard_bytes" integer from 1048576 to 2^40, default 67108864. Bytes from which on a shard is not joined with
//                others.
//   "threads"    integer from 1 to 1024. Threads that compress; by default the processors.
//   "commit_every" integer from 1 to 2^20, default 1. How many episodes are made durable together.
//   "staging"    text. The folder in which the shards for a bucket are made; by default $TMPDIR or /tmp.
// End of options
int32_t tpw_writer_open(const char *path, const char *options, tpw_writer **writer, tp_error *error);
// Gives the lock up and frees it. Without tpw_writer_close the dataset stays unfinished: readable, and to
// be gone on with.
void tpw_writer_free(tpw_writer *writer);
// In the child of a fork: lets go of the lock, which the parent keeps.
void tpw_writer_leave(tpw_writer *writer);

// {"streams", "skeletons", "attributes"} as the schema of a shard has them, without places; null before
// it is declared. Also "rates", {stream: "30000/1001"}: rows a unit of time of the streams whose tracks, as
// they were when it was opened, are all of one regular rate.
int32_t tpw_writer_schema(const tpw_writer *writer, char **json, tp_error *error);
// Declares it, once, before the first episode of a new dataset.
int32_t tpw_writer_declare(tpw_writer *writer, const char *json, tp_error *error);
// {"episodes", "appended", "waiting", "rows", "bytes", "shards", "joins", "joined_bytes"}
int32_t tpw_writer_counts(const tpw_writer *writer, char **json, tp_error *error);
// A usage error where an episode of that id is there or being recorded, or the id cannot be one.
int32_t tpw_writer_refuse_taken(const tpw_writer *writer, const char *id, tp_error *error);
// Makes the episodes durable that wait for others ("commit_every").
int32_t tpw_writer_flush(tpw_writer *writer, tp_error *error);
// Takes over the shards of a finished dataset on the same file system, which is gone then: files are moved, nothing is
// copied. Its channels must be the same, and its ids others. `episodes`: how many came.
int32_t tpw_writer_adopt(tpw_writer *writer, const char *folder, int64_t *episodes, tp_error *error);
// Joins small shards and writes the manifest.
int32_t tpw_writer_close(tpw_writer *writer, tp_error *error);

// Begins an episode: {"id", "split", "metadata"}.
int32_t tpw_episode_begin(tpw_writer *writer, const char *json, tpw_episode **episode, tp_error *error);
// Begins a track: {"stream", "entity": {"kind", "index", "type"} or absent, "clock": {"type":
// "regular", "start", "rate"} | {"type": "ticks", "tick"} | {"type": "float64"}, "metadata"}; rational
// numbers are texts, "n" or "n/d".
int32_t tpw_episode_track(tpw_episode *episode, const char *json, int64_t *track, tp_error *error);

// Rows of one channel: packed, little-endian, of its type. Of text: a pair of int64 a row, offset and length
// in `text`.
typedef struct tpw_column {
  const void *values;
  size_t bytes;
  const void *text;
  size_t text_bytes;
} tpw_column;
// Adds rows to a track: a column for each channel of its stream, in the order of the schema.
int32_t tpw_episode_rows(tpw_episode *episode, int64_t track, int64_t count, const tpw_column *columns,
                         size_t column_count, tp_error *error);
// Adds the video of a stream of videos, a row a frame in the order of presentation: {"stream", "clock" as of a track,
// "file": its path}. The bytes of the file are taken over; it is read again when the episode is written. Without "file",
// `packets` are the frames: `packet_count` pairs of int64, offset and length in `text`, each a PNG or JPEG file, all of one
// kind and size, or an access unit of H.264 or H.265 with start codes, the first a keyframe. `times`: of a clock that is
// not regular, 8 bytes a frame: int64 ticks or float64. `rows`: how many frames there are.
int32_t tpw_episode_video(tpw_episode *episode, const char *json, const tpw_column *packets, int64_t packet_count,
                          const void *times, int64_t time_count, int64_t *rows, tp_error *error);
// Writes the episode. TP_OK: it is durable, and readers see it; where "commit_every" is more than 1, with the last of as
// many, or by tpw_writer_flush.
int32_t tpw_episode_commit(tpw_episode *episode, tp_error *error);
// Frees it; without tpw_episode_commit nothing of it is kept. Null is allowed.
void tpw_episode_free(tpw_episode *episode);

#ifdef __cplusplus
}
#endif
