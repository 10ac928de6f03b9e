import CZlib
import TrajpackFormat

/// A picture as a PNG file (ISO/IEC 15948): gray of 8 or 16 bits, or RGB of 8.
public enum PNG {
  /// The file of a picture whose rows lie one after the other; samples of 16 bits are little-endian.
  ///
  /// - Parameter samples: 1 for gray, 3 for RGB.
  /// - Throws: A machine error where there is no memory.
  public static func file(
    _ pixels: [UInt8], width: Int, height: Int, samples: Int, bits: Int
  ) throws(TrajpackError) -> [UInt8] {
    let row = width * samples * bits / 8
    precondition(pixels.count >= row * height && (samples == 1 || samples == 3 && bits == 8))
    // Each row is what it adds to the one above (filter 2), which packs pictures well and is exact.
    var lines = [UInt8](repeating: 0, count: (row + 1) * height)
    let swap = bits == 16 ? 1 : 0
    for y in 0..<height {
      lines[y * (row + 1)] = 2
      for x in 0..<row {
        let above = y > 0 ? pixels[(y - 1) * row + (x ^ swap)] : 0
        lines[y * (row + 1) + 1 + x] = pixels[y * row + (x ^ swap)] &- above
      }
    }
    var packed = [UInt8](repeating: 0, count: Int(compressBound(UInt(lines.count))))
    var length = UInt(packed.count)
    guard compress2(&packed, &length, lines, UInt(lines.count), 6) == Z_OK else {
      throw TrajpackError(.machine, "there is no memory to pack a picture")
    }
    var file: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]
    var head = number(width) + number(height)
    head += [UInt8(bits), samples == 3 ? 2 : 0, 0, 0, 0]
    chunk("IHDR", head, to: &file)
    chunk("IDAT", Array(packed.prefix(Int(length))), to: &file)
    chunk("IEND", [], to: &file)
    return file
  }

  private static func number(_ value: Int) -> [UInt8] {
    (0..<4).map { UInt8(truncatingIfNeeded: value >> (24 - 8 * $0)) }
  }

  private static func chunk(_ name: String, _ bytes: [UInt8], to file: inout [UInt8]) {
    let body = Array(name.utf8) + bytes
    file += number(bytes.count) + body
    file += number(Int(crc32(0, body, UInt32(body.count))))
  }
}
