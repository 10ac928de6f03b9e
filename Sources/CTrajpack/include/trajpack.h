// The C functions of libtrajpack: open a dataset, read rows, and load windows in batches.
//
// Rules. A function that can fail returns a status and fills the error that the caller owns (which may
// be null). Text that is given out is UTF-8, ends with a zero byte and is freed with tp_text_free.
// A dataset may be used by any number of threads at once. A loader may be used by one thread at a time,
// but tp_loader_cancel, tp_loader_stats and tp_batch_free may be called from any thread at any time.
// After fork, the child may go on with every dataset and loader; a loader starts threads of its own
// there and continues after the last batch that was given out before the fork.
#pragma once
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// What became of a call. The first four are also the exit codes of the command line.
typedef enum tp_status {
  TP_OK = 0,
  TP_ERROR_DATA = 1,     // the data is damaged, inconsistent or breaks a rule
  TP_ERROR_USAGE = 2,    // the caller asked for something that cannot be done
  TP_ERROR_MACHINE = 3,  // the machine refused: no memory, no permission, a full disk
  TP_END = 4,            // the epoch is over; the next call gives the first batch of the next one
  TP_CANCELLED = 5,      // tp_loader_cancel was called
  TP_WAITING = 6,        // tp_loader_wait: nothing is there yet
  TP_NO_VIDEO = 7,       // frames of a video are wanted: call tp_video_register first, then call again
} tp_status;

// One sentence: what is wrong, where, and what to do about it. UTF-8, cut where it is too long.
typedef struct tp_error {
  int32_t code;
  char message[1024];
  // Where it is, as far as that is known: {"file", "episode", "stream", "channel", "line": from 1, "row": from 0,
  // "byte": from 0}, each only where it is known; "" where nothing is.
  char place[1024];
} tp_error;

typedef struct tp_dataset tp_dataset;
typedef struct tp_loader tp_loader;
typedef struct tp_batch tp_batch;

// The version of the library, "1.0.0", and of this header's functions: it grows when one changes.
const char *tp_version(void);
#define TP_ABI 3
int32_t tp_abi(void);

// Frees text that a function gave out. Null is allowed.
void tp_text_free(char *text);
// Frees bytes that tp_dataset_read_bytes gave out. Null is allowed.
void tp_bytes_free(uint8_t *bytes);

// What options are: the JSON Schema (draft 2020-12) of the objects that are the `options` of tp_loader_create ("loader"),
// tp_dataset_measure ("statistics"), tp_dataset_split ("split"), tp_dataset_read_frames ("frames") or tpw_writer_open
// ("writer"), with what each option means and its default. "x-group" is its heading below, "x-c" and "x-python" are what
// is to be said there alone.
int32_t tp_options_schema(const char *of, char **json, tp_error *error);

// ---- Remote datasets -----------------------------------------------------------------------------

// Gives credentials of S3: writes the JSON of {"AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration": a time of
// ISO 8601}, the last two if there are any, or of {} where nothing is to be signed, with a zero byte behind it, to `json`,
// which has room for `size` bytes. Returns 0, or something else where it cannot. Any thread calls it, and again before the
// credentials expire.
typedef int32_t (*tp_credentials)(void *context, char *json, size_t size);
// Asks a function for credentials, instead of the environment, profiles and roles (docs/remote.md); null for these again.
int32_t tp_remote_set_credentials(tp_credentials provider, void *context, tp_error *error);
// Has waits for a server by calls of this thread end, with an error, a tenth of a second after `*stop`, which another thread
// may set, is not 0; until it is called with null.
void tp_remote_set_stop(const int32_t *stop);

// ---- Datasets ------------------------------------------------------------------------------------

// Opens a folder of shards, or one shard; of this machine, or https://, s3:// or hf:// (docs/remote.md). Of a dataset of more than
// 500,000 episodes or 1,000 shards, the manifest is opened (and on this machine the first shard), and a shard with the first of
// its episodes that is asked for; what is of all episodes opens all.
int32_t tp_dataset_open(const char *path, tp_dataset **dataset, tp_error *error);
// Frees it. Loaders made from it keep what they need.
void tp_dataset_free(tp_dataset *dataset);

// {"path", "digest", "complete", "partial": whether some shards are not open yet, "episodes": n, "bytes", "shards": [names]}.
// Opens none.
int32_t tp_dataset_outline(const tp_dataset *dataset, char **json, tp_error *error);

