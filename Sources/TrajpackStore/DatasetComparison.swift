import TrajpackCodecs
import TrajpackFormat

/// Compares two datasets value by value, whatever their shards, chunks, codecs and stored types.
public struct DatasetComparison {
  /// What was found.
  public struct Result: Sendable {
    /// Episodes that both have.
    public var episodes = 0
    /// Values that were compared.
    public var values = 0
    /// The differences: the first of each channel of each track, a sentence each.
    public var differences: [String] = []
  }

  private struct Side {
    var dataset: Dataset
    var name: String
    var places: [String: (shard: Int, episode: Int)] = [:]
    var order: [String] = []
    var open: (number: Int, shard: Shard, reader: BlockReader)?
    /// What is known of the episodes, and the row of each.
    var values: ValueTable
    var rows: [String: Int] = [:]

    init(_ dataset: Dataset, _ name: String) throws(TrajpackError) {
      self.dataset = dataset
      self.name = name
      var shards: [Shard] = []
      for number in dataset.shardPaths.indices {
        let shard = try dataset.shard(number)
        shards.append(shard)
        for n in 0..<shard.index.episodeCount {
          let id = shard.index.episode(n).id
          places[id] = (number, n)
          rows[id] = order.count
          order.append(id)
        }
      }
      values = try ValueTable(shards, .known, annotations: try dataset.valueAnnotations())
    }

    /// The episode's tracks, and its shard kept open for the next one.
    mutating func tracks(_ id: String) throws(TrajpackError) -> (
      split: String, tracks: [TrackReader]
    ) {
      guard let place = places[id] else { return ("", []) }
      if open?.number != place.shard {
        let shard = try dataset.shard(place.shard)
        open = (place.shard, shard, BlockReader(shard))
      }
      guard let open else { return ("", []) }
      let episode = open.shard.index.episode(place.episode)
      return (
        episode.split,
        episode.tracks.map { TrackReader(open.shard, track: $0, reader: open.reader) }
      )
    }
  }

  /// Compares the frames of two video tracks whose files differ: a sentence on the first that differs, or `nil` where all
  /// are equal; of an error it throws it.
  public typealias FrameComparison = (
    _ id: String, _ left: TrackReader, _ right: TrackReader
  ) throws(TrajpackError) -> String?

  /// Where it is given, videos that differ as files are decoded and compared frame by frame.
  public var compareFrames: FrameComparison?

  private var a: Side
  private var b: Side
  private let values: ValueComparison
  /// What was found so far.
  public private(set) var result = Result()

  /// A comparison of two datasets, called `names` in differences.
  public init(_ a: Dataset, _ b: Dataset, names: (String, String)) throws(TrajpackError) {
    self.a = try Side(a, names.0)
    self.b = try Side(b, names.1)
    values = ValueComparison(self.a.values, self.b.values, names: names)
  }

  /// The ids of the episodes that the first one has, in order.
  public var ids: [String] { a.order }

  /// Notes the episodes that only one of them has, and values of them in other units.
  public mutating func compareIDs() {
    result.differences += values.fields
    for id in a.order where b.places[id] == nil {
      result.differences.append("episode '\(id)' is only in \(a.name)")
    }
    for id in b.order where a.places[id] == nil {
      result.differences.append("episode '\(id)' is only in \(b.name)")
    }
  }

  /// Compares an episode, where both have it.
  public mutating func compare(_ id: String) throws(TrajpackError) {
    guard b.places[id] != nil else { return }
    let (left, right) = (try a.tracks(id), try b.tracks(id))
    result.episodes += 1
    if left.split != right.split {
      note(id, "has split '\(left.split)' in \(a.name) and '\(right.split)' in \(b.name)")
    }
    if let x = a.rows[id], let y = b.rows[id] {
      let (found, count) = values.differences(x, y)
      result.values += count
      for sentence in found { note(id, sentence) }
    }
    let names = left.tracks.map { Self.key($0) }
    let others = right.tracks.map { Self.key($0) }
    guard names == others else {
      let only = names.first { !others.contains($0) }
      let other = others.first { !names.contains($0) }
      let what =
        only.map { "track \($0) is only in \(a.name)" }
        ?? other.map { "track \($0) is only in \(b.name)" } ?? "the tracks are in another order"
      return note(id, what)
    }
    for (left, right) in zip(left.tracks, right.tracks) { try compare(id, left, right) }
  }

  private mutating func note(_ id: String, _ what: String) {
    result.differences.append("episode '\(id)': \(what)")
  }

  /// What identifies a track in its episode: stream, entity, and its rows.
  private static func key(_ track: TrackReader) -> String {
    let entity = track.track.entity.map { " of \($0.kind) \($0.index) type \($0.type)" } ?? ""
    return "'\(track.stream.name)'\(entity) with \(track.count) rows"
  }

