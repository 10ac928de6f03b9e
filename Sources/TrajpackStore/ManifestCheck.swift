import TrajpackFormat

/// Compares what a manifest says beside its list of shards with what can be known of it.
public enum ManifestCheck {
  /// What is damaged, a sentence each.
  ///
  /// - Parameter statistics: Those of all shards, added in their order, as the writer does.
  public static func damages(
    of manifest: Manifest, inFolder folder: String, statistics: DatasetStatistics
  ) throws(TrajpackError) -> [TrajpackError] {
    var damages: [TrajpackError] = []
    func note(_ what: String) {
      damages.append(
        TrajpackError(
          .data, file: "\(folder)/\(Manifest.fileName)",
          "is damaged: \(what); restore it from a copy, or run "
            + "'trajpack repair \(folder)', which writes it anew"))
    }
    // As text and back, so that a number is what the file can say of it.
    let text = Array(statistics.json.text().utf8)
    let wanted = try JSONValue(parsing: text)
    let found = try Manifest.statistics(inFolder: folder, atMost: 2 * text.count + 1 << 20)
    if let found {
      if let place = difference(found, wanted, "statistics") {
        note("\(place) is not what the shards give")
      }
    } else {
      note("its statistics are no JSON, or longer than those of its shards can be")
    }
    do throws(TrajpackError) { try check(plan: manifest.source) } catch { note(error.message) }
    return damages
  }

  /// The place of the first difference of two values; `nil` where they are equal.
  private static func difference(_ a: JSONValue, _ b: JSONValue, _ place: String) -> String? {
    if a == b { return nil }
    if let left = a.array, let right = b.array, left.count == right.count {
      for i in left.indices {
        if let found = difference(left[i], right[i], "\(place)[\(i)]") { return found }
      }
    }
    if let left = a.members, let right = b.members, left.map(\.name) == right.map(\.name) {
      for (x, y) in zip(left, right) {
        if let found = difference(x.value, y.value, "\(place)['\(x.name)']") { return found }
      }
    }
    return place
  }

  /// Checks the form of a plan: `schemas/journal-record.schema.json`. That its values are those that were
  /// written cannot be known: nothing else has them.
  private static func check(plan: JSONValue) throws(TrajpackError) {
    guard plan != .object([]) else { return }
    let reader = JSONReader(plan, at: "source")
    func atLeast(_ least: Int, _ name: String) throws(TrajpackError) {
      guard try reader.integer(name) >= least else {
        throw reader.wrong("'\(name)' of at least \(least)")
      }
    }
    guard try reader.text("type") == "plan" else { throw reader.wrong("a plan") }
    guard try !reader.text("format").isEmpty else { throw reader.wrong("the name of a format") }
    _ = try reader.object("options")
    _ = try reader.choice("codec") { Codec(name: $0) }
    try atLeast(1, "shard_bytes")
    if plan["level"] != nil { try atLeast(0, "level") }
    if plan["chunk_rows"] != nil { try atLeast(1, "chunk_rows") }
    if plan["before"] != nil { _ = try reader.object("before") }
    guard try reader.text("format") != "writer" else { return }
    try atLeast(1, "recordings")
    guard FileDigest(hexadecimal: try reader.text("digest")) != nil else {
      throw reader.wrong("a SHA-256 of 64 hexadecimal digits")
    }
  }
}
