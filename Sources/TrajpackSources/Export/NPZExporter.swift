import TrajpackFormat
import TrajpackStore

/// Writes an episode as one `episode.npz`, which numpy reads without pickles: an array a channel of a
/// track, named `stream[entity]/channel`, with `…/time` beside them.
///
/// Integers with values that were not observed come with `…/channel.observed`; a categorical channel is
/// its codes, and the names are in the JSON of the array `schema`; text is `…/channel.bytes` and
/// `…/channel.offsets`. Videos are files beside it.
public struct NPZExporter: Exporter {
  /// What `trajpack formats` says of it.
  public static let format = FormatDescription(
    name: "npz", summary: "numpy archives, one an episode",
    carries: "every channel of every track, with its times and the schema", reads: false,
    writes: true)
  /// The folder in which videos that were linked are looked for; `nil` to leave them out.
  public var mediaFolder: String?

  /// An exporter.
  public init(mediaFolder: String? = nil) { self.mediaFolder = mediaFolder }

  /// Writes an episode; see ``Exporter``.
  public func write(
    _ episode: ShardIndex.Episode, of shard: Shard, reader: BlockReader, into folder: ExportFolder
  ) throws(TrajpackError) {
    let writer = try NPZWriter("episode.npz", in: folder)
    let tracks = labelled(episode.tracks.map { TrackReader(shard, track: $0, reader: reader) })
    for (name, track) in tracks {
      if track.stream.channel(named: "time") == nil {
        try writer.add("\(name)/time", type: .float64, shape: [track.count]) {
          (write) throws(TrajpackError) in
          try track.forEachRun { (rows) throws(TrajpackError) in
            let values = try track.times(rows).map(\.bitPattern)
            try littleEndian(values).withBytes { (bytes) throws(TrajpackError) in try write(bytes) }
          }
        }
      }
      for numbers in Self.groups(of: track) { try add(track, numbers, name, writer, folder) }
      if track.isVideo { try VideoExport.write(track, mediaFolder: mediaFolder, in: folder) }
    }
    let schema = Array(document(episode, shard, tracks).text().utf8)
    try writer.add("schema", type: .uint8, shape: [schema.count]) { (write) throws(TrajpackError) in
      try schema.withBytes { (bytes) throws(TrajpackError) in try write(bytes) }
    }
    try writer.finish()
  }

  /// The most bytes of channels that are read together.
  private static let groupBytes = 64 << 20

  /// The channels of a track in order, as many together as fit into ``groupBytes``; a channel of bytes is alone.
  /// An archive has one array after the other while a chunk has rows of many channels: read together, a chunk is
  /// inflated once for all of them.
  private static func groups(of track: TrackReader) -> [Range<Int>] {
    let channels = track.stream.channels
    var groups: [Range<Int>] = []
    var (first, bytes) = (0, 0)
    for (number, channel) in channels.enumerated() {
      let type = track.shard.schema.blocks[channel.storage.block].type
      let (size, isHuge) = (channel.elements * type.size).multipliedReportingOverflow(
        by: track.count)
      let isAlone = channel.type == .bytes || isHuge || size > groupBytes
      if number > first, isAlone || bytes > groupBytes - size {
        groups.append(first..<number)
        (first, bytes) = (number, 0)
      }
      if isAlone {
        groups.append(number..<number + 1)
        first = number + 1
      } else {
        bytes += size
      }
    }
    if first < channels.count { groups.append(first..<channels.count) }
    return groups
  }

  private func add(
    _ track: TrackReader, _ numbers: Range<Int>, _ name: String, _ writer: NPZWriter,
    _ folder: ExportFolder
  ) throws(TrajpackError) {
    if numbers.count == 1 {
      let channel = track.stream.channels[numbers.lowerBound]
      let path = "\(name)/\(channel.name)"
      if channel.type == .bytes {
        return try addBytes(track, numbers.lowerBound, path, writer, folder)
      }
      return try add(channel, track, path, writer, .stored(numbers.lowerBound))
    }
    var runs: [[ChannelValues]] = numbers.map { _ in [] }
    try track.forEachRun { (rows) throws(TrajpackError) in
      for (i, number) in numbers.enumerated() {
        runs[i].append(try track.read(channel: number, rows: rows))
      }
      try folder.goOn()
    }
    for (i, number) in numbers.enumerated() {
      let channel = track.stream.channels[number]
      try add(channel, track, "\(name)/\(channel.name)", writer, .gathered(runs[i]))
      runs[i] = []
    }
  }

  /// Where the rows of a channel are taken from.
  private enum Rows {
    /// From the shard: the channel's number.
    case stored(Int)
    /// From memory, in order.
    case gathered([ChannelValues])

    func forEachRun(
      of track: TrackReader, _ body: (ChannelValues) throws(TrajpackError) -> Void
    ) throws(TrajpackError) {
      switch self {
      case .stored(let number):
        try track.forEachRun { (rows) throws(TrajpackError) in
          try body(try track.read(channel: number, rows: rows))
        }
      case .gathered(let runs):
        for values in runs { try body(values) }
      }
    }
  }

