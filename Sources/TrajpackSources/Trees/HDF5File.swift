import Synchronization
import TrajpackFormat
import TrajpackHDF5
import TrajpackStore

/// A foreign HDF5 file. It is read by processes of its own, one for each thread that asks at once.
final class HDF5File: TreeFile {
  static let title = "HDF5 (.h5, .nc, .mat 7.3, .nwb)"
  static let endings = [
    ".h5", ".hdf5", ".hdf", ".he5", ".nc", ".nc4", ".cdf", ".mat", ".nwb", ".hd5",
  ]

  let path: String
  let nodes: [TreeNode]

  /// What every HDF5 file begins with, at byte 0 or behind a user block of 512 bytes or more.
  private static let magic: [UInt8] = [0x89, 0x48, 0x44, 0x46, 0x0D, 0x0A, 0x1A, 0x0A]

  /// Whether a file is HDF5, by its first bytes; a user block may have up to 16 MiB.
  static func recognises(_ path: String) -> Bool {
    guard let file = try? LocalFile(path) else { return false }
    // Parquet, Arrow and zip, of which a source may have very many: no more than their first bytes is read.
    let others = ["PAR1", "ARRO", "PK\u{3}\u{4}"].map { Array($0.utf8) }
    if file.length > 4, let first = try? file.bytes(0..<4), others.contains(first) { return false }
    var at = 0
    while at + 8 <= file.length, at <= 16 << 20 {
      if (try? file.bytes(at..<at + 8)) == magic { return true }
      at = at == 0 ? 512 : 2 * at
    }
    return false
  }

  /// Reads the tree of a file.
  ///
  /// - Throws: A data error where it is damaged or no HDF5 file.
  init(_ path: String) throws(TrajpackError) {
    self.path = path
    let reader = try GuardedReader(path)
    nodes = try reader.nodes()
  }

  /// What is missing of the guard on this machine; `nil` for nothing.
  static var missingGuard: String? {
    HDF5Reader.hasLandlock
      ? nil
      : "this kernel has no Landlock, so the process that reads HDF5 files is limited in memory, time and writing "
        + "alone; take care with files of strangers"
  }

  func read(
    _ node: TreeNode, _ part: [Range<Int>],
    _ body: (UnsafeRawBufferPointer) throws(TrajpackError) -> Void
  ) throws(TrajpackError) {
    guard let array = node.array else { return }
    if case .unread(let why) = array.form {
      throw TrajpackError(.data, file: path, "\(node.path): \(why)")
    }
    let expected = part.reduce(1) { $0 * $1.count } * (array.type?.size ?? 0)
    var got = 0
    let reader = try IdleReaders.take(path)
    try reader.read(node, part) { (bytes) throws(TrajpackError) in
      got += bytes.count
      guard array.type == nil || got <= expected else {
        throw TrajpackError(
          .data, file: path, "\(node.path): has more elements than its shape says")
      }
      try body(bytes)
    }
    guard array.type == nil || got == expected else {
      throw TrajpackError(.data, file: path, "\(node.path): has fewer elements than its shape says")
    }
    IdleReaders.give(path, reader)
  }

  func readTexts(
    _ node: TreeNode, _ part: [Range<Int>], _ body: ([UInt8]) throws(TrajpackError) -> Void
  ) throws(TrajpackError) {
    var count = 0
    try read(node, part) { (bytes) throws(TrajpackError) in
      count += 1
      try body(Array(bytes))
    }
    guard count == part.reduce(1, { $0 * $1.count }) else {
      throw TrajpackError(.data, file: path, "\(node.path): has fewer elements than its shape says")
    }
  }
}

/// Readers that wait for the next request; few, because there may be many files.
private enum IdleReaders {
  private static let readers = Mutex<[(path: String, reader: GuardedReader)]>([])
  private static let most = 8

  static func take(_ path: String) throws(TrajpackError) -> GuardedReader {
    let found = readers.withLock { readers -> GuardedReader? in
      guard let i = readers.firstIndex(where: { $0.path == path }) else { return nil }
      return readers.remove(at: i).reader
    }
    if let found { return found }
    return try GuardedReader(path)
  }

  static func give(_ path: String, _ reader: GuardedReader) {
    readers.withLock { readers in
      if readers.count >= most { readers.removeFirst() }
      readers.append((path, reader))
    }
  }
}