  /// The first row of two tracks that is not at the same time in both, whatever forms their clocks have: one shard may
  /// hold times as a rate that another has to list.
  private func differenceOfTimes(
    _ left: TrackReader, _ right: TrackReader
  ) throws(TrajpackError) -> String? {
    guard left.track.clock != right.track.clock else { return nil }
    var found: String?
    try left.forEachRun { (rows) throws(TrajpackError) in
      guard found == nil else { return }
      let (x, y) = (try left.instants(rows), try right.instants(rows))
      for (n, (one, two)) in zip(x, y).enumerated() where !Self.isSame(one, two) {
        let times = (
          one.map { "\($0.value)" } ?? "no time", two.map { "\($0.value)" } ?? "no time"
        )
        found =
          "row \(rows.lowerBound + n) is at \(times.0) in \(a.name), at \(times.1) in \(b.name)"
        return
      }
    }
    return found
  }

  /// Whether two times are one: as fractions, or as doubles where one of them is only known so.
  private static func isSame(_ one: Instant?, _ two: Instant?) -> Bool {
    guard let one, let two else { return one == nil && two == nil }
    if case .exact = one, case .exact = two { return !(one < two) && !(two < one) }
    return one.value == two.value || one.value.isNaN && two.value.isNaN
  }

  private mutating func compare(
    _ id: String, _ left: TrackReader, _ right: TrackReader
  ) throws(TrajpackError) {
    let place =
      "stream '\(left.stream.name)'"
      + (left.track.entity.map { ", \($0.kind) \($0.index)" } ?? "")
    if let compareFrames, left.stream.blob != nil, left.stream.attributes["video"] == .bool(true),
      right.stream.attributes["video"] == .bool(true), try !Self.isSameFile(left, right)
    {
      result.values += left.count
      if let found = try compareFrames(id, left, right) { note(id, "\(place): \(found)") }
      return
    }
    if let found = try differenceOfTimes(left, right) { note(id, "\(place): \(found)") }
    // Times that are compared as such are no channel that one side lacks.
    let areListed = left.track.clock == right.track.clock
    let times = (areListed ? nil : left.timeChannel, areListed ? nil : right.timeChannel)
    var pairs = ChannelPairs()
    let others = right.stream.channelNumbers
    for (number, channel) in left.stream.channels.enumerated() where number != times.0 {
      guard let other = others[channel.name] else {
        pairs.alone(number, note: "\(place): channel '\(channel.name)' is only in \(a.name)")
        continue
      }
      let twin = right.stream.channels[other]
      guard channel.shape == twin.shape, channel.kind == twin.kind,
        (channel.type == .bytes) == (twin.type == .bytes),
        (channel.categories == nil) == (twin.categories == nil)
      else {
        pairs.differ("\(place): channel '\(channel.name)' differs in shape or kind")
        continue
      }
      pairs.both(number, other, note: "\(place), channel '\(channel.name)', ")
    }
    try compare(left, right, &pairs)
    var extra = ChannelPairs()
    let known = left.stream.channelNumbers
    for (number, channel) in right.stream.channels.enumerated()
    where known[channel.name] == nil && number != times.1 {
      extra.alone(number, note: "\(place): channel '\(channel.name)' is only in \(b.name)")
    }
    try Self.look(right, &extra)
    for found in pairs.notes + extra.notes { note(id, found) }
    if left.stream.blob != nil, right.stream.blob != nil {
      try compareFiles(id, place, left, right)
    }
  }

  /// Whether the metadata of two videos name the same file.
  private static func isSameFile(
    _ left: TrackReader, _ right: TrackReader
  ) throws(TrajpackError) -> Bool {
    func digest(_ track: TrackReader) throws(TrajpackError) -> JSONValue? {
      try JSONValue(parsing: track.track.metadata.isEmpty ? "{}" : track.track.metadata)["sha256"]
    }
    return try digest(left) == digest(right)
  }

  /// Videos are compared by the digests of their files: of the bytes that are stored, where they are, for
  /// what is damaged is not equal; of what was noted of a file that was left in place.
  private mutating func compareFiles(
    _ id: String, _ place: String, _ left: TrackReader, _ right: TrackReader
  ) throws(TrajpackError) {
    func digest(_ track: TrackReader) throws(TrajpackError) -> String? {
      guard let noted = (try? JSONValue(parsing: track.track.metadata))?["sha256"]?.string else {
        return nil
      }
      let length = track.track.blob.count
      guard length > 0 else { return noted }
      var hash = SHA256()
      var at = 0
      while at < length {
        let part = try track.bytes(at..<min(at + 1 << 20, length))
        part.withUnsafeBytes { hash.add($0) }
        at += part.count
      }
      return hash.hexadecimal()
    }
    guard let x = try digest(left), let y = try digest(right) else { return }
    if x != y {
      note(id, "\(place): the files differ (SHA-256 \(x.prefix(16))… and \(y.prefix(16))…)")
    }
  }

