import TrajpackCodecs
import TrajpackFormat
import TrajpackStore

/// The values of a data page, and the levels that say where they belong.
struct ParquetPage {
  /// Entries: values, absent values, empty and absent lists.
  var count = 0
  /// The values that are there, packed, little-endian; truth values have a byte each, bytes lie one after another.
  var values: [UInt8] = []
  /// Where the values of bytes end in ``values``; of others empty.
  var ends: [Int] = []
  /// How many values are there.
  var present = 0
  /// The definition levels; empty where every value is there.
  var definition: [UInt8] = []
  /// The repetition levels; empty where the column has no lists.
  var repetition: [UInt8] = []

  /// The bytes of a present value.
  func bytes(_ value: Int) -> Range<Int> { (value == 0 ? 0 : ends[value - 1])..<ends[value] }
}

/// Reads the pages of a column chunk.
struct ParquetPages {
  private struct Header {
    var kind = -1
    var raw = -1
    var stored = -1
    var values = -1
    var encoding = -1
    var definitionEncoding = 3
    var repetitionEncoding = 3
    var definitionBytes = 0
    var repetitionBytes = 0
    var nulls = -1
    var isCompressed = true
  }

  private static let encodings = [
    0: "PLAIN", 2: "PLAIN_DICTIONARY", 3: "RLE", 4: "BIT_PACKED", 5: "DELTA_BINARY_PACKED",
    6: "DELTA_LENGTH_BYTE_ARRAY", 7: "DELTA_BYTE_ARRAY", 8: "RLE_DICTIONARY",
    9: "BYTE_STREAM_SPLIT",
  ]
  private static let codecs = [
    0: "UNCOMPRESSED", 1: "SNAPPY", 2: "GZIP", 3: "LZO", 4: "BROTLI", 5: "LZ4", 6: "ZSTD",
    7: "LZ4_RAW",
  ]
  /// Pages that claim more than so many bytes, and so many times what is stored, are taken for damaged.
  private static let suspect = (bytes: 64 << 20, ratio: 1200)

  private let file: LocalFile
  private let column: ParquetColumn
  private let chunk: ParquetMetadata.Chunk
  private let decompressor = Decompressor()
  private var left: Int
  private var window: [UInt8] = []
  private var raw: [UInt8] = []
  private var indices: [UInt32] = []
  private var dictionary = ParquetPage()
  private var hasDictionary = false
  /// The byte of the file at which the next page begins.
  private(set) var position: Int
  /// The page that was read last.
  private(set) var page = ParquetPage()

  init(_ file: LocalFile, _ column: ParquetColumn, _ chunk: ParquetMetadata.Chunk) {
    self.file = file
    self.column = column
    self.chunk = chunk
    left = chunk.values
    position = chunk.offset
  }

  /// Reads the next data page; whether there is one.
  mutating func next() throws(TrajpackError) -> Bool {
    let end = chunk.offset + chunk.bytes
    while left > 0 {
      guard position < end else {
        throw TrajpackError(.data, "the pages end, and \(left) values are missing")
      }
      let (header, length) = try header(end)
      guard header.raw >= 0, header.stored >= 0, header.stored <= end - position - length else {
        throw TrajpackError(
          .data, "a page of \(header.stored) bytes does not fit into the column's bytes")
      }
      try refuseSuspect(header.raw, header.stored)
      let start = position + length
      position = start + header.stored
      switch header.kind {
      case 0, 3:
        guard header.values >= 0, header.values <= left else {
          throw TrajpackError(
            .data, "a page has \(header.values) values where \(left) are left")
        }
        left -= header.values
        let stored = try file.bytes(start..<position)
        try stored.withUnsafeBytesThrowing { (stored) throws(TrajpackError) in
          try header.kind == 0 ? first(header, stored) : second(header, stored)
        }
        return true
      case 2:
        guard !hasDictionary else {
          throw TrajpackError(.data, "the column has a second dictionary")
        }
        guard header.encoding == 0 || header.encoding == 2 else { throw unread(header.encoding) }
        let stored = try file.bytes(start..<position)
        try stored.withUnsafeBytesThrowing { (stored) throws(TrajpackError) in
          try Self.decompressed(stored, header.raw, chunk.codec, decompressor) {
            (bytes) throws(TrajpackError) in
            guard header.values >= 0 else {
              throw TrajpackError(.data, "the dictionary does not state how many values it has")
            }
            try ParquetPlain.read(bytes, column, header.values, &dictionary)
          }
        }
        hasDictionary = true
      // An index page, or a kind of a later version.
      default: continue
      }
    }
    return false
  }

  private func refuseSuspect(_ claimed: Int, _ stored: Int) throws(TrajpackError) {
    guard claimed <= Self.suspect.bytes || claimed / Self.suspect.ratio <= max(stored, 1) else {
      throw TrajpackError(
        .data, "\(stored) bytes are said to hold \(claimed), which no recording does")
    }
  }

