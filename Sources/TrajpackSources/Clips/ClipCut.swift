import Glibc
import TrajpackFormat
import TrajpackStore

/// Cuts clips, or the parts of recordings that lie in splits, into a dataset that lasts only as long as it is needed.
public enum ClipCut {
  /// Calls `body` with the dataset, which is removed afterwards; `nil` where it was stopped.
  ///
  /// - Throws: What cutting or `body` throws; a machine error where there is no room in `$TMPDIR`.
  public static func temporary<Outcome, I: Importer>(
    _ importer: I, isInterrupted: @escaping @Sendable () -> Bool = { false },
    _ body: (String) throws(TrajpackError) -> Outcome
  ) throws(TrajpackError) -> Outcome? {
    var template = Array("\(TemporaryFolder.path)/trajpack-clips-XXXXXX".utf8CString)
    guard let made = mkdtemp(&template) else { throw TemporaryFolder.failure() }
    let folder = String(cString: made)
    defer { FileSystem.removeTree(folder) }
    var options = Conversion<I>.Options()
    options.layout = LayoutOptions(codec: .lz4, level: 1, chunkRows: nil)
    let outcome = try Conversion(
      importer, to: "\(folder)/dataset", options: options,
      events: .init(isInterrupted: isInterrupted)
    ).run()
    guard outcome.isComplete else { return nil }
    return try body("\(folder)/dataset")
  }
}
