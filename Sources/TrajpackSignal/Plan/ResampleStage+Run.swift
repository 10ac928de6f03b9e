import Glibc
import TrajpackFormat

extension ResampleStage {
  /// Brings every column to the new clock.
  func run(
    _ track: inout PlanTrack, _ key: PlanKey, target: PlanClock
  ) throws(TrajpackError) {
    let columns = track.columns
    let (clock, line) = try source(track.clock)
    let isSame = target == clock && keepsSameClock
    var notes = line.map { ["times taken as regular: \($0.words)"] } ?? []
    let made = try clock.withTimes { (source) throws(TrajpackError) in
      try target.withTimes { (times) throws(TrajpackError) in
        var work = try Work(self, clock, source, target, times)
        var made: [PlanColumn] = []
        for (i, column) in columns.enumerated() {
          try Interruption.check()
          do throws(TrajpackError) {
            made.append(
              isSame && ways[i].isValue
                ? column.kept(ways[i]) : try work.column(column, ways[i]))
          } catch {
            throw error.within(
              "channel '\(stream)/\(column.channel.name)'",
              at: ErrorPlace(stream: stream, channel: column.channel.name))
          }
        }
        notes += work.notes
        return made
      }
    }
    track = PlanTrack(clock: target, columns: made, notes: track.notes + notes)
  }

  /// Whether a stream that has the new clock already stays as it is: unless a method is named, which may
  /// be to fill what is missing.
  private var keepsSameClock: Bool {
    guard case .path(let methods, _) = step.how else { return false }
    return methods == PlanRules(.auto)
  }

  /// What the columns of one track share.
  private struct Work {
    let stage: ResampleStage
    let clock: PlanClock
    let source: Times
    let target: Times
    let targetClock: PlanClock
    var resamplers: [ChannelMethod: Resampler] = [:]
    var rowNumbers: [ChannelMethod: [Int]] = [:]
    var bins: BinPlan?
    var notes: [String] = []
    /// The rows that the new rows are at but for rounding.
    var near: NearRows?

    init(
      _ stage: ResampleStage, _ clock: PlanClock, _ source: Times, _ targetClock: PlanClock,
      _ target: Times
    ) throws(TrajpackError) {
      self.stage = stage
      self.clock = clock
      self.source = source
      self.target = target
      self.targetClock = targetClock
      if case .onto = stage.step.target, source.count > 0 {
        near = try NearRows(source, target, StampRounding(stage.step.rounding?.value))
      }
      guard case .bins = stage.step.how else { return }
      let rate: Rational
      switch (stage.step.target, clock) {
      case (.rate(let given), _): rate = given
      case (.ratio, _):
        guard case .regular(let grid, _, _) = targetClock else { return }
        rate = grid.rate
      default: return
      }
      let grid = try stage.binGrid(clock, rate)
      bins = try BinPlan(
        source, bins: try grid.clock.starting(atRow: grid.rows.lowerBound), count: grid.rows.count)
    }

    mutating func column(_ column: PlanColumn, _ way: ChannelMethod) throws(TrajpackError)
      -> PlanColumn
    {
      switch way {
      case .rows, .binRow: return column.rows(try numbers(way))
      case .count, .since: return try events(column, way)
      case .bin(let statistic): return try binned(column.asFloats(), statistic)
      case .binAngle(let range):
        guard let bins else { return column }
        return try column.asFloats().mapped(vectors: 0) {
          (x, width, out, mask) throws(TrajpackError) in
          try bins.applyMean(of: range, x, components: width, into: out, mask: mask)
        } double: { (x, width, out, mask) throws(TrajpackError) in
          try bins.applyMean(of: range, x, components: width, into: out, mask: mask)
        } rows: {
          bins.bins
        }
      case .binSphere(let areQuaternions):
        guard let bins else { return column }
        return try column.asFloats().mapped(vectors: column.channel.shape.last ?? 1) {
          (x, width, out, mask) throws(TrajpackError) in
          try bins.applySphereMean(
            areQuaternions: areQuaternions, x, components: width, into: out, mask: mask)
        } double: { (x, width, out, mask) throws(TrajpackError) in
          try bins.applySphereMean(
            areQuaternions: areQuaternions, x, components: width, into: out, mask: mask)
        } rows: {
          bins.bins
        }
      case .path(let kind, let method, let rules):
        let resampler = try resampler(way, kind, method, rules)
        let size: Int
        if case .sphere = method { size = column.channel.shape.last ?? 1 } else { size = 0 }
        let floats = column.asFloats()
        let made = try floats.mapped(vectors: size) {
          (x, width, out, mask) throws(TrajpackError) in
          try resampler.apply(x, components: width, into: out, mask: mask)
        } double: { (x, width, out, mask) throws(TrajpackError) in
          try resampler.apply(x, components: width, into: out, mask: mask)
        } rows: {
          resampler.plan.rows
        }
        guard let near else { return made }
        if case .interpolate(let how) = method, how.isSelection {
          return made.taking(near.rows, of: floats)
        }
        return rules.edge == .missing ? made.taking(near.outside, of: floats) : made
      case .polyphase(let rules): return try filtered(column.asFloats(), rules)
      }
    }

