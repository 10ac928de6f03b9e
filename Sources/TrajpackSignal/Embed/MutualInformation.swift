import Glibc
import TrajpackFormat

/// Average mutual information between a channel and itself `τ` rows later, in bits
/// (Fraser and Swinney, Phys. Rev. A 33, 1986), pooled over episodes.
public struct MutualInformation: Sendable {
  /// How the joint distribution is estimated.
  public enum Estimator: Sendable, Hashable {
    /// Bins of equal width between the extremes of each lag's two samples, as `histogram2d`.
    case equalBins(Int)
    /// Recursive halving until a χ² test at p = 0.1 finds a part uniform; one partition for both
    /// axes and all lags, from the rows that have every lag (the rule of DelayEmbeddings.jl).
    case bisection
    /// Kraskov, Stögbauer, Grassberger (Phys. Rev. E 69, 2004), algorithm 1, k-th neighbour.
    case nearestNeighbours(Int)
  }

  /// I(0), I(1), …
  public let values: [Double]
  /// Bins an axis; 0 for nearest neighbours.
  public let bins: Int

  /// The first lag after 0 that is below both its neighbours.
  public var firstMinimum: Int? {
    guard values.count > 2 else { return nil }
    return (1..<values.count - 1).first {
      values[$0] < values[$0 - 1] && values[$0] < values[$0 + 1]
    }
  }

  /// - Parameter pause: asked between units of work; what it throws ends the search.
  /// - Throws: `.data` for missing values, `.usage` for a lag that no episode reaches.
  @specialized(where S == Float)
  @specialized(where S == Double)
  public init<S: SignalScalar>(
    _ values: UnsafeBufferPointer<S>, components: Int = 1, channel: Int = 0, maxLag: Int,
    estimator: Estimator = .equalBins(64), episodes: Episodes,
    pause: () throws(TrajpackError) -> Void = {}
  ) throws(TrajpackError) {
    let series = try ChannelSeries(values, components, channel, episodes)
    try series.requireLag(maxLag)
    switch estimator {
    case .equalBins(let bins):
      guard 2...256 ~= bins else {
        throw TrajpackError(.usage, "\(bins) bins: give 2 to 256")
      }
      self.bins = bins
      self.values = EqualBins(series, bins).information(series, maxLag)
    case .bisection:
      let partition = try Bisection(series, maxLag)
      bins = partition.sizes.count
      self.values = partition.information(maxLag)
    case .nearestNeighbours(let k):
      bins = 0
      self.values = try kraskov(series, maxLag, k, pause)
    }
  }
}

/// A joint table of counts and what it says.
struct JointCounts: ~Copyable {
  private let table: Scratch<UInt32>
  private let bins: Int
  private let copies: Int

  init(_ bins: Int) {
    self.bins = bins
    // Neighbouring samples of a smooth series fall into one cell; several tables keep them from
    // waiting for each other.
    copies = bins <= 128 ? 4 : 2
    table = Scratch(bins * bins * copies)
  }

  func clear() { table.pointer.initialize(repeating: 0, count: table.count) }

  /// Counts pairs of (premultiplied) row and column numbers.
  func add(_ rows: UnsafePointer<UInt16>, _ columns: UnsafePointer<UInt16>, _ count: Int) {
    let cells = bins * bins
    let t0 = table.pointer
    let t1 = t0 + cells
    let t2 = copies == 4 ? t1 + cells : t0
    let t3 = copies == 4 ? t2 + cells : t1
    var i = 0
    while i + 4 <= count {
      t0[Int(rows[i]) + Int(columns[i])] &+= 1
      t1[Int(rows[i + 1]) + Int(columns[i + 1])] &+= 1
      t2[Int(rows[i + 2]) + Int(columns[i + 2])] &+= 1
      t3[Int(rows[i + 3]) + Int(columns[i + 3])] &+= 1
      i += 4
    }
    while i < count {
      t0[Int(rows[i]) + Int(columns[i])] &+= 1
      i += 1
    }
  }

  /// Σ p log2(p / (p_row p_column)); marginals of the table unless given. Written as one
  /// logarithm a cell that is not empty: (Σ c log c − Σ r log r − Σ s log s) / n + log n.
  func information(marginals: [Int]? = nil) -> Double {
    let cells = bins * bins
    let row = Scratch<UInt32>(bins, filledWith: 0)
    let column = Scratch<UInt32>(bins, filledWith: 0)
    var joint = 0.0
    for a in 0..<bins {
      var sum: UInt32 = 0
      for b in 0..<bins {
        let i = a * bins + b
        var count: UInt32 = 0
        for copy in 0..<copies { count &+= table[copy * cells + i] }
        if count == 0 { continue }
        sum &+= count
        column[b] &+= count
        joint += Self.entropy(count)
      }
      row[a] = sum
    }
    var total = 0.0
    var apart = 0.0
    for a in 0..<bins {
      total += Double(row[a])
      if let marginals {
        let size = log2(Double(max(marginals[a], 1)))
        apart += (Double(row[a]) + Double(column[a])) * size
      } else {
        apart += Self.entropy(row[a]) + Self.entropy(column[a])
      }
    }
    return (joint - apart) / total + log2(total)
  }

