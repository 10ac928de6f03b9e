import Glibc
import TrajpackFormat

/// Where temporary files are made: `$TMPDIR`, or `/tmp`.
public enum TemporaryFolder {
  /// The folder.
  public static var path: String {
    guard let value = getenv("TMPDIR"), value.pointee != 0 else { return "/tmp" }
    return String(cString: value)
  }

  /// The folder as errors name it.
  public static var description: String {
    getenv("TMPDIR").map { $0.pointee != 0 } ?? false ? "\(path), which TMPDIR names" : path
  }

  /// The error of a file that could not be made there just now, from `errno`.
  public static func failure() -> TrajpackError {
    let why = String(cString: strerror(errno)).lowercased()
    return TrajpackError(
      .machine,
      "no temporary file can be made in \(description) (\(why)); set TMPDIR to a folder with room that may "
        + "be written")
  }
}
