import TrajpackFormat

/// What trajpack's exporter has said of a field that its type does not say: the channel that it was.
struct MessageFact: Sendable, Equatable {
  /// Whether the exporter has made the field up, so that no channel had it.
  var isAdded = false
  var name: String?
  var kind: Kind?
  var type: ElementType?
  var shape: [Int] = []
  var units: String?
  var description: String?
  var conventions: [JSONValue.Member] = []
  /// The path of the field whose elements it says are observed or not.
  var observes: String?

  /// The most axes of a shape.
  private static let mostAxes = 8

  fileprivate init(added: Bool) { isAdded = added }

  fileprivate init(_ json: JSONValue) {
    if let text = json["name"]?.string, !text.isEmpty, text.utf8.count <= 1024,
      text.printable == text
    {
      name = text
    }
    kind = json["kind"]?.string.flatMap { Kind(rawValue: $0) }
    type = json["type"]?.string.flatMap { ElementType(rawValue: $0) }
    let axes = json["shape"]?.array?.compactMap(\.int) ?? []
    if axes.count <= Self.mostAxes, axes.allSatisfy({ (1...1 << 24).contains($0) }) { shape = axes }
    units = json["units"]?.string
    description = json["description"]?.string
    conventions = json["conventions"]?.members ?? []
    observes = json["observes"]?.string
  }

  /// Whether so many items fill the shape.
  func holds(_ items: Int) -> Bool {
    var product = 1
    for axis in shape {
      let (next, isHuge) = product.multipliedReportingOverflow(by: axis)
      if isHuge { return false }
      product = next
    }
    return !shape.isEmpty && product == items
  }

  /// The type that the numbers of a field had, where it holds all that were seen.
  func narrowed(_ seen: FieldProfile, _ wide: ElementType) -> ElementType {
    guard let type, !type.isFloat, !wide.isFloat, type != .bytes, type != .bool, wide != .bool,
      !seen.isHuge, seen.low <= seen.high, wide != .uint8
    else { return wide }
    guard type.size < 8, let range = type.range else { return wide }
    return range.contains(Int128(seen.low)) && range.contains(Int128(seen.high)) ? type : wide
  }

  /// Has a channel be what it was, as far as its type allows.
  func restore(_ channel: inout Channel) {
    let isText = channel.type == .bytes || channel.categories != nil
    if let kind, !isText, ![.packet, .text, .categorical].contains(kind) { channel.kind = kind }
    if kind == .packet, channel.type == .bytes { channel.kind = .packet }
    channel.units = units
    channel.description = description
    for member in conventions { channel.setConvention(member.name, member.value) }
  }
}

extension MessageType {
  /// Takes what trajpack's exporter has said of fields; what names no field is passed over.
  mutating func apply(_ facts: JSONValue) {
    var names = Set(fields.map(\.path))
    for i in fields.indices {
      if facts["added"]?.array?.contains(.string(fields[i].path)) == true {
        fields[i].fact = MessageFact(added: true)
      } else if let said = facts["fields"]?[fields[i].path] {
        var fact = MessageFact(said)
        if let name = fact.name, name != fields[i].path, !names.insert(name).inserted {
          fact.name = nil
        }
        fields[i].fact = fact
      }
    }
  }
}
