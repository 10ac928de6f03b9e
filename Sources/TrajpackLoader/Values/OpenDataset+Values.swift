import TrajpackFormat
import TrajpackStore

extension OpenDataset {
  /// What is known of each episode, in the order of the episodes. Read once.
  ///
  /// - Throws: A data error where metadata is no JSON, or the side file of values is damaged.
  public func values() throws(TrajpackError) -> ValueTable {
    try cachedValues.withLock { (cached) throws(TrajpackError) in
      if let cached { return cached }
      let table = try ValueTable(shards, annotations: try annotations())
      cached = table
      return table
    }
  }

  /// The values that were set after it was written; `nil` where there are none. Read once.
  ///
  /// - Throws: A data error where their side file is damaged.
  public func annotations() throws(TrajpackError) -> ValueAnnotations? {
    try cachedAnnotations.withLock { (cached) throws(TrajpackError) in
      if let cached { return cached }
      let found = try dataset.valueAnnotations()
      cached = .some(found)
      return found
    }
  }
}