// {"path", "digest", "complete", "episodes": n, "tracks": n, "bytes", "shards": [names],
//  "splits": {name: episodes}, "attributes", "skeletons": [{"name", "edges"}],
//  "streams": [{"name", "description", "time_unit", "skeleton", "rows", "tracks", "entities": most in
//  an episode (0: the stream belongs to the episode itself), "rate": text or null, "attributes",
//  "channels": [{"name", "kind", "type", "shape", "units", "description", "conventions", "categories",
//  "missing", ...}]}]}
int32_t tp_dataset_describe(const tp_dataset *dataset, char **json, tp_error *error);

// Episodes [first, first + count): [{"id", "split", "rows": of the longest track, "metadata"}]. Few
// bytes an episode; ask for all, or for a page.
int32_t tp_dataset_episodes(const tp_dataset *dataset, int64_t first, int64_t count, char **json,
                            tp_error *error);

// The number of an episode by its id; a usage error (with the nearest id) where there is none.
int32_t tp_dataset_find_episode(const tp_dataset *dataset, const char *id, int64_t *episode,
                                tp_error *error);

// What is known of every recording: {"values": [{"name", "type": "number" | "integer" | "category" | "text" |
// "array", "element", "shape", "units", "description", "categories", "cells": one for each episode, null where it
// has none, arrays as flat lists}]}.
int32_t tp_dataset_values(const tp_dataset *dataset, char **json, tp_error *error);

// One episode: {"id", "split", "metadata", "tracks": [{"track": number for the functions below,
// "stream", "entity": {"kind", "index", "type"} or null, "rows",
// "clock": {"type": "regular", "start", "rate"} (texts "n" or "n/d") | {"type": "ticks", "tick"} |
// {"type": "float64"}, "metadata"}]}
int32_t tp_dataset_episode(const tp_dataset *dataset, int64_t episode, char **json, tp_error *error);
// The "streams" of tp_dataset_describe: of all shards where they are open, else of the episode's.
int32_t tp_dataset_streams(const tp_dataset *dataset, int64_t episode, char **json, tp_error *error);

// {split: {"stream/channel": {"count": [..], "missing", "min", "max", "mean", "std", "quantiles"}}};
// the split "" is that of episodes that have none.
int32_t tp_dataset_statistics(const tp_dataset *dataset, char **json, tp_error *error);

// Statistics of any part of a dataset, measured from its values in one pass. `options` is the JSON of an object; every
// member may be left out. Of a split that cuts episodes its target rows count, without context. The result does not depend
// on "threads".
// Options of statistics, written by tools/python/generate_options.py:
//   "channels", "exclude", "reference", "split", "scheme", "fold", "episodes", "where", "threads" as for
//   tp_loader_create.
//
//   "rows"       [..]. [first, end]: rows from the first, before the end (null: to the last), counted in each episode
//                on the stream "reference"; of other streams the rows of that time.
//   "axes"       integer | [integer] | {pattern: either}. Axes of a row's shape that keep statistics of their own, a
//                number or a list; all others are taken together: [0] of rows [C, H, W] gives C components. By default
//                each element its own, points by axis, images and depth as a whole.
//   "by"         text. "episode", or the path of a value in the episode's metadata: statistics of each group.
//   "quantiles"  true or false. Whether there are some; by default of channels with at most 64 components.
//   "save"       true or false, default false. Whether the result is kept in a side file of the dataset
//                (archive-format.md, section 11); the same request, and loaders that normalize by these rows, find it
//                where the dataset is opened after that.
// End of options
//
// {"data_digest", "rows_digest": what identifies the rows, however they were chosen, "probabilities", "left_out":
//  channels of bytes, "by", "saved": whether a side file had it, "groups": [{"value", "episodes", "rows": {stream: n}, "channels": {"stream/channel":
//  {"kind", "units", "shape", "axes", "count": [..], "missing", "infinite", "min", "max", "mean", "std", "quantiles",
//  "quantiles_exact"}}}]}; a number for each component. Mean and std (of the population) are those of the exact sums.
// Quantiles are exact (numpy's default method) up to 100,000 values; beyond, a rank is off by less than 0.1 %.
int32_t tp_dataset_measure(const tp_dataset *dataset, const char *options, char **json, tp_error *error);

// What a side file of the dataset holds (archive-format.md, section 11): `role` is "splits", "values", "clips",
// "vocabulary" or "statistics"; of a null `name` the only one of its role.
int32_t tp_dataset_side_file(const tp_dataset *dataset, const char *role, const char *name, char **json,
                             tp_error *error);

