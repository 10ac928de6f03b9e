import TrajpackFormat

extension Dataset {
  /// How many tracks a shard has, by its header alone.
  ///
  /// - Throws: A data error where the header is damaged.
  package func trackCount(ofShard number: Int) throws(TrajpackError) -> Int {
    let path = path(ofShard: number)
    if !isRemote, FileSystem.item(at: path) == nil, let missing = try missing(number) {
      throw missing
    }
    let file = try ByteSources.open(path)
    return try within(file: FileSystem.name(of: file.path)) { () throws(TrajpackError) in
      let first = try file.bytes(0..<min(file.length, ShardHeader.size))
      let header = try first.withUnsafeBytesThrowing { (bytes) throws(TrajpackError) in
        try ShardHeader(bytes, actualLength: UInt64(file.length))
      }
      return Int(header.section(.tracks)?.stored ?? 0) / ((ShardIndex.Columns.of(.tracks) ?? 1) * 8)
    }
  }
}
