extension DatePattern {
  /// The order of day, month and year that an option names.
  enum Order: String, CaseIterable { case ymd, dmy, mdy }

  /// What the dates of a column are.
  enum Guess: Equatable {
    /// Dates of this form; ISO 8601 where `nil`.
    case form(DatePattern?)
    /// Dates whose first number may be the day or the month.
    case ambiguous
    /// No dates.
    case none
  }

  /// The form in which every one of some cells is a date.
  ///
  /// - Parameter areDigits: Whether dates of digits only, `20160701`, are looked for, too.
  /// - Parameter order: The order of day, month and year where the option says it.
  static func guess(_ cells: [String], areDigits: Bool, order: Order? = nil) -> Guess {
    guard let first = cells.first else { return .none }
    func isRead(_ cell: String, _ pattern: DatePattern?) -> Bool {
      var cell = cell
      return cell.withUTF8 { bytes in
        pattern.map { $0.read(bytes) != nil } ?? (DateText(bytes) != nil)
      }
    }
    if order == nil || order == .ymd, cells.allSatisfy({ isRead($0, nil) }) { return .form(nil) }
    let fitting = candidates(first, areDigits, order).filter { pattern in
      cells.allSatisfy { isRead($0, pattern) }
    }
    switch fitting.count {
    case 0 where order == nil:
      // Years of two digits: no order is taken for granted.
      let isDate = [Order.dmy, .mdy].contains { guess(cells, areDigits: false, order: $0) != .none }
      return isDate ? .ambiguous : .none
    case 0: return .none
    case 1: return .form(fitting[0])
    default: return .ambiguous
    }
  }

  /// The forms that one date may have.
  private static func candidates(
    _ cell: String, _ areDigits: Bool, _ order: Order?
  ) -> [DatePattern] {
    let bytes = Array(cell.trimmingBlanks.utf8)
    return bytes.withUnsafeBufferPointer { text in
      var reader = DateReader(text: text)
      let dates = dateForms(&reader, areDigits, order)
      guard !dates.isEmpty, let time = timeForm(&reader) else { return [] }
      return dates.compactMap { DatePattern($0 + time) }
    }
  }

  /// The forms of the day at the beginning.
  private static func dateForms(
    _ reader: inout DateReader, _ areDigits: Bool, _ order: Order?
  ) -> [String] {
    func orders(_ separator: String, year: String) -> [String] {
      let day = ["%d", "%m", year].joined(separator: separator)
      let month = ["%m", "%d", year].joined(separator: separator)
      switch order {
      case .dmy: return [day]
      case .mdy: return [month]
      case .ymd: return [[year, "%m", "%d"].joined(separator: separator)]
      case nil: return year == "%Y" ? [day, month] : []
      }
    }
    if let quarters = quarterForm(&reader) { return [quarters] }
    if let month = monthForm(&reader) { return [month] }
    guard let first = reader.digits(1...14) else { return [] }
    var behind = reader
    guard first.count != 8 || behind.take(" ") == nil, let separator = reader.take("-/. ") else {
      guard areDigits || !reader.isAtEnd else { return [] }
      switch first.count {
      case 8: return ["%Y%m%d"]
      case 6 where areDigits: return ["%Y%m"]
      case 12 where areDigits: return ["%Y%m%d%H%M"]
      case 14 where areDigits: return ["%Y%m%d%H%M%S"]
      default: return []
      }
    }
    let sign = String(separator)
    if first.count <= 2, let name = reader.word(months.map { String($0.prefix(3)) }) {
      let isLong =
        reader.word([String(months[name.index].dropFirst(3))].filter { !$0.isEmpty }) != nil
      guard reader.skip(separator), let year = reader.digits(2...4), year.count != 3 else {
        return []
      }
      guard year.count == 4 || order == .dmy else { return [] }
      return ["%d\(sign)\(isLong ? "%B" : "%b")\(sign)\(year.count == 4 ? "%Y" : "%y")"]
    }
    guard separator != " ", let second = reader.digits(1...2) else { return [] }
    guard reader.skip(separator) else {
      // A month: 1949-01.
      return first.count == 4 && second.count == 2 ? ["%Y\(sign)%m"] : []
    }
    guard let third = reader.digits(1...4) else { return [] }
    switch (first.count, third.count) {
    case (4, 1...2): return ["%Y\(sign)%m\(sign)%d"]
    case (1...2, 4): return order == .ymd ? [] : orders(sign, year: "%Y")
    case (2, 2), (1, 2): return orders(sign, year: "%y")
    default: return []
    }
  }

