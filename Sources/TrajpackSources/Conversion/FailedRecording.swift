import TrajpackFormat
import TrajpackStore

/// A recording that was left out: its files are at fault, or differ in frames.
public struct FailedRecording: Sendable, Equatable {
  /// What left it out.
  public enum Rule: String, Sendable {
    /// An error in its files, under `--on-error skip`.
    case error
    /// Files that differ in frames, under `--on-mismatch skip`.
    case mismatch
    /// An earlier run, which did not say why.
    case earlier
  }

  /// The most that a manifest lists; where there are more, a finished dataset cannot be gone on with.
  static let mostListed = 20_000

  /// The id that its episode would have.
  public var id: String
  /// The file or folder.
  public var path: String
  /// Why.
  public var why: String
  /// What left it out.
  public var rule: Rule
  /// Its number among the recordings of the source.
  var number: Int
  /// The line of ``Recording/fingerprint``, by which a later run knows whether it has been mended.
  var fingerprint: String

  init(_ recording: Recording, number: Int, _ why: String, _ rule: Rule) {
    (id, path, fingerprint) = (
      recording.id, BucketFolder.named(recording.path), recording.fingerprint
    )
    (self.number, self.why, self.rule) = (number, BucketFolder.named(why), rule)
  }

  /// The entry of `left_out`: `file`, `why`, `recording`, `rule`, `number`, `fingerprint`.
  public var json: JSONValue {
    .record([
      "file": .string(path), "why": .string(why), "recording": .string(id),
      "rule": .string(rule.rawValue), "number": .int(Int64(number)),
      "fingerprint": .string(fingerprint),
    ])
  }

  /// The entry that ``json`` makes; `nil` for that of a file which is no recording.
  init?(_ json: JSONValue) {
    guard let id = json["recording"]?.string, let path = json["file"]?.string,
      let why = json["why"]?.string, let rule = json["rule"]?.string.flatMap(Rule.init),
      let number = json["number"]?.int, let fingerprint = json["fingerprint"]?.string
    else { return nil }
    (self.id, self.path, self.why, self.rule) = (id, path, why, rule)
    (self.number, self.fingerprint) = (number, fingerprint)
  }

  /// The `left_out` of a journal's record; `nil` where there are none.
  static func json(of failed: [FailedRecording]) -> JSONValue? {
    guard !failed.isEmpty else { return nil }
    return .record(["count": .int(Int64(failed.count)), "files": .array(failed.map(\.json))])
  }

  /// The failed recordings of a manifest's or a record's `left_out`.
  static func list(_ leftOut: JSONValue?) -> [FailedRecording] {
    (leftOut?["files"]?.array ?? []).compactMap { FailedRecording($0) }
  }
}
