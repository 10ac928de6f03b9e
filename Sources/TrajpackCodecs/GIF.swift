/// A film as an animated GIF (GIF89a): 255 colours that fit some of its pictures, mixed by an ordered pattern.
public struct GIF {
  /// The bytes so far.
  public private(set) var bytes: [UInt8] = []
  private let width: Int
  private let height: Int
  private let delay: Int
  /// The colour of each cell of a cube of 32 × 32 × 32 colours.
  private let nearest: [UInt8]

  /// Begins a film.
  ///
  /// - Parameters:
  ///   - samples: Pictures of three bytes a pixel, from which colours are chosen.
  ///   - delay: Hundredths of a second that a picture stays.
  public init(width: Int, height: Int, delay: Int, samples: [[UInt8]]) {
    precondition((1..<1 << 16).contains(width) && (1..<1 << 16).contains(height))
    (self.width, self.height, self.delay) = (width, height, max(delay, 1))
    let palette = Palette(samples)
    nearest = palette.nearest
    bytes = Array("GIF89a".utf8) + Self.number(width) + Self.number(height) + [0xF7, 0, 0]
    for colour in palette.colours { bytes += colour }
    bytes += [0x21, 0xFF, 11] + Array("NETSCAPE2.0".utf8) + [3, 1, 0, 0, 0]
  }

  private static func number(_ value: Int) -> [UInt8] { [UInt8(value & 255), UInt8(value >> 8)] }

  /// The order in which the pixels of a 4 × 4 pattern become brighter (Bayer 1973).
  private static let pattern = [0, 8, 2, 10, 12, 4, 14, 6, 3, 11, 1, 9, 15, 7, 13, 5]

  /// Adds a picture of three bytes a pixel.
  public mutating func add(_ picture: [UInt8]) {
    precondition(picture.count >= 3 * width * height)
    var codes = [UInt8](repeating: 0, count: width * height)
    for y in 0..<height {
      for x in 0..<width {
        let at = 3 * (y * width + x)
        let shift = (Self.pattern[4 * (y & 3) + (x & 3)] - 8) / 2
        func cell(_ value: UInt8) -> Int { min(max(Int(value) + shift, 0), 255) >> 3 }
        codes[y * width + x] =
          nearest[
            cell(picture[at]) << 10 | cell(picture[at + 1]) << 5 | cell(picture[at + 2])]
      }
    }
    bytes += [0x21, 0xF9, 4, 0] + Self.number(min(delay, 65_535)) + [0, 0]
    bytes += [0x2C, 0, 0, 0, 0] + Self.number(width) + Self.number(height) + [0, 8]
    let packed = Self.compressed(codes)
    for start in stride(from: 0, to: packed.count, by: 255) {
      let part = packed[start..<min(start + 255, packed.count)]
      bytes.append(UInt8(part.count))
      bytes += part
    }
    bytes.append(0)
  }

  /// Ends the film.
  public mutating func finish() { bytes.append(0x3B) }

  /// Takes the bytes so far, so that a film of any length is written in flat memory.
  public mutating func take() -> [UInt8] {
    defer { bytes = [] }
    return bytes
  }

  /// LZW with codes of 9 to 12 bits (Welch 1984, as GIF has it).
  private static func compressed(_ codes: [UInt8]) -> [UInt8] {
    let (clear, end) = (256, 257)
    var out: [UInt8] = []
    var (held, count) = (0, 0)
    var width = 9
    func put(_ code: Int) {
      held |= code << count
      count += width
      while count >= 8 {
        out.append(UInt8(held & 255))
        held >>= 8
        count -= 8
      }
    }
    // The code of a known sequence and one more value.
    var table = [Int16](repeating: -1, count: 4096 << 8)
    var next = 258
    put(clear)
    var last = -1
    var used: [Int] = []
    for code in codes {
      guard last >= 0 else {
        last = Int(code)
        continue
      }
      let key = last << 8 | Int(code)
      if table[key] >= 0 {
        last = Int(table[key])
        continue
      }
      put(last)
      if next < 4096 {
        table[key] = Int16(next)
        used.append(key)
        if next == 1 << width, width < 12 { width += 1 }
        next += 1
      } else {
        put(clear)
        for key in used { table[key] = -1 }
        used.removeAll(keepingCapacity: true)
        (next, width) = (258, 9)
      }
      last = Int(code)
    }
    if last >= 0 { put(last) }
    // The reader has made one more entry by then.
    if next == 1 << width, width < 12 { width += 1 }
    put(end)
    if count > 0 { out.append(UInt8(held & 255)) }
    return out
  }
}

