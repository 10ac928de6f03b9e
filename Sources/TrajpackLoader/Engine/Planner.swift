import TrajpackFormat
import TrajpackSignal
import TrajpackStore

/// Works out what is to be read for a batch. One thread at a time.
final class Planner {
  let setup: LoaderSetup
  /// Where frames of videos come from; shared with those who decode them.
  var frameSource: FrameSource?
  /// The option 'tolerance': the options themselves are too large to be copied for every row.
  let rounding: StampRounding
  /// Clocks of tracks with explicit times, while they are likely to be asked for again.
  private var clocks: [UInt64: TrackClock] = [:]
  private var clockRows = 0
  private var readers: [Int: BlockReader] = [:]
  // Scratch of one group: the row of each place, and how far on the way to the next.
  var rows: [Int] = []
  var rests: [Double] = []
  // Whether the next row is so near that channels of whole rows take it.
  var isDue: [Bool] = []
  // Which output rows have data, and which of those repeat the nearest row.
  var covered: [Bool] = []
  var repeated: [Bool] = []
  // The times of rows that are counted on the stream's own clock.
  var ownTimes: [Double] = []
  /// The next free row of a group at its own rate.
  var nativeNext = 0
  /// Whether rows of a clip are found, none of which is farther away than half an interval.
  var isNearest = false
  /// Where the stream's next track begins, up to which a row may be held.
  var holdEnd: Instant?
  private var slotEntities: [Int] = []
  /// The span of a split that the window lies in.
  var span: SplitScheme.Span?
  /// Clocks of explicit times that were cut to such spans.
  var cutClocks: [CutClock] = []

  init(_ setup: LoaderSetup) {
    self.setup = setup
    rounding = StampRounding(setup.options.tolerance)
  }

  /// Plans a batch of an epoch.
  ///
  /// - Throws: A data error where the times of a track are damaged.
  func plan(
    _ places: [WindowOrder.Reference], epoch: UInt64, into plan: BatchPlan
  ) throws(TrajpackError) {
    plan.places = places
    plan.epoch = epoch
    plan.episodes.removeAll(keepingCapacity: true)
    if !setup.layout.firstEpisodes.isEmpty {
      plan.episodes = [Int](repeating: 0, count: places.count)
    }
    plan.segments.removeAll(keepingCapacity: true)
    plan.finishes.removeAll(keepingCapacity: true)
    plan.finishStarts.removeAll(keepingCapacity: true)
    plan.maps.removeAll(keepingCapacity: true)
    plan.stagingBytes = 0
    if let frames = setup.frames, frames.follows {
      plan.mirrored = [Bool](repeating: false, count: places.count)
      plan.pixelMaps = [PixelMap](
        repeating: PixelMap(), count: places.count * frames.followed.count)
    }
    plan.remaining = [Int32](repeating: 0, count: places.count)
    plan.failures = [TrajpackError?](repeating: nil, count: places.count)
    for (number, place) in places.enumerated() {
      plan.finishStarts.append(plan.finishes.count)
      do throws(TrajpackError) {
        try window(number, place, plan)
      } catch {
        guard setup.options.skipsErrors, error.fault == .data else { throw error }
        plan.failures[number] = error
      }
    }
    plan.finishStarts.append(plan.finishes.count)
    try plan.seal()
  }

  func window(
    _ number: Int, _ place: WindowOrder.Reference, _ plan: BatchPlan
  ) throws(TrajpackError) {
    let source = setup.sources[place.dataset]
    let location = source.locate(place.window)
    let context = try context(
      number: number, location.shard, location.track, anchor: location.anchor, span: location.span,
      clip: location.clip)
    if !plan.episodes.isEmpty {
      plan.episodes[number] =
        setup.layout.firstEpisodes[place.dataset] + context.shard.firstEpisode
        + context.reference.episode
    }
    try geometry(context, plan)
    if let places = setup.layout.meta { try meta(places, place, context, plan) }
    if !setup.layout.values.isEmpty { values(place, context, plan) }
    for group in setup.layout.groups.indices {
      if setup.layout.groups[group].entities == 0 {
        try single(group, context, plan)
      } else {
        try entities(group, context, plan)
      }
    }
  }

