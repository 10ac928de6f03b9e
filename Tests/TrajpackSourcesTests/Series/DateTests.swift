import Testing
import TrajpackTestSupport

@testable import TrajpackSources

@Suite struct DateTests {
  private func parse(_ text: String) -> DateText? {
    Array(text.utf8).withUnsafeBufferPointer { DateText($0) }
  }

  @Test(arguments: [
    ("1970-01-01", 0, 0), ("2016-07-01 00:00:00", 1_467_331_200, 0),
    ("2024-02-29T23:59:58.250Z", 1_709_251_198, 250_000_000), ("1990/1/1 0:00", 631_152_000, 0),
    ("2000-02-29", 951_782_400, 0), ("1969-12-31T23:59", -60, 0),
    ("2024-03-01T01:00:00+02:00", 1_709_247_600, 0), ("2024-03-01 01:00:00-0330", 1_709_267_400, 0),
    ("0001-01-01", -62_135_596_800, 0),
    ("9999-12-31 23:59:59.999999999", 253_402_300_799, 999_999_999),
  ]) func knownDates(text: String, seconds: Int64, nanoseconds: Int64) throws {
    let date = try #require(parse(text))
    #expect(date.seconds == seconds)
    #expect(date.nanoseconds == nanoseconds)
    #expect(date.form.text(seconds: date.seconds, nanoseconds: date.nanoseconds) == text)
  }

  @Test(arguments: [
    "2024-13-01", "2024-02-30", "2023-02-29", "1900-02-29", "2024-00-10", "2024-01-00", "24-01-01",
    "2024-01", "2024-01-01T", "2024-01-01 24:00:00", "2024-01-01 12:60:00", "2024-01-01 12:00:60",
    "2024-01-01 12:00:00.", "2024-01-01 12:00:00.1234567890", "2024/01-01", "2024-01-01x",
    "2024-01-01Z", "2024-1-01", "2024-01-01 1:0", "0000-01-01", "12.5", "", "nan",
    "2024-01-01 12:00+1",
  ]) func noDates(text: String) { #expect(parse(text) == nil, "\(text)") }

  @Test(arguments: [
    " 2024-01-01", "2024-01-01 ", "\u{a0}2024-01-01\u{2009}", "\t2024-01-01T00:00Z ",
  ])
  func spacesAroundADateAreTextThatIsKept(text: String) throws {
    let date = try #require(parse(text))
    #expect(date.seconds == 1_704_067_200 && date.needsText)
  }

  @Test(arguments: 0..<200) func formsComeBack(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    var form = DateForm(dateSeparator: Bool.random(using: &random) ? "-" : "/")
    form.isDatePadded = Bool.random(using: &random)
    if Int.random(in: 0..<4, using: &random) > 0 {
      form.timeSeparator = Bool.random(using: &random) ? "T" : " "
      form.isHourPadded = Bool.random(using: &random)
      form.hasSeconds = Bool.random(using: &random)
      if form.hasSeconds { form.fractionDigits = Int.random(in: 0...9, using: &random) }
      form.zone = ["", "Z", "+02:00", "-0945", "+13"].randomElement(using: &random) ?? ""
    }
    #expect(DateForm(pattern: form.pattern) == form)
    var merged: DateForm?
    var texts: [(String, DateText)] = []
    for _ in 0..<20 {
      let unit: Int64 = form.timeSeparator == nil ? 86_400 : form.hasSeconds ? 1 : 60
      let seconds =
        Int64.random(in: -62_000_000_000...253_000_000_000, using: &random) / unit * unit
      let fraction = DateText.power(9 - form.fractionDigits)
      let nanoseconds = Int64.random(in: 0..<1_000_000_000, using: &random) / fraction * fraction
      let text = form.text(seconds: seconds, nanoseconds: form.fractionDigits > 0 ? nanoseconds : 0)
      let date = try #require(parse(text), "\(text)")
      #expect(date.seconds == seconds, "\(text)")
      #expect(date.nanoseconds == (form.fractionDigits > 0 ? nanoseconds : 0))
      if let known = merged {
        let both: DateForm = try #require(known.merged(date.form), "\(text)")
        merged = both
      } else {
        merged = date.form
      }
      texts.append((text, date))
    }
    // The form of all of them, by its pattern, writes each again.
    let pattern = try #require(merged?.pattern)
    let again = try #require(DateForm(pattern: pattern))
    for (text, date) in texts {
      #expect(again.text(seconds: date.seconds, nanoseconds: date.nanoseconds) == text)
    }
  }

  @Test func everyDayOfFourCenturies() throws {
    var expected = DateText.days(1899, 12, 31)
    for year in 1900..<2300 {
      for month in 1...12 {
        for day in 1...DateText.days(in: month, of: year) {
          expected += 1
          #expect(DateText.days(year, month, day) == expected)
          let date = DateText.date(ofDay: expected)
          #expect(date.year == year && date.month == month && date.day == day)
        }
      }
    }
  }
}
