import TrajpackFormat

/// Which column has the times, and how they are written.
extension TableLook {
  /// The cells of a column that say something.
  private func cells(_ column: Int) -> [TableSample.Cell] {
    sample.column(column, from: top).filter { !$0.text.trimmingBlanks.isEmpty }
  }

  private var names: [String] { form.hasHeader ? form.header.map(TableForm.clean) : [] }

  /// The order of day and month that the options say.
  private var order: DatePattern.Order? { options.timeFormat.flatMap { .init(rawValue: $0) } }

  /// The form that the options give as `strptime` has it.
  private func given() throws(TrajpackError) -> DatePattern? {
    guard let format = options.timeFormat, order == nil else { return nil }
    guard let pattern = DatePattern(format) else {
      throw TrajpackError(
        .usage,
        "--time-format: '\(format)' is neither dmy, mdy or ymd nor a form like %d/%m/%Y %H:%M (of "
          + "%Y %y %m %d %H %I %M %S %f %p %b %B %z)")
    }
    return pattern
  }

  /// What the times of a column are; `nil` where it has no times.
  private func times(
    of column: Int, and timeOfDay: Int?, areDigits: Bool
  ) throws(TrajpackError) -> TableForm.Times? {
    if let pattern = try given() { return .dates(pattern) }
    let cells = cells(column)
    let areNumbers = cells.allSatisfy { $0.look == .number }
    if areNumbers, timeOfDay == nil {
      guard areDigits || order != nil, options.timeUnit == nil, areCalendarDigits(cells) else {
        return .numbers
      }
    }
    var texts = self.texts(sample, column, timeOfDay, from: top)
    var guess = DatePattern.guess(texts, areDigits: areNumbers, order: order)
    if guess == .ambiguous {
      // Some day after the twelfth further down decides.
      let longer = try TableSample(file, from: start, form.dialect, form.numbers, atMost: 5000)
      texts = self.texts(longer, column, timeOfDay, from: 0)
      guess = DatePattern.guess(texts, areDigits: areNumbers, order: order)
      if guess == .none { guess = .ambiguous }
    }
    switch guess {
    case .form(let pattern): return .dates(pattern)
    case .none: return areNumbers && timeOfDay == nil ? .numbers : nil
    case .ambiguous:
      let name = form.uniqueNames[column]
      throw TrajpackError(
        .data,
        "column '\(name)' has dates such as '\(TableForm.shown(texts.first ?? ""))', in which the day or the "
          + "month may come first; say --time-format dmy or --time-format mdy")
    }
  }

  private func texts(
    _ sample: TableSample, _ column: Int, _ timeOfDay: Int?, from top: Int
  ) -> [String] {
    let dates = sample.column(column, from: top).map { $0.text.trimmingBlanks }
    guard let timeOfDay else { return dates.filter { !$0.isEmpty } }
    return zip(dates, sample.column(timeOfDay, from: top)).compactMap { date, time in
      date.isEmpty ? nil : "\(date) \(time.text.trimmingBlanks)"
    }
  }

  /// Whether whole numbers are all days of the calendar, as 20160131 or, by the month, 201601; or times of day with them,
  /// as 201601312359 or 20160131235959.
  private func areCalendarDigits(_ cells: [TableSample.Cell]) -> Bool {
    !cells.isEmpty
      && cells.allSatisfy { cell in
        let digits = cell.text.trimmingBlanks
        guard cell.whole != nil, [6, 8, 12, 14].contains(digits.count) else { return false }
        return Int(digits.prefix(4)).map { (1800...2200).contains($0) } ?? false
      }
  }

  private mutating func take(_ column: Int, _ times: TableForm.Times) {
    form.time = column
    form.times = times
    let units = form.units.isEmpty ? nil : Self.unit(form.units[column])
    form.timeUnit = form.hasHeader ? Self.parts(names[column]).unit ?? units : nil
  }

  /// The column of times.
  mutating func findTime() throws(TrajpackError) {
    if case .named(let name) = options.time {
      let column = try form.column(name, "--time")
      take(column, try times(of: column, and: nil, areDigits: true) ?? .dates(nil))
      return
    }
    guard options.time == .auto else { return }
    if try takeDateAndTime() { return }
    for (i, name) in names.enumerated() where options.mayBeTime(Self.parts(name).name) {
      // A cell that begins like a number is meant to be a time, and each must be one.
      let isMeant = cells(i).contains { cell in
        cell.look != .text || cell.text.first.map { $0.isNumber || "+-.".contains($0) } ?? false
      }
      guard isMeant else { continue }
      let isDate = cells(i).first?.text.drop { $0.isNumber }.first.map { "-/:".contains($0) }
      let found = try times(of: i, and: nil, areDigits: true)
      take(i, found ?? (isDate ?? false ? .dates(nil) : .numbers))
      hintAtDays(i)
      return
    }
    try takeOnlyDates()
    if form.time == nil, options.timeFormat != nil {
      throw TrajpackError(
        .usage, "--time-format: no column of times was found; name it with --time")
    }
  }

