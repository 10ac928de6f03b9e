import TrajpackFormat
import TrajpackStore

extension ArrayFile {
  /// Up to here an array in Fortran order is turned in memory; a longer one passes through the
  /// disk.
  private static let turnedInMemory = 32 << 20
  /// Elements that are read at once, and bytes that are handed over at once.
  private static let run = 32 << 10
  private static let pieceBytes = 4 << 20

  /// Turns an array in Fortran order, a run of rows of the first axis at a time: of each column,
  /// those rows lie side by side.
  func turn(
    _ stream: any ByteStream, _ elements: NPYElements, _ leadingAxes: Int,
    _ body: (UnsafeRawBufferPointer, Int) throws(TrajpackError) -> Void
  ) throws(TrajpackError) {
    let size = header.type.size
    let (rows, columns) = (shape[0], header.count / shape[0])
    guard columns <= Schema.maximumChunkBytes / size else {
      throw origin.wrong(
        "is in Fortran order with \(columns) elements to a step of its first axis, too many to "
          + "turn; save it with numpy.ascontiguousarray")
    }
    let spool = try converted(stream, elements)
    let inner = shape.dropFirst().prefix(leadingAxes - 1).reduce(1, *)
    let perPiece = min(max(Self.pieceBytes / (columns * size), 1), rows)
    let out = ByteBuffer(perPiece * columns * size)
    let column = ByteBuffer(perPiece * size)
    let target = out.bytes.baseAddress.unsafelyUnwrapped
    let source = column.bytes.baseAddress.unsafelyUnwrapped
    for first in stride(from: 0, to: rows, by: perPiece) {
      let count = min(perPiece, rows - first)
      let part = UnsafeMutableRawBufferPointer(rebasing: column.bytes[..<(count * size)])
      var place = FortranOrder(Array(shape.dropFirst()))
      for c in 0..<columns {
        try spool.read(at: (place.next() * rows + first) * size, into: part)
        for row in 0..<count {
          (target + (row * columns + c) * size).copyMemory(
            from: source + row * size, byteCount: size)
        }
      }
      try body(
        UnsafeRawBufferPointer(rebasing: out.bytes[..<(count * columns * size)]), count * inner)
    }
  }

  /// The elements as they lie in the file, but little-endian and of the type that readers get.
  private func converted(
    _ stream: any ByteStream, _ elements: NPYElements
  ) throws(TrajpackError) -> RowSpool {
    let spool = RowSpool(limit: Self.turnedInMemory)
    let raw = ByteBuffer(Self.run * header.storedSize)
    let out = ByteBuffer(Self.run * header.type.size)
    var done = 0
    while done < header.count {
      let count = min(Self.run, header.count - done)
      let part = UnsafeMutableRawBufferPointer(rebasing: raw.bytes[..<(count * header.storedSize)])
      guard try stream.read(into: part) == part.count else {
        throw origin.wrong("was cut short while it was read")
      }
      try elements.convert(UnsafeRawBufferPointer(part), into: out.bytes, first: done)
      try spool.append(UnsafeRawBufferPointer(rebasing: out.bytes[..<(count * header.type.size)]))
      done += count
    }
    return spool
  }
}

/// Counts through an array in C order and gives each element's place in Fortran order.
struct FortranOrder {
  private let shape: [Int]
  private let strides: [Int]
  private var index: [Int]
  private var place = 0

  init(_ shape: [Int]) {
    self.shape = shape
    var strides: [Int] = []
    var stride = 1
    for axis in shape {
      strides.append(stride)
      stride *= axis
    }
    self.strides = strides
    index = Array(repeating: 0, count: shape.count)
  }

  /// The place of the next element; back to the first after the last.
  mutating func next() -> Int {
    let now = place
    for axis in shape.indices.reversed() {
      index[axis] += 1
      place += strides[axis]
      if index[axis] < shape[axis] { break }
      place -= index[axis] * strides[axis]
      index[axis] = 0
    }
    return now
  }
}
