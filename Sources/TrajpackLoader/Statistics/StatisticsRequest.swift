import TrajpackFormat
import TrajpackStore

/// Which statistics are asked for; `trajpack.h` describes each member of the JSON.
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
  var options: LoaderOptions
  var rows: Range<Int>?
  var hasEnd = true
  var axes = Rules<[Int]>()
  var grouping: Grouping?
  /// `nil`: of channels with at most 64 components.
  var quantiles: Bool?
  /// Whether the result is to be kept in a side file.
  public private(set) var saves = false

  /// The members that a loader has as well.
  private static let shared = [
    "channels", "exclude", "split", "scheme", "fold", "episodes", "where", "reference",
  ]
  private static let own = ["rows", "axes", "by", "quantiles", "threads", "save"]

  /// Reads a request from JSON text.
  ///
  /// - Throws: A usage error naming the member that is wrong, and what it may be.
  public init(json text: String) throws(TrajpackError) {
    let value: JSONValue
    do throws(TrajpackError) {
      value = try JSONValue(parsing: text)
    } catch {
      throw TrajpackError(.usage, "the options are no JSON: \(error.message)")
    }
    guard let members = value.members else {
      throw TrajpackError(.usage, "the options must be an object, like {\"split\": \"train\"}")
    }
    for member in members where !(Self.shared + Self.own).contains(member.name) {
      throw TrajpackError(
        .usage,
        "there is no option '\(member.name)' of statistics"
          + Suggestion.text(for: member.name, among: Self.shared + Self.own))
    }
    let given = members.filter { $0.value != .null }
    options = try LoaderOptions(
      json: JSONValue.object(given.filter { $0.name != "rows" && !Self.own.contains($0.name) })
        .text())
    for member in given where Self.own.contains(member.name) {
      try set(member.name, OptionReader(name: member.name, value: member.value))
    }
  }

  private mutating func set(_ name: String, _ option: OptionReader) throws(TrajpackError) {
    switch name {
    case "rows":
      guard let bounds = option.value.array, bounds.count == 2 else {
        throw option.wrong("two numbers of rows, [first, end], the second null for the last row")
      }
      let first = try OptionReader(name: name, value: bounds[0]).integer(0...1 << 60)
      hasEnd = bounds[1] != .null
      let end =
        hasEnd
        ? try OptionReader(name: name, value: bounds[1]).integer(0...1 << 60) : first + 1
      guard first < end else { throw option.wrong("[first, end] with first below end") }
      rows = first..<end
    case "axes":
      axes = try option.rules { (o) throws(TrajpackError) in try o.axes() }
    case "by":
      switch try option.text() {
      case "stream": grouping = nil
      case "episode": grouping = .episode
      case let path: grouping = .value(path)
      }
    case "quantiles": quantiles = try option.truth()
    case "save": saves = try option.truth()
    default: options.threads = try option.integer(0...1024)
    }
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
