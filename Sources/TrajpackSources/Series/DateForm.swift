/// How a column writes its dates, so that they can be written again with the same characters.
struct DateForm: Sendable, Hashable {
  /// A run of digits.
  struct Digits {
    var value: Int
    var count: Int
  }

  /// `-` or `/`.
  var dateSeparator: Character = "-"
  /// Whether month and day have a leading zero; `nil` where no date has shown it.
  var isDatePadded: Bool?
  /// `T` or a space; `nil` where dates have no time of day.
  var timeSeparator: Character?
  /// Whether hours have a leading zero; `nil` where no date has shown it.
  var isHourPadded: Bool?
  /// Whether seconds are written.
  var hasSeconds = false
  /// Digits of the seconds' fraction.
  var fractionDigits = 0
  /// What follows: nothing, `Z`, `+02:00`.
  var zone = ""
  /// A form other than ISO 8601, of which only zeros, digits of the fraction and zone are said above.
  var custom: DatePattern?

  init(dateSeparator: Character) { self.dateSeparator = dateSeparator }

  /// Notes how a number of one or two digits is written; `false` where one before was written
  /// otherwise.
  static func note(_ digits: Digits, _ isPadded: inout Bool?) -> Bool {
    guard digits.value < 10 else { return true }
    let padded = digits.count == 2
    guard isPadded ?? padded == padded else { return false }
    isPadded = padded
    return true
  }

  /// The form of dates of both forms; `nil` where there is none.
  func merged(_ other: DateForm) -> DateForm? {
    func both(_ a: Bool?, _ b: Bool?) -> Bool?? {
      guard let a else { return .some(b) }
      guard let b else { return .some(a) }
      return a == b ? .some(a) : nil
    }
    guard let date = both(isDatePadded, other.isDatePadded),
      let hour = both(isHourPadded, other.isHourPadded)
    else { return nil }
    var form = self
    var rest = other
    (form.isDatePadded, rest.isDatePadded) = (date, date)
    (form.isHourPadded, rest.isHourPadded) = (hour, hour)
    return form == rest ? form : nil
  }

  /// The form as a pattern: `YYYY-MM-DD hh:mm:ss.ffffff+02:00`; `M`, `D` and `h` have no leading
  /// zero. Other forms are written as `strptime` has them, with `%-d` for a day without a leading zero,
  /// behind them the zone, and the digits of a fraction: `%d/%m/%Y %H:%M:%S.%f|UTC|3`.
  var pattern: String {
    if let custom {
      var text = custom.text
      if isDatePadded == false {
        text = text.replacing("%d", with: "%-d").replacing("%m", with: "%-m")
      }
      if isHourPadded == false {
        text = text.replacing("%H", with: "%-H").replacing("%I", with: "%-I")
      }
      if zone.isEmpty && fractionDigits == 0 { return text }
      return "\(text)|\(zone)|\(fractionDigits)"
    }
    let padded = isDatePadded ?? true
    var text = "YYYY\(dateSeparator)\(padded ? "MM" : "M")\(dateSeparator)\(padded ? "DD" : "D")"
    guard let timeSeparator else { return text }
    text += "\(timeSeparator)\(isHourPadded ?? true ? "hh" : "h"):mm"
    if hasSeconds { text += ":ss" }
    if fractionDigits > 0 { text += "." + String(repeating: "f", count: fractionDigits) }
    return text + zone
  }

