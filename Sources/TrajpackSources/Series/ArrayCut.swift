import TrajpackFormat
import TrajpackStore

/// Where the rows of long arrays are cut into episodes: behind rows that end one, or at a list of ends.
struct ArrayCut: Sendable {
  /// The members that say so.
  var members: [String] = []
  /// The rows of each episode.
  var episodes: [Range<Int>] = []
  /// Rows behind the last one that ends an episode; they are an episode of their own.
  var unfinished = 0

  /// What a user should know of rows at the end that have no end of their own.
  static func unfinished(_ rows: Int, _ names: [String]) -> String {
    "the last \(rows) row\(rows == 1 ? " has" : "s have") no end in "
      + names.map { "'\($0)'" }.joined(separator: ", ") + " and are an episode of their own"
  }

  /// The most ends that are read.
  private static let mostEpisodes = 1 << 24

  /// Looks for the members that `options` name and reads them; `nil` where nothing is to be cut.
  ///
  /// - Parameter rows: The rows of the series, and the name of an array that has them.
  /// - Throws: A usage error where a member is missing or its shape is wrong, a data error where its values
  ///   are none that end episodes.
  init?(
    _ members: ArrayMembers, _ ends: ArrayMembers.Array?, _ rows: Int, _ options: SeriesOptions
  ) throws(TrajpackError) {
    guard let archive = members.archive else { return nil }
    if let ends {
      self.members = [ends.name]
      episodes = try Self.episodes(ends, archive, rows)
    } else if !options.terminals.isEmpty {
      let named = members.arrays.filter { SeriesOptions.matches(options.terminals, $0.name) }
      guard !named.isEmpty else {
        throw TrajpackError(
          .usage,
          "--terminals: holds no array '\(options.terminals.joined(separator: "', '"))'; there are "
            + members.shapes)
      }
      self.members = named.map(\.name)
      try cut(named, archive, rows)
    } else {
      return nil
    }
  }

  private mutating func cut(
    _ named: [ArrayMembers.Array], _ archive: NPZ, _ rows: Int
  ) throws(TrajpackError) {
    var isEnd = [Bool](repeating: false, count: rows)
    for (name, header) in named {
      guard header.shape.first == rows, header.count == rows else {
        throw TrajpackError(
          .usage,
          "--terminals: '\(name)' has shape \(header.shape) where one value for each of \(rows) rows is due"
        )
      }
      try Self.forEach(archive, name, header) { (row, number) throws(TrajpackError) in
        switch number {
        case .whole(0), .double(0): break
        case .whole(1), .double(1): isEnd[row] = true
        case .whole(let value): throw Self.noTruth(name, row, "\(value)")
        case .double(let value): throw Self.noTruth(name, row, "\(value)")
        }
      }
    }
    var first = 0
    for row in 0..<rows where isEnd[row] {
      episodes.append(first..<row + 1)
      first = row + 1
    }
    if first < rows {
      episodes.append(first..<rows)
      unfinished = rows - first
    }
  }

  private static func noTruth(_ name: String, _ row: Int, _ value: String) -> TrajpackError {
    TrajpackError(
      .data,
      "--terminals: '\(name)' is \(value) at row \(row), where 0 and 1 (false and true) are possible"
    )
  }

  /// The episodes between cumulative ends: `[4, 10]` are the rows 0 to 3 and 4 to 9.
  private static func episodes(
    _ ends: ArrayMembers.Array, _ archive: NPZ, _ rows: Int
  ) throws(TrajpackError) -> [Range<Int>] {
    let (name, header) = ends
    func wrong(_ what: String) -> TrajpackError {
      TrajpackError(.data, "--episode-ends: '\(name)' \(what)")
    }
    guard header.shape.count == 1, !header.type.isFloat, header.type != .bool,
      header.count <= mostEpisodes
    else {
      throw TrajpackError(
        .usage,
        "--episode-ends: '\(name)' is \(header.storedName) \(header.shape), where a list of "
          + "integers is due")
    }
    var episodes: [Range<Int>] = []
    try forEach(archive, name, header) { (number, value) throws(TrajpackError) in
      let last = episodes.last?.upperBound ?? 0
      guard case .whole(let value) = value, let end = Int(exactly: value), end > last else {
        throw wrong(
          "does not grow at element \(number): each end must be more than the one before, and the first "
            + "more than 0")
      }
      guard end <= rows else {
        throw wrong("ends an episode at row \(end) (element \(number)), and there are \(rows) rows")
      }
      episodes.append(last..<end)
    }
    guard episodes.last?.upperBound ?? 0 == rows else {
      throw wrong(
        "has \(episodes.last?.upperBound ?? 0) as its last end, and there are \(rows) rows")
    }
    return episodes
  }

  private static func forEach(
    _ archive: NPZ, _ name: String, _ header: NPYHeader,
    _ body: (Int, StoredNumber) throws(TrajpackError) -> Void
  ) throws(TrajpackError) {
    let array = try archive.array(name)
    var at = 0
    try array.read(leadingAxes: header.shape.count) { (bytes, count) throws(TrajpackError) in
      for i in 0..<count { try body(at + i, StoredNumber(bytes, i, header.type)) }
      at += count
    }
  }
}
