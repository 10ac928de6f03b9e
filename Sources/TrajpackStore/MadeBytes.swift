import TrajpackFormat

/// Bytes of a blob that are made or fetched while a shard is written, so that they never lie in memory or in a temporary
/// file as a whole. One thread at a time uses them.
public protocol MadeBytes: Sendable {
  /// How many.
  var count: Int { get }

  /// Fills `buffer` from byte `offset` on; the bytes are there. A writer reads from the first to the last.
  func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(TrajpackError)

  /// What the track's metadata say besides, known when all bytes were read in order.
  func facts() throws(TrajpackError) -> [JSONValue.Member]
}

extension MadeBytes {
  /// Nothing.
  public func facts() -> [JSONValue.Member] { [] }
}

/// The bytes of a track's blob in a shard, read when they are wanted.
package final class ArchivedBytes: MadeBytes, @unchecked Sendable {
  // One thread at a time uses it.
  private let track: TrackReader

  package init(_ shard: Shard, track: Int) {
    self.track = TrackReader(shard, track: track, reader: BlockReader(shard, cache: 2 << 20))
  }

  package var count: Int { track.track.blob.count }

  package func read(
    at offset: Int, into buffer: UnsafeMutableRawBufferPointer
  ) throws(TrajpackError) {
    guard let start = buffer.baseAddress else { return }
    try track.read(bytes: offset..<offset + buffer.count, into: start)
  }
}