  /// The form that a pattern describes; `nil` where it is no such pattern.
  init?(pattern: String) {
    if pattern.contains("%") {
      var parts = pattern.split(separator: "|", omittingEmptySubsequences: false)
      dateSeparator = "-"
      if parts.count >= 3, let digits = Int(parts[parts.count - 1]) {
        fractionDigits = min(max(digits, 0), 9)
        zone = String(parts[parts.count - 2])
        parts.removeLast(2)
      }
      let format = parts.joined(separator: "|")
      guard let custom = DatePattern(format), zoneMinutes != nil else { return nil }
      self.custom = custom
      isDatePadded = format.contains("%-d") || format.contains("%-m") ? false : true
      isHourPadded = format.contains("%-H") || format.contains("%-I") ? false : true
      return
    }
    var rest = Substring(pattern)
    func take(_ prefix: String) -> Bool {
      guard rest.hasPrefix(prefix) else { return false }
      rest.removeFirst(prefix.count)
      return true
    }
    guard take("YYYY"), let separator = rest.first, "-/".contains(separator) else { return nil }
    dateSeparator = separator
    if take("\(separator)MM\(separator)DD") {
      isDatePadded = true
    } else if take("\(separator)M\(separator)D") {
      isDatePadded = false
    } else {
      return nil
    }
    if let separator = rest.first {
      guard "T t".contains(separator) else { return nil }
      rest.removeFirst()
      timeSeparator = separator
      isHourPadded = rest.hasPrefix("hh")
      guard take("hh:mm") || take("h:mm") else { return nil }
      hasSeconds = take(":ss")
      if hasSeconds, take(".") {
        while take("f") { fractionDigits += 1 }
        guard (1...9).contains(fractionDigits) else { return nil }
      }
      zone = String(rest)
      guard zoneMinutes != nil else { return nil }
    }
  }

  /// Minutes by which the zone is ahead of UTC; `nil` where it is no zone.
  var zoneMinutes: Int? {
    if ["", "Z", "z", "UTC", "GMT", " UTC", " GMT"].contains(zone) { return 0 }
    let digits = zone.dropFirst().filter { $0 != ":" }
    guard let sign = zone.first, "+-".contains(sign), [2, 4].contains(digits.count),
      digits.allSatisfy({ $0.isASCII && $0.isNumber }), let hours = Int(digits.prefix(2)),
      let minutes = digits.count == 4 ? Int(digits.suffix(2)) : 0
    else { return nil }
    return (hours * 60 + minutes) * (sign == "-" ? -1 : 1)
  }

  /// The seconds since 1970-01-01 of the years 1 to 9999, but for a day at the ends, which a zone may take.
  static let years: ClosedRange<Int64> =
    Int64(DateText.days(1, 1, 2)) * 86_400...Int64(DateText.days(9999, 12, 31)) * 86_400 - 1

  /// Whether the form gives a time back exactly.
  func holds(_ seconds: Int64, _ nanoseconds: Int64) -> Bool {
    let local = Int(seconds) + (zoneMinutes ?? 0) * 60
    if let custom { return custom.holds(self, local: local, nanoseconds: nanoseconds) }
    if timeSeparator == nil { return local % 86_400 == 0 && nanoseconds == 0 }
    if !hasSeconds { return local % 60 == 0 && nanoseconds == 0 }
    return nanoseconds % DateText.power(9 - fractionDigits) == 0
  }

  /// The form of ISO 8601 with seconds and that many digits of their fraction, in the same zone.
  func complete(fractionDigits: Int) -> DateForm {
    var form = DateForm(dateSeparator: "-")
    form.timeSeparator = "T"
    form.hasSeconds = true
    form.fractionDigits = fractionDigits
    form.zone = zone
    return form
  }

  /// Writes the date of a time since 1970-01-01.
  func text(seconds: Int64, nanoseconds: Int64) -> String {
    func digits(_ value: Int, _ width: Int) -> String {
      let text = String(value)
      return String(repeating: "0", count: max(width - text.count, 0)) + text
    }
    let local = Int(seconds) + (zoneMinutes ?? 0) * 60
    if let custom { return custom.text(self, local: local, nanoseconds: nanoseconds) }
    let day = local >= 0 ? local / 86_400 : (local - 86_399) / 86_400
    let rest = local - day * 86_400
    let date = DateText.date(ofDay: day)
    let width = isDatePadded ?? true ? 2 : 1
    var text = digits(date.year, 4) + "\(dateSeparator)\(digits(date.month, width))"
    text += "\(dateSeparator)\(digits(date.day, width))"
    guard let timeSeparator else { return text }
    text += "\(timeSeparator)\(digits(rest / 3600, isHourPadded ?? true ? 2 : 1))"
    text += ":\(digits(rest / 60 % 60, 2))"
    if hasSeconds { text += ":\(digits(rest % 60, 2))" }
    if fractionDigits > 0 {
      text += "." + digits(Int(nanoseconds / DateText.power(9 - fractionDigits)), fractionDigits)
    }
    return text + zone
  }
}
