import Testing
import TrajpackFormat
import TrajpackStore
import TrajpackTestSupport

@testable import TrajpackSources

@Suite struct TrackBuilderTests {
  private static let schema = Schema(
    layingOut: [
      StreamPlan(
        Stream(name: "other"),
        channels: [ChannelPlan(Channel(name: "x", kind: .scalar, type: .int8))]),
      StreamPlan(
        Stream(name: "s"),
        channels: [
          ChannelPlan(Channel(name: "f", kind: .scalar, type: .float32, missing: .nan)),
          ChannelPlan(
            Channel(
              name: "d", kind: .scalar, type: .float64, missing: .nan,
              storage: .init(block: 0, column: 0, decimals: 2)), stored: .int32),
          ChannelPlan(
            Channel(name: "v", kind: .position, type: .float64, shape: [3], missing: .nan)),
          ChannelPlan(Channel(name: "i", kind: .scalar, type: .int64, missing: .sentinel)),
          ChannelPlan(Channel(name: "s", kind: .scalar, type: .int16, missing: .sentinel)),
          ChannelPlan(Channel(name: "n", kind: .scalar, type: .int32)),
          ChannelPlan(Channel(name: "t", kind: .text, type: .bytes)),
        ], blobBytes: 100),
    ], options: LayoutOptions())

  private static func channel(_ name: String) throws -> Channel {
    try #require(schema.streams[1].channels.first { $0.name == name })
  }

  /// An element of a row of a draft, as it is stored.
  private static func stored<Number: BitwiseCopyable>(
    _ name: String, _ element: Int = 0, row: Int, _ draft: TrackDraft, _ type: Number.Type
  ) throws -> Number {
    let channel = try channel(name)
    let block = schema.blocks[channel.storage.block]
    let rows = draft.rows[
      try #require(schema.rowBlocks(of: 1).firstIndex(of: channel.storage.block))]
    let bytes = ByteBuffer(MemoryLayout<Number>.size)
    let size = channel.type == .bytes ? 8 : block.type.size
    try rows.spool.read(
      at: rows.offset + row * block.rowBytes + channel.storage.column * block.type.size
        + element * size, into: bytes.bytes)
    return bytes.bytes.loadUnaligned(as: type)
  }

  private static func text(row: Int, _ draft: TrackDraft) throws -> String? {
    let offset = Int(try stored("t", row: row, draft, Int64.self))
    let count = Int(try stored("t", 1, row: row, draft, Int64.self))
    guard offset >= 0 else { return nil }
    let bytes = ByteBuffer(count)
    try draft.bytes?.read(at: offset, into: bytes.bytes)
    return String(decoding: bytes.bytes, as: UTF8.self)
  }

  @Test func aRowIsAtFirstOneInWhichNothingWasObserved() throws {
    let builder = TrackBuilder(Self.schema, stream: 1)
    try builder.append()
    for name in ["f", "d", "v", "i", "s", "n", "t"] {
      builder.address(of: try Self.channel(name)).storeBytes(of: 1, as: Int16.self)
    }
    try builder.append()
    builder.clear()
    try builder.append()
    let draft = builder.track(clock: .regular(start: .zero, rate: .one))
    #expect((draft.stream, draft.count) == (1, 3))
    for row in [0, 2] {
      #expect(try Self.stored("f", row: row, draft, Float.self).isNaN)
      #expect(try Self.stored("d", row: row, draft, Int32.self) == .min)
      for element in 0..<3 {
        #expect(try Self.stored("v", element, row: row, draft, Double.self).isNaN)
      }
      #expect(try Self.stored("i", row: row, draft, Int64.self) == .min)
      #expect(try Self.stored("s", row: row, draft, Int16.self) == .min)
      #expect(try Self.stored("n", row: row, draft, Int32.self) == 0)
      #expect(try Self.text(row: row, draft) == nil)
    }
    #expect(try Self.stored("s", row: 1, draft, Int16.self) == 1)
  }

  /// Rows in any order, cut into tracks whose texts are counted from where theirs begin.
  @Test(arguments: 1...20) func rowsComeBackInTheirTracks(seed: Int) throws {
    var random = SeededGenerator(seed: UInt64(seed))
    let builder = TrackBuilder(Self.schema, stream: 1, spoolBytes: 64)
    let values = (0..<Int.random(in: 1...20, using: &random)).map { _ in
      Int64.random(in: -1000...1000, using: &random)
    }
    let cut = Int.random(in: 0...values.count, using: &random)
    var start = 0
    for (row, value) in values.enumerated() {
      builder.clear()
      if row == cut { start = builder.bytes.count }
      builder.address(of: try Self.channel("i")).storeBytes(of: value, as: Int64.self)
      let v = builder.address(of: try Self.channel("v"))
      (v + 16).storeBytes(of: Double(value) / 3, as: Double.self)
      if value % 2 == 0 {
        try builder.store(
          text: Array("\(value)".utf8), at: builder.address(of: try Self.channel("t")),
          since: start)
      }
      try builder.append()
    }
    #expect(builder.count == values.count)
    let end = builder.bytes.count
    for (rows, bytes) in [
      (0..<cut, 0..<(cut < values.count ? start : end)), (cut..<values.count, start..<end),
    ]
    where !rows.isEmpty {
      let entity = Entity(kind: "npc", index: 1, type: 2)
      let draft = builder.track(
        rows: rows, bytes: bytes, entity: entity, clock: .float64,
        metadata: .record(["a": .bool(true)]))
      #expect(draft.count == rows.count && draft.entity == entity && draft.clock == .float64)
      #expect(draft.bytes?.count == bytes.count)
      for (row, value) in values[rows].enumerated() {
        #expect(try Self.stored("i", row: row, draft, Int64.self) == value)
        #expect(try Self.stored("v", 2, row: row, draft, Double.self) == Double(value) / 3)
        #expect(try Self.text(row: row, draft) == (value % 2 == 0 ? "\(value)" : nil))
      }
    }
    let order = values.indices.shuffled(using: &random)
    try builder.reorder(order)
    let draft = builder.track(clock: .float64)
    for (row, from) in order.enumerated() {
      #expect(try Self.stored("i", row: row, draft, Int64.self) == values[from])
    }
  }

  @Test func categoriesAreNumberedByTheirFirstPlace() {
    let channel = Channel(
      name: "c", kind: .categorical, type: .int32, categories: ["a", "b", "a"])
    #expect(channel.categoryCodes == ["a": 0, "b": 1])
  }
}
