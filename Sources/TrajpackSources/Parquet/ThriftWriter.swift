/// Writes structs in Thrift's compact protocol.
struct ThriftWriter {
  private(set) var bytes: [UInt8] = []
  private var last: [Int] = [0]

  private mutating func variable(_ number: UInt64) {
    var number = number
    while number >= 128 {
      bytes.append(UInt8(truncatingIfNeeded: number) | 128)
      number >>= 7
    }
    bytes.append(UInt8(number))
  }

  private mutating func zigzag(_ number: Int) {
    variable(UInt64(bitPattern: Int64(number << 1 ^ number >> 63)))
  }

  private mutating func head(_ field: Int, _ kind: UInt8) {
    let delta = field - last[last.count - 1]
    if 1...15 ~= delta {
      bytes.append(UInt8(delta) << 4 | kind)
    } else {
      bytes.append(kind)
      zigzag(field)
    }
    last[last.count - 1] = field
  }

  mutating func int32(_ field: Int, _ number: Int) {
    head(field, 5)
    zigzag(number)
  }

  mutating func flag(_ field: Int, _ value: Bool) { head(field, value ? 1 : 2) }

  mutating func int64(_ field: Int, _ number: Int) {
    head(field, 6)
    zigzag(number)
  }

  private mutating func binary(_ text: String) {
    variable(UInt64(text.utf8.count))
    bytes += text.utf8
  }

  mutating func text(_ field: Int, _ text: String) {
    head(field, 8)
    binary(text)
  }

  mutating func structure(_ field: Int, _ body: (inout ThriftWriter) -> Void) {
    head(field, 12)
    structure(body)
  }

  /// A struct that is an element of a list, or the whole.
  mutating func structure(_ body: (inout ThriftWriter) -> Void) {
    last.append(0)
    body(&self)
    last.removeLast()
    bytes.append(0)
  }

  private mutating func list(_ field: Int, _ count: Int, _ kind: UInt8) {
    head(field, 9)
    if count < 15 {
      bytes.append(UInt8(count) << 4 | kind)
    } else {
      bytes.append(0xF0 | kind)
      variable(UInt64(count))
    }
  }

  mutating func structures<Element>(
    _ field: Int, _ elements: [Element], _ body: (inout ThriftWriter, Element) -> Void
  ) {
    list(field, elements.count, 12)
    for element in elements { structure { body(&$0, element) } }
  }

  mutating func numbers(_ field: Int, _ numbers: [Int]) {
    list(field, numbers.count, 5)
    for number in numbers { zigzag(number) }
  }

  mutating func texts(_ field: Int, _ texts: [String]) {
    list(field, texts.count, 8)
    for text in texts { binary(text) }
  }
}
