import TrajpackFormat
import TrajpackStore

/// Reads the rows of streams.
enum MappedRows {
  /// The times of a stream, as they decide its clock.
  static func axis(
    of stream: MappedStream, _ recording: MappedRecording
  ) throws(TrajpackError) -> RecordedTimes {
    let stream = try counted(stream)
    guard case .array(let source, let type, let tick, _) = stream.time else { return .none }
    var times = RecordedTimesReader()
    let rows = try packed(source)
    try rows.forEachPiece(of: type) { (bytes, count) throws(TrajpackError) in
      for i in 0..<count where !times.add(StoredNumber(bytes, i, type)) {
        throw TrajpackError(
          .data, file: recording.path,
          "the times of '\(stream.name)' in '\(recording.id)' go back, or are none, at row \(times.count)",
          at: ErrorPlace(
            file: recording.path, episode: recording.id, stream: stream.name, row: times.count))
      }
    }
    guard times.count == stream.count else {
      throw TrajpackError(
        .data, file: recording.path,
        "'\(recording.id)' has \(times.count) times for the \(stream.count) rows of '\(stream.name)'"
      )
    }
    // Ticks of other sizes are kept as they are.
    return type.isFloat || tick == .one ? times.found(isFloat: type.isFloat) : .none
  }

  /// A stream whose count of rows is known.
  private static func counted(_ stream: MappedStream) throws(TrajpackError) -> MappedStream {
    guard stream.count == MappedStream.asTimes,
      case .array(let source, let type, _, _) = stream.time
    else { return stream }
    var stream = stream
    stream.count = try packed(source).count / type.size
    return stream
  }

  /// The rows of a source.
  static func packed(_ source: RowSource) throws(TrajpackError) -> RowSpool {
    switch source {
    case .tree(let part): return try part.spool()
    case .made(let make):
      let spool = RowSpool()
      try spool.append(try make())
      return spool
    case .spool(let spool): return spool
    case .texts, .pointers: return RowSpool()
    }
  }

  /// A stream's rows as those of a schema.
  static func track(
    of stream: MappedStream, _ time: RecordedTimes, _ schema: Schema, _ number: Int,
    _ recording: MappedRecording
  ) throws(TrajpackError) -> TrackDraft {
    let stream = try counted(stream)
    let laid = schema.streams[number]
    let blob = RowSpool()
    var filled = 0
    var clock: Clock
    switch stream.time {
    case .regular(let known, _): clock = known
    case .array: clock = time.regularClock ?? .float64
    }
    var channels: [ChannelRows] = []
    for channel in laid.channels {
      if let own = stream.channels.first(where: { $0.channel.name == channel.name }) {
        if channel.type == .bytes {
          channels.append(try texts(own.source, stream, recording, blob, &filled))
          continue
        }
        var rows = try packed(own.source)
        let size = channel.elements * own.sourceType.size * stream.count
        guard rows.count == size else {
          throw TrajpackError(
            .data, file: recording.path,
            "'\(channel.name)' of '\(recording.id)' has \(rows.count) bytes where "
              + "\(stream.count) rows need \(size)")
        }
        if own.sourceType != channel.type {
          rows = try rows.converted(from: own.sourceType, to: channel.type)
        }
        channels.append(ChannelRows(spool: rows))
      } else if case .array(let source, let type, let tick, _) = stream.time {
        guard channel.type == .int64 ? !type.isFloat : type.isFloat || tick == .one else {
          throw TrajpackError(
            .data, file: recording.path,
            "the times of '\(stream.name)' in '\(recording.id)' are of another type than those of other recordings"
          )
        }
        let rows = try packed(source)
        channels.append(ChannelRows(spool: try rows.converted(from: type, to: channel.type)))
        clock = channel.type == .int64 ? .ticks(tick) : .float64
      } else if case .regular = clock, channel.type == .float64, channel.name == "time" {
        // Others have times of their own.
        var writer = SpoolWriter()
        for row in 0..<stream.count { try writer.append(clock.time(ofRow: row) ?? .nan) }
        try writer.flush()
        channels.append(ChannelRows(spool: writer.spool))
        clock = .float64
      } else {
        throw TrajpackError(
          .data, file: recording.path,
          "'\(recording.id)' has no times for '\(stream.name)', and other recordings have"
        )
      }
    }
    var draft = TrackDraft(stream: number, clock: clock, count: stream.count, rows: [])
    draft.rows = try schema.blockRows(of: number, channels, count: stream.count)
    if laid.blob != nil { draft.bytes = .spool(blob, 0..<filled) }
    return draft
  }

