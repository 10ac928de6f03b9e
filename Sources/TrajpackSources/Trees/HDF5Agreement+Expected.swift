import TrajpackFormat
import TrajpackStore

extension HDF5Agreement {
  /// A dataset that the index promises.
  struct Expected {
    var path: String
    var type: ElementType
    var elementShape: [Int]
    /// The axes of the dataset behind its rows.
    var inner: [Int]
    var rows: Int
    var chunkRows: Int
    var filters: [Int]
    var stream: String?
    /// The block that it is; `nil` for a section of the index.
    var block: Int?
    var section: ShardHeader.SectionID?

    /// All of a shard: its blocks, and the sections of its index.
    static func all(of shard: Shard) -> [Expected] { datasets(of: shard) + sections(of: shard) }

    private static func datasets(of shard: Shard) -> [Expected] {
      shard.schema.blocks.enumerated().map { number, block in
        let isArray = block.shuffle <= 1 || block.shuffle == block.rowBytes
        return Expected(
          path: block.path, type: block.type, elementShape: isArray ? block.shape : [],
          inner: isArray ? [] : block.shape, rows: block.rows, chunkRows: block.chunkRows,
          filters: (block.shuffle > 1 ? [2] : []) + Self.filters(block.codec),
          stream: shard.schema.streams[block.stream].name, block: number)
      }
    }

    private static func sections(of shard: Shard) -> [Expected] {
      ShardHeader.SectionID.allCases.compactMap { id in
        guard let section = shard.header.section(id), let codec = Codec(rawValue: section.codec)
        else { return nil }
        var (type, columns) = (ElementType.uint8, 1)
        switch id {
        case .statistics: (type, columns) = (.float64, 11)
        case .quantiles: (type, columns) = (.float32, 9)
        default:
          if let count = ShardIndex.Columns.of(id) { (type, columns) = (.int64, count) }
        }
        let rows = Int(section.raw) / (type.size * columns)
        return Expected(
          path: "/index/\(id)", type: type, elementShape: columns > 1 ? [columns] : [], inner: [],
          rows: rows, chunkRows: rows, filters: codec == .none ? [] : Self.filters(codec),
          section: id)
      }
    }

    private static func filters(_ codec: Codec) -> [Int] {
      switch codec {
      case .none: []
      case .gzip: [1]
      case .zstd: [32015]
      case .lz4: [32004, 3]
      }
    }

    /// How the reading process spells a type.
    static func spelled(_ type: ElementType) -> String {
      if type == .bool { return "u1" }
      return "\(type.isFloat ? "f" : type.rawValue.hasPrefix("u") ? "u" : "i")\(type.size)"
    }
  }
}
