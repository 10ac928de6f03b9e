import TrajpackFormat

/// A continuous path through irregular observations, as neural controlled differential equations
/// read it: for each interval and component `a | b | 2c | 3d`, the layout of `torchcde` (Kidger et
/// al., "Neural controlled differential equations for irregular time series", 2020):
/// x(t) = a + b·s + (2c)/2·s² + (3d)/3·s³ with s = t − tᵢ.
///
/// A missing entry (mask 0 or NaN) is no knot; before the first observation of a component the
/// path stands at it, after the last one too.
public struct PathCoefficients<S: SignalScalar>: Sendable {
  /// Which path.
  public enum Kind: Sendable, Hashable {
    /// The natural cubic spline through the observations.
    case naturalCubic
    /// Hermite cubics with backward differences, after filling by lines.
    case hermiteBackward
  }

  /// Intervals, one fewer than the rows.
  public let intervals: Int
  /// Components of the path.
  public let components: Int
  /// `intervals` times `4 · components`.
  public let coefficients: [S]
  private let start: [Double]

  /// - Throws: `.data` for a component without any observation; `.usage` for fewer than two rows.
  @specialized(where S == Float)
  @specialized(where S == Double)
  public init(
    _ kind: Kind, _ times: Times, _ values: UnsafeBufferPointer<S>, components: Int,
    observed: UnsafeBufferPointer<MaskByte>? = nil
  ) throws(TrajpackError) {
    let rows = times.count
    let x = try values.require(rows, components, "values")
    let seen = try observed?.require(rows, components, "observed")
    guard rows >= 2 else {
      throw TrajpackError(.usage, "a path of \(rows) rows: give at least 2")
    }
    let h = try times.steps()
    let filled = Scratch<S>(rows * components)
    let isKnot = Scratch<MaskByte>(rows * components)
    for c in 0..<components {
      let filler = Filler(x + c, seen.map { $0 + c }, components, rows, h)
      guard filler.fill(filled.pointer + c, isKnot.pointer + c, lines: kind == .hermiteBackward)
      else {
        throw TrajpackError(
          .data, "component \(c) has no observation: leave it out, or give it a value")
      }
    }
    intervals = rows - 1
    self.components = components
    coefficients = [S](unsafeUninitializedCapacity: (rows - 1) * 4 * components) { out, count in
      count = (rows - 1) * 4 * components
      for c in 0..<components {
        Self.cubic(
          kind, filled.pointer + c, isKnot.pointer + c, h, rows, components, out.base + c)
      }
    }
    var sum = 0.0
    start = h.map { step in
      defer { sum += step }
      return sum
    }
  }

  /// One component: slopes at its knots, then every base interval as a shifted piece.
  private static func cubic(
    _ kind: Kind, _ x: UnsafePointer<S>, _ isKnot: UnsafePointer<MaskByte>, _ h: [Double],
    _ rows: Int, _ stride: Int, _ out: UnsafeMutablePointer<S>
  ) {
    let values = Scratch<S>(rows)
    let lengths = Scratch<Double>(rows)
    let slopes = Scratch<S>(rows)
    var n = 0
    var length = 0.0
    for row in 0..<rows {
      if row > 0 { length += h[row - 1] }
      if isKnot[row * stride] != 0 {
        if n > 0 { lengths[n - 1] = length }
        values[n] = x[row * stride]
        n += 1
        length = 0
      }
    }
    KnotSlopes(
      x: values.pointer, rows: n, components: 1, h: lengths.pointer, d: slopes.pointer
    ).fill(kind == .naturalCubic ? .cubic(.natural) : .hermiteBackward)
    var p = -1
    var offset: S = 0
    for row in 0..<rows - 1 {
      if isKnot[row * stride] != 0 {
        p += 1
        offset = 0
      } else {
        offset += S(h[row - 1])
      }
      let step = S(lengths[p])
      let secant = (values[p + 1] - values[p]) / step
      let (b, next) = (slopes[p], slopes[p + 1])
      let c = (3 * secant - 2 * b - next) / step
      let d = (b + next - 2 * secant) / (step * step)
      let to = out + row * 4 * stride
      to[0] = values[p] + offset * (b + offset * (c + offset * d))
      to[stride] = b + offset * (2 * c + 3 * offset * d)
      to[2 * stride] = 2 * c + 6 * offset * d
      to[3 * stride] = 3 * d
    }
  }

