import TrajpackFormat
import TrajpackStore
import TrajpackTestSupport

/// Fills the rows of a track with numbers that show what each storage can hold.
struct RowPacker {
  private let schema: Schema
  private let stream: Int
  private let rows: Int
  private let numbers: [Int]
  private var bytes: [Int: [UInt8]] = [:]
  private var blob: [UInt8] = []

  init(_ schema: Schema, stream: Int, rows: Int) {
    self.schema = schema
    self.stream = stream
    self.rows = rows
    let blob = schema.streams[stream].blob
    numbers = schema.blocks.indices.filter { schema.blocks[$0].stream == stream && $0 != blob }
    for number in numbers {
      bytes[number] = [UInt8](repeating: 0, count: rows * schema.blocks[number].rowBytes)
    }
  }

  private mutating func put(_ bits: UInt64, row: Int, element: Int, of channel: Channel) {
    let block = schema.blocks[channel.storage.block]
    let at = row * block.rowBytes + (channel.storage.column + element) * block.type.size
    withUnsafeBytes(of: bits.littleEndian) {
      bytes[channel.storage.block]?.replaceSubrange(
        at..<at + block.type.size, with: $0.prefix(block.type.size))
    }
  }

  mutating func fill(_ random: inout SeededGenerator) {
    for channel in schema.streams[stream].channels {
      if channel.type == .bytes {
        fill(bytesOf: channel, &random)
        continue
      }
      let type = schema.blocks[channel.storage.block].type
      // A slow walk, so that the codecs have something to do, with rare specials.
      var walk = Double(Int.random(in: -50...50, using: &random))
      for row in 0..<rows {
        for element in 0..<channel.elements {
          // Pictures are smooth, so that golden files stay small.
          if channel.elements < 100 || element % 64 == 0 {
            walk += Double(Int.random(in: -3...3, using: &random)) / 4
          }
          put(
            bits(channel, type, row, walk, &random), row: row, element: element, of: channel)
        }
      }
    }
  }

  private func bits(
    _ channel: Channel, _ type: ElementType, _ row: Int, _ walk: Double,
    _ random: inout SeededGenerator
  ) -> UInt64 {
    if channel.name == "time" {
      let irregular = Int64(row) * 33_366 + Int64.random(in: 0...99, using: &random)
      return type == .float64
        ? (Double(irregular) * 0.013).bitPattern : UInt64(bitPattern: irregular)
    }
    let rare = row % 23 == 5 ? row / 23 : -1
    if channel.storage.decimals != nil {
      let least = type == .int32 ? Int64(Int32.min) : Int64.min
      if (0..<4).contains(rare) { return UInt64(bitPattern: least + Int64(rare)) }
      if rare == 4 { return UInt64(bitPattern: least + 4) }
      let scale = type == .int32 ? 100.0 : 1e13
      return UInt64(bitPattern: Int64(walk * scale))
    }
    if channel.missing == .sentinel, rare >= 0 {
      return UInt64(bitPattern: type == .int32 ? Int64(Int32.min) : Int64.min)
    }
    switch type {
    case .float32:
      if channel.missing == .nan, rare >= 0 {
        return UInt64(([.nan, -.infinity, -0.0] as [Float])[rare % 3].bitPattern)
      }
      return UInt64(Float(walk).bitPattern)
    case .float64:
      if channel.missing == .nan, rare >= 0 {
        return ([.nan, .infinity, .leastNonzeroMagnitude] as [Double])[rare % 3].bitPattern
      }
      return (walk / 3).bitPattern
    case .bool: return UInt64(row / 7 % 2)
    case .uint64: return rare >= 0 ? .max : UInt64(bitPattern: Int64(walk)).magnitude
    default:
      if channel.categories != nil { return UInt64(row / 9 % 3) }
      return UInt64(bitPattern: Int64(walk))
    }
  }

  /// Text and packets: some empty, some that share bytes, one whose bytes are not in the archive.
  private mutating func fill(bytesOf channel: Channel, _ random: inout SeededGenerator) {
    for row in 0..<rows {
      var (offset, length) = (blob.count, 0)
      if channel.kind == .text {
        let text = row % 5 == 0 ? "" : "Zeile \(row): größer als \u{1F43B}, \"quoted\"\n"
        blob += Array(text.utf8)
        length = text.utf8.count
      } else if row % 6 == 1 {
        offset = -1
      } else {
        let packet = random.bytes(Int.random(in: 1...90, using: &random))
        blob += packet
        length = packet.count
      }
      put(UInt64(bitPattern: Int64(offset)), row: row, element: 0, of: channel)
      put(UInt64(length), row: row, element: 1, of: channel)
    }
  }

  func track(
    entity: Entity?, clock: Clock, metadata: JSONValue
  ) throws(TrajpackError) -> TrackDraft {
    var spools: [TrackDraft.Rows] = []
    for number in numbers {
      let spool = RowSpool()
      try spool.append(bytes[number] ?? [])
      spools.append(.init(spool))
    }
    var part: TrackDraft.Bytes?
    if schema.streams[stream].blob != nil {
      let spool = RowSpool()
      try spool.append(blob)
      part = .spool(spool, 0..<blob.count)
    }
    return TrackDraft(
      stream: stream, entity: entity, clock: clock, count: rows, metadata: metadata, rows: spools,
      bytes: part)
  }
}
