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
  /// Arrays that say one thing of a recording: numbers without an axis, or one a recording.
  var constants: [Item]

  /// Looks at the headers of a file.
  ///
  /// - Throws: A data error where an array is not read, a usage error where shapes and options
  ///   disagree.
  init(
    _ file: LocalFile, isArchive: Bool, _ options: SeriesOptions
  ) throws(TrajpackError) {
    var arrays: [(name: String, header: NPYHeader)] = []
    if isArchive {
      let archive = try NPZ(file, as: "")
      for name in archive.names { arrays.append((name, try archive.array(name).header)) }
      guard !arrays.isEmpty else { throw TrajpackError(.data, "the archive holds no array") }
    } else {
      arrays = [("values", try ArrayFile(file, as: "").header)]
    }
    let most = arrays.map(\.header.shape.count).max() ?? 0
    let isBatch =
      options.leadingAxis == .batch || (options.leadingAxis == .auto && most >= 3)
    // Times: one axis, or one a recording; never the only array.
    let leading = isBatch ? 2 : 1
    let times = arrays.filter { array in
      let rank = array.header.shape.count
      return isArchive && options.mayBeTime(array.name) && (rank == 1 || rank == leading)
        && arrays.contains { $0.name != array.name && $0.header.shape.count >= leading }
    }
    if case .named(let name) = options.time, times.isEmpty {
      throw TrajpackError(
        .usage,
        "--time: there is no array '\(name)' of one axis beside others; there are "
          + arrays.map { "'\($0.name)' \($0.header.shape)" }.joined(separator: ", "))
    }
    let time = times.first
    let plain = arrays.filter { $0.name != time?.name }
    if isBatch { batch = try Self.batch(plain, options) }
    constants = plain.filter { $0.header.shape.count < leading }
      .map { array in
        var item = Self.item(array, leading: array.header.shape.count)
        item.isPerRecording = array.header.shape.count == 1
        return item
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
    guard together || options.segment == nil else {
      throw TrajpackError(
        .usage,
        "--segment cannot cut arrays of different lengths "
          + "(\(series.map { "'\($0.name)' \($0.header.shape)" }.joined(separator: ", ")))")
    }
    rows = together ? [lengths[0]] : lengths
    let items = series.map { Self.item($0, leading: leading) }
    var groups =
      together
      ? [Group(suffix: "", items: items)] : items.map { Group(suffix: $0.channel, items: [$0]) }
    sharesTime = groups.map { _ in time?.header.shape.count == 1 }
    if let time {
      var used = false
      for i in groups.indices where time.header.shape.last == rows[i] {
        groups[i].time = Self.item(time, leading: 1, channel: "time")
        used = true
      }
      guard used, time.header.type != .bool,
        time.header.shape.count == 1 || time.header.shape[0] == batch
      else {
        throw TrajpackError(
          .data,
          "the times '\(time.name)' have shape \(time.header.shape), which is no time a row of "
            + series.map { "'\($0.name)' \($0.header.shape)" }.joined(separator: ", ")
            + "; use --time none to keep them as values")
      }
    }
    shape = Shape(isArchive: isArchive, groups: groups)
  }

  private static func item(
    _ array: (name: String, header: NPYHeader), leading: Int, channel: String? = nil
  ) -> Item {
    Item(
      name: array.name, channel: channel ?? (array.name == "time" ? "time_" : array.name),
      type: array.header.type, storedName: array.header.storedName,
      row: Array(array.header.shape.dropFirst(leading)))
  }

  /// The recordings along the first axis, which all arrays that have one must agree on.
  private static func batch(
    _ arrays: [(name: String, header: NPYHeader)], _ options: SeriesOptions
  ) throws(TrajpackError) -> Int {
    let counts = Set(arrays.compactMap(\.header.shape.first))
    guard counts.count == 1, let count = counts.first else {
      throw TrajpackError(
        .usage,
        "the arrays differ in recordings along their first axis ("
          + arrays.map { "'\($0.name)' \($0.header.shape)" }.joined(separator: ", ")
          + "); use --leading-axis time if it is time")
    }
    guard count > 0 else {
      throw TrajpackError(.data, "the first axis counts recordings, and there are none")
    }
    return count
  }
}
