import TrajpackFormat
import TrajpackStore

/// What an archive says of a whole recording: a number, a small array or a text, the same for all
/// recordings of the file or one for each.
struct ArrayConstant: Sendable {
  /// Where the values are.
  enum Content: Sendable {
    case numbers(ArraySet.Item)
    /// Texts, in C order.
    case texts([String])
  }

  /// The member's name.
  var name: String
  /// numpy's name of the type; `str` or `bytes` for text.
  var storedName: String
  /// The shape of what one recording has.
  var shape: [Int]
  /// Whether the first axis of the member counts recordings.
  var isPerRecording: Bool
  var content: Content

  /// The most numbers or texts of a recording.
  static let mostElements = 4096
  /// The most bytes of a text member.
  static let mostTextBytes = 16 << 20

  /// Elements of one recording.
  var count: Int { shape.reduce(1, *) }

  /// An array of numbers, of which `batch` recordings have a part each if its first axis counts them.
  ///
  /// - Throws: A usage error where it is too large.
  init(_ array: ArrayMembers.Array, batch: Int?) throws(TrajpackError) {
    name = array.name
    storedName = array.header.storedName
    isPerRecording = batch != nil && array.header.shape.first == batch
    shape = Array(array.header.shape.dropFirst(isPerRecording ? 1 : 0))
    content = .numbers(
      ArraySet.Item(
        name: name, channel: name, type: array.header.type, storedName: storedName, row: shape,
        isPerRecording: isPerRecording))
    let most = Self.mostElements
    guard !shape.contains(where: { $0 > most }), shape.reduce(1, { min($0 * $1, most + 1) }) <= most
    else {
      throw TrajpackError(
        .usage,
        "--constant: '\(name)' has shape \(array.header.shape), more than \(most) numbers for a recording"
      )
    }
  }

  /// An array of text.
  init(
    _ name: String, _ text: NPYText, _ archive: NPZ, batch: Int?
  ) throws(TrajpackError) {
    self.name = name
    storedName = text.storedName
    isPerRecording = batch != nil && text.shape.first == batch
    shape = Array(text.shape.dropFirst(isPerRecording ? 1 : 0))
    content = .texts(try archive.texts(name, text, 0..<text.count))
  }

  /// Why a text has no place among what is known of recordings; `nil` where it has one.
  static func refusal(of text: NPYText, rows: Set<Int>, batch: Int?) -> String? {
    let isPerRecording = batch != nil && text.shape.first == batch
    let shape = Array(text.shape.dropFirst(isPerRecording ? 1 : 0))
    if let length = shape.first, length > 1, rows.contains(length) {
      return "holds a text for each row, which is not read of arrays"
    }
    let (bytes, isHuge) = text.count.multipliedReportingOverflow(by: max(text.storedSize, 1))
    if isHuge || bytes > mostTextBytes
      || shape.reduce(1, { min($0 * $1, mostElements + 1) })
        > mostElements
    {
      return "holds text of shape \(text.shape), more than is kept of a recording"
    }
    return nil
  }
}

extension ArraySet {
  /// What the archive says of a recording: an object of `{dtype, value}`, for arrays with `shape`.
  func constants(
    _ part: ArrayPart, of path: String, _ cache: InflatedCache
  ) throws(TrajpackError) -> JSONValue? {
    guard !constants.isEmpty else { return nil }
    var members: [JSONValue.Member] = []
    for constant in constants {
      let first = constant.isPerRecording ? (part.element ?? 0) * constant.count : 0
      let values: [JSONValue]
      switch constant.content {
      case .texts(let texts):
        values = texts[first..<first + constant.count].map { .string($0) }
      case .numbers(let item):
        values = try numbers(item, first..<first + constant.count, of: path, cache)
      }
      members.append(
        .init(
          constant.name,
          .record([
            "dtype": .string(constant.storedName),
            "shape": constant.shape.isEmpty
              ? nil : .array(constant.shape.map { .int(Int64($0)) }),
            "value": Self.nested(values[...], constant.shape[...]),
          ])))
    }
    return .object(members)
  }

  private func numbers(
    _ item: Item, _ range: Range<Int>, of path: String, _ cache: InflatedCache
  ) throws(TrajpackError) -> [JSONValue] {
    guard !range.isEmpty else { return [] }
    let rows = try elements(item, range, of: path, cache)
    let bytes = ByteBuffer(item.type.size * range.count)
    try rows.spool.read(at: rows.offset, into: bytes.bytes)
    return (0..<range.count).map { i in
      switch StoredNumber(UnsafeRawBufferPointer(bytes.bytes), i, item.type) {
      case .whole(let value): Int64(exactly: value).map { .int($0) } ?? .string("\(value)")
      case .double(let value):
        value.isFinite ? .double(value) : .string("0x" + String(value.bitPattern, radix: 16))
      }
    }
  }

  /// Values in C order as lists in lists.
  private static func nested(_ values: ArraySlice<JSONValue>, _ shape: ArraySlice<Int>) -> JSONValue
  {
    guard let count = shape.first else { return values.first ?? .null }
    let each = count == 0 ? 0 : values.count / count
    return .array(
      (0..<count).map { i in
        let start = values.startIndex + i * each
        return nested(values[start..<start + each], shape.dropFirst())
      })
  }
}
