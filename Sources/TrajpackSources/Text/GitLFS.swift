import TrajpackFormat
import TrajpackStore

/// Git Large File Storage, which leaves a text of three lines in the place of a file that was not fetched.
enum GitLFS {
  private static let mark = Array("version https://git-lfs.github.com/spec/".utf8)

  /// What an error says of such a file.
  static let refusal =
    "is a Git LFS pointer, and not the file itself; fetch it with 'git lfs pull'"

  /// Whether a file is such a text.
  static func isPointer(_ file: LocalFile) throws(TrajpackError) -> Bool {
    let start = try file.bytes(0..<min(file.length, 512)).drop {
      [0x20, 0x09, 0x0A, 0x0D, 0xEF, 0xBB, 0xBF].contains($0)
    }
    return start.starts(with: mark)
  }
}
