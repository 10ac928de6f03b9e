import Glibc
import TrajpackFormat
import TrajpackStore

/// Makes rows of one shape of the values of a leaf; a value or a row that is absent is not observed.
struct ParquetRowBuilder {
  private let file: ParquetFile
  private let column: ParquetColumn
  private let type: ElementType
  private let missing: Channel.Missing
  private let elements: Int
  /// The repetition level that each element of a row must have.
  private let pattern: [UInt8]
  /// Whether the numbers that are stored as signed ones of their width are unsigned.
  private let isUnsigned: Bool
  private var writer = SpoolWriter()
  private var rows = 0
  /// Elements of the row that is being filled.
  private var filled: Int
  /// Whether what was thrown is that lists have other lengths than the shape.
  private(set) var isRagged = false

  /// The type that holds the numbers of a leaf; `nil` where it has none.
  static func type(_ column: ParquetColumn) -> ElementType? {
    switch column.physical {
    case .boolean: .bool
    case .int32: .int32
    case .int64: .int64
    case .float: .float32
    case .double: .float64
    case .int96, .bytes, .fixedBytes: nil
    }
  }

  init(
    _ file: ParquetFile, _ column: ParquetColumn, _ shape: [Int], _ type: ElementType,
    _ missing: Channel.Missing
  ) throws(TrajpackError) {
    guard let own = Self.type(column), own.isFloat == type.isFloat else {
      throw TrajpackError(
        .data, file: file.path,
        "column '\(column.name)' holds \(column.physical.name), where \(type.rawValue) is stated"
      )
    }
    guard Int(column.repetition) == shape.count else {
      throw TrajpackError(
        .data, file: file.path,
        "column '\(column.name)' holds lists of \(column.repetition) levels, where the shape \(shape) is "
          + "stated")
    }
    self.file = file
    self.column = column
    self.type = type
    self.missing = missing
    isUnsigned = ["uint32", "uint64"].contains(column.logical)
    elements = shape.reduce(1, *)
    filled = elements
    pattern = (0..<elements).map { element in
      if element == 0 { return 0 }
      var (rest, level) = (element, shape.count)
      for length in shape.reversed() {
        guard rest % length == 0 else { break }
        rest /= length
        level -= 1
      }
      return UInt8(level)
    }
  }

  /// Rows whose lists have other lengths than the shape.
  private mutating func ragged(_ what: String) -> TrajpackError {
    isRagged = true
    return wrong(what)
  }

  private func wrong(_ what: String) -> TrajpackError {
    TrajpackError(
      .data, file: file.path, "column '\(column.name)', row \(max(rows - 1, 0)): \(what)",
      at: ErrorPlace(file: file.path, channel: column.name, row: max(rows - 1, 0)))
  }

  /// Adds the rows of a page; a row may go on in the next.
  mutating func append(_ page: ParquetPage) throws(TrajpackError) {
    if page.definition.isEmpty, page.count == page.present, isOneToOne {
      try levels(page)
      try writer.flush()
      try writer.spool.append(page.values)
      return
    }
    try levels(page)
    var next = 0
    for i in 0..<page.count {
      let level = page.definition.isEmpty ? column.definition : page.definition[i]
      if level == column.definition {
        try append(page.values, next)
        next += 1
      } else if column.repetition > 0, level < column.lists[column.lists.count - 1] {
        // The row is absent; an empty list was refused where the levels were compared.
        for _ in 0..<elements { try absent() }
      } else {
        try absent()
      }
    }
  }

  /// Whether the values are stored as they come.
  private var isOneToOne: Bool { Self.type(column) == type }

  /// Compares the levels of a page with the shape.
  private mutating func levels(_ page: ParquetPage) throws(TrajpackError) {
    if column.repetition == 0 {
      rows += page.count
      return
    }
    let innermost = column.lists[column.lists.count - 1]
    var i = 0
    while i < page.count {
      if filled == elements, page.definition.isEmpty {
        let whole = wholeRows(page, from: i)
        rows += whole
        i += whole * elements
        guard i < page.count else { return }
      }
      defer { i += 1 }
      let level = page.repetition[i]
      if level == 0 {
        guard filled == elements else {
          throw ragged("has \(filled) values where the shape has \(elements)")
        }
        rows += 1
        filled = 0
      }
      if !page.definition.isEmpty, page.definition[i] < innermost {
        guard level == 0, page.definition[i] < column.outer else {
          throw ragged("has a list that is empty or absent where the shape has \(elements) values")
        }
        filled = elements
        continue
      }
      guard filled < elements else {
        throw ragged("has more than the \(elements) values of the shape")
      }
      guard pattern[filled] == level else {
        throw ragged("has a list of another length than the shape states")
      }
      filled += 1
    }
  }

