import TrajpackFormat
import TrajpackSignal

/// An option of windows.
typealias LoaderOption = OptionDeclaration<LoaderOptions>

extension LoaderOptions {
  /// What a window holds: rows.
  static let rowOptions: [LoaderOption] = [
    LoaderOption(
      "channels", \.channels, OptionForm.list(.selector),
      """
      Patterns (`*` and `?`) of `stream/channel`, or `{"kind": "quaternion"}`; a stream's name alone is all of it. All by \
      default. The name of a video's stream is its decoded frames; they come where it is named by more than wildcards. Its \
      packets' columns come where they are named: `rgb/pts`.
      """),
    LoaderOption("exclude", \.exclude, .patterns, "Patterns of what is left out after that."),
    LoaderOption(
      "length", \.length, .integer(1...limit),
      "Rows of the reference clock; 1 where `duration` is not given either. T = `past` + `length` + `future`.",
      isInDigest: true),
    LoaderOption(
      "duration", \.duration, .positive,
      "The length in seconds, exact as a number that prints like it or a text such as `\"1001/30\"`.",
      isInDigest: true,
      python: "`2.0`, `Fraction(1001, 30)`."),
    LoaderOption(
      "stride", \.stride, .integer(1...limit), "Rows from one window's start to the next.",
      isInDigest: true),
    LoaderOption(
      "past", \.past, .integer(0...limit), "Rows more, before the window. They are part of T.",
      isInDigest: true),
    LoaderOption(
      "future", \.future, .integer(0...limit), "Rows more, after the window. They are part of T.",
      isInDigest: true),
    LoaderOption(
      "offsets", \.offsets, .rules(.list(.offset)),
      """
      For these channels T is the number of offsets from the window's start: integers are rows of the channel's own clock, \
      fractions and texts `"-0.5"` are seconds. Seconds that are rows but for rounding give exactly these rows: see \
      `tolerance`; what lies between rows is made as `align` says.
      """, isInDigest: true,
      python:
        "`{\"camera\": [-1.0, 0.0], \"state/action\": range(16)}`: floats are seconds. `between_rows` lists what lies between rows."
    ),
    LoaderOption(
      "plan", \.plan,
      OptionForm(.type("object")) { (o) throws(TrajpackError) in try Plan(json: o.value) },
      """
      Steps of preparation (schemas/plan.schema.json), run on the rows that a window needs; all other options see what they \
      leave, as if the plan had been applied to the dataset before. Steps that look at a whole track (docs/signal.md says \
      which) make whole tracks. A mask whose `"draw"` is `"epoch"` takes other entries away in each epoch.
      """, isInDigest: true,
      python: "As `trajpack apply` takes them: a dict, or the path of a JSON file."),
    LoaderOption(
      "reference", \.reference, .text,
      """
      The stream whose clock counts rows; by default the first selected stream without entities, else the first.
      """),
    LoaderOption(
      "rate", \.rate, .positive,
      "Rows a second of a regular grid that replaces the reference's own clock.", isInDigest: true),
    LoaderOption(
      "align", \.align, .rules(.choice),
      """
      How rows of another clock are found. `"auto"`, the default, goes by kind: linear, slerp, as-of. `"native"` leaves a \
      stream at its own rate: its rows in the window's time one after the other, those of each entity by themselves, padded \
      to the most rows of a window of this duration (explicit times are read once to know); its times then are \
      `[B, T, E]` for entities.
      """),
    LoaderOption(
      "tolerance", \.tolerance, .span,
      """
      How far a row may lie from a moment, in time, and count as the one at it, so that times rounded to milliseconds do not \
      give labels of the row before. It holds for channels of whole rows (as-of), and for `offsets` in seconds of all; numbers \
      between rows are interpolated at the exact time. 0.001 by default, but at most a quarter of the interval between \
      rows; what is given counts up to half of it.
      """, isInDigest: true),
    LoaderOption(
      "hold", \.hold, .rules(.choice),
      """
      How long a last row counts: `"interval"`, as long as the time before it, `"end"`, to the end of the episode, or \
      `"auto"`, the default: `"end"` for labels, categories, events and text of streams with explicit times or one row, \
      which is how logs are recorded.
      """),
    LoaderOption(
      "max_staleness", \.staleness, .rules(.positive),
      "Rows that are older than so many seconds do not count; what follows is padding."),
    LoaderOption(
      "edge", \.edge, .choice,
      """
      `"drop"`: only windows that lie wholly inside; `"pad"`: zeros outside; `"clamp"`: the nearest row outside. The last two \
      begin a window at every stride. A stream of a rate with gaps has a run of rows between two of them: with `"drop"` a \
      window lies in one run; with the others, and by `offsets`, rows beyond a gap are given, and what lies in the gap is \
      outside.
      """, isInDigest: true),
    LoaderOption(
      "entities", \.entities, .rules(.integer(1...65536)),
      """
      The most entities of a stream in a window; by default the most that an episode has. Sorted by kind, then index; a \
      longer list is cut.
      """),
  ]

