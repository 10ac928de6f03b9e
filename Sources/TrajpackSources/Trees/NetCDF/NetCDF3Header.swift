import TrajpackFormat
import TrajpackStore

/// The header of a NetCDF-3 file. Layout after Unidata, "NetCDF Classic Format Specification".
struct NetCDF3Header {
  struct Dimension {
    var name: String
    /// The length; 0 for that of records.
    var length: Int
  }

  struct Variable {
    var name: String
    var dimensions: [Int]
    var attributes: [(name: String, value: TreeValue)]
    var type: NetCDF3Type
    /// Where its first element lies.
    var begin: Int
    var isRecord = false
    var shape: [Int] = []
  }

  private(set) var dimensions: [Dimension] = []
  private(set) var attributes: [(name: String, value: TreeValue)] = []
  private(set) var variables: [Variable] = []
  /// Bytes from one record to the next.
  private(set) var recordBytes = 0

  private let file: LocalFile
  private let origin: ByteOrigin
  private let version: Int
  private var at = 4

  /// Whether a file begins as one.
  static func recognises(_ first: [UInt8]) -> Bool {
    first.count >= 4 && first.starts(with: "CDF".utf8) && [1, 2, 5].contains(first[3])
  }

  /// Reads the header, and compares with the length of the file what it claims.
  init(_ file: LocalFile) throws(TrajpackError) {
    self.file = file
    origin = ByteOrigin(name: file.path)
    version = Int(try file.bytes(0..<4)[3])
    let claimed = try bytes(version == 5 ? 8 : 4)
    let isStreaming = claimed.allSatisfy { $0 == 0xFF }
    var records = isStreaming ? 0 : Self.number(claimed)
    try list(0x0A, "dimensions") { (header) throws(TrajpackError) in
      let name = try header.name()
      header.dimensions.append(Dimension(name: name, length: try header.count()))
    }
    attributes = try readAttributes()
    try list(0x0B, "variables") { (header) throws(TrajpackError) in try header.variable() }
    try layOut(&records, isStreaming: isStreaming)
  }

  private static func number(_ bytes: [UInt8]) -> Int {
    Int(clamping: bytes.reduce(UInt64(0)) { $0 << 8 | UInt64($1) })
  }

  private mutating func bytes(_ count: Int) throws(TrajpackError) -> [UInt8] {
    guard count >= 0, count <= file.length - at else {
      throw origin.wrong(
        "ends at byte \(file.length), in the middle of its header; it was cut short or is damaged, fetch it again"
      )
    }
    defer { at += count }
    return try file.bytes(at..<at + count)
  }

  private mutating func word() throws(TrajpackError) -> Int { Self.number(try bytes(4)) }

  /// A number of things, which has eight bytes in the newest version.
  private mutating func count() throws(TrajpackError) -> Int {
    let count = Self.number(try bytes(version == 5 ? 8 : 4))
    guard count < 1 << 48 else {
      throw origin.wrong("its header claims \(count) elements at byte \(at); it is damaged")
    }
    return count
  }

  private mutating func name() throws(TrajpackError) -> String {
    let length = try count()
    let text = String(decoding: try bytes(length), as: UTF8.self)
    _ = try bytes(-length & 3)
    guard !text.isEmpty, !text.contains("/"), !text.contains("\0") else {
      throw origin.wrong(
        "its header has the name '\(text.printable)' at byte \(at), which is none; it is damaged")
    }
    return text
  }

  private mutating func list(
    _ tag: Int, _ what: String, _ body: (inout Self) throws(TrajpackError) -> Void
  ) throws(TrajpackError) {
    let (found, place) = (try word(), at)
    let number = try count()
    guard found == tag || (found == 0 && number == 0) else {
      throw origin.wrong(
        "its list of \(what) at byte \(place - 4) is damaged; fetch the file again")
    }
    // Each has a name, so that more than fit into the file end there.
    for _ in 0..<number { try body(&self) }
  }

  private mutating func type() throws(TrajpackError) -> NetCDF3Type {
    let number = try word()
    guard let type = NetCDF3Type(rawValue: number), version == 5 || number <= 6 else {
      throw origin.wrong("has the type \(number) at byte \(at - 4), which is none; it is damaged")
    }
    return type
  }

  private mutating func readAttributes() throws(TrajpackError) -> [(String, TreeValue)] {
    var out: [(String, TreeValue)] = []
    try list(0x0C, "attributes") { (header) throws(TrajpackError) in
      let name = try header.name()
      let type = try header.type()
      let number = try header.count()
      let raw = try header.bytes(number * type.size)
      _ = try header.bytes(-(number * type.size) & 3)
      if out.contains(where: { $0.0 == name }) {
        throw header.origin.wrong(
          "has two attributes '\(name.printable)' in one list; it is damaged")
      }
      out.append((name, type.value(raw)))
    }
    return out
  }