  /// Takes a column of days and one of times of day together.
  private mutating func takeDateAndTime() throws(TrajpackError) -> Bool {
    let lower = names.map { $0.lowercased() }
    guard let day = lower.firstIndex(of: "date"), let time = lower.firstIndex(of: "time"),
      !cells(day).isEmpty, !cells(time).isEmpty, areTimesOfDay(cells(time))
    else { return false }
    guard let found = try times(of: day, and: time, areDigits: true), found != .numbers else {
      return false
    }
    take(day, found)
    form.timeOfDay = time
    return true
  }

  /// Whether cells are times of day: 23:59, 23.59.59, or digits of one length, 2359 or 235959.
  private func areTimesOfDay(_ cells: [TableSample.Cell]) -> Bool {
    let lengths = Set(cells.map { $0.text.trimmingBlanks.utf8.count })
    if lengths == [4] || lengths == [6], cells.allSatisfy({ $0.whole != nil }) { return true }
    return cells.allSatisfy { cell in
      var parts = cell.text.split(separator: ":", omittingEmptySubsequences: false)
      if parts.count == 1 { parts = cell.text.split(separator: ".") }
      return parts.count >= 2 && parts[0].count <= 2 && parts[1].count == 2
        && cell.look != .number
    }
  }

  /// Says that rows of one day have one time, where another column seems to have the rest of it.
  private mutating func hintAtDays(_ column: Int) {
    let days = cells(column).map(\.text)
    let others = ["time", "hour", "hours", "hr", "hhmm", "time of day"]
    guard form.timeIsDate, Set(days).count < days.count,
      let other = names.first(where: { others.contains($0.lowercased()) && $0 != names[column] })
    else { return }
    hints.append(
      "rows of one day have the same time, as column '\(other)' is read as values: times of day are taken as hh:mm, or "
        + "as digits of one length (0059, 1300), from a column 'Time' beside 'Date'")
  }

  /// Takes the only column of dates where it is the first and they go on; names it where not.
  private mutating func takeOnlyDates() throws(TrajpackError) {
    let episode = try options.episodeColumn.map { (name) throws(TrajpackError) in
      try form.column(name, "--episode-column")
    }
    var found: [(column: Int, times: TableForm.Times?)] = []
    for i in 0..<form.count where i != episode && mayBeDates(i) {
      if found.count > 8 { break }
      let pattern = try given()
      let texts = texts(sample, i, nil, from: top)
      switch DatePattern.guess(texts, areDigits: false, order: order) {
      case .form(let pattern): found.append((i, .dates(pattern)))
      case .ambiguous: found.append((i, (try? times(of: i, and: nil, areDigits: false)) ?? nil))
      case .none: if let pattern { found.append((i, .dates(pattern))) }
      }
    }
    guard let only = found.first else { return }
    let first = (0..<form.count).first { $0 != episode }
    if found.count == 1, only.column == first, let times = only.times,
      episode != nil || goesOn(only.column, times)
    {
      take(only.column, times)
      return
    }
    let unique = form.uniqueNames
    for (column, times) in found where options.timeFormat == nil {
      let form = times == nil ? " --time-format dmy (or mdy)" : ""
      hints.append(
        "column '\(unique[column])' has dates and is read as text; to take it for the times say --time "
          + "'\(unique[column])'\(form)")
    }
  }

  private func mayBeDates(_ column: Int) -> Bool {
    let cells = cells(column)
    guard let first = cells.first, first.look != .number else { return false }
    guard first.look != .date, let sign = first.text.first else { return first.look == .date }
    return sign.isNumber || DatePattern.beginsWithMonth(first.text)
      || (sign.lowercased() == "q" && first.text.dropFirst().first?.isNumber == true)
  }

  private func goesOn(_ column: Int, _ times: TableForm.Times) -> Bool {
    guard case .dates(let pattern) = times else { return false }
    let dates = cells(column).map { cell -> Int64 in
      var text = cell.text
      return text.withUTF8 { bytes in
        (pattern == nil ? DateText(bytes) : pattern?.read(bytes))?.seconds ?? .min
      }
    }
    return zip(dates, dates.dropFirst()).allSatisfy { $0 <= $1 }
      && Set(dates).count * 2 > dates.count
  }

  /// A name without the unit in brackets behind it, and the unit where it is one of time.
  static func parts(_ name: String) -> (name: String, unit: String?) {
    guard let open = name.lastIndex(where: { "[(".contains($0) }),
      name.hasSuffix("]")
        || name.hasSuffix(")"), let unit = unit(name[name.index(after: open)...].dropLast())
    else { return (name, nil) }
    return (name[..<open].trimmingBlanks, unit)
  }

  private static func unit(_ text: some StringProtocol) -> String? {
    switch text.trimmingBlanks {
    case "s", "sec", "secs", "second", "seconds": "s"
    case "ms", "msec", "milliseconds": "ms"
    case "us", "µs", "μs", "usec", "microseconds": "us"
    case "ns", "nsec", "nanoseconds": "ns"
    case "min", "minutes": "min"
    case "h", "hours": "h"
    case "d", "days": "d"
    default: nil
    }
  }
}
