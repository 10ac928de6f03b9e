import Glibc
import TrajpackFormat
import TrajpackStore

/// A folder for one test, gone with it.
public final class Scratch {
  /// Its path.
  public let path: String

  /// Makes it.
  public init() {
    var template = Array("/tmp/trajpack-test-XXXXXX".utf8CString)
    _ = mkdtemp(&template)
    path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  deinit { Self.remove(path) }

  private static func remove(_ path: String) {
    for name in (try? FileSystem.names(in: path)) ?? [] {
      let item = "\(path)/\(name)"
      if FileSystem.item(at: item) == .folder { remove(item) } else { unlink(item) }
    }
    rmdir(path)
  }

  /// Writes a file and returns its path.
  public func write(_ name: String, _ bytes: [UInt8]) throws -> String {
    let file = "\(path)/\(name)"
    try FileSystem.replace(file, with: bytes)
    return file
  }

  /// Writes a text file and returns its path.
  public func write(_ name: String, _ text: String) throws -> String {
    try write(name, Array(text.utf8))
  }
}

/// The path of a fixture.
public func fixture(_ name: String) -> String {
  let parts = #filePath.split(separator: "/").dropLast(3)
  return "/" + parts.joined(separator: "/") + "/fixtures/" + name
}

/// The bytes of a file.
public func contents(_ path: String) throws -> [UInt8] {
  let file = try LocalFile(path)
  return try file.bytes(0..<file.length)
}

/// The error that `body` throws.
public func failure(_ body: () throws -> Void) -> TrajpackError? {
  do {
    try body()
    return nil
  } catch { return error as? TrajpackError }
}
