import TrajpackFormat
import TrajpackStore

/// The columns of a LeRobot dataset that become channels: what the features declare, as all files have it.
struct LeRobotLayout {
  /// Where the rows of a channel come from.
  enum Content: Sendable {
    /// A leaf of texts or of the bytes of pictures.
    case texts(String)
    case numbers([Int])
    /// A leaf of the bytes of pictures, which are the frames of a video.
    case frames(String)
    /// Numbers of texts, and the place of each among the categories.
    case categories([Int64: Int32])
  }

  struct Column: Sendable {
    var name: String
    var channel: Channel
    var content: Content
    var feature: LeRobotInfo.Feature?
    /// The column that says which values were observed.
    var mask: String?

    /// The column of the table that has the numbers, and the one that says which of them were observed.
    var numbers: (values: ParquetTable.NumberColumn, mask: ParquetTable.NumberColumn?)? {
      guard case .numbers(let shape) = content else { return nil }
      return (
        .init(name: name, shape: shape, type: channel.type, missing: channel.missing),
        mask.map { .init(name: $0, shape: shape, type: .bool, missing: .never) }
      )
    }
  }

  private let info: LeRobotInfo
  private let options: MappingOptions
  private var first: ParquetFile?
  private var nullable: Set<String> = []
  /// Leaves that have nulls for certain.
  private var absent: Set<String> = []
  var videos: [LeRobotInfo.Feature] = []
  var languages: [LeRobotLanguage] = []
  var leftOut: [LeftOut] = []

  init(_ info: LeRobotInfo, _ options: MappingOptions) {
    self.info = info
    self.options = options
  }

  /// Learns of a file which columns it has, and which may have nulls.
  mutating func look(_ file: ParquetFile) throws(TrajpackError) {
    for column in file.columns {
      if file.mayHaveNulls(column) { nullable.insert(column.name) }
      if file.hasNulls(column) { absent.insert(column.name) }
    }
    guard let first else {
      first = file
      return
    }
    for column in first.columns {
      guard let other = file.column(column.name), other.physical == column.physical,
        other.repetition == column.repetition
      else {
        throw TrajpackError(
          .data, file: file.path,
          "column '\(column.name)' is absent or of another type than in \(first.path)"
        )
      }
    }
  }

  private mutating func leave(_ name: String, _ why: String) {
    leftOut.append(LeftOut(path: name, why: why))
  }

  /// The channels.
  mutating func columns() throws(TrajpackError) -> [Column] {
    guard let first else { return [] }
    var out: [Column] = []
    let declared = Set(info.features.map(\.name))
    for feature in info.features {
      if LeRobot.isNumbering(feature.name) || !options.takes(feature.name) { continue }
      if feature.observedOf != nil { continue }
      if feature.type == "video" {
        if options.video == .drop {
          leave(feature.name, "is a video, and --video is drop")
        } else {
          videos.append(feature)
        }
        continue
      }
      let leaves = first.leaves(feature.name)
      guard !leaves.isEmpty else {
        throw TrajpackError(
          .data, file: first.path, "has no column '\(feature.name)', which meta/info.json declares")
      }
      if feature.type == "image" {
        if let leaf = leaves.first(where: { $0.path.last == "bytes" && $0.repetition == 0 }) {
          out.append(try picture(feature, leaf, first))
        } else {
          leave(feature.name, "its pictures do not lie in the table")
        }
        continue
      }
      if LeRobotLanguage.isLanguage(feature) {
        languages.append(LeRobotLanguage(feature.name, leaves))
        continue
      }
      guard leaves.count == 1 else {
        leave(feature.name, "is a struct (\(feature.type)), which is no channel")
        continue
      }
      if let column = try column(feature, leaves[0]) { out.append(column) }
    }
    for name in first.names where !declared.contains(name) && !LeRobot.isNumbering(name) {
      leave(name, "is no feature of meta/info.json")
    }
    return out
  }

  /// Pictures are frames of a video where every row has one and the first is of a kind that can be one.
  private func picture(
    _ feature: LeRobotInfo.Feature, _ leaf: ParquetColumn, _ file: ParquetFile
  ) throws(TrajpackError) -> Column {
    let head = PictureHead(try file.firstBytes(leaf))
    let isVideo =
      options.kinds[feature.name] != .packet && !absent.contains(leaf.name) && head != nil
    return Column(
      name: feature.name,
      channel: Channel(
        name: "image", kind: .packet, type: .bytes,
        description: "a picture file a row: PNG, JPEG or TIFF, as its first bytes say",
        conventions: [.init("shape", .array(feature.shape.map { .int(Int64($0)) }))]),
      content: isVideo ? .frames(leaf.name) : .texts(leaf.name), feature: feature)
  }

  private mutating func column(
    _ feature: LeRobotInfo.Feature, _ leaf: ParquetColumn
  ) throws(TrajpackError) -> Column? {
    let name = feature.name
    if leaf.physical == .bytes, leaf.repetition == 0 {
      return Column(
        name: name,
        channel: Channel(
          name: name, kind: leaf.isText ? .text : .packet, type: .bytes),
        content: .texts(leaf.name))
    }
    if let (texts, places) = try LeRobot.categories(info, name) {
      return Column(
        name: name,
        channel: Channel(
          name: String(name.dropLast(6)), kind: .categorical, type: .int32, categories: texts),
        content: .categories(places))
    }
    guard let own = ParquetRowBuilder.type(leaf) else {
      leave(name, "holds \(leaf.logical ?? leaf.physical.name), which is no channel")
      return nil
    }
    var (type, missing) = type(feature, own, leaf)
    let mask = info.features.first { $0.observedOf == name }?.name
    if mask != nil, type == .int32 || type == .int64 {
      missing = .sentinel
    } else if let mask {
      leave(mask, "says which values of '\(name)' were observed, which \(type.rawValue) cannot")
    }
    let isNumber = type.isFloat
    var conventions: [JSONValue.Member] = []
    if let names = feature.names, names != .null { conventions.append(.init("names", names)) }
    return Column(
      name: name,
      channel: Channel(
        name: name, kind: options.kinds[name] ?? (isNumber ? .scalar : .label), type: type,
        shape: feature.rowShape, units: options.units[name], conventions: conventions,
        missing: missing), content: .numbers(feature.rowShape),
      mask: missing == .sentinel ? mask : nil)
  }

  /// The type of a channel, and what stands in it for a null: whole numbers that may have nulls get a signed type.
  private func type(
    _ feature: LeRobotInfo.Feature, _ own: ElementType, _ leaf: ParquetColumn
  ) -> (ElementType, Channel.Missing) {
    if own.isFloat { return (own, .nan) }
    let stated = ElementType(rawValue: feature.type) ?? own
    let type =
      stated.isFloat || stated == .bytes || (stated == .bool) != (own == .bool) ? own : stated
    guard nullable.contains(leaf.name) else { return (type, .never) }
    // Only int32 and int64 have a sentinel.
    switch type {
    case .bool, .int8, .uint8, .int16, .uint16: return (.int32, .sentinel)
    case .uint32, .uint64: return (.int64, .sentinel)
    default: return (type, .sentinel)
    }
  }
}