    private mutating func resampler(
      _ way: ChannelMethod, _ kind: Kind, _ method: ResampleMethod, _ rules: ResampleStep.PathRules
    ) throws(TrajpackError) -> Resampler {
      if let known = resamplers[way] { return known }
      let resampler = try Resampler(
        kind, from: source, to: target, method: method, edges: rules.edge.policy,
        gapLimit: rules.gap,
        antiAliasing: rules.antiAlias, clock: rules.clock)
      resamplers[way] = resampler
      var words = resampler.report.words
      if case .times = stage.step.target { words = "no filter: given times are not filtered for" }
      note(words)
      return resampler
    }

    private mutating func note(_ words: String) {
      if !notes.contains(words) { notes.append(words) }
    }

    /// The source row of each output row; -1 for none.
    mutating func numbers(_ way: ChannelMethod) throws(TrajpackError) -> [Int] {
      if let known = rowNumbers[way] { return known }
      var result: [Int] = []
      switch way {
      case .rows(let how, let rules):
        let plan = try ResamplePlan(
          from: source, to: target, edges: rules.edge.policy, gapLimit: rules.gap)
        var rows = [Int32](repeating: 0, count: plan.rows)
        try rows.withUnsafeMutableBufferPointer { (buffer) throws(TrajpackError) in
          try plan.rowIndices(how, into: buffer)
        }
        result = rows.map { Int($0) }
        for (i, row) in (near?.rows ?? []).enumerated() where row >= 0 { result[i] = row }
      case .binRow(let isLast):
        result = [Int](repeating: -1, count: bins?.bins ?? 0)
        for (row, bin) in (bins?.index ?? []).enumerated() where bin >= 0 {
          if isLast || result[Int(bin)] < 0 { result[Int(bin)] = row }
        }
      default: break
      }
      rowNumbers[way] = result
      return result
    }

    private func binned(
      _ column: PlanColumn, _ statistic: BinStatistic
    ) throws(TrajpackError) -> PlanColumn {
      guard let bins else { return column }
      let made = try column.mapped(vectors: 0) { (x, width, out, mask) throws(TrajpackError) in
        try bins.apply(statistic, x, components: width, into: out, mask: mask)
      } double: { (x, width, out, mask) throws(TrajpackError) in
        try bins.apply(statistic, x, components: width, into: out, mask: mask)
      } rows: {
        bins.bins
      }
      return statistic == .count ? made.counts() : made
    }

    private mutating func filtered(
      _ column: PlanColumn, _ rules: ResampleStep.PathRules
    ) throws(TrajpackError) -> PlanColumn {
      guard case .regular(let from, let first, let count) = clock,
        case .regular(let to, let start, let rows) = targetClock
      else {
        throw TrajpackError(
          .usage, "a polyphase filter goes from one regular clock to another: use linear, or bins")
      }
      guard let ratio = to.rate.divided(by: from.rate), ratio.numerator <= 100_000,
        ratio.denominator <= 100_000
      else {
        throw TrajpackError(
          .usage, "the rates \(from.rate) and \(to.rate) have too long a filter: use simpler ones")
      }
      let (up, down) = (Int(ratio.numerator), Int(ratio.denominator))
      guard to.start == from.start, first % down == 0 else {
        throw TrajpackError(
          .usage, "a polyphase filter needs clocks that begin together: use \"origin\": \"start\"")
      }
      let filter = try LowPass(up: up, down: down)
      note(
        "polyphase up \(up) down \(down), half length \(filter.halfLength), Kaiser beta \(filter.beta)"
      )
      let bridge = rules.gap.map { limit in
        max(Int(clamping: min(limit.value * from.rate.value * (1 + 1e-12), 1e15)) - 1, 0)
      }
      let whole = try column.mapped(vectors: 0) { (x, width, out, mask) throws(TrajpackError) in
        try filter.apply(
          x, rows: count, components: width, edges: rules.padding.edges, bridge: bridge ?? .max / 2,
          into: out, mask: mask)
      } double: { (x, width, out, mask) throws(TrajpackError) in
        try filter.apply(
          x, rows: count, components: width, edges: rules.padding.edges, bridge: bridge ?? .max / 2,
          into: out, mask: mask)
      } rows: {
        filter.outputRows(count)
      }
      // The filter's row 0 lies at the first row that is here.
      let skip = start - first / down * up
      return whole.rows((0..<rows).map { skip + $0 < filter.outputRows(count) ? skip + $0 : -1 })
    }