// Writes a split scheme beside the shards, under the writer's lock, or forgets one; this open dataset stays as it was.
// Gives what the scheme comes to: {"dataset", "scheme", "written", "folds", "cuts_episodes", "stream", "splits": [{"name",
// "episodes", "rows"}], "in_none": {"episodes", "rows"}, "rule"}. `options` is the JSON of an object, which has "rule" or "remove".
// Options of split, written by tools/python/generate_options.py:
//   "name"       text, default "default". The name of the scheme.
//   "rule"       {..}. What belongs to which split (schemas/splits.schema.json).
//   "dry_run"    true or false, default false. Whether nothing is written.
//   "remove"     true or false, default false. Whether the scheme is forgotten.
// End of options
int32_t tp_dataset_split(const tp_dataset *dataset, const char *options, char **json, tp_error *error);

// Reads rows [first, first + count) of a track's channel into `memory`: rows of the channel's shape,
// packed, as `dtype` ("float32", ...; null for the channel's own type). What was not observed is NaN in
// floats and the smallest integer in integers. `observed` may be null, or room for a byte an element:
// 1 where the element was observed.
int32_t tp_dataset_read(const tp_dataset *dataset, int64_t track, const char *channel, int64_t first,
                        int64_t count, const char *dtype, void *memory, size_t bytes,
                        uint8_t *observed, size_t observed_bytes, tp_error *error);

// The times of rows [first, first + count) of a track, in the unit of its stream.
int32_t tp_dataset_times(const tp_dataset *dataset, int64_t track, int64_t first, int64_t count,
                         double *times, tp_error *error);

// Rows of a channel of type "bytes" (text, packets): row i is bytes[offsets[i] .. offsets[i + 1]].
// `offsets` has room for count + 1. Rows that were not observed are empty, and observed[i] (if given,
// count bytes) is 0.
int32_t tp_dataset_read_bytes(const tp_dataset *dataset, int64_t track, const char *channel,
                              int64_t first, int64_t count, uint8_t **bytes, int64_t *offsets,
                              uint8_t *observed, tp_error *error);

// ---- Frames of videos ----------------------------------------------------------------------------

// Takes the functions of libtrajpack-video (trajpack_video.h: tpv_functions_table), which uses FFmpeg. Without them a
// loader of frames and the two functions below return TP_NO_VIDEO; nothing else needs them.
struct tpv_functions;
int32_t tp_video_register(const struct tpv_functions *functions, tp_error *error);

// Names the folder in which the folder that was converted lies, for linked videos. `allow_outside`: 1 where links in
// it may lead out of it. A linked file must be the one that was converted: its length and SHA-256 are
// compared when it is first opened, and again when it was touched.
int32_t tp_dataset_set_media(tp_dataset *dataset, const char *folder, int32_t allow_outside,
                             tp_error *error);

// {"frames", "dtype", "shape": of a frame, "format", "bytes": of a frame, "codec", "width", "height", "pixel_format",
// "color_range", "color_space", "rotation": degrees clockwise or null; it is not applied, "groups": of pictures}.
// `options` is the JSON of an object, or null.
// Options of frames, written by tools/python/generate_options.py:
//   "format"     "rgb24" | "gray8" | "gray16" | "native". How samples lie; "native" is the decoder's planes one after
//                the other. By default gray where the video has nothing but brightness, else "rgb24".
//   "size"       [..]. [height, width]; gray takes the nearest sample, colours a triangle filter.
//   "crop"       [..]. [top, left, height, width], which is scaled.
//   "layout"     "THWC" | "TCHW", default "THWC". How colours lie.
//   "depth"      text | {..}. Distances, float32, NaN where there is none, in this unit ("m"), or of an encoding
//                (schemas/archive-format.md, section 9) where the dataset does not say what samples mean.
// End of options
int32_t tp_dataset_describe_frames(const tp_dataset *dataset, int64_t track, const char *options,
                                   char **json, tp_error *error);
// Decodes frames of a track, by their rows, in any order and with repetitions, one after the other into `memory`.
int32_t tp_dataset_read_frames(const tp_dataset *dataset, int64_t track, const int64_t *frames,
                               size_t count, const char *options, void *memory, size_t bytes,
                               tp_error *error);

// ---- Loaders -------------------------------------------------------------------------------------

