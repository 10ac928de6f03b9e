import TrajpackFormat
import TrajpackStore

/// The arrays of an `.npy` or `.npz` file, and what each of them is.
struct ArraySet: Sendable {
  /// One array.
  struct Item: Sendable, Hashable {
    /// Its name in the archive; `values` where the file holds one array without a name.
    var name: String
    /// The channel that it becomes.
    var channel: String
    /// The type that readers get.
    var type: ElementType
    /// numpy's name of the type in the file.
    var storedName: String
    /// The shape of one row.
    var row: [Int]
    /// Whether an array without rows has a number for each recording of a batch.
    var isPerRecording = false
    /// What the integers of times count that are dates or spans.
    var dates: NPYDates?
  }

  /// Arrays of one length, which share a clock.
  struct Group: Sendable, Hashable {
    /// What the stream is called behind the file's own name; empty where it is the only one.
    var suffix: String
    /// The arrays of values.
    var items: [Item]
    /// The array of times.
    var time: Item?
  }

  /// What decides the schema: files of one shape share their streams.
  struct Shape: Sendable, Hashable {
    var isArchive: Bool
    var groups: [Group]
  }

  var shape: Shape
  /// Rows of each group in one recording.
  var rows: [Int]
  /// Recordings along the first axis; `nil` where it is time.
  var batch: Int?
  /// Whether the times of a group are the same for all recordings of the batch.
  var sharesTime: [Bool]
  /// What is known of whole recordings: numbers without an axis or one a recording, texts, and the arrays
  /// that ``SeriesOptions/constants`` names.
  var constants: [ArrayConstant] = []
  /// Where rows are cut into episodes; `nil` where they are not.
  var cut: ArrayCut?
  /// The members that are not taken, each with the reason.
  var leftOut: [(name: String, why: String)] = []
  /// Every member of the archive.
  var names: [String] = []
  /// What a user should know of how the file is read.
  var hints: [String] = []