  /// Writes which window it is.
  private func meta(
    _ places: MetaPlaces, _ place: WindowOrder.Reference, _ window: WindowContext, _ plan: BatchPlan
  ) throws(TrajpackError) {
    func put<T>(_ value: T, _ place: OutputStride) {
      plan.memory.storeBytes(of: value, toByteOffset: place.byte(window.number, 0, 0), as: T.self)
    }
    put(Int64(place.dataset), places.dataset)
    put(Int64(window.shard.firstEpisode + window.reference.episode), places.episode)
    put(
      Int64(
        window.clip.map { $0.before + $0.row } ?? earlierRows(window) + window.anchor + window.cut),
      places.row)
    if let clip = window.clip, let place = places.clip { put(Int64(clip.number), place) }
    put(Int64(clamping: place.window), places.window)
    let split = window.shard.index.split(ofEpisode: window.reference.episode)
    let name = split < 0 ? nil : window.shard.index.schema.splits[split]
    let moment = try reference(window).instant(window.anchor)
    let code = setup.splits?.code(
      dataset: place.dataset, episode: window.shard.firstEpisode + window.reference.episode,
      own: name, at: moment)
    put(Int32(code ?? -1), places.split)
    put(moment?.value ?? .nan, places.time)
  }

  /// Writes what is known of the window's recording.
  func values(_ place: WindowOrder.Reference, _ window: WindowContext, _ plan: BatchPlan) {
    let episode = window.shard.firstEpisode + window.reference.episode
    for (table, places) in zip(setup.values.tables, setup.layout.values) {
      let size = table.rowBytes
      table.bytes[place.dataset].withUnsafeBytes { bytes in
        guard let start = bytes.baseAddress else { return }
        (plan.memory + places.value.byte(window.number, 0, 0)).copyMemory(
          from: start + episode * size, byteCount: size)
      }
      guard let observed = places.observed else { continue }
      plan.memory.storeBytes(
        of: table.present[place.dataset][episode],
        toByteOffset: observed.byte(window.number, 0, 0), as: UInt8.self)
    }
  }

  /// The clock that counts a window's rows; `nil` where it is the track's own and nobody has asked.
  func referenceClock(
    _ shard: LoadedShard, _ track: Int, _ numbers: ShardIndex.TrackRecord
  ) throws(TrajpackError) -> TrackClock? {
    guard let rate = setup.options.rate else { return nil }
    let own = try wholeClock(shard, track, numbers)
    return try within(shard.place(ofTrack: track), at: shard.errorPlace(ofTrack: track)) {
      () throws(TrajpackError) in
      try own.grid(rate)
    } ?? own
  }

  /// The clock of a track, of all its rows.
  func wholeClock(
    _ shard: LoadedShard, _ track: Int, _ numbers: ShardIndex.TrackRecord
  ) throws(TrajpackError) -> TrackClock {
    let clock = shard.clocks[numbers.clock]
    if case .regular(let start, let rate) = clock {
      return TrackClock(start: start, rate: rate, rows: numbers.count)
    }
    let key = UInt64(shard.number) << 40 | UInt64(track)
    if let known = clocks[key] { return known }
    // Some 16 MB of times are kept.
    if clockRows + numbers.count > 2 << 20 {
      clocks.removeAll()
      clockRows = 0
    }
    let reader = readers[shard.number] ?? BlockReader(shard.shard)
    if readers.count > 64 { readers.removeAll() }
    readers[shard.number] = reader
    let made = try shard.view.trackClock(track, reader: reader)
    clocks[key] = made
    clockRows += numbers.count
    return made
  }

