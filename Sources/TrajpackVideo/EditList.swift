import Glibc
import TrajpackFormat

/// The edit list of an mp4 of one track (ISO/IEC 14496-12, 8.6.6), as libavformat has written it.
enum EditList {
  /// Ends what is shown after so many seconds. Nothing is changed where the file has no edit list.
  static func end(_ descriptor: Int32, after seconds: Double) throws(TrajpackError) {
    guard let moov = try box("moov", descriptor, in: 0..<Int.max),
      let header = try box("mvhd", descriptor, in: moov),
      let track = try box("trak", descriptor, in: moov),
      let edits = try box("edts", descriptor, in: track),
      let list = try box("elst", descriptor, in: edits)
    else { return }
    let isLongHeader = try number(descriptor, header.lowerBound, 1) == 1
    let scale = try number(descriptor, header.lowerBound + (isLongHeader ? 20 : 12), 4)
    let isLong = try number(descriptor, list.lowerBound, 1) == 1
    let count = try number(descriptor, list.lowerBound + 4, 4)
    let width = isLong ? 8 : 4
    let at = list.lowerBound + 8 + (max(count, 1) - 1) * (2 * width + 4)
    guard count > 0, at + width <= list.upperBound else { return }
    let duration = Int(clamping: (seconds * Double(scale)).rounded(.down))
    var bytes = (0..<width).map { UInt8(truncatingIfNeeded: duration >> (8 * (width - 1 - $0))) }
    guard pwrite(descriptor, &bytes, width, off_t(at)) == width else {
      throw TrajpackError(.machine, "the edit list of the mp4 cannot be written")
    }
  }

  /// The content of the first box of a type.
  private static func box(
    _ type: String, _ descriptor: Int32, in range: Range<Int>
  ) throws(TrajpackError) -> Range<Int>? {
    var at = range.lowerBound
    var facts = stat()
    guard fstat(descriptor, &facts) == 0 else {
      throw TrajpackError(.machine, "the mp4 cannot be read back")
    }
    let end = min(range.upperBound, Int(facts.st_size))
    while at + 8 <= end {
      var size = try number(descriptor, at, 4)
      let name = try number(descriptor, at + 4, 4)
      var header = 8
      if size == 1 {
        size = try number(descriptor, at + 8, 8)
        header = 16
      }
      guard size >= header, size <= end - at else { return nil }
      if name == type.utf8.reduce(0, { $0 << 8 | Int($1) }) { return at + header..<at + size }
      at += size
    }
    return nil
  }

  /// A big-endian number.
  private static func number(
    _ descriptor: Int32, _ offset: Int, _ count: Int
  ) throws(TrajpackError) -> Int {
    var bytes = [UInt8](repeating: 0, count: count)
    guard pread(descriptor, &bytes, count, off_t(offset)) == count else {
      throw TrajpackError(.machine, "the mp4 cannot be read back")
    }
    return Int(clamping: bytes.reduce(UInt64(0)) { $0 << 8 | UInt64($1) })
  }
}
