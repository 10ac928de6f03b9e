import TrajpackFormat

/// How a dataset lies in a file, as libhdf5 says it.
struct HDF5Layout: Sendable, Equatable {
  /// Where a chunk lies.
  struct Chunk: Sendable, Equatable {
    /// The filters that were left out, a bit each.
    var mask: Int
    /// Its first byte, which some releases of libhdf5 count from the end of the user block.
    var address: Int
    /// Stored bytes; 0 where it was never written.
    var stored: Int
  }

  /// What its elements are, as the reading process spells it, and their bytes: `i8` of int64.
  var element = ""
  /// The axes of an element, where it is an array.
  var elementShape: [Int] = []
  var shape: [Int] = []
  /// The shape of its chunks; empty where it has none.
  var chunkShape: [Int] = []
  /// The numbers of its filters, in order.
  var filters: [Int] = []
  /// How many chunks were written; -1 where that is not known.
  var written = -1
  var chunks: [Chunk] = []
}

extension ReaderMessage {
  /// Takes a part of a layout.
  mutating func take(_ letter: UInt8, into layout: inout HDF5Layout) throws(TrajpackError) {
    switch letter {
    case UInt8(ascii: "L"):
      layout.element = "\(try byte())\(try integer())"
      layout.elementShape = try shape()
      layout.shape = try shape()
      layout.chunkShape = try shape()
      for _ in 0..<(try count()) { layout.filters.append(try integer()) }
      layout.written = try integer()
    case UInt8(ascii: "C"):
      while !isAtEnd {
        layout.chunks.append(
          HDF5Layout.Chunk(mask: try integer(), address: try integer(), stored: try integer()))
      }
    default: break
    }
  }
}
