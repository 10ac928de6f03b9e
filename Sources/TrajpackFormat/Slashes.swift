// Names and paths by Unicode scalar. To Swift a slash and a combining mark after it are one Character, which
// is no slash; to HDF5 and the file system it is one.

extension StringProtocol {
  /// The parts between slashes, empty ones too.
  package var pathComponents: [String] {
    unicodeScalars.split(separator: "/", omittingEmptySubsequences: false).map { part in
      var text = String.UnicodeScalarView()
      text.append(contentsOf: part)
      return String(text)
    }
  }

  /// Where the last slash is.
  package var lastSlash: Index? { unicodeScalars.lastIndex(of: "/") }

  /// Whether it is a path that leads down from a folder and nowhere else: no part is empty, `.` or `..`.
  package var isRelativeDescendant: Bool {
    pathComponents.allSatisfy { !["", ".", ".."].contains($0) } && !utf8.contains(0)
  }
}
