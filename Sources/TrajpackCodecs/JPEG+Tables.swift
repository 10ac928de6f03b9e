/// The example tables of ITU-T T.81, Annex K.
extension JPEG {
  /// The order in which the frequencies of a block are written: by anti-diagonals.
  static let zigzag: [Int] = {
    (0..<64).sorted { a, b in
      let (x, y) = ((a % 8, a / 8), (b % 8, b / 8))
      let (i, j) = (x.0 + x.1, y.0 + y.1)
      if i != j { return i < j }
      return i % 2 == 0 ? x.0 < y.0 : x.0 > y.0
    }
  }()

  static let luminance = [
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56,
    14, 17, 22, 29, 51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113,
    92, 49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
  ]

  static let chrominance: [Int] = {
    var table = [Int](repeating: 99, count: 64)
    for (row, values) in [
      [17, 18, 24, 47], [18, 21, 26, 66], [24, 26, 56, 99], [47, 66, 99, 99],
    ].enumerated() {
      for (column, value) in values.enumerated() { table[8 * row + column] = value }
    }
    return table
  }()

  /// A Huffman code: how many codes each length has, and their symbols.
  struct Codes: Sendable {
    let counts: [UInt8]
    let values: [UInt8]
    /// By symbol.
    private(set) var code = [Int](repeating: 0, count: 256)
    private(set) var length = [Int](repeating: 0, count: 256)

    init(_ counts: [UInt8], _ values: [UInt8]) {
      self.counts = counts
      self.values = values
      var (next, place) = (0, 0)
      for (n, count) in counts.enumerated() {
        for _ in 0..<count {
          code[Int(values[place])] = next
          length[Int(values[place])] = n + 1
          next += 1
          place += 1
        }
        next <<= 1
      }
    }
  }

  static let dcLuminance = Codes([0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0], Array(0...11))
  static let dcChrominance = Codes([0, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0], Array(0...11))

  static let acLuminance = Codes(
    [0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 0x7D],
    [
      0x01, 0x02, 0x03, 0x00, 0x04, 0x11, 0x05, 0x12, 0x21, 0x31, 0x41, 0x06, 0x13, 0x51, 0x61,
      0x07, 0x22, 0x71, 0x14, 0x32, 0x81, 0x91, 0xA1, 0x08, 0x23, 0x42, 0xB1, 0xC1, 0x15, 0x52,
      0xD1, 0xF0, 0x24, 0x33, 0x62, 0x72, 0x82, 0x09, 0x0A, 0x16, 0x17, 0x18, 0x19, 0x1A,
    ] + rest(from: 0x25))

  static let acChrominance = Codes(
    [0, 2, 1, 2, 4, 4, 3, 4, 7, 5, 4, 4, 0, 1, 2, 0x77],
    [
      0x00, 0x01, 0x02, 0x03, 0x11, 0x04, 0x05, 0x21, 0x31, 0x06, 0x12, 0x41, 0x51, 0x07, 0x61,
      0x71, 0x13, 0x22, 0x32, 0x81, 0x08, 0x14, 0x42, 0x91, 0xA1, 0xB1, 0xC1, 0x09, 0x23, 0x33,
      0x52, 0xF0, 0x15, 0x62, 0x72, 0xD1, 0x0A, 0x16, 0x24, 0x34, 0xE1, 0x25, 0xF1, 0x17, 0x18,
      0x19, 0x1A,
    ] + rest(from: 0x26))

  /// The symbols of 16 bits, in order: run and length, leaving out those that have shorter codes.
  private static func rest(from first: UInt8) -> [UInt8] {
    let isLuminance = first == 0x25
    // The first length of each run that needs 16 bits.
    let starts: [UInt8] =
      isLuminance
      ? [11, 11, 5, 4, 3, 3, 3, 3, 3, 2, 2, 2, 2, 2, 1, 1]
      : [11, 11, 6, 5, 3, 3, 3, 3, 2, 2, 2, 2, 2, 2, 2, 2]
    var out: [UInt8] = []
    for run in UInt8(0)..<16 {
      let start = starts[Int(run)]
      if start > 10 { continue }
      for size in start...10 { out.append(run << 4 | size) }
    }
    return out
  }

  static let huffman: [(dc: Codes, ac: Codes)] = [
    (dcLuminance, acLuminance), (dcChrominance, acChrominance),
  ]
}
