import Glibc
import TrajpackCodecs
import TrajpackFormat

extension ShardWriter {
  /// Writes what is left and the index, makes the file durable, and gives it its name.
  ///
  /// - Parameters:
  ///   - attributes: The schema's attributes; those it was begun with where `nil`.
  ///   - replacing: Replaces a file of that name, rather than refusing it.
  ///   - expected: The SHA-256 that it must have; another file is not named.
  public func commit(
    attributes: JSONValue? = nil, replacing: Bool = false, expected: String? = nil
  ) throws(TrajpackError) -> Receipt {
    try settle(nil)
    if let attributes { schema.attributes = attributes }
    for stream in schema.streams.indices {
      try close(stream)
      guard let number = schema.streams[stream].blob, let (chunk, rows) = blobs[number] else {
        continue
      }
      let filled = rows % schema.blocks[number].chunkRows
      guard filled > 0 else { continue }
      UnsafeMutableRawBufferPointer(rebasing: chunk.bytes[filled...])
        .initializeMemory(as: UInt8.self, repeating: 0)
      try send(blob: number, chunk, rows: rows)
    }
    try drain()
    let sections = try writeIndex()
    try backend.finish(rows: schema.blocks.map(\.rows))
    let receipt = try seal(sections)
    guard expected == nil || receipt.sha256 == expected else {
      throw TrajpackError(
        .data, file: path,
        "was damaged, and the source gives another shard than the one that was acknowledged "
          + "(SHA-256 \(receipt.sha256), acknowledged \(expected ?? "")); restore the shard from a copy, "
          + "or use --overwrite to convert again")
    }
    try FileSystem.publish(temporary, as: path, replacing: replacing)
    isDone = true
    return receipt
  }

  private func writeIndex() throws(TrajpackError) -> [ShardHeader.Section] {
    var first = 0
    for number in schema.blocks.indices {
      let stream = schema.blocks[number].stream
      schema.blocks[number].rows =
        schema.streams[stream].blob == number ? blobs[number]?.rows ?? 0 : pending[stream].first
      schema.blocks[number].firstChunk = first
      first += schema.blocks[number].chunks
    }
    schema.splits = index.splitNames
    schema.entityKinds = index.entityKinds
    // Sections are small and read once: lz4 has no place there.
    let chosen = schema.blocks.first?.codec ?? .zstd
    let codec = chosen == .lz4 ? .zstd : chosen
    var sections: [ShardHeader.Section] = []
    func write(
      _ id: ShardHeader.SectionID, _ bytes: [UInt8], _ type: ElementType, _ columns: Int,
      _ codec: Codec
    ) throws(TrajpackError) {
      guard !bytes.isEmpty else { return }
      guard
        bytes.count
          <= (id == .schema || codec != .none ? Shard.maximumSection : Shard.maximumIndex / 8)
      else {
        throw TrajpackError(
          .data, file: FileSystem.name(of: path),
          "its index would have \(bytes.count) bytes of '\(id)', more "
            + "than readers take; use a smaller --shard-size")
      }
      var packed =
        codec == .none
        ? nil
        : try bytes.withUnsafeBytesThrowing { (raw) throws(TrajpackError) in
          try compressors.compress(raw, codec)
        }
      // What readers would take for a bomb is written as it is.
      if let count = packed?.count, bytes.count > Shard.maximumInflatedSize(stored: count) {
        packed = nil
      }
      let stored = packed ?? bytes
      var offset = 0
      try stored.withUnsafeBytesThrowing { (raw) throws(TrajpackError) in
        offset = try backend.write(
          section: "\(id)", raw, raw: bytes.count, type: type, columns: columns,
          codec: packed == nil ? .none : codec)
      }
      sections.append(
        ShardHeader.Section(
          id: id.rawValue, codec: packed == nil ? 0 : codec.rawValue, offset: UInt64(offset),
          stored: UInt64(stored.count), raw: UInt64(bytes.count),
          crc: stored.withUnsafeBytes { CRC32C.of($0) }))
    }
    let (moments, quantiles) = gatherer.tables(splits: schema.splits)
    try write(.statistics, littleEndian(moments.map(\.bitPattern)), .float64, 11, codec)
    try write(
      .quantiles, littleEndian(quantiles.map(\.bitPattern)), .float32,
      ComponentStatistics.probabilities.count, codec)
    try write(.schema, Array(schema.json.text().utf8), .uint8, 1, codec)
    try write(.text, index.textBytes, .uint8, 1, .none)
    for (id, table, columns) in index.sections(chunks: chunks.flatMap { $0 }) {
      try write(id, littleEndian(table), .int64, columns, .none)
    }
    return sections
  }

  private var features: ShardHeader.Features {
    var features: ShardHeader.Features = []
    if schema.blocks.contains(where: { $0.codec == .lz4 }) { features.insert(.lz4) }
    if schema.streams.contains(where: \.hasChunkedFrames) { features.insert(.chunkedFrames) }
    return features
  }

  /// Writes the header into the user block and takes the digest of the whole.
  private func seal(_ sections: [ShardHeader.Section]) throws(TrajpackError) -> Receipt {
    let fd = open(temporary, O_RDWR | O_CLOEXEC)
    guard fd >= 0 else { throw .system("cannot be opened", temporary) }
    defer { Glibc.close(fd) }
    let length = FileSystem.size(of: temporary)
    let header = ShardHeader(
      fileLength: UInt64(length), sections: sections,
      features: features)
    try FileSystem.write(header.bytes(), to: fd, temporary)
    try FileSystem.sync(fd, temporary)
    return Receipt(
      bytes: length, digest: try LocalFile(temporary).digest(), episodes: index.episodeCount,
      rows: trackRows)
  }
}
