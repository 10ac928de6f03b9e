/// Bytes in memory, given back when the last reference goes away.
public final class OwnedBuffer: @unchecked Sendable {
  // Written once before it is shared, only read afterwards.
  /// The bytes.
  public let bytes: UnsafeMutableRawBufferPointer

  /// Whose memory it is; `nil` for an allocation.
  private let owner: IndexMemory?

  /// Memory that is deallocated in the end.
  public init(_ bytes: UnsafeMutableRawBufferPointer) {
    self.bytes = bytes
    owner = nil
  }

  /// A part of `memory`; `nil` where it has none to give.
  package init?(count: Int, in memory: IndexMemory) {
    guard let start = memory.take(count) else { return nil }
    bytes = UnsafeMutableRawBufferPointer(start: start, count: count)
    owner = memory
  }

  /// Fresh memory of `count` bytes.
  public convenience init(count: Int) {
    self.init(.allocate(byteCount: max(count, 1), alignment: 16))
  }

  deinit { if owner == nil { bytes.deallocate() } }
}
