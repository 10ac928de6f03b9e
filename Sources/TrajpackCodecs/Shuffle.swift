import CPlatform

/// HDF5's byte shuffle (filter 2): byte `p` of element `e` of `count` moves to `p · count + e`.
///
/// trajpack gives the filter whole rows as elements, which the HDF5 array type allows. So a chunk lies
/// column by column, every byte of a column in a run of its own: constants and slow values compress as
/// if time were the last axis, yet HDF5 readers see rows, and undoing it copies rows straight into a
/// window. A column range can be undone without the others.
public enum Shuffle {
  /// Shuffles `source`, elements of `size` bytes, into `destination` of the same length.
  public static func apply(
    _ source: UnsafeRawBufferPointer, elementSize size: Int,
    into destination: UnsafeMutableRawBufferPointer
  ) {
    precondition(destination.count >= source.count && size > 0 && source.count % size == 0)
    guard let from = source.baseAddress, let to = destination.baseAddress, source.count > 0 else {
      return
    }
    tp_shuffle(
      from.assumingMemoryBound(to: UInt8.self), size, source.count / size,
      to.assumingMemoryBound(to: UInt8.self))
  }

  /// Undoes the shuffle for bytes `columns` of elements `elements`, into `destination`, one element
  /// every `stride` bytes.
  ///
  /// - Parameters:
  ///   - source: The whole shuffled chunk.
  ///   - size: Bytes of an element.
  ///   - elements: Which elements; within the chunk.
  ///   - columns: Which bytes of each; within `0..<size`.
  ///   - destination: Room for `elements.count` steps of `stride`, the last of them `columns.count` long.
  ///   - stride: Bytes from one element to the next in the destination.
  public static func undo(
    _ source: UnsafeRawBufferPointer, elementSize size: Int, elements: Range<Int>,
    columns: Range<Int>, into destination: UnsafeMutableRawPointer, stride: Int
  ) {
    let count = source.count / max(size, 1)
    precondition(
      elements.lowerBound >= 0 && elements.upperBound <= count && columns.lowerBound >= 0
        && columns.upperBound <= size && stride >= columns.count)
    guard let from = source.baseAddress else { return }
    tp_unshuffle(
      from.assumingMemoryBound(to: UInt8.self) + columns.lowerBound * count, columns.count, count,
      elements.lowerBound, elements.upperBound, destination.assumingMemoryBound(to: UInt8.self),
      stride)
  }

  /// Undoes the shuffle for elements of up to 8 bytes, which come to lie side by side, where byte `p` of
  /// element `e` is `planes[p][e]`.
  public static func undo(
    planes: UnsafePointer<UnsafeRawPointer>, elementSize size: Int, elements: Range<Int>,
    into destination: UnsafeMutableRawPointer
  ) {
    planes.withMemoryRebound(to: UnsafePointer<UInt8>?.self, capacity: size) {
      tp_unshuffle_planes(
        $0, size, elements.lowerBound, elements.upperBound,
        destination.assumingMemoryBound(to: UInt8.self))
    }
  }
}
