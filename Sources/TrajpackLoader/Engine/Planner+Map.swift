import TrajpackFormat
import TrajpackSignal
import TrajpackStore

/// Which rows of a track a window takes.
enum RowSelection {
  /// Neighbouring rows: from `source` on to the window's rows from `out` on.
  case run(source: Int, out: Int, count: Int)
  /// Those in the planner's scratch; -1 for none.
  case table
}

extension Planner {
  /// Finds the rows of a track that a group's places in a window take.
  func map(
    _ group: Group, _ window: WindowContext, _ track: Int, _ numbers: ShardIndex.TrackRecord,
    clamps: Bool
  ) throws(TrajpackError) -> RowSelection {
    let clamps = clamps && setup.options.edge == .clamp && numbers.count > 0
    isNearest =
      window.clip != nil
      && group.channels.allSatisfy { setup.layout.channels[$0].blend == .nearest }
    let shift = shift(window, track, numbers)
    if let offsets = group.offsets {
      try map(offsets, group, window, track, numbers, shift, clamps: clamps)
      if group.time != nil { try noteTimes(offsets.count, window.shard, track, numbers) }
      return .table
    }
    let first = window.anchor - setup.past
    let isReference = track == window.track || isOtherRun(track, numbers, window)
    if group.isNative, !isReference || window.clock != nil {
      return try native(group, window, track, numbers)
    }
    // Beyond its end a track that holds is looked up by time.
    let isHeld =
      group.hold?.toEnd == true
      && shift.map { first + $0 + group.length > numbers.count } == true
    if let shift, !isHeld {
      let source = first + shift
      if clamps, source < 0 || source + group.length > numbers.count {
        for t in 0..<group.length { set(t, row: source + t, of: numbers.count, clamps: true) }
        return .table
      }
      let out = min(max(0, -source), group.length)
      return .run(
        source: source + out, out: out,
        count: max(min(group.length, numbers.count - source) - out, 0))
    }
    let own = try clock(window.shard, track, numbers)
    let reference = try self.reference(window)
    for t in 0..<group.length {
      set(
        t, moment: reference.instant(first + t), own, group.hold, reference,
        isEarly: first + t < 0, clamps: clamps, snaps: false)
    }
    return .table
  }

  /// Rows at their own rate, one after the other from the window's first place on: those of all tracks of
  /// an entity follow one another.
  private func native(
    _ group: Group, _ window: WindowContext, _ track: Int, _ numbers: ShardIndex.TrackRecord
  ) throws(TrajpackError) -> RowSelection {
    let own = try rows(within: window, track, numbers)
    let out = nativeNext
    let count = min(own.count, group.length - out)
    guard count > 0 else { return .run(source: 0, out: 0, count: 0) }
    nativeNext += count
    if group.time != nil {
      let clock = try clock(window.shard, track, numbers)
      for n in 0..<count {
        ownTimes[out + n] = clock.instant(own.lowerBound + n)?.value ?? .nan
      }
    }
    return .run(source: own.lowerBound, out: out, count: count)
  }

  /// The rows of a track that lie within the time of a window.
  func rows(
    within window: WindowContext, _ track: Int, _ numbers: ShardIndex.TrackRecord
  ) throws(TrajpackError) -> Range<Int> {
    let first = window.anchor - setup.past
    func inside(_ row: Int) -> Int { min(max(row, 0), numbers.count) }
    if let shift = shift(window, track, numbers) {
      return inside(first + shift)..<inside(first + shift + end(window))
    }
    let own = try clock(window.shard, track, numbers)
    let reference = try self.reference(window)
    guard let begin = reference.instant(first) ?? reference.instant(0) else { return 0..<0 }
    let start = own.first(near: begin, rounding)
    let end =
      reference.instant(first + end(window)).map { own.first(near: $0, rounding) } ?? own.rows
    return start..<max(start, end)
  }

  private func map(
    _ offsets: [LoaderOptions.Offset], _ group: Group, _ window: WindowContext, _ track: Int,
    _ numbers: ShardIndex.TrackRecord, _ shift: Int?, clamps: Bool
  ) throws(TrajpackError) {
    let reference = try self.reference(window)
    let own = try clock(window.shard, track, numbers)
    let start = reference.instant(window.anchor)
    var row = shift.map { window.anchor + $0 }
    if row == nil, !isOtherRun(track, numbers, window) {
      // The first place is free until it is set below.
      set(
        0, moment: start, own, group.hold, reference, isEarly: false, clamps: false, snaps: true)
      row = rows[0] >= 0 ? rows[0] : nil
    }
    for (t, offset) in offsets.enumerated() {
      switch offset {
      case .rows(let rows):
        if let row {
          set(t, row: row + rows, of: numbers.count, clamps: clamps)
        } else {
          self.rows[t] = -1
          rests[t] = 0
          isDue[t] = false
        }
      case .seconds(let seconds):
        set(
          t, moment: start.map { $0 + own.snapped(seconds, rounding) }, own, group.hold,
          reference, isEarly: seconds.numerator < 0, clamps: clamps, snaps: true)
      }
    }
  }

  /// Rows by which a track's clock is ahead of the reference's, where both count alike.
  func wholeShift(
    _ window: WindowContext, _ track: Int, _ numbers: ShardIndex.TrackRecord
  ) -> Int? {
    guard window.clock == nil else { return nil }
    if track == window.track { return 0 }
    guard case .regular(let a, let rate) = window.shard.clocks[window.reference.clock] else {
      return nil
    }
    if numbers.clock == window.reference.clock { return 0 }
    guard case .regular(let b, rate) = window.shard.clocks[numbers.clock] else { return nil }
    let (whole, rest) = ((Instant(a) - Instant(b)) * Instant(rate)).split
    return rest == 0 && whole.magnitude < 1 << 48 ? whole : nil
  }

