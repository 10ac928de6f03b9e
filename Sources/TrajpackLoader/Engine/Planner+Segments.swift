import TrajpackFormat

extension Planner {
  /// Orders the rows of a set: segments of chunks, and what is to be done with them afterwards.
  func place(
    _ set: RowSelection, group g: Int, slot: Int, _ window: WindowContext, _ track: Int,
    _ numbers: ShardIndex.TrackRecord, _ plan: BatchPlan
  ) throws(TrajpackError) {
    let length = setup.layout.groups[g].length
    if case .run(let source, let out, let count) = set {
      var next = out
      while let part = uncovered(next..<out + count) {
        covered.withUnsafeMutableBufferPointer { $0[part].update(repeating: true) }
        try run(
          source: source + part.lowerBound - out, out: part.lowerBound, count: part.count, g, slot,
          window, track, numbers, plan)
        next = part.upperBound
      }
      return
    }
    var runs = 0
    var members = 0
    var isBetween = false
    var (least, most) = (Int.max, -1)
    for t in 0..<length where rows[t] >= 0 {
      // Another track of the stream has a row there.
      guard !covered[t] else {
        rows[t] = -1
        continue
      }
      covered[t] = true
      members += 1
      if t == 0 || rows[t] != rows[t - 1] + 1 || rows[t - 1] < 0 { runs += 1 }
      if rests[t] > 0 { isBetween = true }
      least = min(least, rows[t])
      most = max(most, rests[t] > 0 ? rows[t] + 1 : rows[t])
    }
    guard members > 0 else { return }
    let isCompact = most - least < 4 * members
    if !isBetween, runs * 4 <= members || !isCompact {
      var t = 0
      while t < length {
        guard rows[t] >= 0 else {
          t += 1
          continue
        }
        let first = t
        repeat { t += 1 } while t < length && rows[t] == rows[t - 1] + 1
        try run(
          source: rows[first], out: first, count: t - first, g, slot, window, track, numbers, plan)
      }
      return
    }
    for program in window.shard.programs.groups[g] {
      if program.frames != nil {
        try frames(
          frameRows(program, length: length), program, track, numbers, slot: slot, window, plan)
        continue
      }
      let base = plan.stage((isCompact ? most - least + 1 : 2 * members) * program.stagedRow)
      let firstMap = plan.maps.count
      if isCompact {
        segments(
          program, source: least, count: most - least + 1, out: 0, staging: base, isStaged: true,
          slot,
          window, numbers, plan)
      }
      var next = 0
      for t in 0..<length where rows[t] >= 0 {
        var low = rows[t] - least
        var high = rests[t] > 0 ? low + 1 : low
        if !isCompact {
          let count = rests[t] > 0 ? 2 : 1
          segments(
            program, source: rows[t], count: count, out: 0,
            staging: base + next * program.stagedRow,
            isStaged: true, slot, window, numbers, plan)
          (low, high) = (next, next + count - 1)
          next += 2
        }
        plan.maps.append(
          RowInterpolation(
            out: Int32(t), low: Int32(low), high: Int32(high), isDue: isDue[t], rest: rests[t]))
      }
      plan.finishes.append(
        ConversionTask(
          work: .blend(.passUnretained(program), first: firstMap), window: Int32(window.number),
          slot: Int32(slot), outRow: 0, count: Int32(plan.maps.count - firstMap), staging: base))
    }
  }

  /// The first neighbours among a window's rows that no track has given yet.
  private func uncovered(_ rows: Range<Int>) -> Range<Int>? {
    covered.withUnsafeBufferPointer { covered in
      guard let first = rows.first(where: { !covered[$0] }) else { return nil }
      let end = (first..<rows.upperBound).first { covered[$0] }
      return first..<(end ?? rows.upperBound)
    }
  }

  private func run(
    source: Int, out: Int, count: Int, _ g: Int, _ slot: Int, _ window: WindowContext,
    _ track: Int, _ numbers: ShardIndex.TrackRecord, _ plan: BatchPlan
  ) throws(TrajpackError) {
    for program in window.shard.programs.groups[g] {
      if program.frames != nil {
        try frames(
          (0..<count).map { (out + $0, source + $0) }, program, track, numbers, slot: slot, window,
          plan)
        continue
      }
      let base = program.directRow > 0 ? plan.stage(count * program.directRow) : 0
      segments(
        program, source: source, count: count, out: out, staging: base, isStaged: false, slot,
        window,
        numbers, plan)
      if !program.directFinishes.isEmpty {
        plan.finishes.append(
          ConversionTask(
            work: .convert(.passUnretained(program)), window: Int32(window.number),
            slot: Int32(slot),
            outRow: Int32(out), count: Int32(count), staging: base))
      }
    }
  }

  /// Cuts neighbouring rows at the borders of chunks.
  private func segments(
    _ program: GroupProgram, source: Int, count: Int, out: Int, staging: Int, isStaged: Bool,
    _ slot: Int, _ window: WindowContext, _ numbers: ShardIndex.TrackRecord, _ plan: BatchPlan
  ) {
    let rowBytes = isStaged ? program.stagedRow : program.directRow
    let begin = numbers.first + source
    var row = begin
    let end = begin + count
    while row < end {
      let chunk = row / program.chunkRows
      let inside = row - chunk * program.chunkRows
      let part = min(end - row, program.chunkRows - inside)
      plan.segments.append(
        Segment(
          key: Segment.key(shard: window.shard.number, read: program.read, chunk: chunk),
          program: .passUnretained(program), row: Int32(inside), count: Int32(part),
          window: Int32(window.number), slot: Int32(slot), outRow: Int32(out + row - begin),
          isStaged: isStaged, staging: staging + (row - begin) * rowBytes))
      row += part
    }
  }
}
