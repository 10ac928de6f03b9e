import TrajpackFormat

extension EpisodeOutcome {
  /// What came of the episode, without what its shard says of it.
  func encode(to out: inout ByteEncoder) {
    out.add(rows)
    out.add(values)
    applied.encode(to: &out)
    out.add(failure) { out, error in
      out.add(error.fault == .data ? 0 : error.fault == .usage ? 1 : 2)
      out.add(error.message)
    }
    out.add(hits.sorted { $0.key < $1.key }) { out, item in
      out.add(item.key)
      out.add(item.value) { $1.encode(to: &$0) }
    }
    out.add(facts.tracks) { $1.encode(to: &$0) }
    out.add(facts.scene) { $1.encode(to: &$0) }
    out.add(facts.shifts) { out, shift in
      out.add(shift.stream)
      out.add(shift.other)
      out.add(shift.rows)
    }
  }

  /// What came of an episode before; `nil` where the bytes do not say it.
  init?(
    _ about: EpisodeAbout, _ config: ValidateConfig, cache: inout ReadingCache,
    from bytes: inout ByteDecoder
  ) {
    rows = bytes.int()
    values = bytes.int()
    applied = RuleNumbers(from: &bytes)
    failure = bytes.optional { bytes in
      let fault: TrajpackError.Fault = [.data, .usage, .machine][min(max(bytes.int(), 0), 2)]
      return TrajpackError(fault, bytes.text())
    }
    for (rule, found) in bytes.list({ bytes in
      (bytes.int(), bytes.list { Hit(from: &$0) })
    }) { hits[rule] = found }
    var number = 0
    let tracks = bytes.list { bytes in
      defer { number += 1 }
      return TrackFacts(about, track: min(number, about.tracks.count - 1), config, &cache, &bytes)
    }
    facts = EpisodeFacts(about: about, tracks: tracks)
    facts.scene = bytes.optional { SceneTally(from: &$0) }
    facts.shifts = bytes.list {
      StreamShift(stream: $0.text(), other: $0.text(), rows: $0.int())
    }
    guard bytes.isWhole, facts.tracks.count <= about.tracks.count,
      zip(facts.tracks, about.tracks).allSatisfy({ facts, _ in
        facts.columns.count == facts.track.columnCount
          && facts.checksums.count == facts.track.stream.channels.count
      })
    else { return nil }
  }
}

extension FrameFinding {
  func encode(to out: inout ByteEncoder) {
    for text in [rule, what, stream] { out.add(text) }
    out.add(count)
    for text in [place.shard, place.episode, place.entity] { out.add(text) { $0.add($1) } }
    out.add(place.rows) { out, rows in
      out.add(rows.lowerBound)
      out.add(rows.upperBound)
    }
    out.add(place.values) { $0.add($1) }
    out.add(place.note) { $0.add($1) }
  }

  init(from bytes: inout ByteDecoder) {
    let (rule, what, stream) = (bytes.text(), bytes.text(), bytes.text())
    let count = bytes.int()
    let names = (0..<3).map { _ in bytes.optional { $0.text() } }
    self.init(
      rule: rule, what, stream: stream, count: count,
      Place(
        shard: names[0], episode: names[1], entity: names[2], rows: bytes.optional { $0.rows() },
        values: bytes.list { $0.double() }, note: bytes.optional { $0.text() }))
  }
}

extension ByteDecoder {
  fileprivate mutating func rows() -> Range<Int> {
    let first = int()
    return first..<max(int(), first)
  }
}

extension Hit {
  fileprivate func encode(to out: inout ByteEncoder) {
    for text in [stream, channel, entity] { out.add(text) { $0.add($1) } }
    out.add(what)
    out.add(count)
    out.add(places) { out, place in
      out.add(place.rows) { out, rows in
        out.add(rows.lowerBound)
        out.add(rows.upperBound)
      }
      out.add(place.values) { $0.add($1) }
      out.add(place.note) { $0.add($1) }
    }
  }

