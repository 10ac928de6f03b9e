import TrajpackFormat

/// How the numbers of a table are written: the decimal sign, a sign between thousands, and the words that
/// stand for a value that was not observed.
struct CellReader: Sendable, Hashable {
  /// The words that stand for missing values among numbers: those of pandas (`na_values` of `read_csv`),
  /// `?` of the UCI files, and what the C runtimes print for NaN. `nan` in any case is a number's.
  static let usualWords = [
    "NA", "N/A", "n/a", "<NA>", "#NA", "#N/A", "#N/A N/A", "NULL", "null", "None", "?", "nan(ind)",
    "-nan(ind)", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN",
  ]

  /// Whether numbers have a comma where others have a point.
  var hasDecimalComma = false
  /// The sign between thousands, which is passed over; a space stands for the spaces of Unicode that do not break
  /// (U+00A0, U+202F, U+2009), too.
  var thousands: UInt8?
  /// The words that stand for missing values, beside an empty cell and `nan`.
  private var words: [[UInt8]] = Self.usualBytes

  private static let usualBytes = usualWords.map { Array($0.utf8) }

  init() {}

  /// The reader that options ask for; the decimal comma may also be found by looking.
  init(_ options: SeriesOptions) {
    hasDecimalComma = options.decimal == UInt8(ascii: ",")
    thousands = options.thousands
    words += options.missing.map { Array($0.utf8) }
  }

  /// The number of a cell, which may have spaces around it.
  @inline(__always)
  func number(_ cell: UnsafeBufferPointer<UInt8>) -> DecimalLiteral {
    if hasDecimalComma || thousands != nil { return translated(cell) }
    let number = DecimalLiteral(cell)
    return number.form == .text ? word(cell) : number
  }

  /// Whether a text stands for a missing value.
  func isMissing(_ cell: some Sequence<UInt8>) -> Bool {
    words.contains { $0.elementsEqual(cell) }
  }

  /// The number of a cell whose decimal sign is a comma, or that has signs between thousands.
  private func translated(_ cell: UnsafeBufferPointer<UInt8>) -> DecimalLiteral {
    let point = UInt8(ascii: ".")
    guard cell.count <= 512 else { return word(cell) }
    if thousands == 0x20, cell.contains(where: { $0 == 0x20 || $0 >= 0x80 }) {
      return spaced(cell)
    }
    return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: max(cell.count, 1)) { out in
      var count = 0
      var hasDigit = false
      for byte in cell {
        if byte == thousands {
          // Only between digits, so that `,5` or `1,` are no numbers by accident.
          guard hasDigit else { return word(cell) }
          continue
        }
        if hasDecimalComma, byte == point { return word(cell) }
        hasDigit = byte &- UInt8(ascii: "0") < 10
        out[count] = hasDecimalComma && byte == UInt8(ascii: ",") ? point : byte
        count += 1
      }
      if cell.last == thousands, thousands != nil { return word(cell) }
      let number = DecimalLiteral(UnsafeBufferPointer(rebasing: UnsafeBufferPointer(out)[..<count]))
      return number.form == .text ? word(cell) : number
    }
  }

  /// The UTF-8 of the spaces that stand between thousands.
  private static let spaces: [[UInt8]] = [
    [0x20], [0xC2, 0xA0], [0xE2, 0x80, 0xAF], [0xE2, 0x80, 0x89],
  ]

  /// A cell without the spaces and tabs around it, those of Unicode, too: web pages and office programs pad with
  /// them, and Python's `float` passes over them.
  private static func trimmed(_ cell: UnsafeBufferPointer<UInt8>) -> Slice<
    UnsafeBufferPointer<UInt8>
  > {
    var rest = cell[...]
    func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }
    while true {
      let before = rest.count
      rest = rest.drop(while: isBlank)
      while let last = rest.last, isBlank(last) { rest.removeLast() }
      for space in padding {
        if rest.starts(with: space) { rest = rest.dropFirst(space.count) }
        if rest.suffix(space.count).elementsEqual(space) { rest = rest.dropLast(space.count) }
      }
      if rest.count == before { return rest }
    }
  }

  /// The UTF-8 of Unicode's spaces: U+00A0, U+2000 to U+200A, U+202F, U+205F, U+3000.
  static let padding: [[UInt8]] =
    [[0xC2, 0xA0], [0xE2, 0x80, 0xAF], [0xE2, 0x81, 0x9F], [0xE3, 0x80, 0x80]]
    + (0x80...0x8A).map { [0xE2, 0x80, $0] }

  /// The number of a cell with spaces between thousands.
  @inline(never)
  private func spaced(_ cell: UnsafeBufferPointer<UInt8>) -> DecimalLiteral {
    var rest = Array(Self.trimmed(cell))[...]
    var bytes: [UInt8] = []
    while let byte = rest.first {
      if let space = Self.spaces.first(where: { rest.starts(with: $0) }) {
        rest = rest.dropFirst(space.count)
        guard let last = bytes.last, last &- UInt8(ascii: "0") < 10, let next = rest.first,
          next &- UInt8(ascii: "0") < 10
        else { return word(cell) }
        continue
      }
      bytes.append(byte)
      rest.removeFirst()
    }
    var plain = self
    plain.thousands = nil
    let number = bytes.withUnsafeBufferPointer { plain.number($0) }
    return number.form == .text ? word(cell) : number
  }

  /// What a cell is that is no plain number: a missing value, an infinity of MSVC, a number with the
  /// exponent of Fortran (`1.0D+05`) or the minus sign of Unicode, or text.
  @inline(never)
  private func word(_ cell: UnsafeBufferPointer<UInt8>) -> DecimalLiteral {
    var trimmed = cell.drop { $0 == 0x20 || $0 == 0x09 }
    while let last = trimmed.last, last == 0x20 || last == 0x09 { trimmed.removeLast() }
    let isPadded = trimmed.first ?? 0 >= 0x80 || trimmed.last ?? 0 >= 0x80
    if isPadded { trimmed = Self.trimmed(cell) }
    guard let first = trimmed.first else { return .missing }
    // Most texts begin with another letter.
    let isSpecial = first <= UInt8(ascii: "9") || first == 0xE2
    let mayBeWord = isSpecial || "<?NnIi".utf8.contains(first)
    if !mayBeWord && !words.contains(where: { $0.first == first }) { return .text }
    let text = UnsafeBufferPointer(rebasing: trimmed)
    if isMissing(text) { return .missing }
    if isPadded, text.count < cell.count {
      let number = number(text)
      if number.form != .text { return number }
    }
    guard isSpecial else { return .text }
    var bytes = Array(text)
    if bytes.elementsEqual("1.#INF".utf8) || bytes.elementsEqual("-1.#INF".utf8) {
      bytes = Array((first == UInt8(ascii: "-") ? "-inf" : "inf").utf8)
    } else if bytes.starts(with: [0xE2, 0x88, 0x92]) {
      bytes.replaceSubrange(0..<3, with: [UInt8(ascii: "-")])
    } else if let d = bytes.firstIndex(where: { $0 | 0x20 == UInt8(ascii: "d") }),
      bytes[..<d].contains(UInt8(ascii: ".")), d + 1 < bytes.count,
      bytes[d + 1] == UInt8(ascii: "+") || bytes[d + 1] == UInt8(ascii: "-")
    {
      bytes[d] = UInt8(ascii: "e")
    } else {
      return .text
    }
    return bytes.withUnsafeBufferPointer { DecimalLiteral($0) }
  }
}
