import TrajpackFormat

extension SeriesOptions {
  /// The options that change what is written, for the digest of a plan.
  var json: JSONValue {
    let timeName: JSONValue =
      switch time {
      case .auto: .bool(true)
      case .none: .bool(false)
      case .named(let name): .string(name)
      }
    let members = JSONValue.record([
      "time": timeName, "rate": rate.map { .string($0.description) },
      "time_unit": timeUnit.map { .string($0) },
      "episode_column": episodeColumn.map { .string($0) },
      "segment": segment.map { .int(Int64($0)) }, "header": .string(header.rawValue),
      "delimiter": delimiter.map { .int(Int64($0)) },
      "leading_axis": .string(leadingAxis.rawValue),
      "kinds": .object(
        kinds.sorted { $0.key < $1.key }.map { .init($0.key, .string($0.value.rawValue)) }),
      "units": .object(units.sorted { $0.key < $1.key }.map { .init($0.key, .string($0.value)) }),
    ])
    // Only those that are given, so that a dataset made before there were any can be gone on with.
    let later = JSONValue.record([
      "blanks": separatesByBlanks.map { .bool($0) },
      "missing": Self.texts(missing),
      "decimal": decimal.map { .int(Int64($0)) }, "thousands": thousands.map { .int(Int64($0)) },
      "comment": comment.map { .int(Int64($0)) },
      "skip_rows": skippedRows == 0 ? nil : .int(Int64(skippedRows)),
      "units_row": hasUnitsRow ? .bool(true) : nil,
      "time_format": timeFormat.map { .string($0) },
      "group_folders": groupsFolders.map { .bool($0) },
      "members": Self.texts(self.members), "exclude_members": Self.texts(excludedMembers),
      "constants": Self.texts(constants), "terminals": Self.texts(terminals),
      "episode_ends": episodeEnds.map { .string($0) },
    ])
    return .object((members.members ?? []) + (later.members ?? []))
  }

  private static func texts(_ texts: [String]) -> JSONValue? {
    texts.isEmpty ? nil : .array(texts.map { .string($0) })
  }

  /// The options that a manifest keeps of a conversion, so that its source can be read again as it was.
  ///
  /// - Throws: A data error where a value is none that ``json`` writes.
  public init(json: JSONValue) throws(TrajpackError) {
    self.init()
    func wrong(_ name: String) -> TrajpackError {
      TrajpackError(
        .data,
        "the manifest's source.options.\(name) is none that this trajpack knows; say how the source is read "
          + "with convert's options")
    }
    func byte(_ name: String) throws(TrajpackError) -> UInt8? {
      guard let value = json[name] else { return nil }
      guard let number = value.int, let byte = UInt8(exactly: number) else { throw wrong(name) }
      return byte
    }
    func list(_ name: String) -> [String] { (json[name]?.array ?? []).compactMap(\.string) }
    switch json["time"] {
    case .bool(false)?: time = .none
    case .string(let name)?: time = .named(name)
    default: time = .auto
    }
    if let text = json["rate"]?.string {
      guard let value = Rational(decimal: text) else { throw wrong("rate") }
      rate = value
    }
    timeUnit = json["time_unit"]?.string
    episodeColumn = json["episode_column"]?.string
    segment = json["segment"]?.int
    header = json["header"]?.string.flatMap(Header.init) ?? .auto
    leadingAxis = json["leading_axis"]?.string.flatMap(LeadingAxis.init) ?? .auto
    delimiter = try byte("delimiter")
    separatesByBlanks = json["blanks"]?.bool
    missing = list("missing")
    decimal = try byte("decimal")
    thousands = try byte("thousands")
    comment = try byte("comment")
    skippedRows = json["skip_rows"]?.int ?? 0
    hasUnitsRow = json["units_row"]?.bool ?? false
    timeFormat = json["time_format"]?.string
    groupsFolders = json["group_folders"]?.bool
    members = list("members")
    excludedMembers = list("exclude_members")
    constants = list("constants")
    terminals = list("terminals")
    episodeEnds = json["episode_ends"]?.string
    for member in json["kinds"]?.members ?? [] {
      guard let kind = member.value.string.flatMap(Kind.init) else { throw wrong("kinds") }
      kinds[member.name] = kind
    }
    for member in json["units"]?.members ?? [] { units[member.name] = member.value.string }
  }
}