// Makes a loader of windows over one dataset, or over a mixture of several. `options` is the JSON of an
// object; every member may be left out, an unknown one is an error that suggests the nearest:
// Options of loader, written by tools/python/generate_options.py:
//   What a window holds
//   "channels"   [text | {..}]. Patterns (* and ?) of stream/channel, or {"kind": "quaternion"}; a stream's name alone
//                is all of it. All by default. The name of a video's stream is its decoded frames; they come where it
//                is named by more than wildcards. Its packets' columns come where they are named: rgb/pts.
//   "exclude"    text | [text]. Patterns of what is left out after that.
//   "length"     integer from 1 to 2^24. Rows of the reference clock; 1 where "duration" is not given either. T =
//                "past" + "length" + "future".
//   "duration"   number | text. The length in seconds, exact as a number that prints like it or a text such as
//                "1001/30".
//   "stride"     integer from 1 to 2^24, default 1. Rows from one window's start to the next.
//   "past"       integer from 0 to 2^24, default 0. Rows more, before the window. They are part of T.
//   "future"     integer from 0 to 2^24, default 0. Rows more, after the window. They are part of T.
//   "offsets"    [number | text] | {pattern: [number | text]}. For these channels T is the number of offsets from the
//                window's start: integers are rows of the channel's own clock, fractions and texts "-0.5" are seconds.
//                Seconds that are rows but for rounding give exactly these rows: see "tolerance"; what lies between
//                rows is made as "align" says.
//   "plan"       {..}. Steps of preparation (schemas/plan.schema.json), run on the rows that a window needs; all other
//                options see what they leave, as if the plan had been applied to the dataset before. Steps that look at
//                a whole track (docs/signal.md says which) make whole tracks. A mask whose "draw" is "epoch" takes
//                other entries away in each epoch.
//   "reference"  text. The stream whose clock counts rows; by default the first selected stream without entities, else
//                the first.
//   "rate"       number | text. Rows a second of a regular grid that replaces the reference's own clock.
//   "align"      "auto" | "nearest" | "asof" | "linear" | "native" | {pattern: one of these}. How rows of another clock
//                are found. "auto", the default, goes by kind: linear, slerp, as-of. "native" leaves a stream at its
//                own rate: its rows in the window's time one after the other, those of each entity by themselves,
//                padded to the most rows of a window of this duration (explicit times are read once to know); its times
//                then are [B, T, E] for entities.
//   "tolerance"  number | text. How far a row may lie from a moment, in time, and count as the one at it, so that times
//                rounded to milliseconds do not give labels of the row before. It holds for channels of whole rows
//                (as-of), and for "offsets" in seconds of all; numbers between rows are interpolated at the exact time.
//                0.001 by default, but at most a quarter of the interval between rows; what is given counts up to half
//                of it.
//   "hold"       "auto" | "interval" | "end" | {pattern: one of these}. How long a last row counts: "interval", as long
//                as the time before it, "end", to the end of the episode, or "auto", the default: "end" for labels,
//                categories, events and text of streams with explicit times or one row, which is how logs are recorded.
//   "max_staleness" number | text | {pattern: number | text}. Rows that are older than so many seconds do not count;
//                what follows is padding.
//   "edge"       "drop" | "pad" | "clamp", default "drop". "drop": only windows that lie wholly inside; "pad": zeros
//                outside; "clamp": the nearest row outside. The last two begin a window at every stride. A stream of a
//                rate with gaps has a run of rows between two of them: with "drop" a window lies in one run; with the
//                others, and by "offsets", rows beyond a gap are given, and what lies in the gap is outside.
//   "entities"   integer from 1 to 65536 | {pattern: integer from 1 to 65536}. The most entities of a stream in a
//                window; by default the most that an episode has. Sorted by kind, then index; a longer list is cut.
//   "dtype"      text | {pattern: text}. The type of numbers, or {pattern: type}, where "float", "int" and "bool" stand
//                for all channels of such types. By default the channels' own. To whole numbers, fractions are cut off,
//                and what the type cannot hold becomes its nearest end.
//   "normalize"  text | {..}. "standard", "minmax" (to -1..1), "quantile" (1 % .. 99 % to -1..1) or "robust" (median 0,
//                quartiles 1 apart), or {"method", "axes", "per", "range"}, or {pattern: either}. "axes": those of a
//                row's shape that keep statistics of their own, all others being taken together: 0 for [C, H, W] by
//                channel. "per": "episode", each recording by its own statistics, or a value of the episodes' metadata,
//                each value by those of its episodes. "range": [low, high] of minmax and quantile instead of -1 and 1.
//                The result is float32 unless "dtype" says otherwise. What does not vary becomes 0. Labels, categories,
//                quaternions, matrices stay as they are, and images, depth, events, booleans that are not named.
//   "normalize_split" text. The split whose statistics these are, or "all": of all, whatever is chosen. By default
//                those of what was recorded in "train", where the dataset has it, else of all, and of these of the
//                chosen episodes only (where none of "train" is chosen, of all of it), whatever a plan does. What the
//                index does not have (a part of a split, quantiles, "axes", "per") is measured when the loader is made.
//   "features"   {name: text | [text]}. {name: [patterns]}: these channels side by side in one [B, T, F] float32 output
//                instead of their own, in the order of the patterns. A channel is in one of them.
//   "fill"       number | {pattern: number}. The number in place of what was not observed: of NaN in floats, of the
//                smallest integer in integers that can hold it. A "dtype" of integers that cannot say what is missing
//                needs it.
//   "masks"      true or false | ["observed" | "present" | "padding"], default true. Which masks come: all, none, or
//                some of "observed" [B, T, (E,) ...], "present" [B, T, E], "padding" [B, T]. Where channels of a stream
//                have different rows, each has its own: padding:STREAM/CHANNEL.
//   "time"       true or false, default false. Whether times of the rows of each stream come, too: time:STREAM, [B, T]
//                float64.
//   "meta"       true or false, default false. Whether it is said which window it is, [B] each: meta:dataset,
//                meta:episode, meta:window (in the order of its dataset), meta:row (of its start), int64; meta:time (of
//                its start), float64; meta:split, int32, a code of its categories or -1; of clips meta:clip, int64, the
//                number in the list; and for streams of entities meta:entity:STREAM, [B, E, 3] int64: kind (a code of
//                its categories), index and type of who is in each place, -1 for nobody. tp_loader_texts gives meta:id.
//   "values"     text | [text]. Names or patterns of values of recordings: [B, ...] each, by their names: numbers
//                float64, integers int64, categories int32 codes; observed:NAME, [B], says which recordings have it
//                (where not: NaN, the smallest integer, -1). rate:STREAM is the rows a unit of time. Texts lie in no
//                array; time_unit:STREAM, and stream/channel of a text, which is the one that is valid at a window's
//                first row after "past", are texts, too. A mixture has the values of all. tp_loader_texts gives texts.
//   "size"       [integer] | {pattern: [integer]}. [height, width] of frames of videos and of channels of images and
//                depth ([H, W] or [H, W, planes]); their own by default. Between frames the nearest one counts, or the
//                last one where "align" is "asof".
//   "crop"       [integer] | {pattern: [integer]}. [height, width] of the stored pictures, at a place drawn for each
//                window from (seed, epoch, window) and shared by all its videos, or [top, left, height, width]. "size"
//                scales it.
//   "flip"       number from 0 to 1, default 0. How likely a window's pictures are mirrored left to right; refused
//                beside channels of positions, directions, quaternions, angles, matrices or actions, unless
//                "flip_world" names them.
//   "flip_world" {pattern: number | [number]}. What each of the channel's last elements is multiplied by in mirrored
//                windows: {"player/pos": [-1, 1, 1], "state/action": 1}.
//   "pixels_of"  {pattern: text}. The video of whose pixels the channel's numbers are: {"camera/K": "rgb"}. Intrinsics,
//                and positions of units px that end in 2, follow what is done to the pictures; by default the video,
//                where all are cut and scaled alike.
//   "pixels"     "rgb24" | "gray8" | "gray16" | {pattern: one of these}. The samples of frames; by default gray where a
//                video has nothing but brightness.
//   "layout"     "THWC" | "TCHW" | {pattern: one of these}. How colours of frames lie; "THWC" by default.
//   "depth"      text | {..}. Depth (videos and channels of it) as distances in this unit, float32, NaN and not
//                observed where there is none: "m", or an encoding where the dataset says none: {"encoding": "linear",
//                "scale": 0.001, "units": "m", "invalid": [0]}, or {pattern: either}. Refused where nobody says it.
//
//   Which windows, in which order
//   "clips"      text | [..] | {..}. Windows are clips instead of all that fit: [{"episode", "start": time or
//                "start_row", "rows" or "seconds", "rate", "unit", "id", "label", "dataset"}]
//                (schemas/clips.schema.json), or the path of a file of them (.csv, .json, .jsonl), or the name of a
//                list that the dataset has. Row k of a clip lies at start + k / rate, and each channel gives its
//                nearest row, of two equally near ones the earlier, unless "align" says otherwise; labels, categories,
//                events and text of streams with explicit times are as-of. "past" and "future" are rows more at the
//                clip's rate; "length", "duration", "stride" and "rate" have no place. Clips of several lengths need
//                "edge" "pad".
//   "split"      text | [text]. Names of splits: of a split scheme, or those that episodes were recorded with.
//   "scheme"     text. The split scheme (trajpack split); by default "default", where there is one, or the only one of
//                a dataset whose episodes have no splits. Where it cuts episodes, the rows of a window from its start
//                on lie in the split; those before it ("past", negative "offsets") may reach back by the split's
//                context, and nothing else of the episode is seen.
//   "fold"       integer from 0 to 2^20. The fold that is "test" in a scheme of folds; the others are "train".
//   "episodes"   text | [text]. Ids or patterns of ids (*, ?), each of some episode.
//   "where"      {..}. {"label": value | [values] | {"min": x, "max": y}}: values of recordings, or paths in their
//                metadata.
//   "windows_where" {..}. A test of the values in a window: {"channel": "state/hp", "mean": {"min": 0.5}}. Tests on one
//                channel (several are ANDed): "any", "all" of its values, all of the "first" or "last" row, the "mean",
//                "min", "max", "std" (over n) of them, or what share is "missing". Compared with a number, truth or
//                category, a list of them, or {"min", "max"} (inclusive), {"above", "below"}. "component": elements of
//                a row; "of": "abs", "norm" (a row's length), "change" (from the row before), or a list. {"and": [..]},
//                {"or": [..]}, {"not": ..} join tests. What counts are values that were observed, of rows of the
//                channel's own stream that lie within the window's time, of all entities; a label that a log holds from
//                before is none, and a window without any passes no test but "not". {"value": NAME, "is": ..} asks for
//                a value of the window's recording, which is compared in the same way (a text with texts). All windows
//                are looked at once, by all threads.
//   "window_weights" {..} | true. Windows are drawn with replacement, with these chances: {"channel": .., "statistic":
//                "mean"} or {"value": NAME}. Or true: they come by tp_loader_set_weights.
//   "cache_dir"  text. Where to keep what "windows_where" found; "" for nowhere. By default $XDG_CACHE_HOME or
//                ~/.cache, /trajpack, for datasets from 64 MiB on.
//   "shuffle"    "global" | "block" | "none" | true or false, default "global". "global" or true: a permutation of all
//                windows, another one each epoch; "block": blocks of "block_windows", permuted among "block_count" of
//                them; "none" or false: the order of the dataset. With videos of long groups of pictures and neither
//                number given, a block is the windows that begin in a group, and a pool has as many of them as
//                "frame_cache" holds.
//   "block_windows" integer from 1 to 2^24, default 64. Windows of a block.
//   "block_count" integer from 1 to 2^24, default 64. Blocks of a pool.
//   "seed"       integer, default 0. What the order is drawn from.
//   "epoch"      integer from 0 to 2^40, default 0. The epoch to begin with.
//   "batch"      integer from 1 to 2^24, default 32. Windows of a batch on this rank: B.
//   "drop_last"  true or false, default true. Whether the last windows of an epoch that do not fill a batch on every
//                rank are left out. Otherwise they come as a smaller batch. A rank that would have none of the last
//                windows gets one of another rank's again, all of its rows marked as padding. tp_batch_repeated tells
//                it.
//   "rank"       integer from 0 to 2^20, default 0. This process among "world". Window j of a step's global batch goes
//                to rank j % "world". tp_loader_set_part changes it.
//   "world"      integer from 1 to 2^20, default 1. How many processes share the windows.
//   "weights"    [number above 0]. Of the datasets of a mixture, by window.
//   "epoch_windows" integer from 1 to 2^50. Windows of an epoch of a mixture, of weighted windows, or with
//                "replacement"; by default as many as the datasets have together.
//   "replacement" true or false. Whether every window of an epoch is drawn anew from all, each with the same chance.
//
//   The engine
//   "threads"    integer from 0 to 1024, default 0. How many threads read and decode; 0 for as many as there are
//                processors.
//   "prefetch"   integer from 1 to 1024, default 4. Batches that are made ahead.
//   "frame_cache" integer from 0 to 2^50. Bytes of decoded pictures to keep; by default 512 MiB for "block" where that
//                holds the pictures of a pool, else 0.
//   "cache"      integer from 0 to 2^50. Bytes of inflated chunks to keep; by default 192 MiB with "plan", 64 MiB for
//                "block", else 0.
//   "verify"     "always" | "first" | "never", default "always". When the checksum of a chunk is compared with its
//                bytes: each time that it is read, the "first" time that this loader reads it, or "never". Chunks in
//                the "cache" were compared when they were read. Index and manifest are compared always.
//   "mmap"       true or false, default false. Whether shards are mapped into memory instead of read: faster, most of
//                all with the codec "none", but a file that is cut or a disk that fails then ends the process with
//                SIGBUS.
//   "on_error"   "raise" | "skip", default "raise". "raise": damaged data is an error. "skip": windows that touch it
//                are left out of their batch. tp_loader_stats counts and names them.
// End of options
int32_t tp_loader_create(const tp_dataset *const *datasets, size_t count, const char *options,
                         tp_loader **loader, tp_error *error);