  /// Looks at the headers of a file.
  ///
  /// - Throws: A data error where an array is not read, a usage error where shapes and options
  ///   disagree.
  init(
    _ file: LocalFile, isArchive: Bool, _ options: SeriesOptions
  ) throws(TrajpackError) {
    var members = try ArrayMembers(file, isArchive: isArchive, options)
    names = members.names
    let ends = try options.episodeEnds.map { (name) throws(TrajpackError) in
      try Self.take(name, &members)
    }
    let cuts = ends != nil || !options.terminals.isEmpty
    let arrays = members.arrays
    let isNamed = { (name: String) in SeriesOptions.matches(options.constants, name) }
    let most = arrays.filter { !isNamed($0.name) }.map(\.header.shape.count).max() ?? 0
    let isBatch =
      options.leadingAxis == .batch
      || (options.leadingAxis == .auto && !cuts && most >= 3
        && !Self.countsRows(arrays.filter { !isNamed($0.name) }, options))
    guard !cuts || !isBatch else {
      throw TrajpackError(
        .usage,
        "--\(ends == nil ? "terminals" : "episode-ends") cuts arrays whose first axis is time; leave "
          + "--leading-axis batch out")
    }
    // Times: one axis, or one a recording, perhaps with a last axis of one; never the only array.
    let leading = isBatch ? 2 : 1
    func mayBeTimes(_ array: ArrayMembers.Array) -> Bool {
      let rank = Self.timeShape(array.header, leading).count
      return isArchive && (rank == 1 || rank == leading) && !isNamed(array.name)
        && arrays.contains { $0.name != array.name && $0.header.shape.count >= leading }
    }
    var times = arrays.filter { options.mayBeTime($0.name) && mayBeTimes($0) }
    if times.isEmpty, options.time == .auto {
      // Dates can be nothing else.
      let dates = arrays.filter { $0.header.dates?.isSpan == false && mayBeTimes($0) }
      if dates.count == 1 { times = dates }
    }
    if case .named(let name) = options.time, times.isEmpty {
      throw TrajpackError(
        .usage,
        "--time: there is no array '\(name)' of one axis beside others; there are \(members.shapes)"
      )
    }
    let time = times.first
    try Self.checkDates(arrays, time?.name)
    let plain = arrays.filter { $0.name != time?.name && !isNamed($0.name) }
    if isBatch { batch = try Self.batch(plain, options) }
    for array in arrays
    where array.name != time?.name
      && (isNamed(array.name) || array.header.shape.count < leading)
    {
      constants.append(try ArrayConstant(array, batch: batch))
    }
    let series = plain.filter { $0.header.shape.count >= leading }
    guard !series.isEmpty else {
      throw TrajpackError(
        .data, "there is no array of \(leading) axes or more, so there are no rows")
    }
    for array in series {
      let row = array.header.shape.dropFirst(leading)
      guard row.count <= Schema.maximumRank, !row.contains(0),
        row.reduce(1, *) <= Schema.maximumChunkBytes / array.header.type.size
      else {
        throw TrajpackError(
          .data,
          "array '\(array.name)' has rows of shape \(Array(row)); they must hold something, and at "
            + "most \(Schema.maximumChunkBytes) bytes")
      }
    }
    let lengths = series.map { $0.header.shape[leading - 1] }
    let together = Set(lengths).count == 1
    guard together || !isBatch || options.leadingAxis == .batch else {
      throw TrajpackError(
        .usage,
        "the arrays share only their first axis (\(ArrayMembers.shapes(series))): if it is time, say --leading-axis "
          + "time; if it counts recordings, --leading-axis batch, and --constant for what has no rows"
      )
    }
    guard together || (options.segment == nil && !cuts) else {
      let option = options.segment != nil ? "segment" : ends == nil ? "terminals" : "episode-ends"
      throw TrajpackError(
        .usage,
        "--\(option) cannot cut arrays of different lengths (\(ArrayMembers.shapes(series))); "
          + "--exclude-members leaves some out, --constant makes them values of the recordings")
    }
    rows = together ? [lengths[0]] : lengths
    let items = series.map { Self.item($0, leading: leading) }
    var groups =
      together
      ? [Group(suffix: "", items: items)] : items.map { Group(suffix: $0.channel, items: [$0]) }
    let timeShape = time.map { Self.timeShape($0.header, leading) } ?? []
    sharesTime = groups.map { _ in timeShape.count == 1 }
    if let time {
      var used = false
      for i in groups.indices where timeShape.last == rows[i] {
        groups[i].time = Self.item(time, leading: time.header.shape.count, channel: "time")
        used = true
      }
      guard used, time.header.type != .bool, timeShape.count == 1 || timeShape[0] == batch
      else {
        throw TrajpackError(
          .data,
          "the times '\(time.name)' have shape \(time.header.shape), which is no time a row of "
            + ArrayMembers.shapes(series)
            + (time.header.shape.count == 1
              ? "; use --constant \(time.name) to keep them as a value of each recording"
              : "; use --time none to keep them as values"))
      }
    }
    shape = Shape(isArchive: isArchive, groups: groups)
    try take(&members)
    cut = try ArrayCut(members, ends, rows[0], options)
    leftOut = members.leftOut
    hints = self.hints(series, options)
  }

  /// The array that `--episode-ends` names.
  private static func take(
    _ pattern: String, _ members: inout ArrayMembers
  ) throws(TrajpackError) -> ArrayMembers.Array {
    let named = members.arrays.map(\.name).filter { Pattern(pattern).matches($0) }
    guard named.count == 1, let array = members.take(named[0]) else {
      throw TrajpackError(
        .usage,
        "--episode-ends: \(named.isEmpty ? "holds no array" : "holds \(named.count) arrays") '\(pattern)'; "
          + "there are \(members.shapes)")
    }
    return array
  }

  /// Makes texts values of the recordings, where they can be.
  private mutating func take(_ members: inout ArrayMembers) throws(TrajpackError) {
    guard let archive = members.archive else { return }
    for (name, text) in members.texts {
      if let why = ArrayConstant.refusal(of: text, rows: Set(rows), batch: batch) {
        members.leaveOut(text: name, why)
      } else {
        constants.append(try ArrayConstant(name, text, archive, batch: batch))
      }
    }
  }

  /// Names of arrays that say where episodes end.
  private static let usualEnds = ["episode_ends"]
  private static let usualTerminals = [
    "terminals", "timeouts", "dones", "terminated", "truncated", "terminal", "done", "terminations",
    "truncations", "is_terminal", "is_last",
  ]

