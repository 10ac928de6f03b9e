import TrajpackFormat

/// What the store needs of the container that a shard is written into. TrajpackHDF5 has the one there
/// is; the store never names libhdf5.
public protocol ShardBackend: AnyObject {
  /// Makes a dataset for a block; chunks may be written to it from then on.
  func create(_ block: Block, level: Int?, note: String) throws(TrajpackError)

  /// Writes the next chunk of block `number` and says where it lies in the file, having read it back.
  func write(
    _ bytes: UnsafeRawBufferPointer, chunk: Int, block number: Int, filterMask: UInt32
  ) throws(TrajpackError) -> Int

  /// Writes a whole section of the index as a dataset of its own and says where it lies. `bytes` are
  /// `raw` bytes of elements of `type`, `columns` a row, compressed with `codec`.
  func write(
    section name: String, _ bytes: UnsafeRawBufferPointer, raw: Int, type: ElementType,
    columns: Int,
    codec: Codec
  ) throws(TrajpackError) -> Int

  /// Sets the number of rows of every block, and closes the file.
  func finish(rows: [Int]) throws(TrajpackError)
}

/// Makes the container of a new shard at a path where no file is.
public typealias MakeBackend = @Sendable (_ path: String) throws(TrajpackError) -> any ShardBackend
