import TrajpackFormat

/// Reads the Python literal of a numpy header: a dictionary of a string, a truth value and a tuple.
/// It is read by this grammar alone and never evaluated.
struct NPYLiteral {
  /// What the dictionary says.
  struct Fields {
    var descr: String
    var fortranOrder: Bool
    var shape: [Int]
  }

  private let bytes: [UInt8]
  private let start: Int
  private let origin: ByteOrigin
  private var at = 0

  /// A literal that begins at byte `start` of the file.
  init(_ bytes: [UInt8], at start: Int, _ origin: ByteOrigin) {
    self.bytes = bytes
    self.start = start
    self.origin = origin
  }

  /// The three entries, each once, in any order.
  mutating func header() throws(TrajpackError) -> Fields {
    var descr: String?
    var order: Bool?
    var shape: [Int]?
    guard take("{") else { throw wrong("'{'") }
    while !take("}") {
      let key = try string()
      guard take(":") else { throw wrong("':'") }
      switch key {
      case "descr" where descr == nil:
        skipSpace()
        if at < bytes.count, bytes[at] == UInt8(ascii: "[") {
          throw origin.wrong(
            "holds records of several fields, where only bool, int, uint and float are read; "
              + "save each field as an array")
        }
        descr = try string()
      case "fortran_order" where order == nil: order = try truth()
      case "shape" where shape == nil: shape = try tuple()
      default: throw wrong("'descr', 'fortran_order' and 'shape', each once")
      }
      guard take(",") else {
        guard take("}") else { throw wrong("',' or '}'") }
        break
      }
    }
    skipSpace()
    guard at == bytes.count else { throw wrong("nothing more") }
    guard let descr, let order, let shape else {
      throw wrong("'descr', 'fortran_order' and 'shape', each once")
    }
    return Fields(descr: descr, fortranOrder: order, shape: shape)
  }

  private func wrong(_ expected: String) -> TrajpackError {
    origin.wrong("the array header is damaged at byte \(start + at): expected \(expected)")
  }

  private mutating func skipSpace() {
    while at < bytes.count, [0x20, 0x0A, 0x0D, 0x09].contains(bytes[at]) { at += 1 }
  }

  private mutating func take(_ text: StaticString) -> Bool {
    skipSpace()
    let wanted = UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
    guard bytes[at...].starts(with: wanted) else { return false }
    at += wanted.count
    return true
  }

  private mutating func string() throws(TrajpackError) -> String {
    skipSpace()
    guard at < bytes.count, bytes[at] == UInt8(ascii: "'") || bytes[at] == UInt8(ascii: "\"") else {
      throw wrong("a string")
    }
    let quote = bytes[at]
    guard let end = bytes[(at + 1)...].firstIndex(of: quote) else { throw wrong("a closing quote") }
    let text = bytes[(at + 1)..<end]
    guard text.allSatisfy({ $0 >= 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "\\") }) else {
      throw wrong("plain text")
    }
    at = end + 1
    return String(decoding: text, as: UTF8.self)
  }

  private mutating func truth() throws(TrajpackError) -> Bool {
    if take("True") { return true }
    if take("False") { return false }
    throw wrong("True or False")
  }

  /// `()`, `(3,)`, `(3, 4)`; a number may end in `L`, as Python 2 wrote long ones.
  private mutating func tuple() throws(TrajpackError) -> [Int] {
    guard take("(") else { throw wrong("'('") }
    var shape: [Int] = []
    while !take(")") {
      skipSpace()
      let first = at
      while at < bytes.count, (0x30...0x39).contains(bytes[at]) { at += 1 }
      guard at > first, let size = Int(String(decoding: bytes[first..<at], as: UTF8.self)) else {
        at = first
        throw wrong("an axis of 0 to \(Int.max)")
      }
      _ = take("L")
      shape.append(size)
      if take(",") { continue }
      guard shape.count > 1, take(")") else { throw wrong("','") }
      break
    }
    return shape
  }
}