  private mutating func variable() throws(TrajpackError) {
    let name = try name()
    let rank = try count()
    guard rank <= 1024 else {
      throw origin.wrong("'\(name)' claims \(rank) dimensions; the header is damaged")
    }
    var own: [Int] = []
    for _ in 0..<rank { own.append(try count()) }
    let attributes = try readAttributes()
    let type = try type()
    // The size is not read: it is that of the type and the dimensions, and wrong for large variables.
    _ = try count()
    let begin = Self.number(try bytes(version == 1 ? 4 : 8))
    guard own.allSatisfy({ $0 < dimensions.count }),
      own.dropFirst().allSatisfy({ !isRecordDimension($0) })
    else {
      throw origin.wrong("'\(name)' has dimensions that there are not; the header is damaged")
    }
    guard !variables.contains(where: { $0.name == name }) else {
      throw origin.wrong("has two variables '\(name)'; the header is damaged")
    }
    variables.append(
      Variable(name: name, dimensions: own, attributes: attributes, type: type, begin: begin))
  }

  /// The dimension of records is the one of length 0.
  private func isRecordDimension(_ number: Int) -> Bool { dimensions[number].length == 0 }

  /// Whether the elements of a variable lie in the file.
  private func ends(_ variable: Variable, _ records: Int, _ size: Int) -> Bool {
    let last = max(variable.isRecord ? records - 1 : 0, 0)
      .multipliedReportingOverflow(by: recordBytes)
    let room = file.length - size
    return !last.overflow && variable.begin >= 0 && last.partialValue <= room
      && variable.begin <= room - last.partialValue
  }

  private mutating func layOut(_ records: inout Int, isStreaming: Bool) throws(TrajpackError) {
    guard dimensions.count(where: { $0.length == 0 }) <= 1 else {
      throw origin.wrong("has two dimensions without length; the header is damaged")
    }
    var sizes: [Int] = []
    for i in variables.indices {
      let own = variables[i].dimensions
      variables[i].isRecord = own.first.map { isRecordDimension($0) } ?? false
      let fixed = variables[i].isRecord ? own.dropFirst() : own[...]
      guard let elements = MATParser.product(fixed.map { dimensions[$0].length }) else {
        throw origin.wrong("'\(variables[i].name)' claims too many elements; the header is damaged")
      }
      sizes.append(elements * variables[i].type.size)
    }
    let recorded = variables.indices.filter { variables[$0].isRecord }
    // A variable alone is not padded.
    for i in recorded {
      recordBytes += recorded.count == 1 ? sizes[i] : (sizes[i] + 3) & ~3
      guard recordBytes < 1 << 48 else {
        throw origin.wrong("claims records of \(recordBytes) bytes; the header is damaged")
      }
    }
    if isStreaming, recordBytes > 0, let first = recorded.map({ variables[$0].begin }).min() {
      records = max(file.length - first, 0) / recordBytes
    }
    for i in variables.indices {
      let own = variables[i].dimensions
      variables[i].shape = own.map { isRecordDimension($0) ? records : dimensions[$0].length }
      guard variables[i].isRecord && records == 0 || ends(variables[i], records, sizes[i])
      else {
        throw origin.wrong(
          "ends at byte \(file.length), before the elements of '\(variables[i].name)' do; it was cut short or is damaged, fetch it again"
        )
      }
    }
  }
}

/// The types of NetCDF-3, as they are numbered.
enum NetCDF3Type: Int {
  case int8 = 1, text, int16, int32, float32, float64, uint8, uint16, uint32, int64, uint64

  /// The type of numbers; `nil` for text.
  var element: ElementType? {
    switch self {
    case .int8: return .int8
    case .text: return nil
    case .int16: return .int16
    case .int32: return .int32
    case .float32: return .float32
    case .float64: return .float64
    case .uint8: return .uint8
    case .uint16: return .uint16
    case .uint32: return .uint32
    case .int64: return .int64
    case .uint64: return .uint64
    }
  }

  var size: Int { element?.size ?? 1 }

  /// The value of an attribute.
  func value(_ bytes: [UInt8]) -> TreeValue {
    guard let element else {
      let text = bytes.prefix((bytes.lastIndex { $0 != 0 } ?? -1) + 1)
      return TreeValue(content: .texts([String(decoding: text, as: UTF8.self)]))
    }
    var little = bytes
    little.withUnsafeMutableBytes { $0.reverseElements(of: size) }
    let count = bytes.count / size
    return TreeValue(little, element, count == 1 ? [] : [count])
  }
}
