import Testing
import TrajpackFormat

@Suite struct LayoutTests {
  /// A writer fills the blocks of a stream together, so that a wide one decides for all.
  @Test(arguments: [nil, 1, 31, 65_536, 1 << 20]) func blocksOfAStreamHaveTheSameRows(wanted: Int?)
  {
    let schema = Schema(
      layingOut: [
        StreamPlan(
          Stream(name: "s"),
          channels: [
            ChannelPlan(Channel(name: "k", kind: .label, type: .int64, shape: [])),
            ChannelPlan(Channel(name: "x", kind: .scalar, type: .float32, shape: [300])),
            ChannelPlan(Channel(name: "y", kind: .scalar, type: .float64, shape: [5000, 10])),
          ])
      ], options: LayoutOptions(chunkRows: wanted))
    let rows = Set(schema.blocks.map(\.chunkRows))
    #expect(rows.count == 1)
    #expect(schema.blocks.allSatisfy { $0.chunkBytes <= 64 << 20 })
    if let wanted { #expect(rows == [min(wanted, (64 << 20) / (8 + 1200 + 400_000))]) }
  }
}
