import CHDF5
import CHDF5Shims
import Glibc
import TrajpackFormat

/// The process that reads foreign HDF5 files. libhdf5 has crashed on damaged files in every version so far, so it
/// reads them where it can do no harm: in a process for each file, that has nothing but the file.
public enum HDF5Reader {
  /// The argument by which the program becomes that process.
  public static let argument = "--read-hdf5"

  /// Serves until the other side closes the connection; never returns.
  public static func serve() -> Never {
    // Loaded once, before the processes for files are forked, which cannot open a library any more.
    let missing: String?
    do throws(TrajpackError) {
      try HDF5Backend.loadLibrary()
      missing = nil
    } catch { missing = error.message }
    let task = tph5_next_task()
    var frames = MessageWriter(task.channel)
    if let missing { fail(missing, &frames) }
    guard tph5_confine(task) >= 0 else {
      fail("the process that reads the file cannot be limited", &frames)
    }
    tph5_allow(1000)
    let file = tph5_open_descriptor(task.file)
    guard file >= 0 else { fail("is no HDF5 file that can be read; it is damaged or cut", &frames) }
    let bytes = Int(lseek(task.file, 0, SEEK_END))
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: DataReading.piece, alignment: 64)
    while true {
      tph5_allow(0)
      var wrong: String?
      switch frames.receive(1).first {
      case UInt8(ascii: "N"):
        var walk = HDF5TreeWalk(file)
        wrong = walk.send(&frames)
      case UInt8(ascii: "D"):
        let (path, field) = (frames.receiveText(), frames.receiveText())
        let rank = frames.receiveInteger()
        let start = (0..<rank).map { _ in frames.receiveInteger() }
        let count = (0..<rank).map { _ in frames.receiveInteger() }
        wrong = DataReading(
          file: file, buffer: buffer, path: path, field: field, start: start, count: count
        ).send(&frames, fileBytes: bytes)
      case UInt8(ascii: "L"):
        let path = frames.receiveText()
        wrong = LayoutReading(file: file, path: path, chunks: frames.receiveInteger()).send(&frames)
      default: _exit(0)
      }
      if let wrong { frames.send("E", Array(wrong.utf8)) } else { frames.send("Z", []) }
      frames.flush()
    }
  }

  private static func fail(_ why: String, _ frames: inout MessageWriter) -> Never {
    frames.send("E", Array(why.utf8))
    frames.flush()
    _exit(0)
  }

  /// Whether the kernel can take all paths from a process; where not, limits of memory, time and writing are all
  /// that guards the reading.
  public static var hasLandlock: Bool { tph5_landlock() > 0 }
}
