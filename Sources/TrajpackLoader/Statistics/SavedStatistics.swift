import TrajpackCodecs
import TrajpackFormat
import TrajpackStore

/// Statistics of some rows that a side file of the dataset keeps (archive-format.md, section 11), so that they need not
/// be measured again.
///
/// The file's name among those of its role is 16 digits of the digest of the rows and 16 of what was measured of them.
enum SavedStatistics {
  /// What a side file is named.
  static func name(_ rowsDigest: String, _ channels: [SubsetMeasurement.Measured], by: String?)
    -> String
  {
    var text = by ?? ""
    for channel in channels {
      text +=
        "\n\(channel.path) \(channel.channel.shape) \(channel.axes.map { "\($0)" } ?? "-")"
        + " \(channel.hasQuantiles)"
    }
    let digest = Array(text.utf8).withUnsafeBytes { SHA256.of($0) }
    return "\(rowsDigest.prefix(16))-\(digest.prefix(16))"
  }

  /// What a side file holds.
  static func content(_ measured: SubsetMeasurement) -> JSONValue {
    .record([
      "data_digest": .string(measured.dataDigest), "rows_digest": .string(measured.rowsDigest),
      "by": measured.by.map { .string($0) } ?? .null,
      "channels": .array(
        measured.channels.map { channel in
          .record([
            "channel": .string(channel.path),
            "axes": channel.axes.map { .array($0.map { .int(Int64($0)) }) } ?? .null,
          ])
        }),
      "groups": .array(
        measured.groups.map { group in
          .record([
            "value": group.value ?? .null, "episodes": .int(Int64(group.episodes)),
            "rows": .object(group.rows.map { .init($0.stream, .int(Int64($0.rows))) }),
            "statistics": .array(group.statistics.map { .array($0.map(json)) }),
          ])
        }),
    ])
  }

  private static func json(_ one: ComponentStatistics) -> JSONValue {
    let counts = [one.count, one.missing, one.infinite].map { JSONValue.int(Int64($0)) }
    guard one.count > 0 else { return .array(counts) }
    let figures = [one.minimum, one.maximum, one.mean, one.m2] + one.quantiles
    // JSON has no infinity, which a sum of squares may be.
    return .array(counts + figures.map { $0.isFinite ? .double($0) : .null })
  }

  private static func component(_ json: JSONValue, hasQuantiles: Bool?) -> ComponentStatistics? {
    guard let list = json.array, list.count >= 3, let count = list[0].int,
      let missing = list[1].int, let infinite = list[2].int, count >= 0, missing >= 0, infinite >= 0
    else { return nil }
    var out = ComponentStatistics()
    (out.missing, out.infinite) = (missing, infinite)
    guard count > 0 else { return list.count == 3 ? out : nil }
    let figures = list[3...].map { $0 == .null ? Double.infinity : $0.double }
    guard figures.count == 4 || figures.count == 4 + ComponentStatistics.probabilities.count,
      !figures.contains(nil)
    else { return nil }
    let numbers = figures.compactMap { $0 }
    out.count = count
    (out.minimum, out.maximum, out.mean, out.m2) = (numbers[0], numbers[1], numbers[2], numbers[3])
    out.quantiles = Array(numbers[4...])
    guard hasQuantiles.map({ $0 == !out.quantiles.isEmpty }) ?? true else { return nil }
    return out
  }

  private static func damaged(_ dataset: Dataset, _ name: String) -> TrajpackError {
    TrajpackError(
      .data, file: dataset.path,
      "the saved statistics '\(name)' are not those of its name; measure them again with "
        + "'trajpack statistics --save' by a trajpack that wrote them")
  }

  /// The groups that a side file has of just this request; `nil` where there is none.
  ///
  /// - Throws: A data error where the file is damaged.
  static func groups(
    _ dataset: OpenDataset, _ name: String, _ rowsDigest: String,
    _ channels: [SubsetMeasurement.Measured]
  ) throws(TrajpackError) -> [SubsetMeasurement.Group]? {
    guard let content = try dataset.dataset.content(.statistics, named: name) else { return nil }
    guard content["data_digest"]?.string == dataset.digest,
      content["rows_digest"]?.string == rowsDigest
    else { return nil }
    var out: [SubsetMeasurement.Group] = []
    for group in content["groups"]?.array ?? [] {
      guard let episodes = group["episodes"]?.int, let rows = group["rows"]?.members,
        let lists = group["statistics"]?.array, lists.count == channels.count
      else { throw damaged(dataset.dataset, name) }
      var statistics: [[ComponentStatistics]] = []
      for (list, channel) in zip(lists, channels) {
        let found = (list.array ?? []).compactMap {
          component($0, hasQuantiles: channel.hasQuantiles)
        }
        guard found.count == list.array?.count, try found.count == channel.components().count
        else { throw damaged(dataset.dataset, name) }
        statistics.append(found)
      }
      let value = group["value"] ?? .null
      out.append(
        .init(
          value: content["by"] == .null ? nil : value, episodes: episodes,
          rows: rows.map { ($0.name, $0.value.int ?? 0) }, statistics: statistics))
    }
    guard !out.isEmpty else { throw damaged(dataset.dataset, name) }
    return out
  }

  /// The components of a channel that any side file has of these rows as a whole; `nil` where there is none.
  static func components(
    _ dataset: OpenDataset, _ rowsDigest: String, _ channel: MeasuredChannel, axes: [Int]?
  ) throws(TrajpackError) -> [ComponentStatistics]? {
    for entry in dataset.dataset.sideFiles(.statistics)
    where entry.name.hasPrefix("\(rowsDigest.prefix(16))-") {
      let content = try dataset.dataset.content(of: entry)
      guard content["data_digest"]?.string == dataset.digest, content["by"] == .null,
        content["rows_digest"]?.string == rowsDigest,
        let number = content["channels"]?.array?.firstIndex(where: {
          $0["channel"]?.string == channel.path
            && ($0["axes"]?.array.map { $0.compactMap(\.int) }) == axes
        }), let lists = content["groups"]?.array?.first?["statistics"]?.array,
        lists.indices.contains(number)
      else { continue }
      let found = (lists[number].array ?? []).compactMap { component($0, hasQuantiles: nil) }
      guard found.count == channel.components.count,
        !channel.hasQuantiles || found.allSatisfy({ $0.count == 0 || !$0.quantiles.isEmpty })
      else { continue }
      return found
    }
    return nil
  }
}

extension SubsetMeasurement {
  /// Keeps the statistics in a side file of the dataset, where the same request, and loaders that normalize by these
  /// rows, find them.
  ///
  /// - Throws: A usage error where the dataset cannot be changed: see ``SideFileEditor``.
  public func save(in path: String) throws(TrajpackError) {
    let editor = try SideFileEditor(path)
    guard editor.dataset.manifest?.digest == dataDigest else {
      try editor.close()
      throw TrajpackError(
        .usage, file: path,
        "was changed while it was measured, so nothing was saved; measure it again"
      )
    }
    try editor.put(
      .statistics, named: SavedStatistics.name(rowsDigest, channels, by: by),
      SavedStatistics.content(self))
    try editor.commit()
  }
}
