/// A date as text writes it: `2016-07-01`, `2016-07-01 05:00:00`, `2024-02-29T23:59:58.250Z`,
/// `1990/1/1 0:00`.
struct DateText: Sendable, Equatable {
  /// Seconds since 1970-01-01, of UTC where the text names a zone, else of the text's own calendar.
  var seconds: Int64
  /// Nanoseconds on top.
  var nanoseconds: Int64
  /// How it was written.
  var form: DateForm
  /// Whether the form does not write it with the same characters.
  var needsText = false

  /// A date that a ``DatePattern`` has read.
  init(seconds: Int64, nanoseconds: Int64, form: DateForm, needsText: Bool) {
    self.seconds = seconds
    self.nanoseconds = nanoseconds
    self.form = form
    self.needsText = needsText
  }

  /// Reads a date; `nil` where the text is none.
  init?(_ text: UnsafeBufferPointer<UInt8>) {
    var reader = DateReader(text: text)
    reader.skipBlanks()
    needsText = reader.at > 0
    guard let year = reader.digits(4...4), let dash = reader.take("-/"),
      let month = reader.digits(1...2), reader.skip(dash), let day = reader.digits(1...2),
      (1...9999).contains(year.value), (1...12).contains(month.value),
      (1...Self.days(in: month.value, of: year.value)).contains(day.value)
    else { return nil }
    form = DateForm(dateSeparator: dash)
    guard DateForm.note(month, &form.isDatePadded), DateForm.note(day, &form.isDatePadded) else {
      return nil
    }
    seconds = Int64(Self.days(year.value, month.value, day.value)) * 86_400
    nanoseconds = 0
    var padding = reader
    padding.skipBlanks()
    if !padding.isAtEnd, let separator = reader.take("T t") {
      guard let hour = reader.digits(1...2), reader.skip(":"), let minute = reader.digits(2...2),
        hour.value < 24, minute.value < 60, DateForm.note(hour, &form.isHourPadded)
      else { return nil }
      form.timeSeparator = separator
      seconds += Int64(hour.value * 3600 + minute.value * 60)
      if reader.skip(":") {
        guard let second = reader.digits(2...2), second.value < 60 else { return nil }
        form.hasSeconds = true
        seconds += Int64(second.value)
        if reader.skip(".") {
          guard let fraction = reader.digits(1...9) else { return nil }
          form.fractionDigits = fraction.count
          nanoseconds = Int64(fraction.value) * Self.power(9 - fraction.count)
        }
      }
      guard let zone = reader.zone() else { return nil }
      form.zone = zone.text
      seconds -= Int64(zone.minutes * 60)
    }
    let end = reader.at
    reader.skipBlanks()
    guard reader.isAtEnd else { return nil }
    needsText = needsText || end < text.count
  }

  static func power(_ exponent: Int) -> Int64 { (0..<exponent).reduce(1) { p, _ in p * 10 } }

  static func days(in month: Int, of year: Int) -> Int {
    let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
    return [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1]
  }

  /// Days since 1970-01-01 in the proleptic Gregorian calendar: years are counted from March, so
  /// that the leap day is the last (Richards 1998, Mapping Time, chapter 25).
  static func days(_ year: Int, _ month: Int, _ day: Int) -> Int {
    let shifted = month > 2 ? year : year - 1
    let yearDays = shifted * 365 + shifted / 4 - shifted / 100 + shifted / 400
    return yearDays + (153 * ((month + 9) % 12) + 2) / 5 + day - 719_469
  }

  /// The date of a day since 1970-01-01, by trying from an estimate that is never too late.
  static func date(ofDay day: Int) -> (year: Int, month: Int, day: Int) {
    var year = 1970 + (day >= 0 ? day / 366 : (day - 364) / 365)
    while days(year + 1, 1, 1) <= day { year += 1 }
    var month = 1
    while month < 12, days(year, month + 1, 1) <= day { month += 1 }
    return (year, month, day - days(year, month, 1) + 1)
  }
}

/// Reads the parts of a date.
struct DateReader {
  let text: UnsafeBufferPointer<UInt8>
  var at = 0

  init(text: UnsafeBufferPointer<UInt8>) { self.text = text }

  var isAtEnd: Bool { at == text.count }

  mutating func digits(_ count: ClosedRange<Int>) -> DateForm.Digits? {
    let start = at
    var value = 0
    while at < text.count, at - start < count.upperBound, text[at] &- UInt8(ascii: "0") < 10 {
      value = value * 10 + Int(text[at] - UInt8(ascii: "0"))
      at += 1
    }
    return at - start >= count.lowerBound ? DateForm.Digits(value: value, count: at - start) : nil
  }

  mutating func take(_ choices: StaticString) -> Character? {
    guard at < text.count else { return nil }
    for choice in UnsafeBufferPointer(start: choices.utf8Start, count: choices.utf8CodeUnitCount)
    where choice == text[at] {
      at += 1
      return Character(Unicode.Scalar(choice))
    }
    return nil
  }

  mutating func skip(_ character: Character) -> Bool {
    guard at < text.count, text[at] == character.asciiValue else { return false }
    at += 1
    return true
  }

  mutating func skip(_ byte: UInt8) -> Bool {
    guard at < text.count, text[at] == byte else { return false }
    at += 1
    return true
  }

  mutating func skipBlanks() {
    while at < text.count {
      if text[at] == 0x20 || text[at] == 0x09 {
        at += 1
      } else if text[at] >= 0x80,
        let space = CellReader.padding.first(where: { text[at...].starts(with: $0) })
      {
        at += space.count
      } else {
        return
      }
    }
  }

  /// One of some ASCII words, in letters of any case.
  mutating func word(_ words: [String]) -> (index: Int, text: String)? {
    for (index, word) in words.enumerated() where at + word.utf8.count <= text.count {
      let found = text[at..<at + word.utf8.count]
      guard zip(found, word.utf8).allSatisfy({ $0 | 0x20 == $1 | 0x20 }) else { continue }
      at += word.utf8.count
      return (index, String(decoding: found, as: UTF8.self))
    }
    return nil
  }

  /// Nothing, `Z`, `UTC` or `GMT`, perhaps behind a space, `+02:00`, `+0200` or `+02`.
  mutating func zone() -> (text: String, minutes: Int)? {
    let start = at
    var behind = self
    behind.skipBlanks()
    if behind.isAtEnd {
      self = behind
      return ("", 0)
    }
    if skip("Z") { return ("Z", 0) }
    for name in ["z", "UTC", "GMT", " UTC", " GMT"] where text[at...].starts(with: name.utf8) {
      at += name.utf8.count
      return (name, 0)
    }
    guard let sign = take("+-"), let hours = digits(2...2) else { return nil }
    var minutes = 0
    if !isAtEnd {
      _ = skip(":")
      guard let part = digits(2...2) else { return nil }
      minutes = part.value
    }
    guard hours.value < 24, minutes < 60 else { return nil }
    let offset = hours.value * 60 + minutes
    return (String(decoding: text[start..<at], as: UTF8.self), sign == "-" ? -offset : offset)
  }
}
