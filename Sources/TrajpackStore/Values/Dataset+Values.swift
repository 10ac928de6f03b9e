import TrajpackFormat

extension Dataset {
  /// The values that were set on the dataset after it was written; `nil` where there are none.
  ///
  /// - Throws: A data error where their side file is missing or damaged.
  public func valueAnnotations() throws(TrajpackError) -> ValueAnnotations? {
    guard let content = try content(.values, named: ValueAnnotations.sideFile) else { return nil }
    return try within(file: path) { () throws(TrajpackError) in
      try ValueAnnotations(json: content, at: "its values")
    }
  }

  /// What is known of all episodes, and their ids, in order.
  ///
  /// - Throws: A data error where metadata is no JSON, or the side file of values is damaged.
  public func values(
    _ selection: ValueTable.Selection
  ) throws(TrajpackError) -> (ids: [String], table: ValueTable) {
    var shards: [Shard] = []
    for number in shardPaths.indices { shards.append(try shard(number)) }
    let ids = shards.flatMap { shard in
      (0..<shard.index.episodeCount).map { shard.index.episode($0).id }
    }
    return (ids, try ValueTable(shards, selection, annotations: try valueAnnotations()))
  }
}
