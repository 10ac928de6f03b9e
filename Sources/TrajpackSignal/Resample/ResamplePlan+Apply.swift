import TrajpackFormat

extension ResamplePlan {
  /// Interpolates every component of a stream.
  ///
  /// An input entry is missing where `observed` is 0 or the value is NaN; knots of a component are
  /// its observed entries, joined over missing ones as far as the plan's gap limit and breaks
  /// allow. An output entry that has no value is NaN with a 0 in `mask`.
  ///
  /// - Parameters:
  ///   - values: `sourceRows` times `components`, row-major.
  ///   - observed: `nil` or one byte a value.
  ///   - output: `rows` times `components`.
  ///   - mask: `rows` times `components`, 1 where the output has a value.
  /// - Throws: `.usage` where a buffer has another size.
  @specialized(where S == Float)
  @specialized(where S == Double)
  public func apply<S: SignalScalar>(
    _ method: Interpolation, _ values: UnsafeBufferPointer<S>, components: Int,
    observed: UnsafeBufferPointer<MaskByte>? = nil, into output: UnsafeMutableBufferPointer<S>,
    mask: UnsafeMutableBufferPointer<MaskByte>
  ) throws(TrajpackError) {
    let x = try values.require(sourceRows, components, "values")
    let seen = try observed?.require(sourceRows, components, "observed")
    let out = try output.require(rows, components, "output")
    let outMask = try mask.require(rows, components, "mask")
    if Self.isComplete(x, seen, sourceRows * components) {
      complete(method, x, components, out)
    } else {
      for c in 0..<components {
        sparse(method, x + c, seen.map { $0 + c }, stride: components, out + c)
      }
    }
    for i in 0..<rows * components { outMask[i] = out[i] == out[i] ? 1 : 0 }
  }

  /// Whether no entry is missing: four independent sums, so that it runs at memory speed.
  static func isComplete<S: SignalScalar>(
    _ x: UnsafePointer<S>, _ seen: UnsafePointer<MaskByte>?, _ count: Int
  ) -> Bool {
    var lowest: MaskByte = 1
    if let seen { for i in 0..<count { lowest = min(lowest, seen[i]) } }
    if lowest == 0 { return false }
    var i = 0
    while i < count {
      let end = min(i + 4096, count)
      var missing: UInt32 = 0
      while i < end {
        missing |= x[i] == x[i] ? 0 : 1
        i += 1
      }
      if missing != 0 { return false }
    }
    return true
  }

  private func complete<S: SignalScalar>(
    _ method: Interpolation, _ x: UnsafePointer<S>, _ components: Int,
    _ out: UnsafeMutablePointer<S>
  ) {
    switch method {
    case .previous, .next, .nearest:
      select(method, x, components, out)
    case .linear:
      linear(x, components, out)
    case .counter:
      linear(x, components, out)
      holdBeforeRestarts(x, components, out)
    case .hermiteBackward, .cubic, .pchip, .akima, .makima:
      let slopes = Scratch<S>(sourceRows * components)
      pieces.withUnsafeBufferPointer { h in
        for (start, end) in zip(runs, runs.dropFirst()) {
          KnotSlopes(
            x: x + start * components, rows: end - start, components: components,
            h: h.base + start, d: slopes.pointer + start * components
          ).fill(method)
        }
      }
      hermite(x, slopes.pointer, components, out)
    }
  }

  /// The knot that a selecting method takes.
  @inline(__always)
  func selected(_ method: Interpolation, _ k: Int, _ u: Double) -> Int {
    switch method {
    case .next: u > 0 ? k + 1 : k
    case .nearest(.earlier): u > 0.5 ? k + 1 : k
    case .nearest(.later): u >= 0.5 ? k + 1 : k
    default: u > 1 ? k + 1 : k
    }
  }

  private func select<S: SignalScalar>(
    _ method: Interpolation, _ x: UnsafePointer<S>, _ components: Int,
    _ out: UnsafeMutablePointer<S>
  ) {
    for row in 0..<rows {
      let k = Int(left[row])
      let to = out + row * components
      if k < 0 {
        to.initialize(repeating: .nan, count: components)
      } else {
        to.initialize(
          from: x + selected(method, k, fraction[row]) * components, count: components)
      }
    }
  }

  private func linear<S: SignalScalar>(
    _ x: UnsafePointer<S>, _ components: Int, _ out: UnsafeMutablePointer<S>
  ) {
    left.withUnsafeBufferPointer { left in
      fraction.withUnsafeBufferPointer { fraction in
        for row in 0..<left.count {
          let k = Int(left[row])
          let to = out + row * components
          let a = x + max(k, 0) * components
          if k < 0 {
            to.initialize(repeating: .nan, count: components)
          } else if fraction[row] == 0 {
            to.initialize(from: a, count: components)
          } else {
            let u = S(fraction[row])
            let b = a + components
            for c in 0..<components { to[c] = a[c] + u * (b[c] - a[c]) }
          }
        }
      }
    }
  }

  private func holdBeforeRestarts<S: SignalScalar>(
    _ x: UnsafePointer<S>, _ components: Int, _ out: UnsafeMutablePointer<S>
  ) {
    for row in 0..<rows where left[row] >= 0 && fraction[row] != 0 {
      let a = x + Int(left[row]) * components
      let b = a + components
      let to = out + row * components
      for c in 0..<components where b[c] < a[c] { to[c] = fraction[row] < 1 ? a[c] : b[c] }
    }
  }

  /// Cubic Hermite pieces from values and slopes.
  func hermite<S: SignalScalar>(
    _ x: UnsafePointer<S>, _ d: UnsafePointer<S>, _ components: Int,
    _ out: UnsafeMutablePointer<S>
  ) {
    left.withUnsafeBufferPointer { left in
      fraction.withUnsafeBufferPointer { fraction in
        pieces.withUnsafeBufferPointer { pieces in
          for row in 0..<left.count {
            let k = Int(left[row])
            let to = out + row * components
            let a = x + max(k, 0) * components
            let u = fraction[row]
            if k < 0 {
              to.initialize(repeating: .nan, count: components)
            } else if u == 0 {
              to.initialize(from: a, count: components)
            } else {
              let b = a + components
              let da = d + k * components
              let db = da + components
              let h = pieces[k]
              let v = 1 - u
              let w = S(u * u * (3 - 2 * u))
              let wa = S(u * v * v * h)
              let wb = S(-u * u * v * h)
              for c in 0..<components {
                to[c] = a[c] + w * (b[c] - a[c]) + (wa * da[c] + wb * db[c])
              }
            }
          }
        }
      }
    }
  }
}