  /// Whether a text begins with the first letters of a month.
  static func beginsWithMonth(_ text: String) -> Bool {
    let start = text.prefix(3).lowercased()
    return months.contains { $0.prefix(3).lowercased() == start }
  }

  /// The form of a month by name at the beginning, as `Mar 2024` or `March 1, 2024`; `nil` where there is none.
  private static func monthForm(_ reader: inout DateReader) -> String? {
    var other = reader
    guard let name = other.word(months.map { String($0.prefix(3)) }) else { return nil }
    let rest = String(months[name.index].dropFirst(3))
    let isLong = !rest.isEmpty && other.word([rest]) != nil
    guard let separator = other.take("-/. ") else { return nil }
    let form = "\(isLong ? "%B" : "%b")\(separator)"
    guard let number = other.digits(1...4) else { return nil }
    if number.count == 4 {
      reader = other
      return form + "%Y"
    }
    guard number.count < 3 else { return nil }
    let comma = other.skip(UInt8(ascii: ",")) ? "," : ""
    guard let behind = other.take("-/. "), other.digits(4...4) != nil else { return nil }
    reader = other
    return "\(form)%d\(comma)\(behind)%Y"
  }

  /// The form of a quarter at the beginning, as `2020Q1`, `2020-Q1` or `Q1 2020`; `nil` where there is none.
  private static func quarterForm(_ reader: inout DateReader) -> String? {
    var other = reader
    let year = other.digits(4...4)
    let before = year == nil ? nil : other.take("-/. ")
    guard let letter = other.take("Qq"), let number = other.digits(1...1),
      (1...4).contains(number.value)
    else { return nil }
    var form = "\(letter)%q"
    if year != nil {
      form = "%Y\(before.map(String.init) ?? "")\(form)"
    } else {
      let behind = other.take("-/. ")
      guard other.digits(4...4) != nil else { return nil }
      form += "\(behind.map(String.init) ?? "")%Y"
    }
    reader = other
    return form
  }

  /// The form of the time of day and the zone behind the day; `nil` where something else stands there.
  private static func timeForm(_ reader: inout DateReader) -> String? {
    if reader.isAtEnd { return "" }
    guard let gap = reader.take("T t") else { return nil }
    var form = String(gap)
    guard let hour = reader.digits(1...6) else { return nil }
    if hour.count >= 4 {
      form += hour.count == 4 ? "%H%M" : "%H%M%S"
      guard hour.count != 5 else { return nil }
    } else {
      guard let separator = reader.take(":."), reader.digits(2...2) != nil else { return nil }
      form += "%H\(separator)%M"
      if reader.skip(separator) {
        guard reader.digits(2...2) != nil else { return nil }
        form += "\(separator)%S"
      }
    }
    if let point = reader.take(".,") {
      guard reader.digits(1...9) != nil else { return nil }
      form += "\(point)%f"
    }
    let hasGap = reader.skip(UInt8(ascii: " "))
    if let half = reader.word(["AM", "PM"]) {
      form = form.replacing("%H", with: "%I") + (hasGap ? " " : "")
      form += half.text == half.text.lowercased() ? "%P" : "%p"
    } else if !reader.isAtEnd {
      guard let zone = reader.zone(), !zone.text.isEmpty else { return nil }
      form += (hasGap ? " " : "") + "%z"
    } else if hasGap {
      return nil
    }
    return reader.isAtEnd ? form : nil
  }
}

extension StringProtocol {
  /// Without spaces and tabs at its ends, and without Unicode's, as numbers are read.
  var trimmingBlanks: String {
    let start = drop(while: \.isPadding)
    guard let end = start.lastIndex(where: { !$0.isPadding }) else { return "" }
    return String(start[...end])
  }
}

extension Character {
  fileprivate var isPadding: Bool {
    self == " " || self == "\t"
      || (!isASCII && CellReader.padding.contains { utf8.elementsEqual($0) })
  }
}
