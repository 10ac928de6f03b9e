import Glibc

/// A picture as a baseline JPEG file (ITU-T T.81), for pictures that are only looked at: colours at half the resolution,
/// the standard's example tables.
public enum JPEG {
  /// The file of an RGB picture whose rows lie one after the other, three bytes a pixel.
  ///
  /// - Parameter quality: 1 to 100, as the Independent JPEG Group counts.
  public static func file(
    _ pixels: [UInt8], width: Int, height: Int, quality: Int = 80
  ) -> [UInt8] {
    precondition((1..<1 << 16).contains(width) && (1..<1 << 16).contains(height))
    precondition(pixels.count >= 3 * width * height)
    let tables = [luminance, chrominance].map { scaled($0, quality) }
    var out = head(width, height, tables)
    var bits = BitStream()
    var last = [0, 0, 0]
    for top in stride(from: 0, to: height, by: 16) {
      for left in stride(from: 0, to: width, by: 16) {
        let square = Square(pixels, width, height, left, top)
        for (plane, values) in square.blocks {
          let isColour = plane > 0
          encode(
            values, tables[isColour ? 1 : 0], huffman[isColour ? 1 : 0], &last[plane], &bits)
        }
      }
    }
    bits.finish()
    out += bits.bytes
    out += [0xFF, 0xD9]
    return out
  }

  private static func head(_ width: Int, _ height: Int, _ tables: [[Int]]) -> [UInt8] {
    func number(_ value: Int) -> [UInt8] { [UInt8(value >> 8), UInt8(value & 255)] }
    func segment(_ marker: UInt8, _ body: [UInt8]) -> [UInt8] {
      [0xFF, marker] + number(body.count + 2) + body
    }
    var out: [UInt8] = [0xFF, 0xD8]
    out += segment(0xE0, Array("JFIF".utf8) + [0, 1, 1, 0, 0, 1, 0, 1, 0, 0])
    for (n, table) in tables.enumerated() {
      out += segment(0xDB, [UInt8(n)] + zigzag.map { UInt8(table[$0]) })
    }
    out += segment(
      0xC0,
      [8] + number(height) + number(width) + [3, 1, 0x22, 0, 2, 0x11, 1, 3, 0x11, 1])
    for (n, code) in [
      (0x00, dcLuminance), (0x10, acLuminance), (0x01, dcChrominance), (0x11, acChrominance),
    ] {
      out += segment(0xC4, [UInt8(n)] + code.counts + code.values)
    }
    return out + segment(0xDA, [3, 1, 0x00, 2, 0x11, 3, 0x11, 0, 63, 0])
  }

  /// Annex K's table at a quality.
  private static func scaled(_ table: [Int], _ quality: Int) -> [Int] {
    let quality = min(max(quality, 1), 100)
    let scale = quality < 50 ? 5000 / quality : 200 - 2 * quality
    return table.map { min(max(($0 * scale + 50) / 100, 1), 255) }
  }

  private static func encode(
    _ values: [Float], _ table: [Int], _ codes: (dc: Codes, ac: Codes), _ last: inout Int,
    _ bits: inout BitStream
  ) {
    let all = transformed(values)
    let quantised = zigzag.map { Int((all[$0] / Float(table[$0])).rounded()) }
    let step = quantised[0] - last
    last = quantised[0]
    bits.add(codes.dc, length(step))
    bits.add(step)
    var zeros = 0
    for value in quantised[1...] {
      guard value != 0 else {
        zeros += 1
        continue
      }
      while zeros > 15 {
        bits.add(codes.ac, 0xF0)
        zeros -= 16
      }
      bits.add(codes.ac, zeros << 4 | length(value))
      bits.add(value)
      zeros = 0
    }
    if zeros > 0 { bits.add(codes.ac, 0) }
  }

  fileprivate static func length(_ value: Int) -> Int {
    Int.bitWidth - value.magnitude.leadingZeroBitCount
  }

  /// cos((2x + 1) u pi / 16), by rows of u, with the factors of the transform.
  private static let cosines: [Float] = (0..<64).map { n in
    let (u, x) = (n / 8, n % 8)
    return Float(cos(Double((2 * x + 1) * u) * .pi / 16) * (u == 0 ? 0.5.squareRoot() : 1) / 2)
  }

  /// The discrete cosine transform of 8 × 8 values, along rows and then along columns.
  private static func transformed(_ values: [Float]) -> [Float] {
    var rows = [Float](repeating: 0, count: 64)
    var out = rows
    for y in 0..<8 {
      for u in 0..<8 {
        var sum: Float = 0
        for x in 0..<8 { sum += values[8 * y + x] * cosines[8 * u + x] }
        rows[8 * y + u] = sum
      }
    }
    for v in 0..<8 {
      for u in 0..<8 {
        var sum: Float = 0
        for y in 0..<8 { sum += rows[8 * y + u] * cosines[8 * v + y] }
        out[8 * v + u] = sum
      }
    }
    return out
  }
}

/// 16 × 16 pixels as blocks of 8 × 8: four of brightness, one of each colour difference (JFIF's YCbCr).
private struct Square {
  /// Plane and values less 128.
  var blocks: [(plane: Int, values: [Float])] = []

  init(_ pixels: [UInt8], _ width: Int, _ height: Int, _ left: Int, _ top: Int) {
    var y = [Float](repeating: 0, count: 256)
    var cb = [Float](repeating: 0, count: 64)
    var cr = cb
    for row in 0..<16 {
      let line = min(top + row, height - 1) * width
      for column in 0..<16 {
        let at = 3 * (line + min(left + column, width - 1))
        let (r, g, b) = (Float(pixels[at]), Float(pixels[at + 1]), Float(pixels[at + 2]))
        y[16 * row + column] = 0.299 * r + 0.587 * g + 0.114 * b - 128
        let small = 8 * (row / 2) + column / 2
        cb[small] += (-0.168736 * r - 0.331264 * g + 0.5 * b) / 4
        cr[small] += (0.5 * r - 0.418688 * g - 0.081312 * b) / 4
      }
    }
    for (dy, dx) in [(0, 0), (0, 8), (8, 0), (8, 8)] {
      blocks.append((0, (0..<64).map { y[16 * ($0 / 8 + dy) + $0 % 8 + dx] }))
    }
    blocks += [(1, cb), (2, cr)]
  }
}

/// Bits, the highest first; a byte of ones is followed by a zero byte.
private struct BitStream {
  var bytes: [UInt8] = []
  private var held = 0
  private var count = 0

  mutating func add(_ codes: JPEG.Codes, _ symbol: Int) {
    put(codes.code[symbol], codes.length[symbol])
  }

  /// A number in as few bits as it has, one's complement where it is negative.
  mutating func add(_ value: Int) {
    let length = JPEG.length(value)
    put(value < 0 ? value + (1 << length) - 1 : value, length)
  }

  private mutating func put(_ value: Int, _ length: Int) {
    held = held << length | value
    count += length
    while count >= 8 {
      let byte = UInt8(truncatingIfNeeded: held >> (count - 8))
      bytes.append(byte)
      if byte == 0xFF { bytes.append(0) }
      count -= 8
    }
    held &= (1 << count) - 1
  }

  mutating func finish() { if count > 0 { put((1 << (8 - count)) - 1, 8 - count) } }
}
