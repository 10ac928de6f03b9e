import TrajpackFormat
import TrajpackStore

extension SalvageImporter {
  /// The member of an episode's metadata that says what was kept of it.
  public static let metadataName = "repaired"

  /// Reads what is kept of an episode; see ``Importer``.
  public func draft(
    _ recording: Recording, _ examination: ItemNumber, _ schema: Schema
  ) throws(TrajpackError) -> EpisodeDraft {
    let item = items[examination.value]
    let shard = shards[item.shard]
    let episode = shard.index.episode(item.episode)
    let reader = BlockReader(shard)
    var tracks: [TrackDraft] = []
    var report: [JSONValue] = []
    for (number, kept) in zip(shard.index.tracks(ofEpisode: item.episode), item.rows) {
      let track = TrackReader(shard, track: number, reader: reader)
      let rows = kept.flatMap { Array($0) }
      if rows.count != track.count || !item.isWhole {
        report.append(
          .record([
            "stream": .string(track.stream.name),
            "entity": track.track.entity.map { .string("\($0.kind) \($0.index)") },
            "rows": .array(
              kept.map { .array([.int(Int64($0.lowerBound)), .int(Int64($0.upperBound))]) }),
            "of": .int(Int64(track.count)),
          ]))
      }
      guard let first = rows.first else { continue }
      if track.stream.isVideo {
        tracks.append(
          try TrackCopy(track, track.track.stream, schema).whole(
            track.track.clock,
            frames: rows.count == track.count
              ? nil
              : .record(["first": .int(Int64(first)), "frames": .int(Int64(rows.count))])))
      } else {
        tracks.append(
          try RowRescue(
            SalvagedTrack(track, damages[item.shard]), track.track.stream, schema,
            makesSignsContinuous: mode == .fix
          ).rows(kept, try track.track.clock.from(row: first)))
      }
    }
    var metadata =
      episode.metadata.isEmpty
      ? [] : try JSONValue(parsing: Array(episode.metadata.utf8)).members ?? []
    metadata = values.metadata(metadata, of: episode.id)
    if !item.isWhole {
      metadata.removeAll { $0.name == Self.metadataName }
      metadata.append(
        .init(
          Self.metadataName,
          .record(["mode": .string(mode.rawValue), "tracks": .array(report)])))
    }
    return EpisodeDraft(
      id: episode.id, split: episode.split, metadata: .object(metadata), tracks: tracks)
  }
}

/// Copies the rows of a track that are kept, and puts marks where values cannot be read.
struct RowRescue {
  private let track: SalvagedTrack
  private let stream: Int
  private let schema: Schema
  private let makesSignsContinuous: Bool

  init(
    _ track: SalvagedTrack, _ stream: Int, _ schema: Schema, makesSignsContinuous: Bool
  ) {
    (self.track, self.stream, self.schema) = (track, stream, schema)
    self.makesSignsContinuous = makesSignsContinuous
  }

  func rows(_ kept: [Range<Int>], _ clock: Clock) throws(TrajpackError) -> TrackDraft {
    let text = RowSpool()
    var filled = 0
    var channels: [ChannelRows] = []
    for number in track.reader.stream.channels.indices {
      let spool = RowSpool()
      let old = track.reader.stream.channels[number]
      let new = schema.streams[stream].channels[number]
      let stored = schema.blocks[new.storage.block].type
      var signs =
        makesSignsContinuous && old.kind == .quaternion && old.shape.last == 4 && stored.isFloat
        ? SignKeeper(type: stored, elements: old.elements) : nil
      for range in kept {
        for first in stride(from: range.lowerBound, to: range.upperBound, by: 4096) {
          let piece = first..<min(first + 4096, range.upperBound)
          for part in track.damaged[number].parts(of: piece) {
            if part.isInside {
              let width = old.storedElements
              try spool.append(Self.marks(stored, count: part.rows.count * width))
              continue
            }
            let values = try track.reader.read(channel: number, rows: part.rows)
            if old.type == .bytes {
              try spool.append(try texts(values, part.rows.count, text, &filled))
            } else {
              var bytes = Self.widened(values.bytes, from: values.stored, to: stored)
              signs?.apply(&bytes)
              try spool.append(bytes)
            }
          }
        }
      }
      channels.append(ChannelRows(spool: spool))
    }
    let count = kept.reduce(0) { $0 + $1.count }
    let metadata = track.reader.track.metadata
    var draft = TrackDraft(
      stream: stream, entity: track.reader.track.entity, clock: clock, count: count,
      metadata: metadata.isEmpty ? .object([]) : try JSONValue(parsing: Array(metadata.utf8)),
      rows: [])
    draft.rows = try schema.blockRows(of: stream, channels, count: count)
    if schema.streams[stream].blob != nil { draft.bytes = .spool(text, 0..<filled) }
    return draft
  }

