// libFuzzer on what a shard's index makes a reader compute: JSON, schema rules, tables, records.
// SwiftPM cannot link it (it renames main); tools/fuzz/run.sh builds it with swiftc.

/// The input is a shard's index without checksums: the length of the schema's JSON (2 bytes), rows of the
/// tables episodes, tracks, entities, clocks and chunks (a byte each), a byte that says in how many pieces
/// they are checked, then JSON, tables and text. So mutations go straight to the checks, and not into a checksum.
@c(LLVMFuzzerTestOneInput)
public func fuzz(_ data: UnsafePointer<UInt8>, _ size: Int) -> CInt {
  guard size > 8 else { return 0 }
  let bytes = UnsafeBufferPointer(start: data, count: size)
  _ = try? ShardHeader(UnsafeRawBufferPointer(bytes), actualLength: UInt64(size))
  let json = min(Int(bytes[0]) | Int(bytes[1]) << 8, size - 8)
  guard let schema = try? JSONValue(parsing: Array(bytes[8..<8 + json])) else { return 0 }
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
  return 0
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