  /// What a user should know: arrays of other lengths, and those that say where episodes end.
  private func hints(_ series: [ArrayMembers.Array], _ options: SeriesOptions) -> [String] {
    var hints: [String] = []
    if rows.count > 1 {
      let counts = Dictionary(grouping: rows, by: { $0 }).mapValues(\.count)
      let most = counts.max { ($0.value, $0.key) < ($1.value, $1.key) }?.key
      let others = zip(series, rows).filter { $1 != most }.map(\.0)
      hints.append(
        "\(ArrayMembers.shapes(others)) \(others.count == 1 ? "has" : "have") other than \(most ?? 0) "
          + "rows, so each array is a stream of its own; --constant makes an array a value of the recording"
      )
    }
    let each = constants.filter(\.isPerRecording).map(\.name)
    if let batch, options.leadingAxis == .auto, !each.isEmpty {
      hints.append(
        "the first axis is taken to count \(batch) recordings of \(rows[0]) rows, with a value of "
          + each.prefix(4).map { "'\($0)'" }.joined(separator: ", ")
          + (each.count > 4 ? " and \(each.count - 4) more" : "")
          + " for each; if it is time, say --leading-axis time")
    }
    if let cut {
      if cut.unfinished > 0 {
        hints.append(ArrayCut.unfinished(cut.unfinished, cut.members))
      }
    } else if batch == nil, options.segment == nil {
      func last(_ name: String) -> String { name.pathComponents.last ?? name }
      let names = series.map(\.name)
      if let ends = names.first(where: { Self.usualEnds.contains(last($0)) }) {
        hints.append("--episode-ends '\(ends)' cuts the rows into episodes")
      } else {
        let found = names.filter { Self.usualTerminals.contains(last($0)) }
        if !found.isEmpty {
          hints.append(
            "--terminals '\(found.joined(separator: ","))' cuts the rows into episodes")
        }
      }
    }
    return hints
  }

  private static func item(
    _ array: ArrayMembers.Array, leading: Int, channel: String? = nil
  ) -> Item {
    Item(
      name: array.name, channel: channel ?? (array.name == "time" ? "time_" : array.name),
      type: array.header.type, storedName: array.header.storedName,
      row: Array(array.header.shape.dropFirst(leading)), dates: array.header.dates)
  }

  /// The shape of times, without a last axis of one behind the leading axes.
  private static func timeShape(_ header: NPYHeader, _ leading: Int) -> [Int] {
    let shape = header.shape
    return shape.count > 1 && shape.count <= leading + 1 && shape.last == 1
      ? shape.dropLast() : shape
  }

  /// Whether an archive itself says that the first axis is time: it has times along it, or marks of the ends of
  /// episodes, and all arrays of one axis or more share it.
  private static func countsRows(_ arrays: [ArrayMembers.Array], _ options: SeriesOptions) -> Bool {
    let counts = Set(arrays.compactMap(\.header.shape.first))
    let seconds = Set(arrays.filter { $0.header.shape.count > 1 }.map { $0.header.shape[1] })
    guard counts.count == 1, let count = counts.first else { return false }
    return arrays.contains { array in
      guard timeShape(array.header, 1) == [count] else { return false }
      let last = array.name.pathComponents.last ?? array.name
      let isTime = array.header.dates != nil || options.mayBeTime(array.name)
      return usualTerminals.contains(last) || (isTime && !seconds.contains(count))
    }
  }

  /// Refuses dates that are no times: nothing else could be done with them.
  private static func checkDates(
    _ arrays: [ArrayMembers.Array], _ time: String?
  ) throws(TrajpackError) {
    for array in arrays where array.name != time {
      guard let dates = array.header.dates else { continue }
      throw TrajpackError(
        .data,
        "member '\(array.name)' holds \(dates.name), which is read as times only: --time '\(array.name)' takes it "
          + "for the times of its rows, --exclude-members '\(array.name)' leaves it out")
    }
  }

  /// The recordings along the first axis, which all arrays that have one must agree on.
  private static func batch(
    _ arrays: [ArrayMembers.Array], _ options: SeriesOptions
  ) throws(TrajpackError) -> Int {
    let counts = Set(arrays.compactMap(\.header.shape.first))
    guard counts.count == 1, let count = counts.first else {
      throw TrajpackError(
        .usage,
        "the arrays differ in recordings along their first axis ("
          + ArrayMembers.shapes(arrays)
          + "); use --leading-axis time if it is time, --constant for what is none a recording")
    }
    guard count > 0 else {
      throw TrajpackError(.data, "the first axis counts recordings, and there are none")
    }
    return count
  }
}
