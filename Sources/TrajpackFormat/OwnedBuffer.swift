/// A heap allocation, freed when its last reference goes away.
public final class OwnedBuffer: @unchecked Sendable {
  // Written once before it is shared, only read afterwards.
  /// The bytes.
  public let bytes: UnsafeMutableRawBufferPointer

  /// Memory that is deallocated in the end.
  public init(_ bytes: UnsafeMutableRawBufferPointer) { self.bytes = bytes }

  /// Fresh memory of `count` bytes.
  public convenience init(count: Int) {
    self.init(.allocate(byteCount: max(count, 1), alignment: 16))
  }

  deinit { bytes.deallocate() }
}
