import TrajpackFormat

/// A mask bound to the channels of a stream. The chosen channels, side by side in their order, are the
/// columns that a mechanism sees.
struct MaskStage: PlanStage {
  let step: MaskStep
  /// The channels that lose entries.
  let columns: [Int]
  /// Element and weight of each driver, among the elements of ``seen``.
  private let drivers: [(element: Int, weight: Double)]
  /// The channels that the mechanism looks at: ``columns``, and drivers beside them.
  let seen: [Int]

  /// `nil` where the step does not concern the stream.
  init?(
    _ step: MaskStep, _ stream: String, _ channels: [Channel], isVideo: Bool
  ) throws(TrajpackError) {
    self.step = step
    var columns: [Int] = []
    for (i, channel) in channels.enumerated() where step.channels.contains(stream, channel) {
      if channel.type == .bytes || isVideo {
        guard step.channels.names(stream, channel) else { continue }
        throw TrajpackError(
          .usage,
          "channel '\(stream)/\(channel.name)' holds \(isVideo ? "packets" : "text"), whose absence is not "
            + "masked: leave it out")
      }
      columns.append(i)
    }
    var drivers: [(element: Int, weight: Double)] = []
    var seen: [Int] = []
    if step.mechanism == .drivers {
      var first = 0
      for driver in step.drivers {
        guard let i = channels.firstIndex(where: { "\(stream)/\($0.name)" == driver.channel })
        else {
          continue
        }
        guard channels[i].type != .bytes else {
          throw TrajpackError(.usage, "driver '\(driver.channel)' holds text: name numbers")
        }
        for k in 0..<channels[i].elements { drivers.append((first + k, driver.weight)) }
        first += channels[i].elements
        seen.append(i)
      }
      // A driver keeps its own entries.
      columns.removeAll { seen.contains($0) }
      if drivers.isEmpty { return nil }
    }
    if columns.isEmpty { return nil }
    self.columns = columns
    self.drivers = drivers
    self.seen = seen + columns
  }

  /// Whether each row can be masked without the others.
  var isLocal: Bool {
    switch step.mechanism {
    case .entries, .keptRows, .channels, .listed: true
    default: false
    }
  }

  func run(
    _ track: inout PlanTrack, _ key: PlanKey, _ target: PlanTarget
  ) throws(TrajpackError) {
    let rows = track.clock.count
    let first = track.clock.first
    if step.mechanism == .entries {
      for i in columns {
        let width = track.columns[i].width
        let random = CounterRandom(
          seed: step.seed, stream: key.word(channel: track.columns[i].channel.name, step.draw))
        var mask = [MaskByte](repeating: 1, count: rows * width)
        random.each(first * width..<(first + rows) * width) { k, uniform in
          if uniform < step.amount { mask[k] = 0 }
        }
        track.columns[i].take(mask)
      }
      return
    }
    let widths = seen.map { track.columns[$0].width }
    let components = widths.reduce(0, +)
    var mask = matrix(track, widths, components)
    if rows == 0 { return }
    try apply(track, key, &mask, components, first)
    var start = 0
    for (i, width) in zip(seen, widths) {
      if columns.contains(i) {
        var own = [MaskByte](repeating: 1, count: rows * width)
        for row in 0..<rows {
          for k in 0..<width { own[row * width + k] = mask[row * components + start + k] }
        }
        track.columns[i].take(own)
      }
      start += width
    }
  }

  /// What is observed, side by side.
  private func matrix(_ track: PlanTrack, _ widths: [Int], _ components: Int) -> [MaskByte] {
    let rows = track.clock.count
    var mask = [MaskByte](repeating: 1, count: rows * components)
    var start = 0
    for (i, width) in zip(seen, widths) {
      let own = track.columns[i].mask()
      for row in 0..<rows {
        for k in 0..<width { mask[row * components + start + k] = own[row * width + k] }
      }
      start += width
    }
    return mask
  }

