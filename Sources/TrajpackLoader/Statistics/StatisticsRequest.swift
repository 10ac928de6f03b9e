import TrajpackFormat
import TrajpackStore

/// Which statistics are asked for; ``table`` declares each option.
public struct StatisticsRequest: Sendable {
  /// What has statistics of its own.
  enum Grouping: Sendable, Equatable {
    case episode
    /// A value of the episode, by its path.
    case value(String)

    var text: String {
      switch self {
      case .episode: "episode"
      case .value(let path): path
      }
    }
  }

  /// Channels and episodes, as a loader chooses them.
  var options = LoaderOptions()
  var rows: Range<Int>?
  var hasEnd = true
  var axes = Rules<[Int]>()
  var grouping: Grouping?
  /// `nil`: of channels with at most 64 components.
  var quantiles: Bool?
  /// Whether the result is to be kept in a side file.
  public private(set) var saves = false

  /// A request of nothing in particular, which has the defaults.
  package init() {}

  /// Reads a request from JSON text.
  ///
  /// - Throws: A usage error naming the member that is wrong, and what it may be.
  public init(json text: String) throws(TrajpackError) {
    let json = try OptionTable<Self>.object(of: text, like: "{\"split\": \"train\"}")
    options.json = json
    try Self.table.read(json, into: &self)
  }

  /// Every option: those by which a loader chooses, too, and how they are measured.
  package static let table = OptionTable<Self>(
    LoaderOptions.table.options.filter { shared.contains($0.name) }.map { $0.of(\.options) } + own,
    unknown: { "there is no option '\($0)' of statistics" })
  private static let own: [OptionDeclaration<Self>] = [
    OptionDeclaration(
      "rows", .record(["type": "array"]),
      """
      `[first, end]`: rows from the first, before the end (null: to the last), counted in each episode on the stream \
      `reference`; of other streams the rows of that time.
      """
    ) { (request, option) throws(TrajpackError) in try request.setRows(option) },
    OptionDeclaration(
      "axes", \.axes,
      .rules(
        OptionForm(.oneOrMore(.type("integer"))) { (o) throws(TrajpackError) in try o.axes() }),
      """
      Axes of a row's shape that keep statistics of their own, a number or a list; all others are taken together: `[0]` of \
      rows `[C, H, W]` gives C components. By default each element its own, points by axis, images and depth as a whole.
      """),
    OptionDeclaration(
      "by", .type("string"),
      """
      `"episode"`, or the path of a value in the episode's metadata: statistics of each group.
      """
    ) { (request, option) throws(TrajpackError) in
      switch try option.text() {
      case "stream": request.grouping = nil
      case "episode": request.grouping = .episode
      case let path: request.grouping = .value(path)
      }
    },
    OptionDeclaration(
      "quantiles", \.quantiles, .truth,
      "Whether there are some; by default of channels with at most 64 components."),
    OptionDeclaration(
      "save", \.saves, .truth,
      """
      Whether the result is kept in a side file of the dataset (archive-format.md, section 11); the same request, and loaders \
      that normalize by these rows, find it where the dataset is opened after that.
      """),
  ]
  private static let shared = [
    "channels", "exclude", "split", "scheme", "fold", "episodes", "where", "reference", "threads",
  ]

  private mutating func setRows(_ option: OptionReader) throws(TrajpackError) {
    guard let bounds = option.value.array, bounds.count == 2 else {
      throw option.wrong("two numbers of rows, [first, end], the second null for the last row")
    }
    func row(_ bound: JSONValue) throws(TrajpackError) -> Int {
      try OptionReader(name: option.name, value: bound).integer(0...1 << 60)
    }
    let first = try row(bounds[0])
    hasEnd = bounds[1] != .null
    let end = hasEnd ? try row(bounds[1]) : first + 1
    guard first < end else { throw option.wrong("[first, end] with first below end") }
    rows = first..<end
  }
}

extension OptionReader {
  /// Axes of a row's shape: one, or a list, which may be empty.
  func axes() throws(TrajpackError) -> [Int] {
    if value.array?.isEmpty == true { return [] }
    if value.array == nil { return [try integer(-64...63)] }
    return try list { (o) throws(TrajpackError) in try o.integer(-64...63) }
  }
}