  /// A group of a stream that belongs to the episode: one track, or several with gaps between.
  private func single(
    _ g: Int, _ window: WindowContext, _ plan: BatchPlan
  ) throws(TrajpackError) {
    let group = setup.layout.groups[g]
    let stream = window.shard.programs.streams[g]
    let isReference = stream == window.reference.stream
    reset(group.length)
    if isReference {
      try runsOfReference(g, window, plan)
    } else if stream >= 0 {
      let tracks = window.shard.index.tracks(ofEpisode: window.reference.episode)
      var count = 0
      for track in tracks {
        guard window.shard.numbers(ofTrack: track).stream == stream else { continue }
        let numbers = try numbers(window.shard, track)
        if numbers.stream == stream, numbers.count > 0 { count += 1 }
      }
      // Rows at their own rate follow one another; of others, the later track's count where two have one.
      func take(_ track: Int) throws(TrajpackError) {
        guard window.shard.numbers(ofTrack: track).stream == stream else { return }
        let numbers = try numbers(window.shard, track)
        guard numbers.count > 0 else { return }
        let map = limited(
          try map(group, window, track, numbers, clamps: count == 1), group, window)
        try place(map, group: g, slot: 0, window, track, numbers, plan)
        if group.hold?.toEnd == true, count > 1 {
          holdEnd = try clock(window.shard, track, numbers).instant(0)
        }
      }
      holdEnd = nil
      if group.isNative || count == 1 {
        for track in tracks { try take(track) }
      } else {
        for track in tracks.reversed() { try take(track) }
      }
    }
    finish(group: g, slot: 0, window, plan)
    if let place = group.padding {
      let memory = plan.memory
      covered.withUnsafeBufferPointer { covered in
        repeated.withUnsafeBufferPointer { repeated in
          for t in 0..<group.length {
            let isPadding = !covered[t] || repeated[t]
            memory.storeBytes(
              of: isPadding ? 1 : 0, toByteOffset: place.byte(window.number, t, 0), as: UInt8.self)
          }
        }
      }
    }
    if let place = group.time { try times(group, place, window, stream, plan) }
  }

  /// A group of a stream of entities: a slot each, sorted by kind and index.
  private func entities(
    _ g: Int, _ window: WindowContext, _ plan: BatchPlan
  ) throws(TrajpackError) {
    let group = setup.layout.groups[g]
    let stream = window.shard.programs.streams[g]
    let shard = window.shard
    let tracks = shard.index.tracks(ofEpisode: window.reference.episode)
    slotEntities.removeAll(keepingCapacity: true)
    for track in tracks {
      guard shard.numbers(ofTrack: track).stream == stream else { continue }
      let numbers = try numbers(shard, track)
      guard numbers.entity >= 0, numbers.count > 0, !slotEntities.contains(numbers.entity)
      else { continue }
      slotEntities.append(numbers.entity)
    }
    slotEntities.sort {
      let (a, b) = (shard.index.numbers(ofEntity: $0), shard.index.numbers(ofEntity: $1))
      return (shard.kindOrder[a.kind], a.index, a.type) < (shard.kindOrder[b.kind], b.index, b.type)
    }
    if let place = group.entity { who(place, group, window, plan) }
    var anyone = [Bool](repeating: false, count: group.length)
    for slot in 0..<group.entities {
      reset(group.length)
      if slot < slotEntities.count {
        func take(_ track: Int) throws(TrajpackError) {
          guard shard.numbers(ofTrack: track).stream == stream else { return }
          let numbers = try numbers(shard, track)
          guard numbers.entity == slotEntities[slot], numbers.count > 0 else { return }
          let map = limited(
            try map(group, window, track, numbers, clamps: false), group, window)
          try place(map, group: g, slot: slot, window, track, numbers, plan)
        }
        holdEnd = nil
        if group.isNative {
          for track in tracks { try take(track) }
        } else {
          for track in tracks.reversed() { try take(track) }
        }
      }
      finish(group: g, slot: slot, window, plan)
      if group.isNative, let place = group.time {
        for t in 0..<group.length {
          plan.memory.storeBytes(
            of: ownTimes[t], toByteOffset: place.byte(window.number, t, slot), as: Double.self)
        }
      }
      for t in 0..<group.length where covered[t] { anyone[t] = true }
      if let place = group.present {
        for t in 0..<group.length {
          plan.memory.storeBytes(
            of: covered[t] ? 1 : 0, toByteOffset: place.byte(window.number, t, slot), as: UInt8.self
          )
        }
      }
    }
    if let place = group.padding {
      // On the window's own rows, padding is what lies outside the recording; elsewhere, what nobody has.
      let rows = try reference(window).rows
      let end = end(window)
      for t in 0..<group.length {
        let row = window.anchor - setup.past + t
        let isOutside =
          group.offsets == nil && !group.isNative
          ? row < 0 || row >= rows || t >= end : !anyone[t]
        plan.memory.storeBytes(
          of: isOutside ? 1 : 0, toByteOffset: place.byte(window.number, t, 0), as: UInt8.self)
      }
    }
    if !group.isNative, let place = group.time { try times(group, place, window, stream, plan) }
  }