// Stops its threads and frees it. Batches that are still held stay valid.
void tp_loader_free(tp_loader *loader);

// {"windows": of the datasets, "epoch_windows", "steps": batches of an epoch on this rank, "batch",
//  "batch_bytes", "digest", "reference", "length": T, "blocks": of block shuffle, {"windows": of a block, "count":
//  blocks of a pool}, or null, "choices": what "windows_where" left of each
//  dataset, [{"candidates", "windows", "damaged", "bytes": of memory, "cache": path or null, "cached"}]
//  or null, "outputs": [{"name", "dtype", "shape":
//  [B, T, ...], "offset": its first byte in a batch, "bytes", "role": "values" | "observed" |
//  "present" | "padding" | "time" | "meta" | "value", "stream": name, "channel": name or null, "channels": of a
//  feature matrix, "entities": length of axis 2 or 0, "units", "kind", "categories": names of the codes of a value,
//  or null}], "texts": values that tp_loader_texts gives, [{"name", "description"}], "left_raw": channels that "normalize" leaves
//  as they are, "between_rows": {stream: offsets in seconds that are no rows of it}, "tolerance",
//  "options": as they were understood}
// Outputs are C-contiguous, little-endian, at multiples of 64 bytes. Names: "state/hp",
// "observed:state/hp", "present:npc", "padding:state", "time:state"; where channels of a stream have different
// rows, "padding:state/hp" and so on, which may be one array under several names.
int32_t tp_loader_describe(const tp_loader *loader, char **json, tp_error *error);

