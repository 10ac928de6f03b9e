import Glibc
import TrajpackFormat

/// The lower part of a film: a lane an entity and a curve a channel over the whole episode.
struct FilmBoard {
  private struct Lane {
    var entity: String
    var label: String
    var ink: Raster.Colour
    var runs: [(Double, Double)]
    var curve: [UInt8]?
    var low = 0.0
    var high = 0.0
    var actions: [(from: Double, to: Double, text: String)] = []
  }
  private struct Curve {
    var label: String
    var parts: [[UInt8]]
    var low: Double
    var high: Double
    var runs: [(from: Double, to: Double, text: String)]?
  }
  private struct Line {
    var ink: Raster.Colour
    var points: [[Double]]
  }

  let from: Double
  let to: Double
  let unit: String
  let bottom: Double
  private let left: Double
  private let right: Double
  private let top: Double
  private var lanes: [Lane] = []
  private var curves: [Curve] = []
  private var lines: [Line] = []
  private let start: Double
  /// Where the path is drawn, if it is.
  private let map: (x: Double, y: Double, side: Double)?

  /// What a sketch holds, from `left` to `right` and below `top`.
  init(
    _ sketch: EpisodeSketch, plots: [PagePlan.Plot], left: Double, right: Double, top: Double,
    hasPath: Bool
  ) {
    (from, to, unit) = (sketch.from, sketch.to, sketch.unit)
    (self.left, self.right, self.top) = (left, right, top)
    for item in sketch.json["lanes"]?.array ?? [] {
      let kind = item["kind"]?.string ?? ""
      lanes.append(
        Lane(
          entity: "\(kind) \(item["index"]?.int ?? 0)", label: item["label"]?.string ?? "",
          ink: FilmColours.entity(item["colour"]?.int ?? -1),
          runs: (item["runs"]?.array ?? []).compactMap { run in
            guard let pair = run.array, pair.count == 2 else { return nil }
            return (pair[0].double ?? 0, pair[1].double ?? 0)
          }, curve: item["c"]?.string.map(Base64.bytes), low: item["low"]?.double ?? 0,
          high: item["high"]?.double ?? 0, actions: Self.stretches(item["actions"]) ?? []))
    }
    for item in sketch.json["plots"]?.array ?? [] {
      guard let n = item["n"]?.int, plots.indices.contains(n) else { continue }
      curves.append(
        Curve(
          label: plots[n].label,
          parts: (item["c"]?.array ?? []).compactMap { $0.string.map(Base64.bytes) },
          low: item["low"]?.double ?? 0, high: item["high"]?.double ?? 0,
          runs: Self.stretches(item["runs"])))
    }
    let tall =
      lanes.reduce(0) { $0 + ($1.curve == nil ? 26 : 44) + 6 }
      + curves.reduce(0) { $0 + ($1.runs == nil ? 40 : 20) + 6 }
    var side = 0.0
    if hasPath, let paths = sketch.json["paths"], let all = paths["lines"]?.array, !all.isEmpty {
      let width = paths["ranges"]?.array?.count ?? 2
      lines = all.map { line in
        let bytes = Base64.bytes(line["p"]?.string ?? "")
        let values = stride(from: 0, to: bytes.count - 1, by: 2).map { at -> Double in
          let code = Int(bytes[at]) | Int(bytes[at + 1]) << 8
          return code == 65535 ? .nan : Double(code) / 65534 - 0.5
        }
        return Line(
          ink: FilmColours.entity(line["colour"]?.int ?? -1),
          points: stride(from: 0, to: values.count - width + 1, by: width).map {
            Array(values[$0..<$0 + width])
          })
      }
      side = min(right - left, 460)
    }
    map = lines.isEmpty ? nil : ((left + right) / 2 - side / 2, top, side)
    start = top + (lines.isEmpty ? 0 : side + 12)
    bottom = start + Double(tall) + 30
  }

  private static func stretches(_ json: JSONValue?) -> [(from: Double, to: Double, text: String)]? {
    json?.array?.compactMap { run in
      guard let parts = run.array, parts.count == 3 else { return nil }
      return (parts[0].double ?? 0, parts[1].double ?? 0, parts[2].string ?? "")
    }
  }

  private func x(_ time: Double) -> Double {
    to > from ? left + (time - from) / (to - from) * (right - left) : left
  }

  /// The action of an entity at a time, as its numbers.
  func action(of entity: Entity, at time: Double) -> String? {
    lanes.first { $0.entity == "\(entity.kind) \(entity.index)" }?.actions.first {
      time >= $0.from && time < $0.to
    }?.text
  }

