import Glibc
import TrajpackFormat
import TrajpackStore

/// A file that is written front to back, with buffering; what was written can be patched.
final class OutputFile {
  let path: String
  private let descriptor: Int32
  private var buffer: [UInt8] = []
  private var flushed = 0
  private let folder: ExportFolder

  /// Bytes so far.
  var count: Int { flushed + buffer.count }

  /// Makes a file where there is none. Every write looks whether the export is to go on.
  init(_ name: String, in folder: ExportFolder) throws(TrajpackError) {
    path = "\(folder.path)/\(name)"
    self.folder = folder
    descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o666)
    guard descriptor >= 0 else { throw .system("cannot be made", path) }
    buffer.reserveCapacity(1 << 20)
  }

  deinit { close(descriptor) }

  func write(_ bytes: [UInt8]) throws(TrajpackError) {
    try folder.goOn()
    buffer += bytes
    if buffer.count >= 1 << 20 { try flush() }
  }

  func write(_ bytes: UnsafeRawBufferPointer) throws(TrajpackError) {
    try folder.goOn()
    buffer.append(contentsOf: bytes)
    if buffer.count >= 1 << 20 { try flush() }
  }

  func write(_ text: String) throws(TrajpackError) { try write(Array(text.utf8)) }

  /// Writes over bytes that were written before.
  func patch(_ bytes: [UInt8], at offset: Int) throws(TrajpackError) {
    if offset >= flushed {
      buffer.replaceSubrange(offset - flushed..<offset - flushed + bytes.count, with: bytes)
      return
    }
    try flush()
    try bytes.withUnsafeBytesThrowing { (bytes) throws(TrajpackError) in
      try FileSystem.write(bytes, to: descriptor, at: offset, path)
    }
  }

  private func flush() throws(TrajpackError) {
    try FileSystem.write(buffer, to: descriptor, path)
    flushed += buffer.count
    buffer.removeAll(keepingCapacity: true)
  }

  /// Writes what is left and makes the file durable.
  func finish() throws(TrajpackError) {
    try flush()
    try FileSystem.sync(descriptor, path)
  }
}