// What "normalize" has done: a value x became (x - shift) * scale. {"channels": {"stream/channel": {"method", "axes",
// "grouping": its number or null, "shape": of a row, "shift", "scale": a number an element of a row, those of each group
// one after the other}}, "groupings": [{"by", "values": what each group has in common, "groups": the group of each
// episode, counted over all datasets, or -1}], "first_episodes": the number of each dataset's first episode,
// "features": {name: [{"channel", "elements", "slots": entities, or 1}]}}
int32_t tp_loader_normalization(const tp_loader *loader, char **json, tp_error *error);

// Waits for the next batch. TP_OK: *batch is the caller's to free. TP_END: the epoch is over (once an
// epoch). An error stays: the same call gives it again until tp_loader_set_state.
int32_t tp_loader_next(tp_loader *loader, tp_batch **batch, tp_error *error);

// Waits until tp_loader_next would answer at once (TP_OK), but no longer than that many milliseconds
// (TP_WAITING). In a loop it lets the caller look for signals while a disk is slow.
int32_t tp_loader_wait(tp_loader *loader, int32_t milliseconds);

// What a batch holds.
typedef struct tp_batch_view {
  const void *memory;  // all outputs, each at its offset
  uint64_t bytes;
  uint64_t count;      // windows in it: fewer than B in the last batch, or where some were skipped
  uint64_t epoch;
  uint64_t position;   // windows of the epoch, on all ranks, before this batch
  const uint64_t *windows;  // count numbers: (window, in the order of its dataset) of each
  const uint32_t *datasets; // count numbers: the dataset of the mixture of each
} tp_batch_view;
void tp_batch_look(const tp_batch *batch, tp_batch_view *view);
// 1 where its only window is one that another rank has too, because this rank had none left in the last
// step of an epoch; all of its rows are padding. Else 0.
int32_t tp_batch_repeated(const tp_batch *batch);
// Gives its memory back to the loader. Null is allowed. The loader may be freed before.
void tp_batch_free(tp_batch *batch);

