import TrajpackFormat
import TrajpackStore

/// What is damaged of a track, and what can be kept of it.
struct SalvagedTrack {
  let reader: TrackReader
  /// Of each channel, the rows that cannot be read, counted from the track's first.
  let damaged: [RowRanges]
  /// Whether it is a video, or frames, of which something is damaged: nothing of it is kept.
  let isLost: Bool

  /// Looks at which rows of a track lie in damaged chunks, and of texts at which rows point into some.
  init(_ reader: TrackReader, _ damage: ShardDamage) throws(TrajpackError) {
    self.reader = reader
    let track = reader.track
    let base = track.rows.lowerBound
    func local(_ block: Int) -> RowRanges {
      RowRanges(
        damage.rows(ofBlock: block, in: track.rows).map {
          $0.lowerBound - base..<$0.upperBound - base
        })
    }
    var damaged: [RowRanges] = []
    let blob = reader.stream.blob
    let lostBytes = blob.map { damage.rows(ofBlock: $0, in: track.blob) } ?? []
    for (number, channel) in reader.stream.channels.enumerated() {
      var rows = local(channel.storage.block)
      if channel.type == .bytes, !lostBytes.isEmpty, !reader.stream.isVideo {
        rows = rows.union(
          try Self.pointing(into: lostBytes, reader, channel: number, readable: rows))
      }
      damaged.append(rows)
    }
    self.damaged = damaged
    isLost =
      reader.stream.isVideo && (!lostBytes.isEmpty || damaged.contains { !$0.isEmpty })
  }

  /// The rows of a channel of texts whose bytes lie in damaged chunks.
  private static func pointing(
    into lost: [Range<Int>], _ reader: TrackReader, channel: Int, readable: RowRanges
  ) throws(TrajpackError) -> RowRanges {
    let start = reader.track.blob.lowerBound
    var found: [Range<Int>] = []
    for part in readable.parts(of: 0..<reader.count) where !part.isInside {
      let values = try reader.read(channel: channel, rows: part.rows)
      for row in 0..<values.count {
        guard case .int(let offset) = values.value(row, 0),
          case .int(let size) = values.value(row, 1), offset >= 0, size > 0,
          let end = Int(exactly: offset).map({ $0.addingReportingOverflow(Int(size)) }),
          !end.overflow, end.partialValue <= reader.track.blob.count
        else { continue }
        let own = start + Int(offset)..<start + end.partialValue
        if lost.contains(where: { $0.overlaps(own) }) {
          found.append(part.rows.lowerBound + row..<part.rows.lowerBound + row + 1)
        }
      }
    }
    return RowRanges(found)
  }

  /// Rows of which something is damaged.
  var anyDamaged: RowRanges {
    isLost ? RowRanges([0..<reader.count]) : damaged.reduce(RowRanges()) { $0.union($1) }
  }

  /// The time of each row, NaN where it cannot be read.
  func times() throws(TrajpackError) -> [Double] {
    guard let channel = timeChannel else {
      return try reader.times(0..<reader.count)
    }
    var out = [Double](repeating: .nan, count: reader.count)
    for part in damaged[channel].parts(of: 0..<reader.count) where !part.isInside {
      out.replaceSubrange(part.rows, with: try reader.times(part.rows))
    }
    return out
  }

  /// The channel of explicit times.
  var timeChannel: Int? { reader.timeChannel }

  /// Rows whose time cannot be read.
  var withoutTime: RowRanges { timeChannel.map { damaged[$0] } ?? RowRanges() }
}
