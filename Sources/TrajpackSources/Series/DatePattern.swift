/// A form of dates as `strptime` writes it: `%d/%m/%Y %H:%M`.
///
/// Taken are `%Y %y %m %d %H %I %M %S %f %p %b %B %z %%`, `%F` for `%Y-%m-%d`, `%T` for `%H:%M:%S`; `%-d`,
/// `%-m`, `%-H` and `%-I` are written without a leading zero, `%P` is a `%p` in small letters, `%q` a quarter, which
/// counts as the first of its months. What is not there counts as in 1970-01-01 00:00:00.
struct DatePattern: Sendable, Hashable {
  /// A part of the form.
  enum Token: Sendable, Hashable {
    case literal(UInt8)
    case year
    /// Two digits: 69 to 99 are of the last century, as POSIX has it.
    case shortYear
    case quarter
    case month, day, hour, hour12, minute, second
    /// Digits of a second, 1 to 9.
    case fraction
    case meridiem(isLower: Bool)
    case monthName(isLong: Bool)
    /// `Z`, `UTC`, `GMT`, `+02:00`, `+0200` or `+02`.
    case zone
  }

  static let months = [
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
  ]

  /// The form, without marks of leading zeros.
  let text: String
  let tokens: [Token]
  /// Whether each token has two digits because its neighbour has digits too.
  private let isFixed: [Bool]

  /// Reads a form; `nil` where it has another `%` code, or none.
  init?(_ format: String) {
    var tokens: [Token] = []
    var text = ""
    var rest = Substring(format).replacing("%F", with: "%Y-%m-%d")
      .replacing("%T", with: "%H:%M:%S")[...]
    while let first = rest.popFirst() {
      guard first == "%" else {
        tokens += String(first).utf8.map { .literal($0) }
        text.append(first)
        continue
      }
      if rest.first == "-" { rest.removeFirst() }
      guard let code = rest.popFirst(), let token = Self.token(code) else { return nil }
      tokens.append(token)
      text += "%\(code)"
    }
    func isNumber(_ i: Int) -> Bool {
      guard tokens.indices.contains(i) else { return false }
      switch tokens[i] {
      case .literal(let byte): return byte &- UInt8(ascii: "0") < 10
      case .meridiem, .monthName, .zone: return false
      default: return true
      }
    }
    guard tokens.contains(where: { if case .literal = $0 { false } else { true } }) else {
      return nil
    }
    self.text = text
    self.tokens = tokens
    isFixed = tokens.indices.map { isNumber($0 - 1) || isNumber($0 + 1) }
  }

  private static func token(_ code: Character) -> Token? {
    switch code {
    case "Y": .year
    case "y": .shortYear
    case "q": .quarter
    case "m": .month
    case "d": .day
    case "H": .hour
    case "I": .hour12
    case "M": .minute
    case "S": .second
    case "f": .fraction
    case "p": .meridiem(isLower: false)
    case "P": .meridiem(isLower: true)
    case "b": .monthName(isLong: false)
    case "B": .monthName(isLong: true)
    case "z": .zone
    case "%": .literal(UInt8(ascii: "%"))
    default: nil
    }
  }

  /// Whether the form has no day of the calendar, only a time of day.
  var isTimeOfDay: Bool {
    !tokens.contains { [.year, .shortYear, .quarter, .month, .day].contains($0) }
  }

  private struct Parts {
    var year = 1970
    var (month, day, hour, minute, second) = (1, 1, 0, 0, 0)
    var nanoseconds: Int64 = 0
    var isAfternoon: Bool?
    var zoneMinutes = 0
  }

  /// Reads a date; `nil` where the text is none of this form.
  func read(_ cell: UnsafeBufferPointer<UInt8>) -> DateText? {
    var reader = DateReader(text: cell)
    reader.skipBlanks()
    var form = DateForm(dateSeparator: "-")
    form.custom = self
    var parts = Parts()
    var needsText = reader.at > 0
    for (i, token) in tokens.enumerated() {
      guard take(token, isFixed[i], &reader, &parts, &form, &needsText) else { return nil }
    }
    needsText = needsText || !reader.isAtEnd
    reader.skipBlanks()
    guard reader.isAtEnd, (1...9999).contains(parts.year), (1...12).contains(parts.month),
      (1...DateText.days(in: parts.month, of: parts.year)).contains(parts.day),
      parts.hour < 24, parts.minute < 60, parts.second < 60
    else { return nil }
    if let isAfternoon = parts.isAfternoon {
      guard (1...12).contains(parts.hour) else { return nil }
      parts.hour = parts.hour % 12 + (isAfternoon ? 12 : 0)
    }
    let days = Int64(DateText.days(parts.year, parts.month, parts.day))
    let seconds = parts.hour * 3600 + (parts.minute - parts.zoneMinutes) * 60 + parts.second
    return DateText(
      seconds: days * 86_400 + Int64(seconds), nanoseconds: parts.nanoseconds, form: form,
      needsText: needsText)
  }