// Which part of the order a loader gives.
typedef struct tp_part {
  uint32_t rank, world;      // as the options of the same names
  uint32_t worker, workers;  // of this rank: batches worker, worker + workers, .. of the rank, whole. 0 of 1 for
                             // all of them. The state of a worker counts whole rounds of all workers; it is
                             // for the same worker of as many.
  uint32_t threads;          // 0: as the options say
} tp_part;
// Becomes another part; the place in the order stays. A usage error where an epoch is too short for so many ranks.
int32_t tp_loader_set_part(tp_loader *loader, const tp_part *part, tp_error *error);

// Lends memory for one batch (pinned memory, say): at least batch_bytes, at a multiple of 64. Lent
// memory is used before the loader allocates its own, and must live until the loader and all batches
// are freed. Lend before the first tp_loader_next.
int32_t tp_loader_lend(tp_loader *loader, void *memory, size_t bytes, tp_error *error);

// Gives the windows of a dataset their weights, `count` of them in the order of their numbers: finite, from
// 0 up. Where the option "window_weights" is true, this comes before the first batch.
int32_t tp_loader_set_weights(tp_loader *loader, uint32_t dataset, const float *weights, size_t count,
                              tp_error *error);

// Gives the windows of all datasets other weights, from the next epoch on; from the present one, where nothing of
// it was given out yet. After a state that was saved with other weights, it takes those of the state, and others
// are a usage error. `weights` and `counts` have an element a dataset.
int32_t tp_loader_replace_weights(tp_loader *loader, const float *const *weights,
                                  const size_t *counts, size_t datasets, tp_error *error);

