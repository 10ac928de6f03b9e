import TrajpackCodecs
import TrajpackEvaluate
import TrajpackFormat
import TrajpackStore

/// Scores that were computed before, found by the SHA-256 of all that decides them: the evaluator, its options, the scores
/// that are wanted, and every number of its arrays. An evaluation that finds some here gives the report that it gives
/// without, so that tasks may compute the episodes of an evaluation in any order, more than once or not at all.
public final class ScoreStore {
  private var known: [String: [Score]] = [:]
  /// Whether figures of several episodes together are left out: what is computed is kept for another evaluation.
  public let isTask: Bool
  /// How many were found, and how many were computed.
  public private(set) var found = 0
  /// How many were computed.
  public private(set) var computed = 0

  /// An empty store.
  public init(isTask: Bool) { self.isTask = isTask }

  func scores(
    _ plan: MetricPlan, _ settings: [(name: String, value: String)],
    _ arrays: [(name: String, numbers: Numbers)], _ compute: () throws(TrajpackError) -> [Score]
  ) throws(TrajpackError) -> [Score] {
    var text = "\(plan.binding.evaluator)\n"
    for (name, value) in settings {
      text += "\(name.utf8.count) \(name)=\(value.utf8.count) \(value)\n"
    }
    text += "\(plan.wanted)\n"
    for (name, numbers) in arrays { text += "\(name) \(numbers.shape)\n" }
    var hash = SHA256()
    Array(text.utf8).withUnsafeBytes { hash.add($0) }
    for (_, numbers) in arrays { hash.add(UnsafeRawBufferPointer(numbers.values.borrowed)) }
    let key = hash.hexadecimal()
    withExtendedLifetime(arrays) {}
    if let scores = known[key] {
      found += 1
      return scores
    }
    let scores = try compute()
    computed += 1
    known[key] = scores
    return scores
  }

  // MARK: - In a file

  private static let format = "trajpack scores"

  /// Writes a file of what is here.
  ///
  /// - Parameter identity: What the scores are of; a file of something else is not read.
  public func write(_ path: String, identity: JSONValue) throws(TrajpackError) {
    var lines: [UInt8] = []
    for (key, scores) in known.sorted(by: { $0.key < $1.key }) {
      let stored = scores.compactMap(\.stored)
      guard stored.count == scores.count else { continue }
      lines += Array(JSONValue.array([.string(key), .array(stored)]).text().utf8) + [0x0A]
    }
    let head = JSONValue.record([
      "format": .string(Self.format), "of": identity,
      "sha256": .string(lines.withUnsafeBytes { SHA256.of($0) }),
    ])
    try FileSystem.replace(path, with: Array(head.text().utf8) + [0x0A] + lines)
  }

  /// Why the scores of a file cannot be used.
  public enum Flaw: Sendable, Equatable {
    /// There is no file.
    case missing
    /// It is not what was written.
    case damaged
    /// It is of other data, or of another trajpack.
    case other
  }

  /// Looks at a file, and takes its scores where `takes` says so.
  ///
  /// - Returns: Why they cannot be used; `nil` where they can.
  public func read(
    _ path: String, identity: JSONValue, takes: Bool = true
  ) throws(TrajpackError) -> Flaw? {
    guard FileSystem.item(at: path) == .file else { return .missing }
    let file = try LocalFile(path)
    let bytes = try file.bytes(0..<file.length)
    guard let end = bytes.firstIndex(of: 0x0A),
      let head = try? JSONValue(parsing: Array(bytes[..<end])),
      head["format"]?.string == Self.format,
      bytes[(end + 1)...].withUnsafeBytes({ SHA256.of($0) }) == head["sha256"]?.string
    else { return .damaged }
    guard head["of"] == identity else { return .other }
    guard takes else { return nil }
    for line in bytes[(end + 1)...].split(separator: 0x0A) {
      guard let pair = (try? JSONValue(parsing: Array(line)))?.array, pair.count == 2,
        let key = pair[0].string, let stored = pair[1].array
      else { return .damaged }
      let scores = stored.compactMap { Score(stored: $0) }
      guard scores.count == stored.count else { return .damaged }
      known[key] = scores
    }
    return nil
  }
}
