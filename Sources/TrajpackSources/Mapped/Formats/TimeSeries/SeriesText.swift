import TrajpackFormat
import TrajpackStore

/// The lines of a text file with their places, read in pieces.
enum TextLines {
  private static let piece = 1 << 20
  private static let longest = 512 << 20

  /// Hands over each line without its end, its number from 1 on and its first byte, until `body` says that it is enough.
  ///
  /// - Throws: A data error where a line is longer than 512 MiB; what `body` throws.
  static func forEach(
    _ file: LocalFile, from start: Int = 0,
    _ body: (_ number: Int, _ at: Int, _ line: ArraySlice<UInt8>) throws(TrajpackError) -> Bool
  ) throws(TrajpackError) {
    var (rest, restAt, number, at) = ([UInt8](), start, 0, start)
    while at < file.length {
      let more = try file.bytes(at..<min(at + piece, file.length))
      at += more.count
      rest += more
      var first = 0
      while let end = rest[first...].firstIndex(of: 10) {
        number += 1
        let last = end > first && rest[end - 1] == 13 ? end - 1 : end
        guard try body(number, restAt + first, rest[first..<last]) else { return }
        first = end + 1
      }
      rest.removeFirst(first)
      restAt += first
      guard rest.count <= longest else {
        throw TrajpackError(.data, "line \(number + 1) is longer than 512 MiB")
      }
    }
    if !rest.isEmpty { _ = try body(number + 1, restAt, rest[...]) }
  }

  /// The text of a line: UTF-8, or where it is none, each byte a character of Windows-1252.
  static func text(_ line: ArraySlice<UInt8>) -> String {
    if let text = String(validating: line, as: UTF8.self) { return text }
    let high: [UInt32] = [
      0x20AC, 0x81, 0x201A, 0x192, 0x201E, 0x2026, 0x2020, 0x2021, 0x2C6, 0x2030, 0x160, 0x2039,
      0x152, 0x8D, 0x17D, 0x8F, 0x90, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014,
      0x2DC, 0x2122, 0x161, 0x203A, 0x153, 0x9D, 0x17E, 0x178,
    ]
    var text = ""
    for byte in line {
      let code = (0x80..<0xA0).contains(byte) ? high[Int(byte) - 0x80] : UInt32(byte)
      text.unicodeScalars.append(Unicode.Scalar(code) ?? "?")
    }
    return text
  }
}

/// The header of a `.ts`, `.tsf` or `.arff` file: the lines that begin with an at sign.
struct SeriesHeader {
  /// What the lines say, by their words in lower case; words that come again are behind each other.
  var lines: [(word: String, rest: String)] = []
  /// The first byte behind the line `@data`, and the number of that line.
  var data: (at: Int, line: Int)?

  private static let most = 1 << 20

  /// Reads the header of a file; none where it does not begin with one.
  init?(_ path: String) {
    guard let file = try? LocalFile(path), let first = try? file.bytes(0..<min(file.length, 4096)),
      let begin = first.first(where: { ![9, 10, 13, 32].contains($0) }),
      [UInt8(ascii: "@"), UInt8(ascii: "#"), UInt8(ascii: "%"), 0xEF].contains(begin),
      !first.contains(0)
    else { return nil }
    var (lines, data, isHeader) = ([(word: String, rest: String)](), (at: 0, line: 0), true)
    try? TextLines.forEach(file) { (number, at, line) throws(TrajpackError) in
      guard at < Self.most else { return false }
      var text = TextLines.text(line).trimmingSpaces
      if number == 1, text.hasPrefix("\u{FEFF}") { text = text.dropFirst() }
      if text.isEmpty || text.hasPrefix("#") || text.hasPrefix("%") { return true }
      guard text.hasPrefix("@"), text.dropFirst().first?.isLetter == true else {
        isHeader = false
        return false
      }
      let word = text.dropFirst().prefix { !$0.isWhitespace }
      if word.lowercased() == "data" {
        data = (at + line.count, number)
        return false
      }
      lines.append((word.lowercased(), String(text.dropFirst(1 + word.count).trimmingSpaces)))
      return true
    }
    guard isHeader, !lines.isEmpty else { return nil }
    self.lines = lines
    if data.line > 0 { self.data = data }
  }

  subscript(word: String) -> String? { lines.first { $0.word == word }?.rest }

  /// Whether a word is there and says true.
  func flag(_ word: String) -> Bool {
    self[word]?.lowercased().hasPrefix("true") ?? false
  }

  /// What it is the header of.
  var kind: Kind? {
    let words = Set(lines.map(\.word))
    let forecasting: Set<String> = ["frequency", "horizon", "missing", "equallength"]
    if words.contains("attribute") {
      return words.isDisjoint(with: forecasting) ? .arff : .forecasting
    }
    let classification: Set<String> = [
      "problemname", "timestamps", "univariate", "classlabel", "targetlabel", "dimensions",
      "dimension", "serieslength",
    ]
    return words.isDisjoint(with: classification) ? nil : .classification
  }

  enum Kind { case classification, forecasting, arff }
}

/// Values of a text between commas: numbers, and `?` or `NaN` for what is missing.
enum SeriesNumbers {
  static func parse(
    _ text: ArraySlice<UInt8>, _ line: Int, into out: inout [Double]
  ) throws(TrajpackError) {
    for field in text.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false) {
      out.append(try number(field, line))
    }
  }

  static func number(_ field: ArraySlice<UInt8>, _ line: Int) throws(TrajpackError) -> Double {
    let text = String(decoding: field, as: UTF8.self).trimmingSpaces
    if let value = Double(text) { return value }
    if text == "?" || text.lowercased() == "na" { return .nan }
    throw TrajpackError(
      .data, "line \(line) has '\(String(text.prefix(40)).printable)', which is no number",
      at: ErrorPlace(line: line))
  }
}

extension SourceFiles {
  /// What `each` gives, with errors that name the file, and its bytes shared out among its recordings.
  func eachShared(
    of files: [File], _ name: String, _ options: MappingOptions,
    _ read: (File, inout MappedSource) throws(TrajpackError) -> [MappedRecording]
  ) throws(TrajpackError) -> MappedSource {
    try each(of: files, name, options) { (file, source) throws(TrajpackError) in
      var found = try within(file: file.path) { () throws(TrajpackError) in
        try read(file, &source)
      }
      let share = max(file.bytes / max(found.count, 1), 1)
      for i in found.indices { found[i].bytes = share }
      return found
    }
  }
}
