import TrajpackFormat
import TrajpackStore

/// The values of recordings that every batch of a loader carries: option `values`.
struct LoaderValues: Sendable {
  /// A value of fixed size: an array of the batch, and one that says where there is a value.
  struct Table: Sendable {
    var field: ValueField
    /// The type in a batch: categories are int32 codes.
    var type: ElementType
    /// The bytes of each dataset's episodes, one after the other.
    var bytes: [[UInt8]]
    /// Whether each episode of each dataset has it.
    var present: [[UInt8]]

    /// Bytes of one window.
    var rowBytes: Int { field.elements * type.size }
  }

  /// A value of texts, which lie in no array.
  struct Text: Sendable {
    enum Source: Sendable {
      /// A text of each episode of each dataset.
      case episodes([[String?]])
      /// The text of a stream that is valid at the first row of a window that is no `past`.
      case rows(stream: String, channel: String)
    }
    var name: String
    var source: Source
    var description: String?
  }

  private(set) var tables: [Table] = []
  private(set) var texts: [Text] = []

  /// No value.
  init() {}

  /// The values that `names` ask for: names or patterns of values, `stream/channel` of a text,
  /// `rate:STREAM` and `time_unit:STREAM`.
  ///
  /// - Throws: A usage error where there is no such value in any dataset.
  init(
    _ names: [String], _ datasets: [OpenDataset], _ views: [[ShardView]], _ facts: StreamProfile
  ) throws(TrajpackError) {
    guard !names.isEmpty else { return }
    var all: [ValueTable] = []
    for dataset in datasets { all.append(try dataset.values()) }
    var known: [String] = []
    var seen: Set<String> = []
    for name in all.flatMap(\.names) where seen.insert(name).inserted { known.append(name) }
    var given: Set<String> = []
    for name in names {
      if seen.contains(name) {
        if given.insert(name).inserted { add(name, all) }
      } else if let derived = try Self.derived(name, datasets, views, facts) {
        guard given.insert(name).inserted else { continue }
        switch derived {
        case .table(let table): tables.append(table)
        case .text(let text): texts.append(text)
        }
      } else {
        let pattern = Pattern(name)
        let found = known.filter { pattern.matches($0) }
        guard !found.isEmpty else { throw Self.unknown(name, known, views) }
        for name in found where given.insert(name).inserted { add(name, all) }
      }
    }
  }

  private mutating func add(_ name: String, _ all: [ValueTable]) {
    var joined: ValueField?
    for table in all {
      guard let field = table[name]?.field else { continue }
      joined = joined?.joined(field) ?? field
    }
    guard let field = joined else { return }
    let cells = all.map { table in
      table[name]?.cells.map { $0.cast(to: field) }
        ?? [EpisodeValue](repeating: .missing, count: table.count)
    }
    if field.type == .text {
      texts.append(
        Text(
          name: name,
          source: .episodes(
            cells.map { $0.map { if case .text(let text) = $0 { text } else { nil } } }),
          description: field.description))
    } else {
      tables.append(Self.table(field, cells))
    }
  }

  /// The bytes of a value: NaN, the smallest integer or the code -1 where there is none.
  static func table(_ field: ValueField, _ cells: [[EpisodeValue]]) -> Table {
    var type = ElementType.float64
    switch field.type {
    case .number, .text: break
    case .integer: type = .int64
    case .category: type = .int32
    case .array: type = field.element
    }
    let codes = ValueTable.Column(field, []).codes
    func bytes(_ cell: EpisodeValue) -> [UInt8] {
      switch cell {
      case .missing:
        switch type {
        case .int64: return (0..<field.elements).flatMap { _ in le(Int64.min) }
        case .int32: return le(Int32(-1))
        default: return (0..<field.elements).flatMap { _ in le(Double.nan.bitPattern) }
        }
      case .number(let x): return le(x.bitPattern)
      case .integer(let n): return le(n)
      case .text(let text): return le(Int32(codes[text] ?? -1))
      case .numbers(let all): return all.flatMap { le($0.bitPattern) }
      case .integers(let all): return all.flatMap { le($0) }
      }
    }
    return Table(
      field: field, type: type, bytes: cells.map { $0.flatMap(bytes) },
      present: cells.map { $0.map { $0 == .missing ? 0 : 1 } })
  }

  private static func unknown(
    _ name: String, _ known: [String], _ views: [[ShardView]]
  ) -> TrajpackError {
    let streams = views.joined().flatMap(\.schema.streams)
    for stream in streams {
      for channel in stream.channels where "\(stream.name)/\(channel.name)" == name {
        return TrajpackError(
          .usage, option: "values",
          "'\(name)' is a channel of numbers, which windows have rows of: name it in "
            + "'channels'")
      }
    }
    let texts = streams.flatMap { stream in
      stream.channels.filter { $0.type == .bytes && $0.kind == .text }
        .map { "\(stream.name)/\($0.name)" }
    }
    var seen: Set<String> = []
    return TrajpackError(
      .usage, option: "values",
      "there is no value '\(name)'"
        + Suggestion.text(
          for: name, among: known + texts.filter { seen.insert($0).inserted }))
  }
}

func le(_ value: some FixedWidthInteger) -> [UInt8] {
  withUnsafeBytes(of: value.littleEndian) { Array($0) }
}
