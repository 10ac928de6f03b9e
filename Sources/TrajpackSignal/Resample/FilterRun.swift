import CPlatform

/// One run of rows of a few neighbouring components, filtered block by block: a block's samples
/// are copied, lanes side by side, with edges added and the background taken off.
struct FilterRun<S: SignalScalar>: ~Copyable {
  private let filter: LowPass
  private let x: UnsafePointer<S>
  private let run: Range<Int>
  private let stride: Int
  private let used: Int
  private let lanes: Int
  private let edges: FilterEdges
  private let samples: Scratch<S>
  private let base: [S]
  private let slope: [S]

  /// Source rows of a block beside those that the filter reaches over.
  private static var blockRows: Int { 1024 }

  init(
    _ filter: LowPass, _ x: UnsafePointer<S>, _ stride: Int, _ used: Int, _ run: Range<Int>,
    _ edges: FilterEdges
  ) {
    self.filter = filter
    self.x = x
    self.run = run
    self.stride = stride
    self.used = used
    self.edges = edges
    lanes = used > 4 ? 8 : (used > 1 ? 4 : 1)
    samples = Scratch((Self.blockRows + filter.down / filter.up + 2 * filter.width + 16) * lanes)
    var base = [S](repeating: 0, count: lanes)
    var slope = base
    let n = run.count
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
  }

  /// The source row that stands at row `k` of the run, which may lie outside it; -1 for zero.
  private func mirrored(_ k: Int) -> Int {
    let n = run.count
    if k >= 0, k < n { return k }
    switch edges {
    case .hold: return k < 0 ? 0 : n - 1
    case .reflect:
      if n == 1 { return 0 }
      let period = 2 * (n - 1)
      let phase = ((k % period) + period) % period
      return phase < n ? phase : period - phase
    case .zero, .line, .mean: return -1
    }
  }

  /// Fills the block with `count` rows from row `first` of the run on.
  private func load(_ first: Int, _ count: Int) {
    let source = x + run.lowerBound * stride
    let low = min(max(first, 0), first + count)
    let high = max(min(first + count, run.count), low)
    if lanes == 1 {
      let (b, m) = (base[0], slope[0])
      let to = samples.pointer - first
      if m == 0 {
        for k in low..<high { to[k] = source[k * stride] - b }
      } else {
        for k in low..<high { to[k] = source[k * stride] - (b + S(k) * m) }
      }
    } else {
      for k in low..<high { loadRow(k, source + k * stride, k - first) }
    }
    for k in first..<low { loadEdge(k, source, k - first) }
    for k in high..<first + count { loadEdge(k, source, k - first) }
  }

  @inline(__always)
  private func loadRow(_ k: Int, _ from: UnsafePointer<S>, _ row: Int) {
    let to = samples.pointer + row * lanes
    base.withUnsafeBufferPointer { base in
      slope.withUnsafeBufferPointer { slope in
        let place = S(k)
        for c in 0..<used { to[c] = from[c] - (base[c] + place * slope[c]) }
        for c in used..<lanes { to[c] = 0 }
      }
    }
  }

  private func loadEdge(_ k: Int, _ source: UnsafePointer<S>, _ row: Int) {
    let at = mirrored(k)
    if at >= 0 {
      loadRow(at, source + at * stride, row)
    } else {
      for c in 0..<lanes { samples[row * lanes + c] = 0 }
    }
  }

  /// Walks the output rows in blocks; `body` gets the place of a row's first sample in the block,
  /// its phase, and the row.
  @inline(__always)
  private func walk(_ rows: Range<Int>, _ body: (_ at: Int, _ phase: Int, _ row: Int) -> Void) {
    let (up, down) = (filter.up, filter.down)
    // Output row j needs the source rows up to ⌊(j·down + half)/up⌋, in the phase of the rest.
    let reach = rows.lowerBound * down + filter.halfLength
    var first = reach / up - filter.width + 1 - run.lowerBound
    var phase = reach % up
    let (step, rest) = (down / up, down % up)
    var row = rows.lowerBound
    while row < rows.upperBound {
      let block = first
      loadBlock(block, rows.upperBound - 1 - row)
      while row < rows.upperBound, first - block <= Self.blockRows {
        body(first - block, phase, row)
        first += step
        phase += rest
        if phase >= up {
          phase -= up
          first += 1
        }
        row += 1
      }
    }
  }

