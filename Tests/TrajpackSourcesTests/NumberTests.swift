import Glibc
import Testing
import TrajpackFormat
import TrajpackTestSupport

@testable import TrajpackSources
@testable import TrajpackStore

/// Numbers in text, against the C library's `strtod`.
@Suite struct NumberTests {
  private static let strange = [
    "0", "-0", "+0", "-0.0", "0.0", "+5", "-5", "1.", ".5", "-.5", "+.5e1", "1e0", "1E5", "1e+5",
    "1e-5", "1e400", "-1e400",
    "1e-400", "4.9e-324", "5e-324", "2.2250738585072014e-308", "1.7976931348623157e308",
    "1.7976931348623159e308",
    "9007199254740993", "9007199254740992", "-9007199254740993", "9223372036854775807",
    "-9223372036854775808",
    "0.1", "0.30000000000000004", "123456789.123456789", "1e22", "1e23", "8.5e22", "2147483647",
    "-2147483648",
    "2147483648", "2147482999.5", "0.0000000000000000000001", "0.00000000000000000000001", "000123",
    "00.5", "1e00005",
    "inf", "-inf", "Infinity", "-Infinity", "INF", "+inf", "0.1e1", "100e-2", "16777217",
    "16777216.0", "3.4028235e38",
    "1.401298464324817e-45", "-1e-7", "1234567890123456.7", "999999999999999999",
    "99999999999999999.9",
    "0e5", "-0e5", "1e18", "1e19", "123456789012345678e-10", " 5", "5 ", "\t5.5\t",
  ]

  private static func parse(_ text: String) -> DecimalLiteral {
    Array(text.utf8).withUnsafeBufferPointer { DecimalLiteral($0) }
  }

  /// The column as it would be stored and read again.
  private static func stored(_ texts: [String]) throws -> [Double]? {
    var facts = ColumnProfile()
    // Facts merge: halves give the same as the whole.
    var second = ColumnProfile()
    for (i, text) in texts.enumerated() {
      if i % 2 == 0 { facts.add(parse(text)) } else { second.add(parse(text)) }
    }
    facts.merge(second)
    var whole = ColumnProfile()
    for text in texts { whole.add(parse(text)) }
    #expect(facts == whole)
    guard let choice = facts.choice else { return nil }
    var bytes = [UInt8](repeating: 0xAA, count: texts.count * choice.stored.size)
    bytes.withUnsafeMutableBytes { raw in
      guard let start = raw.baseAddress else { return }
      for (i, text) in texts.enumerated() {
        ColumnProfile.store(
          parse(text), choice.stored, decimals: choice.decimals, at: start + i * choice.stored.size)
      }
    }
    let channel = Channel(
      name: "x", kind: .scalar, type: choice.type, missing: choice.missing,
      storage: .init(block: 0, column: 0, decimals: choice.decimals))
    // What the schema's own rules demand of a channel, so that a shard with it opens.
    if choice.decimals != nil { #expect(choice.stored == .int32 || choice.stored == .int64) }
    if choice.missing == .sentinel { #expect(choice.stored == .int32 || choice.stored == .int64) }
    let values = ChannelValues(
      channel: channel, stored: choice.stored, count: texts.count, bytes: bytes)
    let doubles = values.doubles()
    for i in texts.indices {
      switch values.value(i, 0) {
      case .missing: #expect(doubles[i].isNaN)
      case .int(let n):
        // An integer has no negative zero.
        let plain = texts[i].filter { !$0.isWhitespace }
        let isZero = n == 0 && strtod(plain, nil) == 0
        #expect(Int64(plain) == n || isZero, "\(texts[i]) became \(n)")
      case .double(let n): #expect(n.bitPattern == doubles[i].bitPattern)
      case .uint, .float: Issue.record("a column of text is stored as neither")
      }
    }
    return doubles
  }

  private func check(_ texts: [String]) throws {
    guard let doubles = try Self.stored(texts) else {
      // Kept as text: only where some whole number has more digits than a double holds.
      #expect(
        texts.contains { $0.utf8.count >= 16 && !$0.contains { ".eE".contains($0) } }, "\(texts)")
      return
    }
    for (text, value) in zip(texts, doubles) {
      let plain = text.filter { !$0.isWhitespace }
      if plain.isEmpty || plain.lowercased() == "nan" {
        #expect(value.isNaN)
        continue
      }
      let wanted = strtod(plain, nil)
      // Beside integers that are no doubles a zero loses its sign, and they keep their digits.
      let areWide = texts.contains { text in
        let whole = Int64(text.filter { !$0.isWhitespace })
        return whole.map { Int64(exactly: Double($0)) != $0 } ?? false
      }
      if areWide, wanted == 0, value == 0 { continue }
      #expect(
        value.bitPattern == wanted.bitPattern, "'\(text)' in \(texts.prefix(6)) gave \(value)")
    }
  }

  @Test func strangeNumbersAloneAndTogether() throws {
    for text in Self.strange {
      try check([text])
      try check([text, "nan", ""])
      for other in Self.strange { try check([text, other]) }
    }
  }

  @Test(arguments: ["", "nan", "NaN", "NAN", " ", "\t", "-nan", "+nan"]) func absentValues(
    text: String
  ) {
    #expect(Self.parse(text).form == .missing)
  }

  @Test(arguments: [
    "1_000", "0x10", "0x1p3", "1,5", "1e", "1e+", "e5", ".", "-", "+", "--1", "+-1", "1-", "1.2.3",
    "१२", "１２", "٣", "1 2",
    "1e5.5", "nan1", "infi", "inf5", "infinit", "0b1", "1f", "1d", "½", "1\u{a0}", "\u{feff}1", "∞",
    "None", "null", "NA", "1\0",
  ]) func noNumbers(text: String) { #expect(Self.parse(text).form == .text) }

  @Test(arguments: 1...12) func randomColumns(seed: Int) throws {
    var random = SeededGenerator(seed: UInt64(seed))
    for _ in 0..<150 {
      let way = Int.random(in: 0..<7, using: &random)
      let digits = Int.random(in: 0...20, using: &random)
      let texts = (0..<Int.random(in: 1...12, using: &random)).map { _ in
        Self.random(way: Int.random(in: 0..<5, using: &random) == 0 ? -1 : way, digits, &random)
      }
      try check(texts)
    }
  }

  private static func random(way: Int, _ digits: Int, _ random: inout SeededGenerator) -> String {
    func figures(_ count: Int) -> String {
      String((0..<count).map { _ in "0123456789".randomElement(using: &random) ?? "0" })
    }
    let sign = ["", "", "-", "+"].randomElement(using: &random) ?? ""
    switch way {
    case -1:
      return ["", "nan", "inf", "-inf", "0", "-0", "-0.0"].randomElement(using: &random) ?? ""
    case 0: return sign + figures(Int.random(in: 1...9, using: &random))
    case 1: return sign + figures(Int.random(in: 1...20, using: &random))
    case 2:
      return sign + figures(Int.random(in: 1...6, using: &random)) + "." + figures(min(digits, 9))
    case 3:
      return sign + figures(Int.random(in: 0...18, using: &random)) + "." + figures(digits + 1)
    case 4:
      return sign + figures(1) + "." + figures(digits)
        + "e\(Int.random(in: -330...310, using: &random))"
    case 5:
      let value = Double(bitPattern: random.next())
      return value.isNaN ? "nan" : value.description
    default:
      let value = Float(bitPattern: UInt32(truncatingIfNeeded: random.next()))
      return value.isNaN ? "nan" : value.description
    }
  }
}