  /// Adds the array of a channel of numbers, and where integers were not observed the array that says so.
  private func add(
    _ channel: Channel, _ track: TrackReader, _ path: String, _ writer: NPZWriter, _ rows: Rows
  ) throws(TrajpackError) {
    var hasMissing = false
    try writer.add(path, type: channel.type, shape: [track.count] + channel.shape) {
      (write) throws(TrajpackError) in
      try rows.forEachRun(of: track) { (values) throws(TrajpackError) in
        hasMissing = hasMissing || values.hasMissingIntegers
        try values.logicalBytes().withBytes { (bytes) throws(TrajpackError) in try write(bytes) }
      }
    }
    guard hasMissing else { return }
    try writer.add("\(path).observed", type: .bool, shape: [track.count] + channel.shape) {
      (write) throws(TrajpackError) in
      try rows.forEachRun(of: track) { (values) throws(TrajpackError) in
        let mask = (0..<values.count).flatMap { row in
          (0..<channel.elements).map { values.value(row, $0) == .missing ? UInt8(0) : 1 }
        }
        try mask.withBytes { (bytes) throws(TrajpackError) in try write(bytes) }
      }
    }
  }

  private func addBytes(
    _ track: TrackReader, _ number: Int, _ path: String, _ writer: NPZWriter,
    _ folder: ExportFolder
  ) throws(TrajpackError) {
    // The packets of a video lie in its file; the rows say where.
    if track.isVideo {
      try writer.add("\(path).range", type: .int64, shape: [track.count, 2]) {
        (write) throws(TrajpackError) in
        try track.forEachRun { (rows) throws(TrajpackError) in
          let values = try track.read(channel: number, rows: rows)
          try values.bytes.withBytes { (bytes) throws(TrajpackError) in try write(bytes) }
        }
      }
      return
    }
    var offsets: [Int64] = [0]
    try track.forEachRun { (rows) throws(TrajpackError) in
      let values = try track.read(channel: number, rows: rows)
      try folder.goOn()
      for row in 0..<rows.count {
        offsets.append((offsets.last ?? 0) + Int64(try track.bytes(values, row)?.count ?? 0))
      }
    }
    try writer.add("\(path).offsets", type: .int64, shape: [offsets.count]) {
      (write) throws(TrajpackError) in
      try littleEndian(offsets).withBytes { (bytes) throws(TrajpackError) in try write(bytes) }
    }
    try writer.add("\(path).bytes", type: .uint8, shape: [Int(offsets.last ?? 0)]) {
      (write) throws(TrajpackError) in
      try track.forEachRun { (rows) throws(TrajpackError) in
        let values = try track.read(channel: number, rows: rows)
        for row in 0..<rows.count {
          try (try track.bytes(values, row) ?? []).withBytes { (bytes) throws(TrajpackError) in
            try write(bytes)
          }
        }
      }
    }
  }

  private func document(
    _ episode: ShardIndex.Episode, _ shard: Shard, _ tracks: [(name: String, track: TrackReader)]
  ) -> JSONValue {
    .record([
      "episode": .string(episode.id), "split": .string(episode.split),
      "tracks": .array(
        tracks.map { name, track in
          .record([
            "name": .string(name), "stream": .string(track.stream.name),
            "entity": track.track.entity.map { entity in
              .record([
                "kind": .string(entity.kind), "index": .int(Int64(entity.index)),
                "type": .int(Int64(entity.type)),
              ])
            },
            "time_unit": .string(track.stream.timeUnit),
            "channels": .array(
              track.stream.channels.map { channel in
                .record([
                  "name": .string(channel.name), "kind": .string(channel.kind.rawValue),
                  "units": channel.units.map { .string($0) },
                  "conventions": channel.conventions.isEmpty ? nil : .object(channel.conventions),
                  "categories": channel.categories.map { .array($0.map { .string($0) }) },
                ])
              }),
          ])
        }),
      "skeletons": .object(
        shard.schema.skeletons.map { skeleton in
          .init(
            skeleton.name, .array(skeleton.edges.map { .array($0.map { .int(Int64($0)) }) }))
        }),
    ])
  }
}

extension ChannelValues {
  /// The rows in the channel's own type, little-endian; what was not observed is NaN, or the smallest
  /// integer.
  func logicalBytes() -> [UInt8] {
    if channel.type == stored, channel.storage.decimals == nil { return bytes }
    switch channel.type {
    case .float64: return littleEndian(doubles().map(\.bitPattern))
    case .float32: return littleEndian(doubles().map { Float($0).bitPattern })
    default:
      let size = channel.type.size
      let numbers = (0..<count * channel.elements).map { at -> Int64 in
        if case .int(let n) = value(at / channel.elements, at % channel.elements) { return n }
        return size == 8 ? .min : -(1 << (size * 8 - 1))
      }
      switch size {
      case 1: return numbers.map { UInt8(truncatingIfNeeded: $0) }
      case 2: return littleEndian(numbers.map { UInt16(truncatingIfNeeded: $0) })
      case 4: return littleEndian(numbers.map { UInt32(truncatingIfNeeded: $0) })
      default: return littleEndian(numbers)
      }
    }
  }

  /// Whether some integer was not observed.
  var hasMissingIntegers: Bool {
    guard channel.missing == .sentinel, !channel.type.isFloat else { return false }
    return (0..<count).contains { row in
      (0..<channel.elements).contains { value(row, $0) == .missing }
    }
  }
}