  private func unread(_ encoding: Int) -> TrajpackError {
    TrajpackError(
      .data,
      "the encoding \(Self.encodings[encoding] ?? "number \(encoding)") is not read; write the file anew without it "
        + "(pyarrow: use_dictionary=True)")
  }

  /// The header of the page at the position, and its length.
  private mutating func header(_ end: Int) throws(TrajpackError) -> (Header, Int) {
    // Headers are short, but for statistics with long texts.
    for most in [256, 1 << 20] {
      let there = min(most, end - position)
      let bytes = try file.bytes(position..<position + there)
      do throws(TrajpackError) {
        return try bytes.withUnsafeBytesThrowing { (bytes) throws(TrajpackError) in
          var reader = ThriftReader(bytes)
          let header = try Self.header(&reader)
          return (header, reader.position)
        }
      } catch {
        if there < most || most > 256 { throw error }
      }
    }
    throw TrajpackError(.data, "the header of a page is damaged")
  }

  private static func header(_ reader: inout ThriftReader) throws(TrajpackError) -> Header {
    var header = Header()
    try reader.fields { (reader, field, kind) throws(TrajpackError) in
      switch (field, kind) {
      case (1, .int32): header.kind = try reader.integer()
      case (2, .int32): header.raw = try reader.integer()
      case (3, .int32): header.stored = try reader.integer()
      case (5, .structure), (7, .structure):
        try reader.fields { (reader, field, kind) throws(TrajpackError) in
          switch (field, kind) {
          case (1, .int32): header.values = try reader.integer()
          case (2, .int32): header.encoding = try reader.integer()
          case (3, .int32): header.definitionEncoding = try reader.integer()
          case (4, .int32): header.repetitionEncoding = try reader.integer()
          default: try reader.skip(kind)
          }
        }
      case (8, .structure):
        try reader.fields { (reader, field, kind) throws(TrajpackError) in
          switch (field, kind) {
          case (1, .int32): header.values = try reader.integer()
          case (2, .int32): header.nulls = try reader.integer()
          case (4, .int32): header.encoding = try reader.integer()
          case (5, .int32): header.definitionBytes = try reader.integer()
          case (6, .int32): header.repetitionBytes = try reader.integer()
          case (7, .no): header.isCompressed = false
          default: try reader.skip(kind)
          }
        }
      default: try reader.skip(kind)
      }
    }
    return header
  }

  /// Has `body` see what the stored bytes of a page decompress to.
  private static func decompressed(
    _ stored: UnsafeRawBufferPointer, _ count: Int, _ codec: Int, _ decompressor: Decompressor,
    _ body: (UnsafeRawBufferPointer) throws(TrajpackError) -> Void
  ) throws(TrajpackError) {
    if codec == 0 {
      guard stored.count == count else {
        throw TrajpackError(
          .data, "a page that is not compressed has \(stored.count) bytes and states \(count)")
      }
      return try body(stored)
    }
    let bytes = ByteBuffer(max(count, 1))
    let room = UnsafeMutableRawBufferPointer(rebasing: bytes.bytes[..<count])
    switch codec {
    case 1: try Snappy.decompress(stored, into: room)
    case 2: try Gzip.decompress(stored, into: room)
    case 6: try decompressor.decompress(stored, .zstd, into: room)
    default:
      throw TrajpackError(
        .data,
        "the codec \(codecs[codec] ?? "number \(codec)") is not read; "
          + "UNCOMPRESSED, SNAPPY, GZIP and ZSTD are")
    }
    try body(UnsafeRawBufferPointer(room))
  }

  /// A page of version 1: levels and values are compressed together.
  private mutating func first(
    _ header: Header, _ stored: UnsafeRawBufferPointer
  ) throws(TrajpackError) {
    var found = ParquetPage()
    swap(&found, &page)
    defer { swap(&found, &page) }
    try Self.decompressed(stored, header.raw, chunk.codec, decompressor) {
      (bytes) throws(TrajpackError) in
      var at = 0
      func levels(_ most: UInt8, _ encoding: Int) throws(TrajpackError) -> UnsafeRawBufferPointer? {
        guard most > 0 else { return nil }
        guard encoding == 3 else { throw unread(encoding) }
        guard bytes.count - at >= 4 else { throw Self.short }
        let count = Int(bytes.loadUnaligned(fromByteOffset: at, as: UInt32.self).littleEndian)
        guard count <= bytes.count - at - 4 else { throw Self.short }
        defer { at += 4 + count }
        return UnsafeRawBufferPointer(rebasing: bytes[at + 4..<at + 4 + count])
      }
      let repetition = try levels(column.repetition, header.repetitionEncoding)
      let definition = try levels(column.definition, header.definitionEncoding)
      try fill(
        &found, header, repetition, definition, UnsafeRawBufferPointer(rebasing: bytes[at...]))
    }
  }