  /// The channels of two tracks, and what was found of each.
  private struct ChannelPairs {
    struct Item {
      var left: Int
      /// `nil` where only one side has the channel.
      var right: Int?
      var note: String
      /// What was found; nothing more is looked at then.
      var found: String?
    }
    var items: [Item] = []

    mutating func differ(_ note: String) { items.append(Item(left: 0, note: "", found: note)) }
    mutating func alone(_ left: Int, note: String) { items.append(Item(left: left, note: note)) }
    mutating func both(_ left: Int, _ right: Int, note: String) {
      items.append(Item(left: left, right: right, note: note))
    }

    /// The sentences, in the order of the channels.
    var notes: [String] { items.compactMap(\.found) }
  }

  /// Compares the channels of two tracks run by run, all channels of a run before the next, so that each
  /// chunk is inflated once however many channels lie in it.
  private mutating func compare(
    _ left: TrackReader, _ right: TrackReader, _ pairs: inout ChannelPairs
  ) throws(TrajpackError) {
    try left.forEachRun { (rows) throws(TrajpackError) in
      for i in pairs.items.indices where pairs.items[i].found == nil {
        let item = pairs.items[i]
        guard let other = item.right else {
          if try Self.hasValues(left, item.left, rows) { pairs.items[i].found = item.note }
          continue
        }
        if let found = try difference(left, item.left, right, other, rows) {
          pairs.items[i].found = item.note + found
        }
      }
    }
  }

  /// Finds the channels with values among those that only one side has: a channel that only says that nothing
  /// was observed is as good as an absent one.
  private static func look(
    _ track: TrackReader, _ pairs: inout ChannelPairs
  ) throws(TrajpackError) {
    guard !pairs.items.isEmpty else { return }
    try track.forEachRun { (rows) throws(TrajpackError) in
      for i in pairs.items.indices where pairs.items[i].found == nil {
        let item = pairs.items[i]
        if try hasValues(track, item.left, rows) { pairs.items[i].found = item.note }
      }
    }
  }

  private static func hasValues(
    _ track: TrackReader, _ number: Int, _ rows: Range<Int>
  ) throws(TrajpackError) -> Bool {
    let values = try track.read(channel: number, rows: rows)
    let width = values.channel.type == .bytes ? 1 : values.channel.elements
    return (0..<values.count).contains { row in
      (0..<width).contains { element in
        let value = values.value(row, element)
        return value != .missing && !(values.channel.type == .bytes && value == .int(-1))
      }
    }
  }

  private mutating func difference(
    _ left: TrackReader, _ leftNumber: Int, _ right: TrackReader, _ rightNumber: Int,
    _ rows: Range<Int>
  ) throws(TrajpackError) -> String? {
    let x = try left.read(channel: leftNumber, rows: rows)
    let y = try right.read(channel: rightNumber, rows: rows)
    // A row of bytes is one text, or a place: its offset and its size.
    let width = x.channel.type == .bytes ? (x.channel.kind == .text ? 1 : 2) : x.channel.elements
    result.values += rows.count * width
    if x.channel.kind != .text, x.stored == y.stored, x.bytes == y.bytes,
      x.channel.storage.decimals == y.channel.storage.decimals,
      x.channel.categories == y.channel.categories
    {
      return nil
    }
    for row in 0..<rows.count {
      for element in 0..<width {
        let (one, two) = (
          try Self.text(x, row, element, left), try Self.text(y, row, element, right)
        )
        guard one != two else { continue }
        let at = width > 1 ? ", element \(element)" : ""
        return "row \(rows.lowerBound + row)\(at): \(one) in \(a.name), \(two) in \(b.name)"
      }
    }
    return nil
  }

  /// A value in a form that is equal exactly where values are.
  private static func text(
    _ values: ChannelValues, _ row: Int, _ element: Int, _ track: TrackReader
  ) throws(TrajpackError) -> String {
    if values.channel.kind == .text {
      return try track.bytes(values, row).map { "'\(String(decoding: $0, as: UTF8.self))'" }
        ?? "nothing"
    }
    if values.channel.categories != nil {
      return values.category(row, element).map { "'\($0)'" } ?? "nothing"
    }
    switch values.value(row, element) {
    case .missing: return "nothing"
    // The same number may be stored in any type: the double says which it is.
    case .int(let n): return Int64(exactly: Double(n)) == n ? Double(n).description : String(n)
    case .uint(let n): return UInt64(exactly: Double(n)) == n ? Double(n).description : String(n)
    case .double(let n): return n.description
    case .float(let n): return Double(n).description
    }
  }
}