  private func take(
    _ token: Token, _ isFixed: Bool, _ reader: inout DateReader, _ parts: inout Parts,
    _ form: inout DateForm, _ needsText: inout Bool
  ) -> Bool {
    func number(_ padded: inout Bool?) -> Int? {
      guard let digits = reader.digits(isFixed ? 2...2 : 1...2) else { return nil }
      if !isFixed, !DateForm.note(digits, &padded) { needsText = true }
      return digits.value
    }
    func two() -> Int? { reader.digits(2...2)?.value }
    func set(_ value: Int?, _ part: inout Int) -> Bool {
      guard let value else { return false }
      part = value
      return true
    }
    switch token {
    case .literal(let byte): return reader.skip(byte)
    case .year: return set(reader.digits(4...4)?.value, &parts.year)
    case .shortYear: return set(two().map { $0 + ($0 < 69 ? 2000 : 1900) }, &parts.year)
    case .quarter:
      guard let quarter = reader.digits(1...1)?.value, (1...4).contains(quarter) else {
        return false
      }
      return set(3 * quarter - 2, &parts.month)
    case .month: return set(number(&form.isDatePadded), &parts.month)
    case .day: return set(number(&form.isDatePadded), &parts.day)
    case .hour, .hour12: return set(number(&form.isHourPadded), &parts.hour)
    case .minute: return set(two(), &parts.minute)
    case .second: return set(two(), &parts.second)
    case .fraction:
      guard let digits = reader.digits(1...9) else { return false }
      form.fractionDigits = digits.count
      parts.nanoseconds = Int64(digits.value) * DateText.power(9 - digits.count)
      return true
    case .meridiem(let isLower):
      guard let word = reader.word(["AM", "PM"]) else { return false }
      parts.isAfternoon = word.index == 1
      needsText = needsText || word.text != (isLower ? ["am", "pm"] : ["AM", "PM"])[word.index]
      return true
    case .monthName(let isLong):
      let names = isLong ? Self.months : Self.months.map { String($0.prefix(3)) }
      guard let word = reader.word(names) else { return false }
      parts.month = word.index + 1
      needsText = needsText || word.text != names[word.index]
      return true
    case .zone:
      guard let zone = reader.zone(), !zone.text.isEmpty else { return false }
      form.zone = zone.text
      parts.zoneMinutes = zone.minutes
      return true
    }
  }

  /// Writes a date of local seconds in the form.
  func text(_ form: DateForm, local: Int, nanoseconds: Int64) -> String {
    func digits(_ value: Int, _ isPadded: Bool) -> String {
      isPadded && value < 10 ? "0\(value)" : String(value)
    }
    let day = local >= 0 ? local / 86_400 : (local - 86_399) / 86_400
    let rest = local - day * 86_400
    let date = DateText.date(ofDay: day)
    var bytes: [UInt8] = []
    for (i, token) in tokens.enumerated() {
      let isDatePadded = isFixed[i] || form.isDatePadded ?? true
      let isHourPadded = isFixed[i] || form.isHourPadded ?? true
      let part: String
      switch token {
      case .literal(let byte):
        bytes.append(byte)
        continue
      case .year:
        let year = String(date.year)
        part = String(repeating: "0", count: max(4 - year.count, 0)) + year
      case .shortYear: part = digits(date.year % 100, true)
      case .quarter: part = String((date.month + 2) / 3)
      case .month: part = digits(date.month, isDatePadded)
      case .day: part = digits(date.day, isDatePadded)
      case .hour: part = digits(rest / 3600, isHourPadded)
      case .hour12: part = digits((rest / 3600 + 11) % 12 + 1, isHourPadded)
      case .minute: part = digits(rest / 60 % 60, true)
      case .second: part = digits(rest % 60, true)
      case .fraction:
        let value = String(nanoseconds / DateText.power(9 - form.fractionDigits))
        part = String(repeating: "0", count: max(form.fractionDigits - value.count, 0)) + value
      case .meridiem(let isLower):
        let word = rest >= 43_200 ? "PM" : "AM"
        part = isLower ? word.lowercased() : word
      case .monthName(let isLong):
        let name = Self.months[date.month - 1]
        part = isLong ? name : String(name.prefix(3))
      case .zone: part = form.zone
      }
      bytes += Array(part.utf8)
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// Whether the form gives a time back exactly.
  func holds(_ form: DateForm, local: Int, nanoseconds: Int64) -> Bool {
    let written = Array(text(form, local: local, nanoseconds: nanoseconds).utf8)
    let zone = Int64(form.zoneMinutes ?? 0) * 60
    return written.withUnsafeBufferPointer { read($0) }.map {
      $0.seconds + (tokens.contains(.zone) ? zone : 0) == Int64(local)
        && $0.nanoseconds == nanoseconds
    } ?? false
  }
}