  /// The clock that counts the window's rows.
  func reference(_ window: WindowContext) throws(TrajpackError) -> TrackClock {
    if let grid = window.clock { return grid }
    return try clock(window.shard, window.track, window.reference)
  }

  private func set(_ t: Int, row: Int, of count: Int, clamps: Bool) {
    rests[t] = 0
    isDue[t] = false
    let isInside = row >= 0 && row < count
    rows[t] = isInside ? row : clamps ? min(max(row, 0), count - 1) : -1
    if !isInside, clamps, !covered[t] { repeated[t] = true }
  }

  /// Finds the row of a place by its moment.
  ///
  /// A row within the tolerance of the moment is the one at it: where the place `snaps`, for all channels;
  /// else for those that take whole rows, while others are interpolated exactly.
  private func set(
    _ t: Int, moment: Instant?, _ own: TrackClock, _ hold: RowHold?, _ reference: TrackClock,
    isEarly: Bool, clamps: Bool, snaps: Bool
  ) {
    rests[t] = 0
    rows[t] = -1
    isDue[t] = false
    guard let moment, let position = own.position(moment) else {
      if clamps { clamp(t, toFirst: isEarly, own) }
      return
    }
    // What rounding of floats adds up to at most.
    let spare = own.isExact(at: moment) ? 0 : moment.value.magnitude * 4 * Double.ulpOfOne
    func isNear(_ distance: Double, _ interval: Double) -> Bool {
      distance <= rounding.limit(interval: interval) * (1 + 1e-9) + spare
    }
    func isFresh(_ age: Double) -> Bool {
      hold?.limit.map { age <= $0.value * (1 + 1e-9) + spare } ?? true
    }
    switch position {
    case .before(let early, let interval):
      if isNear(early, interval) || isNearest && early < interval / 2 {
        rows[t] = 0
      } else if clamps {
        clamp(t, toFirst: true, own)
      }
    case .inside(let row, let rest, let interval):
      let isDueNext = rest > 0 && isNear((1 - rest) * interval, interval)
      if isDueNext, snaps {
        rows[t] = row + 1
        return
      }
      guard isDueNext || isFresh(rest * interval) else { return }
      rows[t] = row
      rests[t] = snaps && isNear(rest * interval, interval) ? 0 : rest
      isDue[t] = isDueNext
    case .after(let late, let interval):
      let holds =
        late == 0 || late < interval && !(isNearest && late > interval / 2)
        || isNear(late, interval)
        || (hold?.toEnd == true && isInside(moment, reference))
      if holds {
        rows[t] = isFresh(late) ? own.rows - 1 : -1
      } else if clamps {
        clamp(t, toFirst: false, own)
      }
    }
  }

  private func clamp(_ t: Int, toFirst: Bool, _ own: TrackClock) {
    rows[t] = toFirst ? 0 : own.rows - 1
    if !covered[t] { repeated[t] = true }
  }

  /// Whether a moment lies in the episode, as the reference counts it, and before the stream's next track.
  private func isInside(_ moment: Instant, _ reference: TrackClock) -> Bool {
    if let holdEnd, !(moment < holdEnd) { return false }
    switch reference.position(moment) {
    case .inside: return true
    case .after(let late, let interval): return late == 0 || late < interval
    case .before, nil: return false
    }
  }

  private func noteTimes(
    _ length: Int, _ shard: LoadedShard, _ track: Int, _ numbers: ShardIndex.TrackRecord
  ) throws(TrajpackError) {
    let own = try clock(shard, track, numbers)
    for t in 0..<length where rows[t] >= 0 && !covered[t] {
      guard let low = own.instant(rows[t])?.value else { continue }
      let high = rests[t] > 0 ? own.instant(rows[t] + 1)?.value ?? low : low
      ownTimes[t] = low + (high - low) * rests[t]
    }
  }

  /// Writes the times of a group's rows; NaN where an explicit clock has none.
  func times(
    _ group: Group, _ place: OutputStride, _ window: WindowContext, _ stream: Int, _ plan: BatchPlan
  ) throws(TrajpackError) {
    let reference = try self.reference(window)
    let first = window.anchor - setup.past
    for t in 0..<group.length {
      let time: Double
      if group.offsets != nil
        || (group.isNative && (stream != window.reference.stream || window.clock != nil))
      {
        time = ownTimes[t]
      } else {
        time = reference.instant(first + t)?.value ?? .nan
      }
      plan.memory.storeBytes(
        of: time, toByteOffset: place.byte(window.number, t, 0), as: Double.self)
    }
  }
}

extension TrackClock {
  /// Whether distances of its rows from a moment are exact.
  func isExact(at moment: Instant) -> Bool {
    if case .real = self { return false }
    if case .real = moment { return false }
    return true
  }

  /// A distance in time, or the whole number of rows of a regular clock that it is within the tolerance.
  func snapped(_ seconds: Rational, _ rounding: StampRounding) -> Instant {
    guard case .regular(_, let rate, let period, _) = self else { return Instant(seconds) }
    let interval = period.value
    let steps = (Instant(seconds) * rate).value
    let whole = steps.rounded()
    guard
      (steps - whole).magnitude * interval <= rounding.limit(interval: interval) * (1 + 1e-9),
      let rows = Int(exactly: whole), rows.magnitude < 1 << 48
    else { return Instant(seconds) }
    return .exact(Int128(rows), 1) * period
  }
}
