import Testing
import TrajpackTestSupport

@testable import TrajpackFormat

@Suite struct JSONTests {
  /// A random document.
  func random(_ generator: inout SeededGenerator, depth: Int = 0) -> JSONValue {
    switch Int.random(in: 0..<(depth > 3 ? 5 : 7), using: &generator) {
    case 0: return .null
    case 1: return .bool(Bool.random(using: &generator))
    case 2: return .int(Int64.random(in: .min ... .max, using: &generator))
    case 3:
      let double = Double(bitPattern: UInt64.random(in: 0...UInt64.max, using: &generator))
      // A whole double below 2^63 is written as Swift writes it ("5.0"), so it stays a double.
      return .double(double.isFinite ? double : 0.5)
    case 4:
      let scalars: [Unicode.Scalar] = ["a", "\"", "\\", "\n", "\u{1}", "é", "😀", "\u{7F}", "/"]
      var text = String.UnicodeScalarView()
      for _ in 0..<Int.random(in: 0..<9, using: &generator) {
        text.append(scalars[Int.random(in: 0..<scalars.count, using: &generator)])
      }
      return .string(String(text))
    case 5:
      return .array(
        (0..<Int.random(in: 0..<4, using: &generator)).map { _ in
          random(&generator, depth: depth + 1)
        })
    default:
      return .object(
        (0..<Int.random(in: 0..<4, using: &generator)).map {
          JSONValue.Member("m\($0)", random(&generator, depth: depth + 1))
        })
    }
  }

  @Test func everyDocumentComesBack() throws {
    var generator = SeededGenerator(seed: 5)
    for _ in 0..<500 {
      let value = random(&generator)
      #expect(try JSONValue(parsing: value.text()) == value)
      #expect(try JSONValue(parsing: value.text(indent: 2)) == value)
    }
  }

  @Test(arguments: [
    "", "{", "[1,]", "{\"a\":1,}", "01", "1.", ".5", "+1", "nul", "\"\\x\"", "\"\u{1}\"", "[1] 2",
    "{\"a\":1,\"a\":2}", "1e999", "\"\\ud800\"", "\"abc", "{1:2}", "[1 2]", "\"\\u+123\"",
    String(repeating: "[", count: 100),
  ])
  func refusesWhatIsNoJSON(text: String) {
    #expect(throws: TrajpackError.self) { try JSONValue(parsing: text) }
  }

  @Test func damagedTextNeverTraps() {
    var generator = SeededGenerator(seed: 6)
    for _ in 0..<2000 {
      var bytes = Array(random(&generator).text().utf8)
      for _ in 0..<3 where !bytes.isEmpty {
        bytes[Int.random(in: 0..<bytes.count, using: &generator)] =
          UInt8.random(in: 0...255, using: &generator)
      }
      _ = try? JSONValue(parsing: bytes)
    }
  }
}

@Suite struct StoredTypeTests {
  @Test func widening() {
    #expect(ElementType.int32.widened(with: .float32) == .float64)
    #expect(ElementType.int16.widened(with: .float32) == .float32)
    #expect(ElementType.int64.widened(with: .float64) == nil)
    #expect(ElementType.uint8.widened(with: .int8) == .int16)
    #expect(ElementType.uint64.widened(with: .int64) == nil)
    #expect(ElementType.bytes.widened(with: .int8) == nil)
    for a in ElementType.allCases {
      for b in ElementType.allCases { #expect(a.widened(with: b) == b.widened(with: a)) }
    }
  }

  /// What `DecimalCode` claims: the division gives the double that parsing the text gives.
  @Test func decimalCodeEqualsParsing() throws {
    var generator = SeededGenerator(seed: 7)
    for _ in 0..<100_000 {
      let k = Int.random(in: 0...15, using: &generator)
      let n = Int64.random(in: -(1 << 53)...(1 << 53), using: &generator)
      let parsed = try #require(Double("\(n)e-\(k)"))
      #expect(DecimalCode.value(n, scale: DecimalCode.powers[k]) == parsed)
    }
    #expect(DecimalCode.value(Int32.min, scale: 1).isNaN)
    #expect(DecimalCode.value(Int32.min + 1, scale: 1).sign == .minus)
    #expect(DecimalCode.value(Int64.min + 2, scale: 1) == .infinity)
    #expect(DecimalCode.value(Int64.min + 3, scale: 1) == -.infinity)
  }
}
