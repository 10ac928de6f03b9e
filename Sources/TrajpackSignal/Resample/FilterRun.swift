/// One run of rows of a few neighbouring components, copied with its edges and background taken
/// off, lanes side by side.
struct FilterRun<S: Sample>: ~Copyable {
  private let filter: LowPass
  private let run: Range<Int>
  private let stride: Int
  private let used: Int
  private let lanes: Int
  private let padding: Int
  private let samples: Scratch<S>
  private let base: [S]
  private let slope: [S]

  init(
    _ filter: LowPass, _ x: UnsafePointer<S>, _ stride: Int, _ used: Int, _ run: Range<Int>,
    _ edges: FilterEdges
  ) {
    self.filter = filter
    self.run = run
    self.stride = stride
    self.used = used
    lanes = used > 4 ? 8 : (used > 1 ? 4 : 1)
    padding = filter.width + 8
    let n = run.count
    samples = Scratch((n + 2 * padding) * lanes, filledWith: 0)
    var base = [S](repeating: 0, count: lanes)
    var slope = base
    for c in 0..<used {
      let first = x[run.lowerBound * stride + c]
      switch edges {
      case .zero: break
      case .hold, .reflect: base[c] = first
      case .line:
        base[c] = first
        if n > 1 { slope[c] = (x[(run.upperBound - 1) * stride + c] - first) / S(n - 1) }
      case .mean:
        var sum = 0.0
        for k in run { sum += Double(x[k * stride + c] - first) }
        base[c] = first + S(sum / Double(n))
      }
    }
    self.base = base
    self.slope = slope
    let start = samples.pointer + padding * lanes
    let source = x + run.lowerBound * stride
    if lanes == 1 {
      let (b, m) = (base[0], slope[0])
      for k in 0..<n { start[k] = source[k * stride] - (b + S(k) * m) }
    } else {
      for k in 0..<n {
        for c in 0..<used {
          start[k * lanes + c] = source[k * stride + c] - (base[c] + S(k) * slope[c])
        }
      }
    }
    if edges == .hold || edges == .reflect { pad(edges, n) }
  }

  private func pad(_ edges: FilterEdges, _ n: Int) {
    let start = samples.pointer + padding * lanes
    for i in 1...padding {
      var (before, after) = (0, n - 1)
      if edges == .reflect, n > 1 {
        let phase = i % (2 * (n - 1))
        before = phase < n ? phase : 2 * (n - 1) - phase
        after = n - 1 - before
      }
      for c in 0..<lanes {
        start[-i * lanes + c] = start[before * lanes + c]
        start[(n - 1 + i) * lanes + c] = start[after * lanes + c]
      }
    }
  }

  /// Output row `j` needs the source rows up to ⌊(j·down + half)/up⌋, in the phase of the rest.
  @inline(__always)
  private func place(_ j: Int) -> (first: Int, phase: Int) {
    let reach = j * filter.down + filter.halfLength
    return (reach / filter.up - filter.width + 1 - run.lowerBound, reach % filter.up)
  }

  /// Lanes are components.
  func filter<V: SIMD>(
    _: V.Type, _ taps: [S], _ out: UnsafeMutablePointer<S>, _ rows: Range<Int>
  ) where V.Scalar == S {
    let width = filter.width
    samples.pointer.withMemoryRebound(to: V.self, capacity: samples.count / lanes) { x in
      taps.withUnsafeBufferPointer { taps in
        for j in rows {
          let (first, phase) = place(j)
          let from = x + first + padding
          let weights = taps.base + phase * width
          var sum0 = V.zero
          var sum1 = V.zero
          var i = 0
          while i + 1 < width {
            sum0 += from[i] * weights[i]
            sum1 += from[i + 1] * weights[i + 1]
            i += 2
          }
          if i < width { sum0 += from[i] * weights[i] }
          let sum = sum0 + sum1
          let to = out + j * stride
          let place = S(Double(j * filter.down) / Double(filter.up) - Double(run.lowerBound))
          for c in 0..<used { to[c] = sum[c] + (base[c] + place * slope[c]) }
        }
      }
    }
  }

  /// Lanes are taps.
  func filterOne(
    _ taps: [S], _ out: UnsafeMutablePointer<S>, _ rows: Range<Int>, stride outStride: Int? = nil
  ) {
    let width = filter.width
    let step = outStride ?? stride
    let (b, m) = (base[0], slope[0])
    taps.withUnsafeBufferPointer { taps in
      for j in rows {
        let (first, phase) = place(j)
        let from = UnsafeRawPointer(samples.pointer + first + padding)
        let weights = UnsafeRawPointer(taps.base + phase * width)
        let bytes = MemoryLayout<S>.stride
        var sum0 = SIMD8<S>.zero
        var sum1 = SIMD8<S>.zero
        var i = 0
        while i + 16 <= width {
          sum0 += from.loadUnaligned(fromByteOffset: i * bytes, as: SIMD8<S>.self)
            * weights.loadUnaligned(fromByteOffset: i * bytes, as: SIMD8<S>.self)
          sum1 += from.loadUnaligned(fromByteOffset: (i + 8) * bytes, as: SIMD8<S>.self)
            * weights.loadUnaligned(fromByteOffset: (i + 8) * bytes, as: SIMD8<S>.self)
          i += 16
        }
        if i + 8 <= width {
          sum0 += from.loadUnaligned(fromByteOffset: i * bytes, as: SIMD8<S>.self)
            * weights.loadUnaligned(fromByteOffset: i * bytes, as: SIMD8<S>.self)
          i += 8
        }
        var total = (sum0 + sum1).sum()
        while i < width {
          total += samples[first + padding + i] * taps[phase * width + i]
          i += 1
        }
        let place = S(Double(j * filter.down) / Double(filter.up) - Double(run.lowerBound))
        out[j * step] = total + (b + place * m)
      }
    }
  }
}
