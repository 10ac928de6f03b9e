import TrajpackFormat

/// The header of a numpy array file (numpy's NEP 1, versions 1, 2 and 3): type, order and shape.
public struct NPYHeader: Sendable, Equatable {
  /// The type of the elements as readers get them: float16 comes as float32.
  public let type: ElementType
  /// Whether the elements lie there as float16.
  public let isHalf: Bool
  /// Whether the bytes of an element lie with the highest first.
  public let isBigEndian: Bool
  /// Whether the first axis, not the last, varies fastest.
  public let isFortranOrder: Bool
  /// The shape; empty for a single number.
  public let shape: [Int]
  /// Where the elements begin.
  public let length: Int
  /// What integers count that are dates or spans of time; `nil` of numbers.
  let dates: NPYDates?

  /// numpy's name of the type as it lies in the file: `float16`, `int32`.
  public var storedName: String { dates?.name ?? (isHalf ? "float16" : type.rawValue) }
  /// Bytes of an element in the file.
  public var storedSize: Int { isHalf ? 2 : type.size }
  /// Elements; the product is known to fit.
  public var count: Int { shape.reduce(1, *) }
  /// Bytes of the elements in the file.
  public var dataBytes: Int { count * storedSize }

  /// Whether bytes begin like an array file.
  public static func recognises(_ bytes: some Collection<UInt8>) -> Bool {
    bytes.starts(with: [0x93, 0x4E, 0x55, 0x4D, 0x50, 0x59])
  }

  /// The longest header that is read; numpy's own writes are a hundred bytes.
  static let longest = 64 << 10
  /// The most axes; numpy's own limit.
  static let maximumRank = 64

  /// Reads the header from the start of `stream`, which holds `available` bytes in all.
  ///
  /// - Parameter readsDates: Whether dates are read, as integers.
  /// - Throws: A data error where the header is damaged, the type is one that is not read, or the
  ///   shape does not fit the bytes that are there.
  init(
    _ stream: some ByteStream, available: Int, _ origin: ByteOrigin, readsDates: Bool = false
  ) throws(TrajpackError) {
    try self.init(
      try Self.fields(stream, available: available, origin), available, origin,
      readsDates: readsDates)
  }

  /// The header that `fields` and the `available` bytes of the file make.
  init(
    _ fields: Fields, _ available: Int, _ origin: ByteOrigin, readsDates: Bool = false
  ) throws(TrajpackError) {
    let descr = fields.literal.descr
    if readsDates, let order = descr.first, "<>".contains(order),
      let dates = NPYDates(String(descr.dropFirst()))
    {
      (type, isHalf, isBigEndian) = (.int64, false, order == ">")
      isFortranOrder = fields.literal.fortranOrder
      shape = fields.literal.shape
      length = fields.length
      self.dates = dates
      try Self.check(shape, 8, dates.name, from: length, available, origin)
      return
    }
    dates = nil
    let kind = try Self.kind(fields.literal.descr, origin)
    (type, isHalf, isBigEndian) = kind
    isFortranOrder = fields.literal.fortranOrder
    shape = fields.literal.shape
    length = fields.length
    try Self.check(
      shape, storedSize, isHalf ? "float16" : type.rawValue, from: length, available, origin)
  }

  /// What the bytes before the elements say.
  struct Fields {
    var literal: NPYLiteral.Fields
    /// Where the elements begin.
    var length: Int
  }

  /// Reads the bytes before the elements of an array, whatever its type.
  static func fields(
    _ stream: some ByteStream, available: Int, _ origin: ByteOrigin
  ) throws(TrajpackError) -> Fields {
    let magic = try stream.bytes(8)
    guard Self.recognises(magic) || magic.isEmpty else {
      throw origin.wrong("is no numpy array (it does not begin with '\\x93NUMPY'); check the file")
    }
    guard magic.count == 8 else {
      throw origin.wrong(
        "was cut short: a numpy array has at least 10 bytes, this has \(available)")
    }
    guard (1...3).contains(magic[6]), magic[7] == 0 else {
      throw origin.wrong(
        "is numpy array format \(magic[6]).\(magic[7]); save it again with numpy.save")
    }
    let field = try stream.bytes(magic[6] == 1 ? 2 : 4)
    let length =
      field.count == 2
      ? Int(field.little(0, as: UInt16.self))
      : field.count == 4 ? Int(field.little(0, as: UInt32.self)) : Int.max
    guard length <= min(Self.longest, available) else {
      throw origin.wrong(
        "the array header at byte 8 claims more bytes than there are; it was cut short")
    }
    let text = try stream.bytes(length)
    guard text.count == length else {
      throw origin.wrong("was cut short in the array header, at byte \(available)")
    }
    let start = 8 + field.count
    var literal = NPYLiteral(text, at: start, origin)
    return Fields(literal: try literal.header(), length: start + length)
  }

  /// Compares a shape with the bytes that are there: `available` in all, the elements from byte `start`.
  static func check(
    _ shape: [Int], _ size: Int, _ name: String, from start: Int, _ available: Int,
    _ origin: ByteOrigin
  ) throws(TrajpackError) {
    let there = available - start
    guard shape.count <= Self.maximumRank else {
      throw origin.wrong("has \(shape.count) axes; at most \(Self.maximumRank) are read")
    }
    // A zero axis makes no elements, whatever the others claim; they must not overflow even so.
    var bytes = size
    var fits = true
    for axis in shape where axis != 0 {
      let (product, overflow) = bytes.multipliedReportingOverflow(by: axis)
      guard !overflow else {
        fits = false
        break
      }
      bytes = product
    }
    if fits, shape.contains(0) { bytes = 0 }
    guard fits, bytes <= there else {
      throw origin.wrong(
        "the array header claims shape \(shape) of \(name)"
          + "\(fits ? " (\(bytes) bytes)" : ""), but \(there) bytes follow it; the file was cut "
          + "short or its header is wrong")
    }
    guard bytes == there else {
      throw origin.wrong(
        "has \(there - bytes) bytes behind its array of shape \(shape), from byte "
          + "\(start + bytes) on; "
          + "save it again with numpy.save")
    }
  }

  private static func kind(
    _ descr: String, _ origin: ByteOrigin
  ) throws(TrajpackError) -> (ElementType, Bool, Bool) {
    let order = descr.first ?? " "
    let code = String(descr.dropFirst())
    let types: [String: ElementType] = [
      "b1": .bool, "i1": .int8, "i2": .int16, "i4": .int32, "i8": .int64, "u1": .uint8,
      "u2": .uint16,
      "u4": .uint32, "u8": .uint64, "f2": .float32, "f4": .float32, "f8": .float64,
    ]
    if let type = types[code], "<>".contains(order) || (order == "|" && type.size == 1) {
      return (type, code == "f2", order == ">" && type.size > 1)
    }
    throw origin.wrong(
      "holds \(unread(descr)), where only bool, int, uint and float of 16 to 64 bits are read")
  }

  /// Elements of a type that is not read, in words.
  static func unread(_ descr: String) -> String {
    switch descr.dropFirst().first {
    case "O": "Python objects (a pickle, which would run code when it is read)"
    case "U", "S", "a": "text"
    case "V": "records of several fields"
    case "c": "complex numbers; save the real and imaginary parts"
    case "M", "m": "dates; save them as int64"
    default: "elements of type '\(printable(descr))'"
    }
  }

  private static func printable(_ text: String) -> String {
    String(
      text.unicodeScalars.prefix(24).map { $0.isASCII && $0.value >= 32 ? Character($0) : "?" })
  }
}