  /// c log2 c; small counts are the usual ones.
  @inline(__always) private static func entropy(_ count: UInt32) -> Double {
    count < 1024 ? smallEntropies[Int(count)] : Double(count) * log2(Double(count))
  }

  private static let smallEntropies: [Double] = (0..<1024).map {
    $0 == 0 ? 0 : Double($0) * log2(Double($0))
  }
}

/// Digits of a series in bins of equal width.
private struct EqualBins: ~Copyable {
  private let bins: Int
  private let counts: JointCounts
  /// Digits over the range of the whole series: times `bins`, and plain.
  private let rows: Scratch<UInt16>
  private let columns: Scratch<UInt16>
  /// Digits over the range of one lag's heads, or tails, where that is smaller.
  private let spare: Scratch<UInt16>
  private let tailSpare: Scratch<UInt16>
  private let low: Double
  private let high: Double
  /// For each run the first and last place of the lowest and of the highest value of all.
  private var places: [(low: ClosedRange<Int>?, high: ClosedRange<Int>?)] = []

  init(_ series: borrowing ChannelSeries, _ bins: Int) {
    self.bins = bins
    counts = JointCounts(bins)
    rows = Scratch(series.count)
    columns = Scratch(series.count)
    spare = Scratch(series.count)
    tailSpare = Scratch(series.count)
    var low = Double.infinity
    var high = -Double.infinity
    for i in 0..<series.count {
      low = min(low, series.x[i])
      high = max(high, series.x[i])
    }
    (self.low, self.high) = (low, high)
    for run in series.runs {
      var (lows, highs): (ClosedRange<Int>?, ClosedRange<Int>?)
      for i in run {
        if series.x[i] == low { lows = (lows?.lowerBound ?? i)...i }
        if series.x[i] == high { highs = (highs?.lowerBound ?? i)...i }
      }
      places.append((lows, highs))
    }
    Self.digits(series, 0..<series.count, low, high, bins, bins, rows.pointer)
    Self.digits(series, 0..<series.count, low, high, bins, 1, columns.pointer)
  }

  /// numpy's rule: edges of `linspace`, half-open bins, the last one closed.
  private static func digits(
    _ series: borrowing ChannelSeries, _ range: Range<Int>, _ first: Double, _ last: Double,
    _ bins: Int,
    _ factor: Int, _ out: UnsafeMutablePointer<UInt16>
  ) {
    let (low, high) = first == last ? (first - 0.5, last + 0.5) : (first, last)
    let step = (high - low) / Double(bins)
    var edges = (0...bins).map { Double($0) * step + low }
    edges[bins] = high
    let scale = Double(bins) / (high - low)
    edges.withUnsafeBufferPointer { edges in
      for i in range {
        let value = series.x[i]
        // A range that rounding has closed, or one below the normal numbers, has no finite scale.
        let place = (value - low) * scale
        var digit = place >= Double(bins) ? bins - 1 : place > 0 ? Int(place) : 0
        while digit > 0, value < edges[digit] { digit -= 1 }
        while digit < bins - 1, value >= edges[digit + 1] { digit += 1 }
        out[i] = UInt16(digit * factor)
      }
    }
  }

  func information(_ series: borrowing ChannelSeries, _ maxLag: Int) -> [Double] {
    var result: [Double] = []
    for lag in 0...maxLag {
      counts.clear()
      let heads = digits(series, lag, head: true)
      let tails = digits(series, lag, head: false)
      for run in series.runs where run.count > lag {
        counts.add(heads + run.lowerBound, tails + run.lowerBound + lag, run.count - lag)
      }
      result.append(counts.information())
    }
    return result
  }

  /// The shared digits where the part that a lag uses has the extremes of the whole.
  private func digits(
    _ series: borrowing ChannelSeries, _ lag: Int, head: Bool
  ) -> UnsafePointer<UInt16> {
    let shared = UnsafePointer(head ? rows.pointer : columns.pointer)
    if lag == 0 { return shared }
    var (hasLow, hasHigh) = (false, false)
    for (run, place) in zip(series.runs, places) where run.count > lag {
      let part =
        head ? run.lowerBound..<run.upperBound - lag : run.lowerBound + lag..<run.upperBound
      func holds(_ range: ClosedRange<Int>?) -> Bool {
        range.map { part ~= (head ? $0.lowerBound : $0.upperBound) } ?? false
      }
      hasLow = hasLow || holds(place.low)
      hasHigh = hasHigh || holds(place.high)
    }
    if hasLow, hasHigh { return shared }
    var (low, high) = (Double.infinity, -Double.infinity)
    for run in series.runs where run.count > lag {
      let part =
        head ? run.lowerBound..<run.upperBound - lag : run.lowerBound + lag..<run.upperBound
      for i in part {
        low = min(low, series.x[i])
        high = max(high, series.x[i])
      }
    }
    let out = head ? spare.pointer : tailSpare.pointer
    for run in series.runs where run.count > lag {
      let part =
        head ? run.lowerBound..<run.upperBound - lag : run.lowerBound + lag..<run.upperBound
      Self.digits(series, part, low, high, bins, head ? bins : 1, out)
    }
    return UnsafePointer(out)
  }
}