    /// Events up to each row: how many since the row before, or how long ago the last one was.
    private func events(_ column: PlanColumn, _ way: ChannelMethod) throws(TrajpackError)
      -> PlanColumn
    {
      var rounding: StampRounding?
      if case .onto = stage.step.target { rounding = StampRounding(stage.step.rounding?.value) }
      let plan = try AlignPlan(source, to: target, .backward, rounding: rounding)
      let width = column.channel.elements
      let x = column.doubles()
      var counts: [UInt8] = []
      var since = [Double](repeating: .nan, count: plan.rows.count * width)
      for c in 0..<width {
        // The last event at or before each source row, and how many there were.
        var last: [Int] = []
        var total: [Int32] = []
        for row in 0..<source.count {
          let isEvent = !x[row * width + c].isNaN && x[row * width + c] != 0
          last.append(isEvent ? row : last.last ?? -1)
          total.append((total.last ?? 0) + (isEvent ? 1 : 0))
        }
        if way == .count {
          if c == 0 { counts = [UInt8](repeating: 0, count: plan.rows.count * width * 4) }
          var before: Int32 = 0
          for (i, row) in plan.rows.enumerated() {
            let now = row >= 0 ? total[Int(row)] : 0
            for k in 0..<4 {
              counts[(i * width + c) * 4 + k] = UInt8(
                truncatingIfNeeded: (now - before) >> (8 * Int32(k)))
            }
            before = now
          }
          continue
        }
        for (i, row) in plan.rows.enumerated() where row >= 0 && last[Int(row)] >= 0 {
          since[i * width + c] = max(-plan.offsets[i], 0) + 0
          since[i * width + c] += try clock.span(from: last[Int(row)], to: Int(row))
        }
      }
      var made = column
      made.observed = nil
      if way == .count {
        made.channel.type = .int32
        made.values = .opaque(counts, rowBytes: width * 4)
      } else {
        made.channel.type = .float64
        made.values = .float64(since)
      }
      return made
    }
  }
}

/// The source row of each moment that lies beside it by no more than what times are rounded by.
private struct NearRows {
  /// The row; -1 where there is none, or one at the very moment.
  var rows: [Int]
  /// The same, of moments before the first row and after the last alone.
  var outside: [Int]

  init(
    _ source: Times, _ target: Times, _ rounding: StampRounding
  ) throws(TrajpackError) {
    let later = try AlignPlan(source, to: target, .backward, rounding: rounding)
    let earlier = try AlignPlan(source, to: target, .forward, rounding: rounding)
    rows = [Int](repeating: -1, count: target.count)
    outside = rows
    for i in rows.indices {
      let (after, before) = (later.offsets[i], -earlier.offsets[i])
      if after > 0, !(before > 0 && before < after) {
        rows[i] = Int(later.rows[i])
        if rows[i] == 0 { outside[i] = 0 }
      } else if before > 0 {
        rows[i] = Int(earlier.rows[i])
        if rows[i] == source.count - 1 { outside[i] = rows[i] }
      }
    }
  }
}

extension ResampleStage.ChannelMethod {
  /// Whether it gives values of the channel at other times, and not something else about it.
  fileprivate var isValue: Bool {
    switch self {
    case .path, .polyphase, .rows: true
    case .count, .since, .bin, .binAngle, .binSphere, .binRow: false
    }
  }
}

extension PlanColumn {
  /// The column as it is, in the type that its way gives.
  fileprivate func kept(_ way: ResampleStage.ChannelMethod) -> PlanColumn {
    if case .rows = way { return self }
    return asFloats()
  }
}

extension PlanClock {
  /// Time between two rows that are here.
  fileprivate func span(from a: Int, to b: Int) throws(TrajpackError) -> Double {
    switch self {
    case .regular(let clock, _, _): Double(b - a) / clock.rate.value
    case .ticks(let ticks, let unit, _, _): (Double(ticks[b]) - Double(ticks[a])) * unit.value
    case .floats(let times, _, _): times[b] - times[a]
    }
  }
}

/// A number with six digits, as notes show it.
private func rounded(_ value: Double) -> String {
  guard value != 0, value.isFinite else { return value == 0 ? "0" : "\(value)" }
  let scale = pow(10, 5 - log10(abs(value)).rounded(.down))
  return "\((value * scale).rounded() / scale)"
}

extension ClockLine {
  /// The line in words.
  var words: String {
    "period \(rounded(period)), stamps at most \(rounded(deviation)) from it"
      + (skipped > 0 ? ", \(skipped) periods skipped" : "")
  }
}

extension FilterReport {
  /// The filter in words.
  var words: String {
    switch self {
    case .none(let why): "no filter: \(why)"
    case .polyphase(let up, let down, let half, let beta):
      "polyphase up \(up) down \(down), half length \(half), Kaiser beta \(beta)"
    case .lowPass(let cutoff, let half, let beta):
      "low-pass at \(cutoff) of half the rate, half length \(half), Kaiser beta \(beta)"
    case .sinc(let cutoff, let half, let line):
      "windowed sinc at \(rounded(cutoff)) of half the rate, half length \(rounded(half)) rows, Kaiser beta "
        + "\(WindowedSinc.beta); \(line.words)"
    case .movingMean(let width):
      "moving mean of the linear path over \(width), since the times have no regular clock"
    }
  }
}