/// 256 colours for some pictures: boxes of colours are cut at their median (Heckbert 1982).
private struct Palette {
  var colours: [[UInt8]] = []
  var nearest = [UInt8](repeating: 0, count: 1 << 15)

  init(_ samples: [[UInt8]]) {
    var counts = [Int](repeating: 0, count: 1 << 15)
    for sample in samples {
      // Some 60,000 pixels of a picture tell enough.
      let step = 3 * max(sample.count / 180_000, 1)
      for at in stride(from: 0, to: sample.count - 2, by: step) {
        counts[
          Int(sample[at] >> 3) << 10 | Int(sample[at + 1] >> 3) << 5 | Int(sample[at + 2] >> 3)] +=
          1
      }
    }
    var boxes = [counts.indices.filter { counts[$0] > 0 }]
    if boxes[0].isEmpty { boxes = [[0]] }
    func part(_ cell: Int, _ axis: Int) -> Int { cell >> (10 - 5 * axis) & 31 }
    func spread(_ box: [Int]) -> (axis: Int, length: Int) {
      (0..<3).map { axis in
        let values = box.map { part($0, axis) }
        return (axis, (values.max() ?? 0) - (values.min() ?? 0))
      }.max { $0.1 < $1.1 } ?? (0, 0)
    }
    var weights = [0.0]
    func weight(_ box: [Int]) -> Double {
      box.count < 2
        ? 0 : Double(spread(box).length) * Double(box.reduce(0) { $0 + counts[$1] }).squareRoot()
    }
    weights = boxes.map(weight)
    while boxes.count < 256, let most = weights.indices.max(by: { weights[$0] < weights[$1] }),
      weights[most] > 0
    {
      let axis = spread(boxes[most]).axis
      let sorted = boxes[most].sorted { part($0, axis) < part($1, axis) }
      let half = sorted.reduce(0) { $0 + counts[$1] } / 2
      var (sum, cut) = (0, 0)
      while cut < sorted.count - 1, sum + counts[sorted[cut]] <= half || cut == 0 {
        sum += counts[sorted[cut]]
        cut += 1
      }
      let halves = [Array(sorted[..<cut]), Array(sorted[cut...])]
      boxes[most] = halves[0]
      weights[most] = weight(halves[0])
      boxes.append(halves[1])
      weights.append(weight(halves[1]))
    }
    for box in boxes {
      let total = max(box.reduce(0) { $0 + counts[$1] }, 1)
      colours.append(
        (0..<3).map { axis in
          UInt8(
            min((box.reduce(0) { $0 + counts[$1] * part($1, axis) } * 8 + 4 * total) / total, 255))
        })
    }
    for cell in nearest.indices {
      var (best, least) = (0, Int.max)
      for (n, colour) in colours.enumerated() {
        var sum = 0
        for axis in 0..<3 {
          let step = part(cell, axis) * 8 + 4 - Int(colour[axis])
          sum += step * step
        }
        if sum < least { (best, least) = (n, sum) }
      }
      nearest[cell] = UInt8(best)
    }
    colours += [[UInt8]](repeating: [0, 0, 0], count: 256 - colours.count)
  }
}
