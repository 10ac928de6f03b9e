import Glibc
import TrajpackCodecs
import TrajpackFormat

extension Shard {
  /// Reads the sections that every reader needs, checks their checksums and packs the tables.
  static func load(
    _ header: ShardHeader, _ file: any ByteSource, _ sharing: ShardIndex.ParallelFor
  ) throws(TrajpackError) -> ShardIndex.Parts {
    let wanted: [ShardHeader.SectionID] = [
      .schema, .text, .episodes, .tracks, .entities, .clocks, .chunks,
    ]
    let sections = wanted.compactMap { id in header.section(id).map { (id, $0) } }
    guard let schemaSection = header.section(.schema) else {
      throw TrajpackError(.data, "the index has no schema")
    }
    let start = sections.map { Int($0.1.offset) }.min() ?? 0
    let end = sections.map { Int($0.1.offset + $0.1.stored) }.max() ?? 0
    // Each lies within the file, but seven of them may be more than an Int holds.
    let bytes = sections.reduce(0) { $0 + min(Int($1.1.stored), maximumIndex + 1) }
    guard bytes <= maximumIndex, end - start <= bytes + 1 << 20 else {
      throw TrajpackError(
        .data,
        "the header is damaged: the index is said to take \(end - start) bytes; "
          + "restore the shard from a copy")
    }
    let memory = IndexMemory(
      indexBytes: bytes, room: sections.reduce(0) { $0 + SectionReading.room($1.0, $1.1) })
    var readings: [SectionReading] = []
    for (id, section) in sections {
      guard id == .schema || section.codec == Codec.none.rawValue else {
        throw TrajpackError(.data, "section '\(id)' is compressed, which only the schema may be")
      }
      readings.append(try SectionReading(id, section, memory))
    }
    let sums = try SectionReading.read(
      readings, IndexSource(file, start..<end), sharing)
    var parts = ShardIndex.Parts(
      schema: .null, text: OwnedBuffer(count: 0), textCount: 0, tables: [:], memory: memory)
    for (reading, sum) in zip(readings, sums) {
      try check(reading.section, "\(reading.id)", sum)
      switch reading.place {
      case .table(let packer): parts.tables[reading.id] = packer.table
      case .memory(let memory) where reading.id == .text:
        (parts.text, parts.textCount) = (memory, reading.count)
      case .memory(let memory):
        let stored = UnsafeRawBufferPointer(rebasing: memory.bytes[..<reading.count])
        parts.schema = try JSONValue(
          parsing: inflate(schemaSection, "schema", stored), mostValues: maximumSchemaValues)
      }
    }
    return parts
  }

  static func check(
    _ section: ShardHeader.Section, _ name: String, _ crc: UInt32
  ) throws(TrajpackError) {
    guard crc == section.crc else {
      throw TrajpackError(
        .data,
        "section '\(name)' of the index is damaged (bytes \(section.offset) to "
          + "\(section.offset + section.stored) do not match their checksum); "
          + "restore the shard from a copy")
    }
  }
}