  /// What a window holds: values.
  static let valueOptions: [LoaderOption] = [
    LoaderOption(
      "dtype", \.type,
      OptionForm(types) { (o) throws(TrajpackError) in try o.types() },
      """
      The type of numbers, or `{pattern: type}`, where `"float"`, `"int"` and `"bool"` stand for all channels of such types. By \
      default the channels' own. To whole numbers, fractions are cut off, and what the type cannot hold becomes its nearest \
      end.
      """, python: "Types of numpy, torch and JAX do, too."),
    LoaderOption(
      "normalize", \.normalize,
      OptionForm(normalizations) { (o) throws(TrajpackError) in try o.normalizations() },
      """
      `"standard"`, `"minmax"` (to -1..1), `"quantile"` (1 % .. 99 % to -1..1) or `"robust"` (median 0, quartiles 1 apart), or \
      `{"method", "axes", "per", "range"}`, or `{pattern: either}`. `"axes"`: those of a row's shape that keep statistics of \
      their own, all others being taken together: 0 for `[C, H, W]` by channel. `"per"`: `"episode"`, each recording by its \
      own statistics, or a value of the episodes' metadata, each value by those of its episodes. `"range"`: `[low, high]` of minmax and quantile \
      instead of -1 and 1. The result is float32 unless `dtype` says otherwise. What does not vary becomes 0. Labels, categories, \
      quaternions, matrices stay as they are, and images, depth, events, booleans that are not named.
      """,
      python: "`left_raw` lists what stays as it is; :meth:`denormalize` is the inverse."),
    LoaderOption(
      "normalize_split", \.normalizeSplit, .text,
      """
      The split whose statistics these are, or `"all"`: of all, whatever is chosen. By default those of what was recorded in \
      `"train"`, where the dataset has it, else of all, and of these of the chosen episodes only (where none of `"train"` is \
      chosen, of all of it), whatever a plan does. What the index does not have (a part of a split, quantiles, `"axes"`, \
      `"per"`) is measured when the loader is made.
      """),
    LoaderOption(
      "features", .patterns(.oneOrMore(.type("string"))),
      """
      `{name: [patterns]}`: these channels side by side in one `[B, T, F]` float32 output instead of their own, in the order of \
      the patterns. A channel is in one of them.
      """, python: "`outputs[name].channels` lists them."
    ) { (options, option) throws(TrajpackError) in
      for member in try option.object() {
        options.features.append((member.name, try option.member(member).patterns()))
      }
    },
    LoaderOption(
      "fill", \.fill,
      .rules(OptionForm(.type("number")) { (o) throws(TrajpackError) in try o.fill() }),
      """
      The number in place of what was not observed: of NaN in floats, of the smallest integer in integers that can hold it. A \
      `dtype` of integers that cannot say what is missing needs it.
      """),
    LoaderOption(
      "masks",
      .record([
        "anyOf": [
          .type("boolean"),
          .record(["type": "array", "items": .choice(["observed", "present", "padding"])]),
        ]
      ]), default: true,
      """
      Which masks come: all, none, or some of `"observed"` `[B, T, (E,) ...]`, `"present"` `[B, T, E]`, `"padding"` `[B, T]`. Where \
      channels of a stream have different rows, each has its own: `padding:STREAM/CHANNEL`.
      """
    ) { (options, option) throws(TrajpackError) in try options.setMasks(option) },
    LoaderOption(
      "time", \.time, .truth,
      "Whether times of the rows of each stream come, too: `time:STREAM`, `[B, T]` float64."),
    LoaderOption(
      "meta", \.meta, .truth,
      """
      Whether it is said which window it is, `[B]` each: `meta:dataset`, `meta:episode`, `meta:window` (in the order of its \
      dataset), `meta:row` (of its start), int64; `meta:time` (of its start), float64; `meta:split`, int32, a code of its \
      categories or -1; of clips `meta:clip`, int64, the number in the list; and for streams of entities `meta:entity:STREAM`, \
      `[B, E, 3]` int64: kind (a code of its categories), index and type of who is in each place, -1 for nobody.
      """, c: "tp_loader_texts gives `meta:id`.",
      python: """
        `batch["meta:id"]` has the ids of the episodes, texts `[B]`, as `ds.episodes[number].id` of `meta:episode` does; \
        `outputs["meta:split"].categories` names the codes.
        """),
    LoaderOption(
      "values", \.values, .texts,
      """
      Names or patterns of values of recordings: `[B, ...]` each, by their names: numbers float64, integers int64, categories \
      int32 codes; `observed:NAME`, `[B]`, says which recordings have it (where not: NaN, the smallest integer, -1). \
      `rate:STREAM` is the rows a unit of time. Texts lie in no array; `time_unit:STREAM`, and `stream/channel` of a text, \
      which is the one that is valid at a window's first row after `past`, are texts, too. A mixture has the values of all.
      """, c: "tp_loader_texts gives texts.",
      python:
        "`ds.values` lists them; `batch.names(\"label\")` names codes. Texts are lists, with None."),
  ]

