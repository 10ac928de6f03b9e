import Glibc
import TrajpackCodecs
import TrajpackFormat
import TrajpackStore

/// Chosen windows kept in a file, so that the next run need not look at all data again.
///
/// 8 bytes `TRJPICK1`, 64 of the key (SHA-256 in hexadecimal), int64 numbers of candidates, of chosen and of
/// damaged windows, the words of the set, and CRC-32C of all before it. A file that is anything else is as
/// good as none.
struct WindowSetFile {
  let path: String
  private let key: String
  private static let magic = Array("TRJPICK1".utf8)
  private static let head = 96

  /// The file in `folder` for what `text` describes.
  init(folder: String, describedBy text: String) {
    key = Array(text.utf8).withUnsafeBytes { SHA256.of($0) }
    path = "\(folder)/\(key.prefix(32)).windows"
  }

  /// `$XDG_CACHE_HOME/trajpack`, or `~/.cache/trajpack`; `nil` where there is no home.
  static var defaultFolder: String? {
    if let folder = getenv("XDG_CACHE_HOME").map({ String(cString: $0) }), folder.hasPrefix("/") {
      return folder + "/trajpack"
    }
    guard let home = getenv("HOME").map({ String(cString: $0) }), home.hasPrefix("/") else {
      return nil
    }
    return home + "/.cache/trajpack"
  }

  /// The choice that was kept; `nil` where there is none, or a damaged one.
  func read(candidates: UInt64) -> WindowChoice? {
    let words = Int((candidates + 63) / 64)
    guard FileSystem.size(of: path) == Self.head + 8 * words + 4, let file = try? LocalFile(path),
      let bytes = try? file.bytes(0..<file.length)
    else { return nil }
    return bytes.withUnsafeBytes { raw -> WindowChoice? in
      let body = UnsafeRawBufferPointer(rebasing: raw[..<(raw.count - 4)])
      func number(_ at: Int) -> UInt64 {
        UInt64(littleEndian: raw.loadUnaligned(fromByteOffset: at, as: UInt64.self))
      }
      let crc = UInt32(
        littleEndian: raw.loadUnaligned(fromByteOffset: body.count, as: UInt32.self))
      guard body.starts(with: Self.magic), body[8..<72].elementsEqual(Array(key.utf8)),
        number(72) == candidates, CRC32C.of(body) == crc
      else { return nil }
      let set = WindowSet(
        candidates: candidates, words: (0..<words).map { number(Self.head + 8 * $0) })
      guard set.count == number(80), let damaged = Int(exactly: number(88)) else { return nil }
      return WindowChoice(set: set, damaged: damaged, path: path, isCached: true)
    }
  }

  /// Keeps a choice; whether that was possible. A reader sees all of it or nothing.
  func write(_ choice: WindowChoice) -> Bool {
    var bytes = Self.magic + Array(key.utf8)
    bytes.reserveCapacity(Self.head + 8 * choice.set.words.count + 4)
    func put(_ number: UInt64) { withUnsafeBytes(of: number.littleEndian) { bytes += $0 } }
    put(choice.set.candidates)
    put(choice.set.count)
    put(UInt64(choice.damaged))
    for word in choice.set.words { put(word) }
    let crc = bytes.withUnsafeBytes { CRC32C.of($0) }
    withUnsafeBytes(of: crc.littleEndian) { bytes += $0 }
    // Several ranks may write the same at once: each to a name of its own.
    let temporary = "\(path).\(getpid()).\(UInt64.random(in: 0 ... .max))"
    do throws(TrajpackError) {
      try FileSystem.makeFolder(FileSystem.parent(of: path))
      let fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
      guard fd >= 0 else { return false }
      defer { close(fd) }
      try FileSystem.write(bytes, to: fd, temporary)
    } catch {
      unlink(temporary)
      return false
    }
    guard rename(temporary, path) == 0 else {
      unlink(temporary)
      return false
    }
    return true
  }
}