  private static func texts(
    _ source: RowSource, _ stream: MappedStream, _ recording: MappedRecording, _ blob: RowSpool,
    _ filled: inout Int
  ) throws(TrajpackError) -> ChannelRows {
    var writer = SpoolWriter()
    var rows = 0
    var at = filled
    func add(_ text: [UInt8]?) throws(TrajpackError) {
      rows += 1
      guard let text else {
        try writer.append(Int64(-1))
        return try writer.append(Int64(0))
      }
      try blob.append(text)
      try writer.append(Int64(at))
      try writer.append(Int64(text.count))
      at += text.count
    }
    switch source {
    case .tree(let part): try part.texts(add)
    case .texts(let make): for text in try make() { try add(text) }
    case .pointers(let pairs, let bytes):
      try pairs.forEachPiece(of: .int64) { (numbers, count) throws(TrajpackError) in
        for i in stride(from: 0, to: count, by: 2) {
          let offset = Int(numbers.loadUnaligned(fromByteOffset: 8 * i, as: Int64.self))
          let length = Int(numbers.loadUnaligned(fromByteOffset: 8 * i + 8, as: Int64.self))
          if offset < 0 {
            try add(nil)
            continue
          }
          guard length >= 0, offset + length <= bytes.count else {
            throw TrajpackError(
              .data, file: recording.path, "'\(stream.name)' points behind its texts at row \(rows)"
            )
          }
          let text = ByteBuffer(max(length, 1))
          let part = UnsafeMutableRawBufferPointer(rebasing: text.bytes[..<length])
          try bytes.read(at: offset, into: part)
          try add(Array(part))
        }
      }
    case .made, .spool: break
    }
    guard rows == stream.count else {
      throw TrajpackError(
        .data, file: recording.path,
        "'\(stream.name)' of '\(recording.id)' has \(rows) texts for \(stream.count) rows"
      )
    }
    filled = at
    try writer.flush()
    return ChannelRows(spool: writer.spool)
  }
}

extension RowSpool {
  /// The elements of a piece.
  private static let pieceCount = 32 << 10

  /// Hands over the elements in pieces of whole ones.
  func forEachPiece(
    of type: ElementType, _ body: (UnsafeRawBufferPointer, Int) throws(TrajpackError) -> Void
  ) throws(TrajpackError) {
    let step = Self.pieceCount
    let total = count / type.size
    let bytes = ByteBuffer(step * type.size)
    for first in stride(from: 0, to: total, by: step) {
      let some = min(step, total - first)
      let part = UnsafeMutableRawBufferPointer(rebasing: bytes.bytes[..<(some * type.size)])
      try read(at: first * type.size, into: part)
      try body(UnsafeRawBufferPointer(part), some)
    }
  }

  /// The elements as those of a type that holds them.
  func converted(from: ElementType, to: ElementType) throws(TrajpackError) -> RowSpool {
    if from == to { return self }
    let spool = RowSpool()
    let out = ByteBuffer(Self.pieceCount * to.size)
    try forEachPiece(of: from) { (bytes, count) throws(TrajpackError) in
      let part = UnsafeMutableRawBufferPointer(rebasing: out.bytes[..<(count * to.size)])
      guard let base = part.baseAddress else { return }
      StoredNumber.copy(bytes, 0, count, from, to: to, at: base)
      try spool.append(UnsafeRawBufferPointer(part))
    }
    return spool
  }
}
