import TrajpackFormat

/// How a source was read, in a line for each way: `a.csv: comma, header, time column 'date' (YYYY-MM-DD)`.
enum ReadingLines {
  /// The most lines that are printed.
  private static let most = 12

  static func lines(_ reading: JSONValue?) -> [String] {
    let all = reading?.array ?? []
    var lines = all.prefix(most).map(line)
    if all.count > most {
      lines.append(
        "and \(all.count - most) other ways of reading; --json and the manifest have all")
    }
    return lines
  }

  private static func line(_ reading: JSONValue) -> String {
    var parts: [String] = []
    switch reading["type"]?.string {
    case "table": parts += table(reading)
    case "npz", "npy":
      let names = (reading["arrays"]?.array ?? []).compactMap(\.string)
      parts.append("\(names.count == 1 ? "array" : "arrays") \(listed(names))")
      if let count = reading["recordings"]?.int {
        parts.append("first axis \(Human.count(count, "recordings"))")
      }
    case "values": parts.append(values(reading))
    case let type?: parts.append(type)
    case nil: break
    }
    if reading["type"]?.string == "values" {
      return "\(files(reading)): \(parts.joined(separator: ", "))".printable
    }
    if let time = reading["time"] { parts.append(self.time(time)) }
    let constants = (reading["constants"]?.array ?? []).compactMap(\.string)
    if !constants.isEmpty {
      parts.append("value\(constants.count == 1 ? "" : "s") of the recording \(listed(constants))")
    }
    let ends = (reading["cut_at"]?.array ?? []).compactMap(\.string)
    if !ends.isEmpty { parts.append("cut at \(listed(ends))") }
    let texts = (reading["text"]?.array ?? []).compactMap(\.string)
    if !texts.isEmpty {
      parts.append("\(texts.count) text column\(texts.count == 1 ? "" : "s") \(listed(texts))")
    }
    if let missing = reading["missing"]?.members {
      let words = missing.map { "\($0.value.int ?? 0) '\($0.name)'" }
      parts.append("missing: \(words.joined(separator: ", "))")
    }
    if let beyond = reading["out_of_range"], let count = beyond["count"]?.int {
      parts.append(
        "\(count) number\(count == 1 ? "" : "s") that float64 does not hold, such as '\(beyond["first"]?.string ?? "")', kept "
          + "as infinity or 0")
    }
    if let rows = reading["empty_rows"]?.int { parts.append("\(rows) empty rows left out") }
    if let note = reading["note"]?.string { parts.append(note) }
    return "\(files(reading)): \(parts.joined(separator: ", "))".printable
  }

  /// What is known of recordings: the columns of its table, and their types.
  private static func values(_ reading: JSONValue) -> String {
    let columns = (reading["values"]?.array ?? []).map { value in
      let type = value["type"]?.string ?? ""
      let names = value["categories"]?.array.map { " of \($0.count)" } ?? ""
      return "'\(value["name"]?.string ?? "")' \(type)\(names)"
    }
    let shown =
      columns.prefix(12).joined(separator: ", ")
      + (columns.count > 12 ? " and \(columns.count - 12) more" : "")
    return "values \(shown)" + (reading["id"]?.string.map { ", joined by column '\($0)'" } ?? "")
  }

  private static func files(_ reading: JSONValue) -> String {
    let names = (reading["files"]?.array ?? []).compactMap(\.string)
    let count = reading["count"]?.int ?? names.count
    let first = names.first ?? ""
    return count > 1 ? "\(first) and \(Human.count(count - 1)) more" : first
  }

  private static func table(_ reading: JSONValue) -> [String] {
    var parts = [reading["delimiter"]?.string ?? ""]
    parts.append(reading["header"]?.bool == true ? "header" : "no header")
    if reading["units_row"]?.bool == true { parts.append("units row") }
    if reading["decimal_comma"]?.bool == true { parts.append("decimal comma") }
    if let sign = reading["thousands"]?.string { parts.append("thousands '\(sign)'") }
    if let mark = reading["comment"]?.string { parts.append("comments '\(mark)'") }
    if reading["line_end"]?.string == "CR" { parts.append("lines end in CR") }
    if reading["trailing_delimiter"]?.bool == true { parts.append("delimiter behind each row") }
    return parts
  }

  private static func time(_ time: JSONValue) -> String {
    guard let column = time["column"]?.string else { return "no times" }
    let unit = time["unit"]?.string
    let form = time["date"]?.string ?? (unit == "time" ? nil : unit)
    let more = time["time_of_day"]?.string.map { " and '\($0)'" } ?? ""
    return "time column '\(column)'\(more)\(form.map { " (\(written($0)))" } ?? "")"
  }

  /// A form of dates for people: the manifest's `%d/%m/%Y %H:%M:%S.%f|UTC|3` names the zone and the digits of the
  /// fraction behind the form.
  private static func written(_ form: String) -> String {
    let parts = form.split(separator: "|", omittingEmptySubsequences: false)
    guard form.contains("%"), parts.count >= 3, let digits = parts.last.flatMap({ Int($0) })
    else { return form }
    let zone = parts[parts.count - 2]
    let plain = parts.dropLast(2).joined(separator: "|")
    let more = [
      digits > 0 ? "\(digits) digits of a second" : nil,
      zone.isEmpty ? nil : "zone \(zone.trimmingPrefix(" "))",
    ].compactMap(\.self)
    return more.isEmpty ? plain : "\(plain), \(more.joined(separator: ", "))"
  }

  private static func listed(_ names: [String]) -> String {
    names.prefix(4).map { "'\($0)'" }.joined(separator: ", ")
      + (names.count > 4 ? " and \(names.count - 4) more" : "")
  }

  /// The files that were not taken, in a sentence; `nil` where there are none. Recordings that failed have
  /// sentences of their own.
  static func leftOut(_ value: JSONValue?) -> String? {
    let listed = value?["files"]?.array ?? []
    let files = listed.filter { $0["recording"] == nil }
    let count = (value?["count"]?.int ?? 0) - (listed.count - files.count)
    guard count > 0, !files.isEmpty else { return nil }
    let names = files.prefix(6).map { file in
      let why = file["why"]?.string ?? ""
      return (file["file"]?.string ?? "")
        + (why.hasPrefix("has no name") || why.hasPrefix("is no file of") ? "" : " (\(why))")
    }
    let more = count > names.count ? " and \(Human.count(count - names.count)) more" : ""
    return "left out \(names.joined(separator: ", "))\(more)".printable
  }
}
