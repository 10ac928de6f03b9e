import TrajpackFormat

extension DatasetAppender {
  /// Shards of one size that are joined at once.
  static let fan = 16
  /// The most episodes of a shard that is still joined with others.
  static let mostEpisodes = 4096
  /// Sizes: below 16, 256 and 2048 units. A shard of 2048 units is full: it is never rewritten again.
  private static let levels = [fan, fan * fan, mostEpisodes / 2]

  /// The size of a shard: a 4096th of what fills one, in episodes or bytes.
  private func units(_ entry: Manifest.Entry) -> Int {
    let share = max(options.shardBytes / Self.mostEpisodes, 1)
    return max(entry.receipt.episodes, (entry.receipt.bytes + share - 1) / share)
  }

  private func level(_ entry: Manifest.Entry) -> Int {
    let size = units(entry)
    return Self.levels.firstIndex { size < $0 } ?? Self.levels.count
  }

  func isFull(_ entry: Manifest.Entry) -> Bool { level(entry) == Self.levels.count }

  /// Joins the last shards where 16 of one size, or enough to fill one, have come together.
  ///
  /// A failure is kept for ``close()``: the episode that was just acknowledged is safe all the same. When 16
  /// more shards have come, joining is tried again.
  func joinIfDue() {
    guard joinFailure == nil || shards.count >= joinsAgainAt else { return }
    joinFailure = nil
    var isDue = true
    while isDue {
      isDue = false
      for level in Self.levels.indices {
        let (range, size, alike) = tail(level)
        guard range.count >= 2, alike >= Self.fan || size >= Self.mostEpisodes else { continue }
        do throws(TrajpackError) {
          try join(range)
          isDue = true
        } catch { (joinFailure, joinsAgainAt) = (error, shards.count + Self.fan) }
        break
      }
      if joinFailure != nil { return }
    }
  }

  /// Joins all last shards that do not fill one.
  func joinRest() {
    let range = tail(Self.levels.count - 1).range
    joinFailure = nil
    guard range.count >= 2 else { return }
    do throws(TrajpackError) { try join(range) } catch { joinFailure = error }
  }

  /// The last shards of at most that level, their units, and how many have just that level.
  private func tail(_ most: Int) -> (range: Range<Int>, units: Int, alike: Int) {
    var first = shards.count
    var (size, alike) = (0, 0)
    // One that is in the bucket is not read back, however large the shards of this writer are.
    while first > firstJoinable, !sent.contains(shards[first - 1].name),
      level(shards[first - 1]) <= most
    {
      first -= 1
      size += units(shards[first])
      if level(shards[first]) == most { alike += 1 }
    }
    return (first..<shards.count, size, alike)
  }

  /// Writes the episodes of some shards into one, and has the journal name it instead of them.
  private func join(_ range: Range<Int>) throws(TrajpackError) {
    guard let schema else { return }
    try journal.settle()
    let parts = Array(shards[range])
    var opened: [Shard] = []
    var blobBytes = [Int](repeating: 0, count: schema.plans.count)
    for part in parts {
      let shard = try Shard("\(folder)/\(part.name)")
      for (i, stream) in shard.schema.streams.enumerated() {
        blobBytes[i] += stream.blob.map { shard.schema.blocks[$0].rows } ?? 0
      }
      opened.append(shard)
    }
    let layout = schema.layout(options.layout, blobBytes: blobBytes)
    // Chunks that are shuffled as the last shard's are copied as they are.
    shuffles = opened.last?.schema.blocks.map(\.shuffle)
    // A full shard is not joined again, so the episodes behind it may be shuffled otherwise.
    defer { if shards.last.map(isFull) ?? false { shuffles = nil } }
    let entry = try write(layout) { (writer) throws(TrajpackError) in
      try writer.append(contentsOf: opened)
    }
    let before = supersededShards
    var list = shards
    list.replaceSubrange(range, with: [entry])
    supersededShards = parts.map(\.name)
    do throws(TrajpackError) {
      try journal.replace(plan: source, shards: list)
    } catch {
      // Readers may see the new list all the same, while a power cut may bring the old one back: then the
      // files of both stay.
      supersededShards = journal.shards == list ? before + supersededShards : before
      if journal.shards == list { accept(list, entry, parts) }
      throw error
    }
    accept(list, entry, parts)
    for name in before {
      do throws(TrajpackError) { try FileSystem.remove("\(folder)/\(name)") } catch {
        supersededShards.append(name)
      }
    }
  }

  private func accept(_ list: [Manifest.Entry], _ entry: Manifest.Entry, _ parts: [Manifest.Entry])
  {
    shards = list
    isNamed(entry)
    joins += 1
    joinedBytes += parts.reduce(0) { $0 + $1.receipt.bytes }
  }
}
