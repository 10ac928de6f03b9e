import TrajpackFormat
import TrajpackStore

/// MATLAB files of version 4: a header of 20 bytes, a name and the numbers of each matrix.
enum MAT4 {
  private struct Header {
    var isBig: Bool
    var type: ElementType
    /// 0 for numbers, 1 for text, 2 for a sparse matrix.
    var kind: Int
    var rows: Int
    var columns: Int
    var isComplex: Bool
    var name: Int

    /// `nil` where it is none.
    init?(_ bytes: [UInt8], isBig: Bool) {
      guard bytes.count >= 20 else { return nil }
      let words = (0..<5).map { Int(MATStream.word(bytes, 4 * $0, isBig)) }
      let types: [ElementType] = [.float64, .float32, .int32, .int16, .uint16, .uint8]
      let (order, precision, kind) = (words[0] / 1000, words[0] / 10 % 100, words[0] % 10)
      guard order == (isBig ? 1 : 0), precision < types.count, kind <= 2, words[3] <= 1,
        words[1] < 1 << 31, words[2] < 1 << 31, (2...64).contains(words[4])
      else { return nil }
      (self.isBig, self.kind) = (isBig, kind)
      (type, rows, columns) = (types[precision], words[1], words[2])
      (isComplex, name) = (words[3] == 1, words[4])
    }
  }

  private static func header(_ bytes: [UInt8]) -> Header? {
    Header(bytes, isBig: false) ?? Header(bytes, isBig: true)
  }

  /// Whether a file begins with the header and the name of a matrix.
  static func recognises(_ first: [UInt8]) -> Bool {
    guard let header = header(first), first.count >= 20 + header.name else { return false }
    let name = first[20..<20 + header.name - 1]
    return first[20 + header.name - 1] == 0
      && name.allSatisfy {
        let scalar = UnicodeScalar($0)
        return scalar == "_" || (0x30...0x39).contains($0)
          || (scalar.isASCII && scalar.properties.isAlphabetic)
      }
  }

  /// The matrices of a file.
  static func variables(
    _ file: LocalFile, _ parser: inout MATParser
  ) throws(TrajpackError) -> [[TreeNode]] {
    var at = 0
    var variables: [[TreeNode]] = []
    while at < file.length {
      let bytes = try file.bytes(at..<min(at + 20, file.length))
      guard let header = header(bytes), header.name <= file.length - at - 20 else {
        throw parser.origin.wrong(
          "has no header of a matrix at byte \(at); it was cut short or is damaged, fetch it again")
      }
      let name = try parser.name(
        try file.bytes(at + 20..<at + 20 + header.name).prefix { $0 != 0 })
      let start = at + 20 + header.name
      let axes = [header.rows, header.columns]
      let count = header.rows * header.columns
      let bytesOf = count.multipliedReportingOverflow(by: header.type.size)
      let parts = header.isComplex ? 2 : 1
      guard !bytesOf.overflow, bytesOf.partialValue <= (file.length - start) / parts else {
        throw parser.origin.wrong(
          "ends at byte \(file.length), and '\(name)' has \(axes) elements of \(header.type.rawValue) from byte \(start) on; it was cut short or is damaged"
        )
      }
      variables.append([matrix("/" + name, header, axes, start, &parser)])
      at = start + bytesOf.partialValue * parts
      guard variables.count <= MATParser.most.arrays else {
        throw parser.origin.wrong("holds more than \(MATParser.most.arrays) arrays")
      }
    }
    return variables
  }

  private static func matrix(
    _ path: String, _ header: Header, _ axes: [Int], _ start: Int, _ parser: inout MATParser
  ) -> TreeNode {
    let count = axes[0] * axes[1]
    let kind =
      header.type == .float64 ? "double" : header.type == .float32 ? "single" : header.type.rawValue
    guard count > 0 else { return MATParser.empty(path, header.kind == 1 ? "char" : kind, axes) }
    if header.kind == 2 {
      return TreeNode(
        path: path, content: .unread("is sparse in a file of version 4, which is not read"))
    }
    var place = MATPlace(
      packed: nil, isBig: header.isBig,
      numbers: .init(start: start, count: count, type: header.type), axes: axes)
    if header.kind == 1 {
      let kinds: [ElementType: MATPlace.Text] = [
        .float64: .codes, .uint8: .latin, .uint16: .utf16, .int16: .utf16, .int32: .utf32,
      ]
      guard let text = kinds[header.type] else {
        return TreeNode(path: path, content: .unread("is text of \(header.type.rawValue)"))
      }
      place.text = text
      parser.places[path] = place
      return MATParser.text(path, axes, bytes: count * header.type.size)
    }
    if header.isComplex {
      place.imaginary = .init(
        start: start + count * header.type.size, count: count, type: header.type)
    }
    parser.places[path] = place
    return MATParser.node(path, kind, header.type, axes, header.isComplex)
  }
}