  /// What a window holds: frames of videos, and pictures in channels.
  static let frameOptions: [LoaderOption] = [
    LoaderOption(
      "size", \.size,
      .rules(
        OptionForm(.list("integer")) { (o) throws(TrajpackError) in try o.frameSize() }),
      """
      `[height, width]` of frames of videos and of channels of images and depth (`[H, W]` or `[H, W, planes]`); their own by \
      default. Between frames the nearest one counts, or the last one where `align` is `"asof"`.
      """,
      python: """
        Frames come where `channels` names their stream (`"rgb"`; `"*"` decodes nothing). `{"rgb": range(0, 64, 4)}` in \
        `offsets` takes every fourth frame. See docs/video.md.
        """),
    LoaderOption(
      "crop", \.crop,
      .rules(OptionForm(.list("integer")) { (o) throws(TrajpackError) in try o.frameCrop() }),
      """
      `[height, width]` of the stored pictures, at a place drawn for each window from (seed, epoch, window) and shared by \
      all its videos, or `[top, left, height, width]`. `size` scales it.
      """),
    LoaderOption(
      "flip", \.flip, .probability,
      """
      How likely a window's pictures are mirrored left to right; refused beside channels of positions, directions, \
      quaternions, angles, matrices or actions, unless `flip_world` names them.
      """),
    LoaderOption(
      "flip_world", \.flipWorld,
      .byPattern(
        OptionForm(.record(["anyOf": [.type("number"), .list("number")]])) {
          (o) throws(TrajpackError) in
          o.value.double != nil
            ? [try o.finite()] : try o.list { (o) throws(TrajpackError) in try o.finite() }
        }),
      """
      What each of the channel's last elements is multiplied by in mirrored windows: `{"player/pos": [-1, 1, 1], \
      "state/action": 1}`.
      """),
    LoaderOption(
      "pixels_of", \.pixelsOf, .byPattern(.text),
      """
      The video of whose pixels the channel's numbers are: `{"camera/K": "rgb"}`. Intrinsics, and positions of units `px` that \
      end in 2, follow what is done to the pictures; by default the video, where all are cut and scaled alike.
      """),
    LoaderOption(
      "pixels", \.pixels, .rules(.choice),
      "The samples of frames; by default gray where a video has nothing but brightness."),
    LoaderOption(
      "layout", \.layout, .rules(.choice), "How colours of frames lie; `\"THWC\"` by default."),
    LoaderOption(
      "depth", \.depth,
      OptionForm(.type("string", "object")) { (o) throws(TrajpackError) in try o.depths() },
      """
      Depth (videos and channels of it) as distances in this unit, float32, NaN and not observed where there is none: `"m"`, or \
      an encoding where the dataset says none: `{"encoding": "linear", "scale": 0.001, "units": "m", "invalid": [0]}`, or \
      `{pattern: either}`. Refused where nobody says it.
      """),
  ]

