/// An RGB picture that is drawn into, with soft edges.
struct Raster {
  typealias Colour = SIMD3<Double>

  let width: Int
  let height: Int
  /// Three bytes a pixel, row by row.
  private(set) var pixels: [UInt8]

  init(width: Int, height: Int, _ colour: Colour) {
    (self.width, self.height) = (width, height)
    pixels = [UInt8](repeating: 0, count: 3 * width * height)
    fill(0, 0, Double(width), Double(height), colour)
  }

  /// A part of another picture, inside of it.
  init(copying other: Raster, x: Int, y: Int, width: Int, height: Int) {
    (self.width, self.height) = (width, height)
    pixels = []
    pixels.reserveCapacity(3 * width * height)
    for row in y..<y + height {
      let from = 3 * (row * other.width + x)
      pixels += other.pixels[from..<from + 3 * width]
    }
  }

  @inline(__always) private mutating func mix(_ x: Int, _ y: Int, _ colour: Colour, _ share: Double)
  {
    let at = 3 * (y * width + x)
    for c in 0..<3 {
      let old = Double(pixels[at + c])
      pixels[at + c] = UInt8(min(max(old + (colour[c] - old) * share, 0), 255))
    }
  }

  /// A rectangle; edges between pixels are soft.
  mutating func fill(
    _ x: Double, _ y: Double, _ w: Double, _ h: Double, _ colour: Colour, _ share: Double = 1
  ) {
    guard x.isFinite, y.isFinite, w.isFinite, h.isFinite else { return }
    let (left, right) = (max(x, 0), min(x + w, Double(width)))
    let (top, bottom) = (max(y, 0), min(y + h, Double(height)))
    guard left < right, top < bottom else { return }
    for row in Int(top)..<Int(bottom.rounded(.up)) {
      let tall = min(Double(row + 1), bottom) - max(Double(row), top)
      for column in Int(left)..<Int(right.rounded(.up)) {
        let wide = min(Double(column + 1), right) - max(Double(column), left)
        mix(column, row, colour, share * tall * wide)
      }
    }
  }

  /// A line with round ends.
  mutating func line(
    _ from: SIMD2<Double>, _ to: SIMD2<Double>, _ colour: Colour, width thick: Double = 1,
    _ share: Double = 1
  ) {
    let radius = thick / 2
    guard let (a, b) = clipped(from, to, margin: radius + 1) else { return }
    let d = b - a
    let length = (d * d).sum()
    let (top, bottom) = (min(a.y, b.y) - radius - 1, max(a.y, b.y) + radius + 1)
    for row in max(Int(top), 0)..<max(min(Int(bottom) + 1, height), max(Int(top), 0)) {
      let y = Double(row) + 0.5
      // The stretch of the row that the line can touch.
      var (from, to) = (min(a.x, b.x), max(a.x, b.x))
      if abs(d.y) > 1e-9 {
        let reach = (radius + 1) * (1 + abs(d.x / d.y)) + 1
        let middle = a.x + (y - a.y) / d.y * d.x
        (from, to) = (max(from, middle - reach), min(to, middle + reach))
      }
      let (first, last) = (max(Int(from - radius - 1), 0), min(Int(to + radius + 1), width - 1))
      guard first <= last else { continue }
      for column in first...last {
        let p = SIMD2(Double(column) + 0.5, y) - a
        let along = length > 0 ? min(max((p * d).sum() / length, 0), 1) : 0
        let off = p - d * along
        let cover = min(max(radius + 0.5 - (off * off).sum().squareRoot(), 0), 1)
        if cover > 0 { mix(column, row, colour, cover * share) }
      }
    }
  }

  /// The part of a line inside the picture (Liang and Barsky 1984).
  private func clipped(
    _ a: SIMD2<Double>, _ b: SIMD2<Double>, margin: Double
  ) -> (SIMD2<Double>, SIMD2<Double>)? {
    let d = b - a
    guard d.sum().isFinite, a.sum().isFinite else { return nil }
    var (start, end) = (0.0, 1.0)
    for (p, q) in [
      (-d.x, a.x + margin), (d.x, Double(width) + margin - a.x), (-d.y, a.y + margin),
      (d.y, Double(height) + margin - a.y),
    ] {
      if p == 0 {
        if q < 0 { return nil }
      } else if p < 0 {
        start = max(start, q / p)
      } else {
        end = min(end, q / p)
      }
    }
    return start <= end ? (a + d * start, a + d * end) : nil
  }

  /// Where a text begins.
  enum Anchor { case left, middle, right }

  /// A text whose capitals are `size` pixels tall, their middle at `y`.
  mutating func text(
    _ text: String, _ x: Double, _ y: Double, size: Double, _ colour: Colour,
    _ anchor: Anchor = .left, within limit: Double = .infinity
  ) {
    let unit = size / StrokeFont.capital
    var shown = text
    if StrokeFont.width(shown) * unit > limit {
      while !shown.isEmpty, StrokeFont.width(shown + "\u{2026}") * unit > limit {
        shown.removeLast()
      }
      shown += "\u{2026}"
    }
    let length = StrokeFont.width(shown) * unit
    var at = x - (anchor == .left ? 0 : anchor == .middle ? length / 2 : length)
    let base = y + size / 2
    for scalar in shown.unicodeScalars {
      let (strokes, advance) = StrokeFont.glyph(scalar)
      for stroke in strokes {
        let points = stroke.map { SIMD2(at + $0.x * unit, base - ($0.y - 2) * unit) }
        for n in 0..<max(points.count - 1, 1) {
          line(points[n], points[min(n + 1, points.count - 1)], colour, width: max(size / 7, 1.1))
        }
      }
      at += advance * unit
    }
  }

  /// How wide a text of that size is, in pixels.
  static func width(_ text: String, size: Double) -> Double {
    StrokeFont.width(text) * size / StrokeFont.capital
  }

  /// Puts a picture of three bytes a pixel at a place; what lies outside is left out.
  mutating func put(_ picture: [UInt8], width w: Int, height h: Int, x: Int, y: Int) {
    guard x >= 0, y >= 0, x + w <= width else { return }
    for row in 0..<min(h, height - y) {
      let to = 3 * ((y + row) * width + x)
      pixels.replaceSubrange(to..<to + 3 * w, with: picture[3 * row * w..<3 * (row + 1) * w])
    }
  }
}