  /// How many rows from a level on have the levels of the shape.
  private func wholeRows(_ page: ParquetPage, from first: Int) -> Int {
    page.repetition.withUnsafeBufferPointer { levels in
      pattern.withUnsafeBufferPointer { pattern in
        guard let levels = levels.baseAddress, let pattern = pattern.baseAddress else { return 0 }
        var next = first
        while next + elements <= page.count, memcmp(levels + next, pattern, elements) == 0 {
          next += elements
        }
        return elements == 0 ? 0 : (next - first) / elements
      }
    }
  }

  private mutating func append(_ values: [UInt8], _ index: Int) throws(TrajpackError) {
    func load<T: FixedWidthInteger>(_ type: T.Type) -> T {
      values.withUnsafeBytes {
        T(
          littleEndian: $0.loadUnaligned(
            fromByteOffset: MemoryLayout<T>.size * index, as: T.self))
      }
    }
    switch column.physical {
    case .float:
      let bits = load(UInt32.self)
      if type == .float32 {
        try writer.append(bits)
      } else {
        try writer.append(Double(Float(bitPattern: bits)))
      }
    case .double:
      let bits = load(UInt64.self)
      if type == .float64 {
        try writer.append(bits)
      } else {
        try writer.append(Float(Double(bitPattern: bits)).bitPattern)
      }
    case .int32:
      let bits = load(UInt32.self)
      try whole(isUnsigned ? Int64(bits) : Int64(Int32(bitPattern: bits)))
    case .int64:
      let bits = load(UInt64.self)
      guard !isUnsigned || type == .uint64 || bits <= UInt64(Int64.max) else {
        throw wrong("\(bits) does not fit into \(type.rawValue)")
      }
      try whole(Int64(bitPattern: bits))
    default: try whole(Int64(values[index]))
    }
  }

  private mutating func whole(_ value: Int64) throws(TrajpackError) {
    func put<T: FixedWidthInteger>(_ type: T.Type) throws(TrajpackError) {
      // Unsigned types of 32 and 64 bits are stored as the signed ones of their width.
      let isWide = T.bitWidth >= 32 && !T.isSigned
      guard isWide || T(exactly: value) != nil else {
        throw wrong("\(value) does not fit into \(self.type.rawValue)")
      }
      guard missing != .sentinel || value != Int64(T.min) || !T.isSigned else {
        throw wrong(
          "\(value) is the number that stands for 'not observed'; \(Channel.Missing.remedy)")
      }
      try writer.append(T(truncatingIfNeeded: value))
    }
    switch type {
    case .bool, .uint8: try put(UInt8.self)
    case .int8: try put(Int8.self)
    case .int16: try put(Int16.self)
    case .uint16: try put(UInt16.self)
    case .int32: try put(Int32.self)
    case .uint32: try put(UInt32.self)
    case .uint64: try put(UInt64.self)
    default: try put(Int64.self)
    }
  }

  private mutating func absent() throws(TrajpackError) {
    switch (type, missing) {
    case (.float32, .nan): try writer.append(Float.nan.bitPattern)
    case (.float64, .nan): try writer.append(Double.nan)
    case (.int8, .sentinel): try writer.append(Int8.min)
    case (.int16, .sentinel): try writer.append(Int16.min)
    case (.int32, .sentinel): try writer.append(Int32.min)
    case (.int64, .sentinel): try writer.append(Int64.min)
    default:
      throw wrong("has a null, and \(type.rawValue) has no number that stands for 'not observed'")
    }
  }

  /// All rows.
  mutating func finish() throws(TrajpackError) -> ParquetTable.Rows {
    try writer.flush()
    guard filled == elements || column.repetition == 0 else {
      throw ragged("has \(filled) values where the shape has \(elements)")
    }
    let rowBytes = elements * type.size
    guard rows == file.rows, writer.spool.count == rows * rowBytes else {
      throw TrajpackError(
        .data, file: file.path, "column '\(column.name)' has \(rows) rows of \(file.rows)")
    }
    return ParquetTable.Rows(spool: writer.spool, rowBytes: rowBytes)
  }
}
