import TrajpackFormat

/// A file of a source that is not taken.
public struct LeftOut: Sendable, Equatable {
  /// The file, below the source.
  public var path: String
  /// Why.
  public var why: String

  /// A file, and why it is left out.
  public init(path: String, why: String) {
    self.path = path
    self.why = why
  }

  /// The most files that a manifest lists; the others are counted.
  public static let mostListed = 1000

  /// As a manifest has it.
  public var json: JSONValue { .record(["file": .string(path), "why": .string(why)]) }
}
