import TrajpackFormat
import TrajpackStore

/// An array of text: numpy's `<U6` (UTF-32) or `|S6` (bytes), padded with zeros.
struct NPYText: Sendable, Equatable {
  /// Whether the characters are UTF-32; bytes otherwise.
  let isUnicode: Bool
  /// Characters of an element, or bytes.
  let width: Int
  let isBigEndian: Bool
  let shape: [Int]
  /// Where the elements begin.
  let length: Int

  /// Elements; the product is known to fit.
  var count: Int { shape.reduce(1, *) }
  /// Bytes of an element in the file.
  var storedSize: Int { isUnicode ? width * 4 : width }
  /// How the archive names the type.
  var storedName: String { isUnicode ? "str" : "bytes" }

  /// Text of the type that `fields` name; `nil` where they name another type.
  ///
  /// - Throws: A data error where the shape does not fit the bytes that are there.
  init?(
    _ fields: NPYHeader.Fields, _ available: Int, _ origin: ByteOrigin
  ) throws(TrajpackError) {
    let descr = fields.literal.descr
    guard let order = descr.first, "<>|=".contains(order),
      let code = descr.dropFirst().first, "USa".contains(code),
      let width = Int(descr.dropFirst(2)), width >= 0, width <= 1 << 26
    else { return nil }
    self.width = width
    isUnicode = code == "U"
    isBigEndian = order == ">"
    shape = fields.literal.shape
    length = fields.length
    // numpy writes an array of empty texts with a width of 0 or 1.
    guard width > 0 else { return }
    try NPYHeader.check(
      shape, width * (isUnicode ? 4 : 1), "text", from: length, available, origin)
  }

  /// The elements `range` of an archive's member.
  ///
  /// - Throws: A data error where an element is no text.
  func texts(
    _ range: Range<Int>, of member: ZipArchive.Member
  ) throws(TrajpackError) -> [String] {
    let stream = try ZipMemberStream(member)
    _ = try stream.bytes(length)
    var texts: [String] = []
    for i in 0..<count {
      // All are read, so that the checksum is compared.
      let bytes = try stream.bytes(storedSize)
      guard bytes.count == storedSize else { throw member.origin.wrong("was cut short") }
      guard range.contains(i) else { continue }
      guard let text = text(bytes) else {
        throw member.origin.wrong(
          "element \(i) is no \(isUnicode ? "Unicode" : "UTF-8") text; leave the member out with "
            + "--exclude-members")
      }
      texts.append(text)
    }
    return texts
  }

  private func text(_ bytes: [UInt8]) -> String? {
    guard isUnicode else {
      let end = bytes.lastIndex { $0 != 0 }.map { $0 + 1 } ?? 0
      return String(validating: bytes[..<end], as: UTF8.self)
    }
    var scalars = String.UnicodeScalarView()
    var zeros = 0
    for at in stride(from: 0, to: bytes.count, by: 4) {
      let value = bytes.little(at, as: UInt32.self)
      guard let scalar = UnicodeScalar(isBigEndian ? value.byteSwapped : value) else { return nil }
      if scalar.value == 0 {
        zeros += 1
        continue
      }
      for _ in 0..<zeros { scalars.append("\0") }
      zeros = 0
      scalars.append(scalar)
    }
    return String(scalars)
  }
}

/// What a member of an archive holds, by its header.
enum NPYContent: Sendable {
  case numbers(NPYHeader)
  case text(NPYText)
  /// Python objects, which are never read: a pickle runs code.
  case objects
}
