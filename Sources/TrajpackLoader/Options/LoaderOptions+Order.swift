import TrajpackFormat
import TrajpackStore

extension LoaderOptions {
  /// Which windows.
  static let choiceOptions: [LoaderOption] = [
    LoaderOption(
      "clips", \.clips,
      OptionForm(.type("string", "array", "object")) { (o) throws(TrajpackError) in try o.clips() },
      """
      Windows are clips instead of all that fit: `[{"episode", "start": time or "start_row", "rows" or "seconds", "rate", \
      "unit", "id", "label", "dataset"}]` (schemas/clips.schema.json), or the path of a file of them (.csv, .json, .jsonl), or \
      the name of a list that the dataset has. Row k of a clip lies at start + k / rate, and each channel gives its nearest \
      row, of two equally near ones the earlier, unless `align` says otherwise; labels, categories, events and text of \
      streams with explicit times are as-of. `past` and `future` are rows more at the clip's rate; `length`, `duration`, \
      `stride` and `rate` have no place. Clips of several lengths need `edge` `"pad"`.
      """,
      python:
        "A list of dicts or tuples `(episode, start, rows, rate)`, a frame of pandas or polars, a path or a name (docs/clips.md). `clips()` lists them, `clip_rows` their rows of a stream."
    ),
    LoaderOption(
      "split", \.splits, .texts,
      "Names of splits: of a split scheme, or those that episodes were recorded with.",
      isInDigest: true),
    LoaderOption(
      "scheme", \.scheme, .text,
      """
      The split scheme (`trajpack split`); by default `"default"`, where there is one, or the only one of a dataset whose \
      episodes have no splits. Where it cuts episodes, the rows of a window from its start on lie in the split; those \
      before it (`past`, negative `offsets`) may reach back by the split's context, and nothing else of the episode is seen.
      """),
    LoaderOption(
      "fold", \.fold, .integer(0...1 << 20),
      "The fold that is `\"test\"` in a scheme of folds; the others are `\"train\"`."),
    LoaderOption(
      "episodes", \.episodes, .patterns,
      "Ids or patterns of ids (`*`, `?`), each of some episode.", isInDigest: true),
    LoaderOption(
      "where", .type("object"),
      """
      `{"label": value | [values] | {"min": x, "max": y}}`: values of recordings, or paths in their metadata.
      """, isInDigest: true
    ) { (options, option) throws(TrajpackError) in
      for member in try option.object() {
        options.conditions.append((member.name, try option.condition(member)))
      }
    },
    LoaderOption(
      "windows_where", \.windowTest,
      OptionForm(.type("object")) { (o) throws(TrajpackError) in try o.windowTest() },
      """
      A test of the values in a window: `{"channel": "state/hp", "mean": {"min": 0.5}}`. Tests on one channel (several are \
      ANDed): `"any"`, `"all"` of its values, all of the `"first"` or `"last"` row, the `"mean"`, `"min"`, `"max"`, `"std"` (over n) \
      of them, or what share is `"missing"`. Compared with a number, truth or category, a list of them, or `{"min", "max"}` \
      (inclusive), `{"above", "below"}`. `"component"`: elements of a row; `"of"`: `"abs"`, `"norm"` (a row's length), `"change"` \
      (from the row before), or a list. `{"and": [..]}`, `{"or": [..]}`, `{"not": ..}` join tests. What counts are values that \
      were observed, of rows of the channel's own stream that lie within the window's time, of all entities; a label that a log \
      holds from before is none, and a window without any passes no test but `"not"`. `{"value": NAME, "is": ..}` asks for a \
      value of the window's recording, which is compared in the same way (a text with texts). All windows are looked at \
      once, by all threads.
      """, isInDigest: true,
      python:
        "Or with :func:`trajpack.channel` and :func:`trajpack.value`: `(channel(\"state/speed\") > 0.1).any() & (channel(\"npc/hp\").mean() > 0)`. `choices` tells how many windows it left."
    ),
    LoaderOption(
      "window_weights",
      .record(["anyOf": [.type("object"), .record(["const": true])]]),
      """
      Windows are drawn with replacement, with these chances: `{"channel": .., "statistic": "mean"}` or `{"value": NAME}`.
      """, isInDigest: true, c: "Or true: they come by tp_loader_set_weights.",
      python:
        "Or an array, a number from 0 up for each window in order (a list of arrays for a mixture), or `channel(\"state/reward\").max()`. `set_weights` gives others, from the next epoch on."
    ) { (options, option) throws(TrajpackError) in
      options.windowWeights =
        option.value == true ? .given : .question(try option.windowNumber())
    },
    LoaderOption(
      "cache_dir", \.cacheFolder, .text,
      """
      Where to keep what `windows_where` found; `""` for nowhere. By default `$XDG_CACHE_HOME` or `~/.cache`, `/trajpack`, for \
      datasets from 64 MiB on.
      """),
  ]

