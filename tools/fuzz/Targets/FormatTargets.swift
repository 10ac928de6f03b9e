import TrajpackCodecs
import TrajpackFormat
@testable import TrajpackLoader
@testable import TrajpackSignal
@testable import TrajpackStore
@testable import TrajpackValidate

let formatTargets: [FuzzTarget] = [
  // The header of a shard; its checksum is that of a valid one where the first byte is odd, so that mutations go deep.
  FuzzTarget("header") { (input) throws(TrajpackError) in
    guard input.count > 1 else { return }
    var bytes = [UInt8](repeating: 0, count: ShardHeader.size)
    for (i, byte) in input.dropFirst().prefix(ShardHeader.size).enumerated() { bytes[i] = byte }
    if input[0] & 1 == 1 {
      let crc = bytes.withUnsafeBytes {
        CRC32C.of(UnsafeRawBufferPointer(rebasing: $0[..<(ShardHeader.size - 4)]))
      }
      withUnsafeBytes(of: crc.littleEndian) {
        bytes.replaceSubrange(ShardHeader.size - 4..<ShardHeader.size, with: $0)
      }
    }
    let length = UInt64(input[0]) << 12
    guard let header = bytes.withUnsafeBytes({ try? ShardHeader($0, actualLength: length) }) else {
      return
    }
    _ = header.bytes()
    for id in ShardHeader.SectionID.allCases { _ = header.section(id) }
  },

  FuzzTarget("index") { (input) throws(TrajpackError) in try fuzzIndex(input) },

  FuzzTarget("json") { (input) throws(TrajpackError) in
    let value = try JSONValue(parsing: Array(input))
    // What is written is read again as the same; else the target traps, which libFuzzer and the replay report.
    let text = value.text()
    guard let again = try? JSONValue(parsing: text) else { fatalError("is not read again") }
    precondition(again.text() == text)
    _ = value.text(indent: 1)
  },

  // Options, by the first byte: of loaders, splits, statistics, validations.
  FuzzTarget("options") { (input) throws(TrajpackError) in
    guard let kind = input.first else { return }
    let text = String(decoding: input.dropFirst(), as: UTF8.self)
    switch kind % 4 {
    case 0: _ = try LoaderOptions(json: text)
    case 1: _ = try SplitRequest(json: text)
    case 2: _ = try StatisticsRequest(json: text)
    default: _ = try ValidateConfig(json: try JSONValue(parsing: text), at: "config")
    }
  },

  FuzzTarget("plan") { (input) throws(TrajpackError) in
    let plan = try Plan(json: try JSONValue(parsing: Array(input)))
    _ = plan.json.text()
  },

  FuzzTarget("expression") { (input) throws(TrajpackError) in
    _ = try Expression(String(decoding: input, as: UTF8.self))
  },
]

/// The input is a shard's index without checksums: the length of the schema's JSON (2 bytes), rows of the
/// tables episodes, tracks, entities, clocks and chunks (a byte each), a byte that says in how many pieces
/// they are checked, then JSON, tables and text. So mutations go straight to the checks, and not into a checksum.
func fuzzIndex(_ bytes: UnsafeBufferPointer<UInt8>) throws(TrajpackError) {
  let size = bytes.count
  guard size > 8 else { return }
  let json = min(Int(bytes[0]) | Int(bytes[1]) << 8, size - 8)
  let schema = try JSONValue(parsing: Array(bytes[8..<8 + json]))
  _ = schema.text(indent: 1)
  let rest = Array(bytes[(8 + json)...])
  var packed: [ShardHeader.SectionID: PackedTable] = [:]
  var at = 0
  let tables: [ShardHeader.SectionID] = [.episodes, .tracks, .entities, .clocks, .chunks]
  for (i, id) in tables.enumerated() {
    guard let columns = ShardIndex.Columns.of(id) else { continue }
    let row = columns * 8
    let length = min(Int(bytes[2 + i]) * row, (rest.count - at) / row * row)
    guard let packer = try? PackedTable.Packer(bytes: length, columns: columns, name: "\(id)")
    else { continue }
    // Memory of its own, aligned as a table's is, where a look beyond its end is found.
    let own = UnsafeMutableRawBufferPointer.allocate(byteCount: length, alignment: 16)
    defer { own.deallocate() }
    own.copyBytes(from: rest[at..<at + length])
    packer.pack(UnsafeRawBufferPointer(own), at: 0)
    packed[id] = packer.table
    at += length
  }
  let text = OwnedBuffer(count: rest.count - at)
  text.bytes.copyBytes(from: rest[at...])
  let parts = ShardIndex.Parts(
    schema: schema, text: text, textCount: rest.count - at, tables: packed)
  let pieces = Int(bytes[7]) % 4 + 1
  if let index = try? ShardIndex(parts, fileLength: 1 << 20, pieces: pieces) { look(at: index) }
}

/// Follows every number that the index has let pass.
private func look(at index: ShardIndex) {
  for number in 0..<index.episodeCount { _ = index.episode(number) }
  for number in 0..<index.trackCount {
    let track = index.track(number)
    _ = track.clock.time(ofRow: track.rows.count)
    _ = index.rows(ofTrack: number)
  }
  for block in index.schema.blocks {
    for chunk in 0..<block.chunks { _ = index.chunk(chunk, of: block) }
  }
  for channel in index.schema.streams.flatMap(\.channels) where channel.elements < 1000 {
    for component in 0...StatisticsComponents.count(of: channel) {
      _ = StatisticsComponents.name(component, of: channel)
    }
  }
  _ = index.schema.json.text()
}