  /// A page of version 2: levels stand before the compressed values.
  private mutating func second(
    _ header: Header, _ stored: UnsafeRawBufferPointer
  ) throws(TrajpackError) {
    var found = ParquetPage()
    swap(&found, &page)
    defer { swap(&found, &page) }
    let (r, d) = (header.repetitionBytes, header.definitionBytes)
    guard r >= 0, d >= 0, r <= stored.count, d <= stored.count - r, header.raw >= r + d else {
      throw Self.short
    }
    let repetition = UnsafeRawBufferPointer(rebasing: stored[..<r])
    let definition = UnsafeRawBufferPointer(rebasing: stored[r..<r + d])
    let rest = UnsafeRawBufferPointer(rebasing: stored[(r + d)...])
    let levels = (
      column.repetition > 0 ? repetition : nil, column.definition > 0 ? definition : nil
    )
    if header.isCompressed, chunk.codec != 0, !rest.isEmpty {
      try Self.decompressed(rest, header.raw - r - d, chunk.codec, decompressor) {
        (bytes) throws(TrajpackError) in
        try fill(&found, header, levels.0, levels.1, bytes)
      }
    } else {
      try fill(&found, header, levels.0, levels.1, rest)
    }
  }

  private static var short: TrajpackError {
    TrajpackError(.data, "the page ends inside its levels")
  }

  private mutating func fill(
    _ page: inout ParquetPage, _ header: Header, _ repetition: UnsafeRawBufferPointer?,
    _ definition: UnsafeRawBufferPointer?, _ values: UnsafeRawBufferPointer
  ) throws(TrajpackError) {
    let count = header.values
    try refuseSuspect(count, (repetition?.count ?? 0) + (definition?.count ?? 0) + values.count)
    page.count = count
    page.repetition.removeAll(keepingCapacity: true)
    page.definition.removeAll(keepingCapacity: true)
    page.present = count
    if let repetition {
      try Self.levels(repetition, column.repetition, count, &page.repetition)
    }
    if let definition, count > 0 {
      var runs = try ParquetHybrid(definition, width: Self.bits(column.definition))
      if try runs.constant(count) != UInt32(column.definition) {
        try Self.levels(definition, column.definition, count, &page.definition)
        let most = column.definition
        page.present = page.definition.reduce(0) { $0 + ($1 == most ? 1 : 0) }
      }
    }
    try self.values(header.encoding, values, &page)
  }

  /// The bits of levels up to a number.
  private static func bits(_ most: UInt8) -> Int { 8 - most.leadingZeroBitCount }

  private static func levels(
    _ bytes: UnsafeRawBufferPointer, _ most: UInt8, _ count: Int, _ out: inout [UInt8]
  ) throws(TrajpackError) {
    var runs = try ParquetHybrid(bytes, width: bits(most))
    if count > out.count { out = [UInt8](repeating: 0, count: count) }
    var largest: UInt8 = 0
    try out.withUnsafeMutableBufferPointer { (out) throws(TrajpackError) in
      try runs.read(into: out)
      for level in out { largest = max(largest, level) }
    }
    guard largest <= most else {
      throw TrajpackError(.data, "a level is \(largest) where \(most) is the most")
    }
  }

  private mutating func values(
    _ encoding: Int, _ bytes: UnsafeRawBufferPointer, _ page: inout ParquetPage
  ) throws(TrajpackError) {
    let count = page.present
    switch encoding {
    case 0: try ParquetPlain.read(bytes, column, count, &page)
    case 3:
      guard column.physical == .boolean else { throw unread(3) }
      guard count > 0 else { return page.clearValues() }
      guard bytes.count >= 4 else {
        throw TrajpackError(.data, "the page ends inside its truth values")
      }
      try page.fill(count) { (out) throws(TrajpackError) in
        var runs = try ParquetHybrid(UnsafeRawBufferPointer(rebasing: bytes[4...]), width: 1)
        try runs.read(into: out)
      }
    case 2, 8:
      guard count > 0 else { return page.clearValues() }
      guard hasDictionary else {
        throw TrajpackError(.data, "the page points into a dictionary, and the column has none")
      }
      guard let width = bytes.first else {
        throw TrajpackError(.data, "the page ends before its indices")
      }
      try refuseSuspect(count * max(column.width, 1), bytes.count)
      if indices.count < count { indices = [UInt32](repeating: 0, count: count) }
      var runs = try ParquetHybrid(
        UnsafeRawBufferPointer(rebasing: bytes[1...]), width: Int(width))
      let most = dictionary.present
      try indices.withUnsafeMutableBufferPointer { (all) throws(TrajpackError) in
        let out = UnsafeMutableBufferPointer(rebasing: all[..<count])
        try runs.read(into: out)
        var largest: UInt32 = 0
        for index in out { largest = max(largest, index) }
        guard largest < most else {
          throw TrajpackError(
            .data, "an index is \(largest), and the dictionary has \(most) values")
        }
      }
      try page.gather(dictionary, indices, count, column.width)
    default: throw unread(encoding)
    }
  }
}