  /// In which order.
  static let orderOptions: [LoaderOption] = [
    LoaderOption(
      "shuffle",
      .record(["anyOf": [.choice(Order.allCases.map(\.rawValue)), .type("boolean")]]),
      default: "global",
      """
      `"global"` or `true`: a permutation of all windows, another one each epoch; `"block"`: blocks of `block_windows`, \
      permuted among `block_count` of them; `"none"` or `false`: the order of the dataset. With videos of long groups of \
      pictures and neither number given, a block is the windows that begin in a group, and a pool has as many of them as \
      `frame_cache` holds.
      """, isInDigest: true, python: "`blocks` tells the numbers."
    ) { (options, option) throws(TrajpackError) in
      if let isOn = option.value.bool {
        options.order = isOn ? .global : .none
      } else {
        guard let order = option.value.string.flatMap(Order.init) else {
          throw option.wrong("'global', 'block' or 'none'")
        }
        options.order = order
      }
    },
    LoaderOption(
      "block_windows", \.blockWindows, .integer(1...limit), "Windows of a block.", isInDigest: true),
    LoaderOption(
      "block_count", \.blockCount, .integer(1...limit), "Blocks of a pool.", isInDigest: true),
    LoaderOption(
      "seed", \.seed, .integer(Int.min...Int.max), "What the order is drawn from."),
    LoaderOption("epoch", \.epoch, .integer(0...1 << 40), "The epoch to begin with."),
    LoaderOption("batch", \.batch, .integer(1...limit), "Windows of a batch on this rank: B."),
    LoaderOption(
      "drop_last", \.dropLast, .truth,
      """
      Whether the last windows of an epoch that do not fill a batch on every rank are left out. Otherwise they come as a \
      smaller batch. A rank that would have none of the last windows gets one of another rank's again, all of its rows \
      marked as padding.
      """, c: "tp_batch_repeated tells it.", python: "`batch.repeated` tells it."),
    LoaderOption(
      "rank", \.rank, .integer(0...1 << 20),
      """
      This process among `world`. Window j of a step's global batch goes to rank j % `world`.
      """, c: "tp_loader_set_part changes it.",
      python:
        """
        By default, at the first use: the rank of torch.distributed or JAX where they are set up, else of torchrun's environment \
        (`RANK`, `WORLD_SIZE`), else 0 of 1; if they are others later, it raises. Give data-parallel ones where there is tensor or pipeline parallelism.
        """),
    LoaderOption(
      "world", \.world, .integer(1...1 << 20), "How many processes share the windows.",
      python: "By default as with `rank`."),
    LoaderOption(
      "weights", \.weights, .list(.weight),
      "Of the datasets of a mixture, by window.", isInDigest: true,
      python: "See :func:`trajpack.mixture`."),
    LoaderOption(
      "epoch_windows", \.epochWindows, .integer(1...1 << 50),
      """
      Windows of an epoch of a mixture, of weighted windows, or with `replacement`; by default as many as the datasets have \
      together.
      """, isInDigest: true),
    LoaderOption(
      "replacement", \.replacement, .truth,
      "Whether every window of an epoch is drawn anew from all, each with the same chance.",
      isInDigest: true),
  ]

  /// The engine.
  static let engineOptions: [LoaderOption] = [
    LoaderOption(
      "threads", \.threads, .integer(0...1024),
      "How many threads read and decode; 0 for as many as there are processors.",
      python: "By default the processors by `LOCAL_WORLD_SIZE`."),
    LoaderOption("prefetch", \.prefetch, .integer(1...1024), "Batches that are made ahead."),
    LoaderOption(
      "frame_cache", \.frameCache, .integer(0...1 << 50),
      """
      Bytes of decoded pictures to keep; by default 512 MiB for `"block"` where that holds the pictures of a pool, else 0.
      """),
    LoaderOption(
      "cache", \.cache, .integer(0...1 << 50),
      """
      Bytes of inflated chunks to keep; by default 192 MiB with `plan`, 64 MiB for `"block"`, else 0.
      """),
    LoaderOption(
      "verify", \.verify, .choice,
      """
      When the checksum of a chunk is compared with its bytes: each time that it is read, the `"first"` time that this loader \
      reads it, or `"never"`. Chunks in the `cache` were compared when they were read. Index and manifest are compared \
      always.
      """),
    LoaderOption(
      "mmap", \.mapsFiles, .truth,
      """
      Whether shards are mapped into memory instead of read: faster, most of all with the codec `"none"`, but a file that is \
      cut or a disk that fails then ends the process with SIGBUS.
      """),
    LoaderOption(
      "on_error", \.onError, .choice,
      """
      `"raise"`: damaged data is an error. `"skip"`: windows that touch it are left out of their batch.
      """, c: "tp_loader_stats counts and names them.", python: "`stats()` counts and names them."),
  ]
}

extension OptionForm where Value == Double {
  fileprivate static var weight: Self {
    Self(.record(["type": "number", "exclusiveMinimum": 0])) { (o) throws(TrajpackError) in
      let weight = try o.number()
      guard weight > 0, weight.isFinite else { throw o.wrong("positive numbers") }
      return weight
    }
  }
}
