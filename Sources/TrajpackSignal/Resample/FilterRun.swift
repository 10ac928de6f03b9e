/// One run of rows of a few neighbouring components, filtered block by block: a block's samples
/// are copied, lanes side by side, with edges added and the background taken off.
struct FilterRun<S: Sample>: ~Copyable {
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
    let (up, down, width) = (filter.up, filter.down, filter.width)
    // Output row j needs the source rows up to ⌊(j·down + half)/up⌋, in the phase of the rest.
    let reach = rows.lowerBound * down + filter.halfLength
    var first = reach / up - width + 1 - run.lowerBound
    var phase = reach % up
    let (step, rest) = (down / up, down % up)
    var row = rows.lowerBound
    while row < rows.upperBound {
      let block = first
      // Rows whose samples begin within the block, and what the last of them reads.
      let left = (rows.upperBound - 1 - row) * (step + 1) + width
      load(block, min(Self.blockRows + step + width + 1, max(left, width)))
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
    let width = filter.width
    let step = outStride ?? stride
    let bytes = MemoryLayout<S>.stride
    let end = width * bytes
    let half = 4 * bytes
    let first = samples.pointer
    let constant = base[0]
    let isLine = edges == .line
    taps.withUnsafeBufferPointer { taps in
      walk(rows) { at, phase, j in
        let from = UnsafeRawPointer(first + at)
        let weights = UnsafeRawPointer(taps.base + phase * width)
        var sum0 = SIMD4<S>.zero
        var sum1 = SIMD4<S>.zero
        var i = 0
        while i < end {
          sum0 +=
            from.loadUnaligned(fromByteOffset: i, as: SIMD4<S>.self)
            * weights.loadUnaligned(fromByteOffset: i, as: SIMD4<S>.self)
          sum1 +=
            from.loadUnaligned(fromByteOffset: i &+ half, as: SIMD4<S>.self)
            * weights.loadUnaligned(fromByteOffset: i &+ half, as: SIMD4<S>.self)
          i &+= 2 &* half
        }
        let sum = sum0 + sum1
        let value = (sum.x + sum.z) + (sum.y + sum.w)
        out[j &* step] = value + (isLine ? background(j, 0) : constant)
      }
    }
  }
}
