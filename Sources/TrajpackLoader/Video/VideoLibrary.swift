import CVideoTable
import Synchronization
import TrajpackFormat

/// The functions of libtrajpack-video, which uses FFmpeg and is loaded only where frames are wanted.
public enum VideoLibrary {
  private static let table = Atomic<UInt>(0)

  /// What is thrown where frames are wanted and nobody has registered the library.
  public static let missing = TrajpackError(
    .usage,
    "frames of a video are decoded by libtrajpack-video, which is not loaded: load it and give "
      + "tp_video_register its table of functions (Python does so by itself)")

  /// Takes the table; it must live as long as the process.
  ///
  /// - Throws: A machine error where it is of another version.
  public static func register(_ functions: UnsafePointer<tpv_functions>) throws(TrajpackError) {
    guard functions.pointee.abi == TPV_ABI else {
      throw TrajpackError(
        .machine,
        "libtrajpack-video has the interface \(functions.pointee.abi) and libtrajpack needs \(TPV_ABI); "
          + "install both anew")
    }
    table.store(UInt(bitPattern: functions), ordering: .releasing)
  }

  static func functions() throws(TrajpackError) -> tpv_functions {
    guard
      let found = UnsafePointer<tpv_functions>(
        bitPattern: table.load(ordering: .acquiring))
    else { throw missing }
    return found.pointee
  }

  /// Calls a function of the table, and throws the error that it gives.
  static func call(
    _ body: (UnsafeMutablePointer<tpv_error>) -> Int32
  ) throws(TrajpackError) {
    var error = tpv_error()
    let code = withUnsafeMutablePointer(to: &error) { body($0) }
    guard code != 0 else { return }
    let message = withUnsafeBytes(of: error.message) {
      String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
    }
    throw TrajpackError(TrajpackError.Fault(rawValue: code) ?? .machine, message)
  }
}