  /// Lanes are components.
  func filter<V: SIMD>(
    _: V.Type, _ taps: [S], _ out: UnsafeMutablePointer<S>, _ rows: Range<Int>
  ) where V.Scalar == S {
    let width = filter.width
    samples.pointer.withMemoryRebound(to: V.self, capacity: samples.count / lanes) { x in
      taps.withUnsafeBufferPointer { taps in
        walk(rows) { at, phase, j in
          let from = x + at
          let weights = taps.base + phase * width
          var sum0 = V.zero
          var sum1 = V.zero
          var i = 0
          while i < width {
            sum0 += from[i] * weights[i]
            sum1 += from[i + 1] * weights[i + 1]
            i += 2
          }
          let sum = sum0 + sum1
          let to = out + j * stride
          for c in 0..<used { to[c] = sum[c] + background(j, c) }
        }
      }
    }
  }

  /// What was taken off, at the time of output row `j`.
  @inline(__always)
  private func background(_ j: Int, _ c: Int) -> S {
    if edges != .line { return base[c] }
    let place = Double(j * filter.down) / Double(filter.up) - Double(run.lowerBound)
    return base[c] + S(place) * slope[c]
  }

  /// Lanes are taps.
  func filterOne(
    _ taps: [S], _ out: UnsafeMutablePointer<S>, _ rows: Range<Int>, stride outStride: Int? = nil
  ) {
    let step = outStride ?? stride
    let reach = rows.lowerBound * filter.down + filter.halfLength
    // Rows of the source, counted from the run's beginning.
    var first = reach / filter.up - filter.width + 1 - run.lowerBound
    var place = tp_fir_place(first: 0, phase: reach % filter.up, row: rows.lowerBound)
    let base = edges == .line ? 0 : base[0]
    taps.withUnsafeBufferPointer { taps in
      while place.row < rows.upperBound {
        loadBlock(first, rows.upperBound - 1 - place.row)
        place.first = 0
        products(taps.base, &place, rows.upperBound, base, out, step)
        first += place.first
      }
    }
    if edges == .line { for j in rows { out[j * step] += background(j, 0) } }
  }

  /// Rows from `place` on, until the block or the rows end.
  @inline(__always)
  private func products(
    _ taps: UnsafePointer<S>, _ place: inout tp_fir_place, _ end: Int, _ base: S,
    _ out: UnsafeMutablePointer<S>, _ step: Int
  ) {
    let (x, taps, out) = (
      UnsafeRawPointer(samples.pointer), UnsafeRawPointer(taps), UnsafeMutableRawPointer(out)
    )
    if S.self == Float.self {
      tp_fir_f32(
        x.assumingMemoryBound(to: Float.self), taps.assumingMemoryBound(to: Float.self),
        filter.width, filter.up, filter.down, Self.blockRows, &place, end, Float(base),
        out.assumingMemoryBound(to: Float.self), step)
    } else {
      tp_fir_f64(
        x.assumingMemoryBound(to: Double.self), taps.assumingMemoryBound(to: Double.self),
        filter.width, filter.up, filter.down, Self.blockRows, &place, end, Double(base),
        out.assumingMemoryBound(to: Double.self), step)
    }
  }

  /// Fills the block with the rows from `first` on that an output row and the `more` rows after it
  /// read, as far as they begin within the block.
  private func loadBlock(_ first: Int, _ more: Int) {
    let (step, width) = (filter.down / filter.up, filter.width)
    let left = more * (step + 1) + width
    load(first, min(Self.blockRows + step + width + 1, max(left, width)))
  }
}