  /// Texts are laid one after the other anew; rows say where.
  private func texts(
    _ values: ChannelValues, _ count: Int, _ text: RowSpool, _ filled: inout Int
  ) throws(TrajpackError) -> [UInt8] {
    var bytes: [UInt8] = []
    let width = values.bytes.count / max(count, 1)
    for row in 0..<count {
      guard let own = try track.reader.bytes(values, row) else {
        bytes += values.bytes[row * width..<(row + 1) * width]
        continue
      }
      try text.append(own)
      for number in [Int64(filled), Int64(own.count)] {
        withUnsafeBytes(of: number.littleEndian) { bytes += $0 }
      }
      filled += own.count
    }
    return bytes
  }

  /// What stands for values that were not observed: NaN, or the smallest integer.
  private static func marks(_ type: ElementType, count: Int) -> [UInt8] {
    let one: [UInt8]
    switch type {
    case .float32: one = withUnsafeBytes(of: Float.nan.bitPattern.littleEndian) { Array($0) }
    case .float64: one = withUnsafeBytes(of: Double.nan.bitPattern.littleEndian) { Array($0) }
    case .bytes: one = withUnsafeBytes(of: Int64.min.littleEndian) { Array($0) }
    default: one = Array(repeating: 0, count: type.size - 1) + [0x80]
    }
    return Array(repeatElement(one, count: count).joined())
  }

  /// Integers in a larger signed type, little-endian.
  private static func widened(
    _ bytes: [UInt8], from old: ElementType, to new: ElementType
  ) -> [UInt8] {
    guard old != new else { return bytes }
    var out: [UInt8] = []
    out.reserveCapacity(bytes.count / old.size * new.size)
    let isSigned = [.int8, .int16, .int32].contains(old)
    let (zeros, ones) = (
      [UInt8](repeating: 0, count: new.size - old.size),
      [UInt8](repeating: 0xFF, count: new.size - old.size)
    )
    for at in stride(from: 0, to: bytes.count, by: old.size) {
      out += bytes[at..<at + old.size]
      out += isSigned && bytes[at + old.size - 1] >= 0x80 ? ones : zeros
    }
    return out
  }
}

/// Turns the signs of quaternions so that each agrees with the one before.
struct SignKeeper {
  private let isSingle: Bool
  private var before: [Double]

  init(type: ElementType, elements: Int) {
    isSingle = type == .float32
    before = Array(repeating: .nan, count: elements)
  }

  mutating func apply(_ bytes: inout [UInt8]) {
    let size = isSingle ? 4 : 8
    let width = before.count
    bytes.withUnsafeMutableBytes { raw in
      for row in stride(from: 0, to: raw.count, by: width * size) {
        for q in stride(from: 0, to: width, by: 4) {
          var values = [0.0, 0, 0, 0]
          for k in 0..<4 {
            let at = row + (q + k) * size
            values[k] =
              isSingle
              ? Double(
                Float(
                  bitPattern: UInt32(
                    littleEndian: raw.loadUnaligned(fromByteOffset: at, as: UInt32.self))))
              : Double(
                bitPattern: UInt64(
                  littleEndian: raw.loadUnaligned(fromByteOffset: at, as: UInt64.self)))
          }
          guard values.allSatisfy(\.isFinite) else { continue }
          if (0..<4).reduce(0.0, { $0 + values[$1] * before[q + $1] }) < 0 {
            // The sign is the highest bit of a number's last byte.
            for k in 0..<4 { raw[row + (q + k) * size + size - 1] ^= 0x80 }
            for k in 0..<4 { values[k] = -values[k] }
          }
          for k in 0..<4 { before[q + k] = values[k] }
        }
      }
    }
  }
}