  /// The path, or its derivative, at times after the first row's; a time on a knot belongs to the
  /// interval before it, and the end intervals go on outside.
  public func evaluate(_ times: [Double], derivative: Bool = false) -> [S] {
    var result: [S] = []
    result.reserveCapacity(times.count * components)
    for t in times {
      var (low, high) = (0, intervals)
      while high - low > 1 {
        let middle = (low + high) / 2
        if start[middle] < t { low = middle } else { high = middle }
      }
      let s = S(t - start[low])
      for c in 0..<components {
        let at = low * 4 * components + c
        let (a, b) = (coefficients[at], coefficients[at + components])
        let (c2, d3) = (coefficients[at + 2 * components], coefficients[at + 3 * components])
        result.append(derivative ? b + (c2 + d3 * s) * s : a + (b + (c2 / 2 + d3 * s / 3) * s) * s)
      }
    }
    return result
  }
}

/// Fills one component's missing entries.
struct Filler<S: SignalScalar> {
  private let x: UnsafePointer<S>
  private let seen: UnsafePointer<MaskByte>?
  private let stride: Int
  private let rows: Int
  private let h: [Double]

  init(
    _ x: UnsafePointer<S>, _ seen: UnsafePointer<MaskByte>?, _ stride: Int, _ rows: Int,
    _ h: [Double]
  ) {
    (self.x, self.seen, self.stride, self.rows, self.h) = (x, seen, stride, rows, h)
  }

  @inline(__always) func has(_ row: Int) -> Bool {
    let value = x[row * stride]
    return value == value && seen?[row * stride] != 0
  }

  /// Ends take the nearest observation; between observations lines where asked for. Marks what is
  /// a knot. False where nothing is observed.
  func fill(
    _ out: UnsafeMutablePointer<S>, _ isKnot: UnsafeMutablePointer<MaskByte>, lines: Bool
  ) -> Bool {
    guard let first = (0..<rows).first(where: has), let last = (0..<rows).last(where: has) else {
      return false
    }
    var previous = first
    for row in 0..<rows {
      let i = row * stride
      isKnot[i] = 1
      if row < first {
        out[i] = x[first * stride]
      } else if row > last {
        out[i] = x[last * stride]
      } else if has(row) {
        out[i] = x[i]
        if lines, row - previous > 1 { bridge(out, previous, row) }
        previous = row
      } else {
        isKnot[i] = lines ? 1 : 0
        out[i] = 0
      }
    }
    return true
  }

  private func bridge(_ out: UnsafeMutablePointer<S>, _ from: Int, _ to: Int) {
    var length = 0.0
    for row in from..<to { length += h[row] }
    var sum = 0.0
    for row in from + 1..<to {
      sum += h[row - 1]
      let (a, b) = (x[from * stride], x[to * stride])
      out[row * stride] = a + S(sum / length) * (b - a)
    }
  }
}

/// The rectilinear path: time moves first, then the values jump (causal). `2·rows − 1` rows
/// `(t₁, x₁), (t₂, x₁), (t₂, x₂), …`; one component must be the time.
///
/// - Throws: `.data` where a component begins unobserved, unless `allowsLookingAhead`, by which it
///   takes its first observation as `torchcde` does; or the time has missing entries.
@specialized(where S == Float)
@specialized(where S == Double)
public func rectilinearPath<S: SignalScalar>(
  _ values: UnsafeBufferPointer<S>, rows: Int, components: Int, timeComponent: Int,
  observed: UnsafeBufferPointer<MaskByte>? = nil, allowsLookingAhead: Bool = false,
  into output: UnsafeMutableBufferPointer<S>
) throws(TrajpackError) {
  let x = try values.require(rows, components, "values")
  let seen = try observed?.require(rows, components, "observed")
  guard rows >= 1, timeComponent >= 0, timeComponent < components else {
    throw TrajpackError(
      .usage, "component \(timeComponent) as time, of \(components), \(rows) rows")
  }
  let out = try output.require(2 * rows - 1, components, "output")
  for c in 0..<components {
    let column = Filler(x + c, seen.map { $0 + c }, components, rows, [])
    guard let first = (0..<rows).first(where: column.has) else {
      throw TrajpackError(.data, "component \(c) has no observation: leave it out")
    }
    if first > 0, c == timeComponent || !allowsLookingAhead {
      throw TrajpackError(
        .data, "component \(c) is first observed in row \(first): fill it, or allow looking ahead")
    }
    var value = x[first * components + c]
    for row in 0..<rows {
      if column.has(row) {
        value = x[row * components + c]
      } else if c == timeComponent {
        throw TrajpackError(.data, "the time is missing in row \(row)")
      }
      out[2 * row * components + c] = value
      if c == timeComponent {
        if row > 0 { out[(2 * row - 1) * components + c] = value }
      } else if row + 1 < rows {
        out[(2 * row + 1) * components + c] = value
      }
    }
  }
}
