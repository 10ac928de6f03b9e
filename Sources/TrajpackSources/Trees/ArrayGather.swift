import TrajpackFormat
import TrajpackStore

/// Gathers a part of an array whose elements lie in the order of C.
struct ArrayGather {
  let shape: [Int]
  let part: [Range<Int>]
  let size: Int
  /// Bytes from one index of the first axis to the next, where other bytes lie between.
  var outerStride: Int?

  /// Hands over the elements of the part, in the order of C.
  func read(
    _ spool: RowSpool, _ body: (UnsafeRawBufferPointer) throws(TrajpackError) -> Void
  ) throws(TrajpackError) {
    try read(
      { (at, buffer) throws(TrajpackError) in try spool.read(at: at, into: buffer) }, body)
  }

  /// Hands over the elements of the part, in the order of C, in pieces of whole elements.
  ///
  /// - Parameter fill: Fills a buffer from a byte of the array on.
  func read(
    _ fill: (Int, UnsafeMutableRawBufferPointer) throws(TrajpackError) -> Void,
    _ body: (UnsafeRawBufferPointer) throws(TrajpackError) -> Void
  ) throws(TrajpackError) {
    // Axes from here on are whole, so that their elements lie together.
    var whole = shape.count
    let least = outerStride == nil || shape.isEmpty ? 0 : 1
    while whole > least, part[whole - 1] == 0..<shape[whole - 1] { whole -= 1 }
    let inner = shape[whole...].reduce(size, *)
    var strides = [Int](repeating: size, count: shape.count)
    for axis in shape.indices.dropLast().reversed() {
      strides[axis] = strides[axis + 1] * shape[axis + 1]
    }
    if let outerStride, !shape.isEmpty { strides[0] = outerStride }
    // The last axis that is cut is one run, unless other bytes lie between its indices.
    let isRun = whole > 0 && strides[whole - 1] == inner
    let run = isRun ? part[whole - 1].count * inner : inner
    let outer = Array(part.prefix(isRun ? whole - 1 : whole))
    guard run > 0, !outer.contains(where: \.isEmpty) else { return }
    var index = outer.map(\.lowerBound)
    let piece = 1 << 20
    let buffer = ByteBuffer(min(run, piece))
    while true {
      var at = isRun ? part[whole - 1].lowerBound * strides[whole - 1] : 0
      for (axis, i) in index.enumerated() { at += i * strides[axis] }
      for first in stride(from: 0, to: run, by: piece) {
        let some = UnsafeMutableRawBufferPointer(rebasing: buffer.bytes[..<min(piece, run - first)])
        try fill(at + first, some)
        try body(UnsafeRawBufferPointer(some))
      }
      var axis = index.count - 1
      while axis >= 0 {
        index[axis] += 1
        if index[axis] < outer[axis].upperBound { break }
        index[axis] = outer[axis].lowerBound
        axis -= 1
      }
      if axis < 0 { return }
    }
  }
}

/// Reads a file at places that mostly follow each other, in larger pieces than are asked for.
final class FileWindow {
  private static let bytes = 256 << 10
  private let file: LocalFile
  private let buffer = ByteBuffer(bytes)
  private var held = 0..<0

  init(_ file: LocalFile) { self.file = file }

  /// Fills a buffer from a byte on; what is asked for lies in the file.
  ///
  /// - Parameter isNear: Whether the next bytes are likely to be asked for soon.
  func read(
    at offset: Int, into out: UnsafeMutableRawBufferPointer, isNear: Bool = true
  ) throws(TrajpackError) {
    if !isNear || out.count > Self.bytes / 2 { return try file.read(at: offset, into: out) }
    if offset < held.lowerBound || offset + out.count > held.upperBound {
      let end = min(offset + Self.bytes, max(file.length, offset + out.count))
      held = 0..<0
      try file.read(
        at: offset,
        into: UnsafeMutableRawBufferPointer(rebasing: buffer.bytes[..<(end - offset)]))
      held = offset..<end
    }
    out.copyMemory(
      from: UnsafeRawBufferPointer(
        rebasing: UnsafeRawBufferPointer(buffer.bytes)[
          (offset - held.lowerBound)..<(offset - held.lowerBound + out.count)]))
  }
}

extension UnsafeMutableRawBufferPointer {
  /// Turns the bytes of each element around.
  func reverseElements(of size: Int) {
    guard size > 1 else { return }
    for first in stride(from: 0, to: count - size + 1, by: size) {
      for i in 0..<size / 2 { swapAt(first + i, first + size - 1 - i) }
    }
  }
}