// Reads given windows into the caller's memory of batch_bytes, in this thread: random access, for
// map-style data sets. At most B numbers; `dataset` is the one of the mixture.
int32_t tp_loader_read(tp_loader *loader, uint32_t dataset, const uint64_t *windows, size_t count,
                       void *memory, size_t bytes, tp_error *error);

// The order itself: places [first, first + count) of the global order of an epoch, before it is cut into
// ranks. `windows` and `datasets` have room for count; datasets may be null.
int32_t tp_loader_order(const tp_loader *loader, uint64_t epoch, uint64_t first, size_t count,
                        uint64_t *windows, uint32_t *datasets, tp_error *error);

// Where a window lies: episode (by number in its dataset), track of the reference stream, first row.
int32_t tp_loader_locate(const tp_loader *loader, uint32_t dataset, uint64_t window, int64_t *episode,
                         int64_t *track, int64_t *row, tp_error *error);

// The same for `count` windows: `datasets` and `windows` say which, the others have room for count or are null.
int32_t tp_loader_locate_all(const tp_loader *loader, const uint32_t *datasets,
                             const uint64_t *windows, size_t count, int64_t *episodes,
                             int64_t *tracks, int64_t *rows, tp_error *error);

// The clips that windows of a dataset are, in the order of their numbers: [{"id", "episode", "start" or "start_row",
// "rows", and "rate", "unit", "label" where they were given, "number": its place in the list, "row": the row of the
// reference stream nearest to its start}], or null without "clips".
int32_t tp_loader_clips(const tp_loader *loader, uint32_t dataset, char **json, tp_error *error);

// The rows of a stream that are nearest to the instants of a clip, of two equally near ones the earlier; -1
// where it has none. They count from the first row that the stream has in the episode. `room`: of `rows`; *count:
// how many the clip has. An error for a stream of entities.
int32_t tp_loader_clip_rows(const tp_loader *loader, uint32_t dataset, uint64_t window, const char *stream,
                            int64_t *rows, size_t room, size_t *count, tp_error *error);

// The texts that `count` windows have of a value, as UTF-8: that of window i is bytes[offsets[i] .. offsets[i + 1]),
// and present[i] is 0 where it has none. `offsets` has room for count + 1, `present` for count; *bytes is the
// caller's to free.
int32_t tp_loader_texts(tp_loader *loader, const char *name, const uint32_t *datasets,
                        const uint64_t *windows, size_t count, uint8_t **bytes, int64_t *offsets,
                        uint8_t *present, tp_error *error);

// All that is needed to go on exactly, on any number of ranks and with any batch size.
typedef struct tp_state {
  uint64_t version;   // 1
  uint64_t digest;    // of the datasets and of the options that decide the order
  uint64_t seed;
  uint64_t epoch;
  uint64_t position;  // windows of the epoch that were given out, on all ranks
  uint64_t weights;        // a digest of the weights of windows; 0: there are none, or `digest` has it
  uint64_t weights_epoch;  // the epoch that they count from
  uint64_t later_weights;  // those that take their place at the next epoch; 0 where none do
  uint64_t later_epoch;
} tp_state;
// The state after the last batch that tp_loader_next gave out; all ranks have the same.
void tp_loader_get_state(const tp_loader *loader, tp_state *state);
// Goes to a state. A usage error where it is of other datasets or of another order. The state's seed is
// taken over. Where it was saved with other weights of windows, tp_loader_next and tp_loader_order are usage errors
// until tp_loader_replace_weights has given those of the state.
int32_t tp_loader_set_state(tp_loader *loader, const tp_state *state, tp_error *error);
// Goes to a place of this loader's own order, whatever its digest.
int32_t tp_loader_seek(tp_loader *loader, uint64_t epoch, uint64_t position, tp_error *error);

// {"batches", "windows", "skipped", "bytes_read", "bytes_inflated", "chunks", "cache_hits",
//  "cache_bytes", "wait_data_seconds", "wait_consumer_seconds", "seconds", "threads", "last_error"}
int32_t tp_loader_stats(const tp_loader *loader, char **json, tp_error *error);

// Makes a waiting tp_loader_next, and every later one, return TP_CANCELLED, until the state is set.
void tp_loader_cancel(tp_loader *loader);

#ifdef __cplusplus
}
#endif