  fileprivate init(from bytes: inout ByteDecoder) {
    stream = bytes.optional { $0.text() }
    channel = bytes.optional { $0.text() }
    entity = bytes.optional { $0.text() }
    what = bytes.text()
    count = bytes.int()
    places = bytes.list { bytes in
      (bytes.optional { $0.rows() }, bytes.list { $0.double() }, bytes.optional { $0.text() })
    }
  }
}

extension TrackFacts {
  fileprivate func encode(to out: inout ByteEncoder) {
    out.add(columns) { $1.encode(to: &$0) }
    out.add(checksums) { $0.add(Int($1)) }
    out.add(times) { out, times in
      out.add(times.lowerBound)
      out.add(times.upperBound)
    }
    out.add(windows) { $0.add($1) }
    out.add(nearWindows) { $0.add($1) }
    out.add(nearRows) { $0.add($1) }
    out.add(holes.sorted { $0.key < $1.key }) { out, item in
      out.add(item.key)
      out.add(item.value)
    }
    out.add(classes.sorted { $0.key < $1.key }) { out, item in
      out.add(item.key)
      out.add(item.value) { $0.add($1) }
    }
    out.add(courses.sorted { $0.key < $1.key }) { out, item in
      out.add(item.key)
      out.add(item.value)
    }
    out.add(levels) { out, shift in
      out.add(shift.column)
      out.add(shift.row)
      out.add(shift.before)
      out.add(shift.after)
    }
  }

  fileprivate convenience init(
    _ about: EpisodeAbout, track number: Int, _ config: ValidateConfig,
    _ cache: inout ReadingCache, _ bytes: inout ByteDecoder
  ) {
    let layout = cache.layout(about, stream: about.tracks[number].stream)
    let columns = bytes.list { ColumnFacts(from: &$0) }
    let checksums = bytes.list { UInt32(truncatingIfNeeded: $0.int()) }
    self.init(
      TrackContext(about, track: number, layout, config.settings), columns: columns,
      checksums: checksums)
    times = bytes.optional { bytes in
      let first = bytes.double()
      return first...max(bytes.double(), first)
    }
    windows = bytes.list { $0.word() }
    nearWindows = bytes.list { $0.word() }
    nearRows = bytes.list { $0.int() }
    for (channel, row) in bytes.list({ bytes in (bytes.int(), bytes.int()) }) {
      holes[channel] = max(row, 0)
    }
    for (channel, counts) in bytes.list({ bytes in (bytes.int(), bytes.list { $0.int() }) }) {
      classes[channel] = counts
    }
    for (channel, course) in bytes.list({ bytes in (bytes.int(), bytes.double()) }) {
      courses[channel] = course
    }
    levels = bytes.list {
      LevelShift(
        column: $0.int(), row: min(max($0.int(), 0), 1 << 60), before: $0.double(),
        after: $0.double())
    }
  }
}

extension ColumnFacts {
  fileprivate func encode(to out: inout ByteEncoder) {
    for count in [finite, missing, infinite, fractions, tiny, moves, same] { out.add(count) }
    for number in [minimum, maximum, sum, sizeSum, step, stepSum] { out.add(number) }
  }

  fileprivate init(from bytes: inout ByteDecoder) {
    (finite, missing, infinite) = (bytes.int(), bytes.int(), bytes.int())
    (fractions, tiny, moves, same) = (bytes.int(), bytes.int(), bytes.int(), bytes.int())
    (minimum, maximum) = (bytes.double(), bytes.double())
    (sum, sizeSum) = (bytes.double(), bytes.double())
    (step, stepSum) = (bytes.double(), bytes.double())
  }
}

extension SceneTally {
  fileprivate func encode(to out: inout ByteEncoder) {
    out.add(stream)
    out.add(channel)
    for word in [said.isToWorld, said.isOpenGL, said.isLast, isQuaternion] { out.add(word) }
    out.add(joints)
    out.add(inside) { $0.add($1) }
  }

  fileprivate init(from bytes: inout ByteDecoder) {
    (stream, channel) = (bytes.text(), bytes.text())
    said = CameraConvention(
      isToWorld: bytes.bool(), isOpenGL: bytes.bool(), isLast: bytes.bool())
    isQuaternion = bytes.bool()
    joints = bytes.int()
    inside = bytes.list { $0.int() }
  }
}