  /// All that does not move.
  func draw(into raster: inout Raster) {
    var y = start
    for lane in lanes {
      let h = lane.curve == nil ? 26.0 : 44
      raster.fill(left, y, right - left, h, FilmColours.panel)
      for k in stride(from: left, to: right - h, by: 10) {
        raster.line(SIMD2(k, y + h), SIMD2(k + h, y), FilmColours.rule, width: 0.8)
      }
      for (a, b) in lane.runs {
        raster.fill(x(a), y, max(x(b) - x(a), 1), h, FilmColours.panel)
        raster.fill(x(a), y, max(x(b) - x(a), 1), h, lane.ink, 0.14)
      }
      if let curve = lane.curve {
        draw(curve, y, h - (lane.actions.isEmpty ? 0 : 10), lane.ink, &raster)
        ends(lane.low, lane.high, y, h, &raster)
      }
      for (a, b, text) in lane.actions {
        let bright = 0.35 + 0.6 * Double(text.utf8.reduce(7) { ($0 * 31 + Int($1)) % 97 }) / 96
        raster.fill(
          x(a) + 0.5, y + h - 9, max(x(b) - x(a) - 1, 0.8), 6, lane.ink, bright)
      }
      raster.text(
        lane.entity.printable, 12, y + (h > 30 ? 13 : h / 2), size: 10, lane.ink, within: left - 20)
      if h > 30 {
        raster.text(lane.label.printable, 12, y + 31, size: 8, FilmColours.soft, within: left - 20)
      }
      y += h + 6
    }
    for curve in curves {
      let h = curve.runs == nil ? 40.0 : 20
      raster.fill(left, y, right - left, h, FilmColours.panel)
      if let runs = curve.runs {
        for (a, b, text) in runs {
          let bright = 0.3 + 0.6 * Double(text.utf8.reduce(7) { ($0 * 31 + Int($1)) % 97 }) / 96
          let length = max(x(b) - x(a) - 1, 0.8)
          raster.fill(x(a), y + 2, length, h - 4, FilmColours.parts[0], bright)
          if length > 30 {
            raster.text(
              text.printable, x(a) + 5, y + h / 2, size: 8, FilmColours.ink, within: length - 8)
          }
        }
      } else {
        for (n, part) in curve.parts.enumerated() {
          draw(part, y, h, FilmColours.parts[n % 4], &raster, isFilled: false)
        }
        ends(curve.low, curve.high, y, h, &raster)
      }
      raster.text(curve.label.printable, 12, y + h / 2, size: 9, FilmColours.ink, within: left - 20)
      y += h + 6
    }
    if to > from {
      let step = Scale(
        low: from, high: to, isLogarithmic: false, pixels: left...right, isFlipped: false
      ).ticks
      for tick in step {
        raster.line(SIMD2(x(tick.value), y), SIMD2(x(tick.value), y + 4), FilmColours.soft)
        raster.text(
          "\(tick.text) \(unit)".printable, x(tick.value), y + 13, size: 8, FilmColours.soft,
          .middle)
      }
    }
    drawPaths(1, 0.35, &raster)
  }

  private func ends(_ low: Double, _ high: Double, _ y: Double, _ h: Double, _ raster: inout Raster)
  {
    raster.text(Number.text(high), right + 8, y + 8, size: 8, FilmColours.soft, within: 66)
    if low != high {
      raster.text(Number.text(low), right + 8, y + h - 8, size: 8, FilmColours.soft, within: 66)
    }
  }

  private func draw(
    _ bytes: [UInt8], _ y: Double, _ h: Double, _ ink: Raster.Colour, _ raster: inout Raster,
    isFilled: Bool = true
  ) {
    let count = bytes.count / 2
    func at(_ n: Int) -> Double {
      left + (Double(n) + 0.5) / Double(max(count, 1)) * (right - left)
    }
    func level(_ code: UInt8) -> Double { y + h - 4 - Double(code) / 253 * (h - 8) }
    let wide = (right - left) / Double(max(count, 1))
    var last: (n: Int, low: Double, high: Double)?
    for n in 0..<count {
      let (low, high) = (bytes[2 * n], bytes[2 * n + 1])
      if low == Envelope.gap { last = nil }
      guard low < Envelope.nothing else { continue }
      let (a, b) = (level(low), level(high))
      if isFilled { raster.fill(at(n) - wide / 2, b, wide, y + h - b, ink, 0.2) }
      if let last {
        let from = last.high > a ? last.high : last.low < b ? last.low : (last.low + last.high) / 2
        let to = last.high > a ? a : last.low < b ? b : (a + b) / 2
        raster.line(SIMD2(at(last.n), from), SIMD2(at(n), to), ink, width: 1.5)
      }
      if a > b { raster.line(SIMD2(at(n), a), SIMD2(at(n), b), ink, width: 1.2) }
      last = (n, a, b)
    }
  }

  /// A line at a moment, and the path up to there.
  func mark(_ time: Double, on raster: inout Raster) {
    guard to > from else { return }
    let share = min(max((time - from) / (to - from), 0), 1)
    raster.fill(x(time) - 0.75, start, 1.5, bottom - start - 26, Raster.Colour(255, 255, 255), 0.85)
    drawPaths(share, 1, &raster)
  }

  private func drawPaths(_ share: Double, _ strength: Double, _ raster: inout Raster) {
    guard let map else { return }
    // The view that the page begins with: turned by -0.7 and lifted by 0.4.
    let (turn, lift) = (SIMD2(cos(-0.7), sin(-0.7)), SIMD2(cos(0.4), sin(0.4)))
    func place(_ p: [Double]) -> SIMD2<Double> {
      let middle = SIMD2(map.x + map.side / 2, map.y + map.side / 2)
      if p.count < 3 { return middle + SIMD2(p[0], -p[1]) * (map.side - 40) }
      let a = p[0] * turn.x - p[1] * turn.y
      let b = p[0] * turn.y + p[1] * turn.x
      return middle + SIMD2(a, -(p[2] * lift.x - b * lift.y)) * (map.side * 0.62)
    }
    for line in lines {
      let count = Int((Double(line.points.count) * share).rounded(.up))
      var last: SIMD2<Double>?
      for point in line.points.prefix(count) {
        let at = place(point)
        if let last, at.sum().isFinite { raster.line(last, at, line.ink, width: 1.2, strength) }
        last = at.sum().isFinite ? at : nil
      }
      if strength == 1, let last { raster.line(last, last, Raster.Colour(255, 255, 255), width: 7) }
    }
  }
}