  private mutating func setMasks(_ option: OptionReader) throws(TrajpackError) {
    if let all = option.value.bool {
      (observed, present, padding) = (all, all, all)
      return
    }
    let names = try option.list { (o) throws(TrajpackError) in try o.text() }
    for name in names where !["observed", "present", "padding"].contains(name) {
      throw option.wrong("true, false, or a list of 'observed', 'present', 'padding'")
    }
    observed = names.contains("observed")
    present = names.contains("present")
    padding = names.contains("padding")
  }

  private static let numberTypes = JSONValue.choice(
    ElementType.allCases.filter { $0 != .bytes }.map(\.rawValue))
  private static let types = JSONValue.record(["anyOf": [numberTypes, .patterns(numberTypes)]])
  private static let normalizations = JSONValue.type("string", "object")
}

extension OptionForm where Value == LoaderOptions.Selector {
  /// A pattern of channels, or a kind.
  fileprivate static var selector: Self {
    Self(
      .record([
        "anyOf": [
          .type("string"),
          .record([
            "type": "object",
            "properties": .object([.init("kind", .choice(Kind.allCases.map(\.rawValue)))]),
          ]),
        ]
      ])
    ) { (o) throws(TrajpackError) in
      if let kind = o.value["kind"] {
        return .kind(try OptionReader(name: o.name, value: kind).choice())
      }
      return .pattern(Pattern(try o.text()))
    }
  }
}

extension OptionForm where Value == LoaderOptions.Offset {
  fileprivate static var offset: Self {
    Self(.type("number", "string")) { (o) throws(TrajpackError) in try o.offset() }
  }
}

extension OptionForm where Value == Double {
  fileprivate static var probability: Self {
    Self(
      .record(["type": "number", "minimum": 0, "maximum": 1]), json: { .double($0) }
    ) { (o) throws(TrajpackError) in
      let number = try o.number()
      guard (0...1).contains(number) else { throw o.wrong("a probability, 0 to 1") }
      return number
    }
  }
}

extension OptionForm {
  /// An object of values by pattern.
  fileprivate static func byPattern<One: Sendable>(_ one: OptionForm<One>) -> Self
  where Value == Rules<One> {
    Self(.patterns(one.schema)) { (o) throws(TrajpackError) in
      guard o.value.members != nil else { throw o.wrong("an object of patterns") }
      return try o.rules(one.read)
    }
  }
}

extension JSONValue {
  /// JSON Schema of a list.
  fileprivate static func list(_ type: String) -> JSONValue {
    .record(["type": "array", "items": .type(type)])
  }
}