  /// Writes which entities the slots of a window are of; -1 where nobody is.
  private func who(
    _ place: OutputStride, _ group: Group, _ window: WindowContext, _ plan: BatchPlan
  ) {
    let index = window.shard.index
    for slot in 0..<group.entities {
      var numbers: (Int, Int, Int) = (-1, -1, -1)
      if slot < slotEntities.count {
        let entity = index.numbers(ofEntity: slotEntities[slot])
        let kind = setup.layout.meta?.kinds[index.schema.entityKinds[entity.kind]] ?? -1
        numbers = (kind, entity.index, entity.type)
      }
      let byte = place.byte(window.number, 0, slot)
      for (i, number) in [numbers.0, numbers.1, numbers.2].enumerated() {
        plan.memory.storeBytes(of: Int64(number), toByteOffset: byte + 8 * i, as: Int64.self)
      }
    }
  }

  /// Rows that no track covers hold nothing, and so do channels that the shard does not have.
  private func finish(group g: Int, slot: Int, _ window: WindowContext, _ plan: BatchPlan) {
    let length = setup.layout.groups[g].length
    covered.withUnsafeBufferPointer { covered in
      var t = 0
      while t < length {
        guard !covered[t] else {
          t += 1
          continue
        }
        let first = t
        while t < length, !covered[t] { t += 1 }
        plan.finishes.append(
          ConversionTask(
            work: .clear(group: g), window: Int32(window.number), slot: Int32(slot),
            outRow: Int32(first), count: Int32(t - first), staging: 0))
      }
    }
    for channel in window.shard.programs.absent[g] {
      plan.finishes.append(
        ConversionTask(
          work: .clearChannel(channel), window: Int32(window.number), slot: Int32(slot), outRow: 0,
          count: Int32(length), staging: 0))
    }
  }

  private func reset(_ length: Int) {
    nativeNext = 0
    if covered.count < length {
      covered = [Bool](repeating: false, count: length)
      rows = [Int](repeating: -1, count: length)
      rests = [Double](repeating: 0, count: length)
      isDue = [Bool](repeating: false, count: length)
      repeated = [Bool](repeating: false, count: length)
      ownTimes = [Double](repeating: .nan, count: length)
    }
    // An access each, not one an element: each is checked for being the only one.
    covered.withUnsafeMutableBufferPointer { $0.update(repeating: false) }
    repeated.withUnsafeMutableBufferPointer { $0.update(repeating: false) }
    ownTimes.withUnsafeMutableBufferPointer { $0.update(repeating: .nan) }
  }
}
