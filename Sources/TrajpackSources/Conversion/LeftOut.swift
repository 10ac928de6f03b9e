import TrajpackFormat
import TrajpackStore

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

  /// Files as a manifest has them: how many there are, all recordings that failed, and the first of the others;
  /// `nil` where there are none.
  public static func json(
    of files: [LeftOut], failed: [FailedRecording] = []
  ) -> JSONValue? {
    guard !files.isEmpty || !failed.isEmpty else { return nil }
    let listed = files.prefix(mostListed).map { file in
      JSONValue.record(["file": .string(BucketFolder.named(file.path)), "why": .string(file.why)])
    }
    return .record([
      "count": .int(Int64(files.count + failed.count)),
      "files": .array(failed.prefix(FailedRecording.mostListed).map(\.json) + listed),
    ])
  }
}
