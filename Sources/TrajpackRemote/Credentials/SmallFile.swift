import Glibc

/// Files of settings, which are small.
enum SmallFile {
  /// The text of a file of at most a mebibyte; `nil` where there is none.
  static func text(_ path: String) -> String? {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return nil }
    defer { close(file) }
    var bytes = [UInt8](repeating: 0, count: 1 << 20)
    let filled = bytes.withUnsafeMutableBytes { buffer in
      var filled = 0
      while filled < buffer.count, let start = buffer.baseAddress {
        let count = read(file, start + filled, buffer.count - filled)
        guard count > 0 else { break }
        filled += count
      }
      return filled
    }
    return String(decoding: bytes[..<filled], as: UTF8.self)
  }
}

extension StringProtocol {
  /// Without blanks and ends of lines at its ends.
  var trimmed: String {
    var text = self[...]
    while let first = text.first, first.isWhitespace { text = text.dropFirst() }
    while let last = text.last, last.isWhitespace { text = text.dropLast() }
    return String(text)
  }
}
