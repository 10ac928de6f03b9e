extension Array where Element == UInt8 {
  /// `withUnsafeBytes` with a typed error.
  package func withBytes<Result>(
    _ body: (UnsafeRawBufferPointer) throws(TrajpackError) -> Result
  ) throws(TrajpackError) -> Result {
    try withUnsafeBufferPointer { (bytes) throws(TrajpackError) in
      try body(UnsafeRawBufferPointer(bytes))
    }
  }

  /// `withUnsafeMutableBytes` with a typed error.
  package mutating func withMutableBytes<Result>(
    _ body: (UnsafeMutableRawBufferPointer) throws(TrajpackError) -> Result
  ) throws(TrajpackError) -> Result {
    try withUnsafeMutableBufferPointer { (bytes) throws(TrajpackError) in
      try body(UnsafeMutableRawBufferPointer(bytes))
    }
  }

  /// The bytes that `body` writes into room for `capacity` of them; it returns how many those are.
  package init(
    capacity: Int, filledBy body: (UnsafeMutableRawBufferPointer) throws(TrajpackError) -> Int
  ) throws(TrajpackError) {
    var failure: TrajpackError?
    self.init(unsafeUninitializedCapacity: capacity) { buffer, count in
      do throws(TrajpackError) {
        count = try body(
          UnsafeMutableRawBufferPointer(
            rebasing: UnsafeMutableRawBufferPointer(buffer)[..<capacity]))
      } catch { failure = error }
    }
    if let failure { throw failure }
  }
}