  private func apply(
    _ track: PlanTrack, _ key: PlanKey, _ mask: inout [MaskByte], _ components: Int, _ first: Int
  ) throws(TrajpackError) {
    let rows = track.clock.count
    let word = key.word(channel: "", step.draw)
    func drop(_ row: Int, _ mask: inout [MaskByte]) {
      for k in 0..<components { mask[row * components + k] = 0 }
    }
    let mechanism: Missingness
    switch step.mechanism {
    case .keptRows:
      var dropped: [Int] = []
      CounterRandom(seed: step.seed, stream: word).each(first..<first + rows) { k, uniform in
        if uniform >= step.amount { dropped.append(k) }
      }
      for row in dropped { drop(row, &mask) }
      return
    case .listed:
      for row in step.rows.first(where: { $0.episode == key.episode })?.rows ?? []
      where track.clock.rows.contains(row) { drop(row - first, &mask) }
      return
    case .entries: return
    case .exact: mechanism = .exactEntries(fraction: step.amount)
    case .rows: mechanism = .rows(fraction: step.amount)
    case .blocks:
      mechanism = .blocks(fraction: step.amount, length: step.length, width: step.width)
    case .channels: mechanism = .channels(count: step.count)
    case .drivers:
      mechanism = .byDrivers(
        fraction: step.amount, drivers: drivers.map(\.element), weights: drivers.map(\.weight))
    case .value: mechanism = .byValue(fraction: step.amount, slope: step.slope)
    case .above: mechanism = .above(offset: step.offset)
    case .time: mechanism = .byTime(cycle: step.cycle, phase: step.phase, scale: step.scale)
    }
    var x: [Double] = []
    switch step.mechanism {
    case .drivers, .value, .above: x = values(track, components)
    default: break
    }
    try x.withUnsafeBufferPointer { (x) throws(TrajpackError) in
      try mask.withUnsafeMutableBufferPointer { (mask) throws(TrajpackError) in
        try mechanism.apply(
          x, rows: rows, components: components, mask: mask, seed: step.seed, stream: word)
      }
    }
  }

  private func values(_ track: PlanTrack, _ components: Int) -> [Double] {
    let rows = track.clock.count
    var x = [Double](repeating: 0, count: rows * components)
    var start = 0
    for i in seen {
      let own = track.columns[i].doubles()
      let width = track.columns[i].width
      for row in 0..<rows {
        for k in 0..<width { x[row * components + start + k] = own[row * width + k] }
      }
      start += width
    }
    return x
  }
}

extension CounterRandom {
  /// Uniforms of a run of words: the place in the run, and the number.
  fileprivate func each(_ words: Range<Int>, _ body: (Int, Double) -> Void) {
    var index = words.lowerBound
    while index < words.upperBound {
      let block = block(UInt64(index / 4))
      repeat {
        body(index - words.lowerBound, Self.uniform(block[index % 4]))
        index += 1
      } while index < words.upperBound && index % 4 != 0
    }
  }
}

extension PlanColumn {
  /// One byte an element, 1 where it was observed.
  func mask() -> [MaskByte] {
    switch values {
    case .float32(let x): x.map { $0.isNaN ? 0 : 1 }
    case .float64(let x): x.map { $0.isNaN ? 0 : 1 }
    case .opaque(let bytes, let size):
      observed ?? [MaskByte](repeating: 1, count: size > 0 ? bytes.count / size * width : 0)
    }
  }

  /// Takes the elements away whose byte is 0; their values too, so that nothing of them is left.
  mutating func take(_ mask: [MaskByte]) {
    switch values {
    case .float32(var x):
      for i in x.indices where mask[i] == 0 { x[i] = .nan }
      values = .float32(x)
    case .float64(var x):
      for i in x.indices where mask[i] == 0 { x[i] = .nan }
      values = .float64(x)
    case .opaque(var bytes, let size):
      var seen = self.mask()
      let element = size / max(width, 1)
      for i in seen.indices where mask[i] == 0 {
        seen[i] = 0
        for k in 0..<element { bytes[i * element + k] = 0 }
      }
      observed = seen
      values = .opaque(bytes, rowBytes: size)
    }
  }
}

extension MaskStep {
  package static var name: String { "mask" }
  package var selection: ChannelSelection { channels }

  package func checkNames(
    _ channels: [(stream: String, channel: Channel)]
  ) throws(TrajpackError) {
    guard mechanism == .drivers else { return }
    for driver in self.drivers {
      try within("'drivers'") { () throws(TrajpackError) in
        try Self.require(driver.channel, channels)
      }
    }
    let drivers = Set(self.drivers.map(\.channel))
    let streams = Set(
      channels.filter { drivers.contains("\($0.stream)/\($0.channel.name)") }.map(\.stream))
    let masked = channels.contains { stream, channel in
      streams.contains(stream) && channel.type != .bytes
        && self.channels.contains(stream, channel)
        && !drivers.contains("\(stream)/\(channel.name)")
    }
    guard masked else {
      throw TrajpackError(
        .usage,
        "no channel is left to mask: drivers keep their own entries and decide about other channels of "
          + "their stream; name fewer drivers, or more channels")
    }
  }

  package func stage(
    in program: inout PlanProgram, isVideo: Bool
  ) throws(TrajpackError) -> (any PlanStage)? {
    let made = try MaskStage(self, program.stream, program.outputs, isVideo: isVideo)
    guard let made else { return nil }
    for i in made.columns { program.outputs[i].allowMissing() }
    // What was taken away before decides what is left to be taken.
    if draw == .epoch
      || made.seen.contains(where: { program.varying.contains(program.outputs[$0].name) })
    {
      program.varying.formUnion(made.columns.map { program.outputs[$0].name })
    }
    return made
  }
}
