/// Which option would make numbers of cells that are read as text.
enum NumberHint {
  /// The spaces that stand between thousands, and the apostrophe of Swiss numbers.
  private static let spaces: Set<Character> = [" ", "\u{A0}", "\u{202F}", "\u{2009}"]
  private static let apostrophes: Set<Character> = ["'"]
  private static let currencies: Set<Character> = ["$", "€", "£", "¥", "₹"]

  /// The option for cells that are all of one kind, in words: `if its comma stands between thousands, say --thousands
  /// ','`; `nil` where none helps.
  static func remedy(_ cells: [String]) -> String? {
    let cells = cells.map(\.trimmingBlanks)
    guard !cells.isEmpty else { return nil }
    if cells.allSatisfy({ digits($0, besides: [",", "."]) && $0.contains(",") }) {
      return commas(cells)
    }
    for (signs, name, option) in [
      (spaces, "spaces stand", "space"), (apostrophes, "apostrophes stand", "\"'\""),
    ] {
      let have = cells.contains { $0.contains(where: signs.contains) }
      guard have, cells.allSatisfy({ isGrouped($0, by: signs) }) else { continue }
      let decimals = cells.contains { $0.contains(",") } ? " --decimal ','" : ""
      return "if its \(name) between thousands, say --thousands \(option)\(decimals)"
    }
    let bare = cells.map { cell in
      String(cell.filter { $0 != "%" && !currencies.contains($0) && !spaces.contains($0) })
    }
    let haveSigns = cells.allSatisfy { $0.contains { $0 == "%" || currencies.contains($0) } }
    if haveSigns, bare.allSatisfy({ digits($0, besides: [",", "."]) }) {
      let sign = cells[0].contains("%") ? "percent" : "currency"
      return "no option passes over signs of \(sign): take them out of the cells to have numbers"
    }
    return nil
  }

  private static func commas(_ cells: [String]) -> String {
    // 1.234,5: the sign that comes last separates the fraction.
    let isPointFirst = cells.contains { cell in
      guard let point = cell.firstIndex(of: "."), let comma = cell.lastIndex(of: ",") else {
        return false
      }
      return point < comma
    }
    if isPointFirst {
      return "if its points stand between thousands, say --decimal ',' --thousands '.'"
    }
    let parts = cells.flatMap { $0.split(separator: ",").dropFirst() }
    let areThousands = parts.allSatisfy { $0.prefix { $0 != "." }.count == 3 }
    return areThousands
      ? "if its comma stands between thousands, say --thousands ','"
      : "if its comma is the decimal sign, say --decimal ','"
  }

  /// Whether a text has digits, and nothing else but signs of numbers and `others`.
  private static func digits(_ text: String, besides others: Set<Character>) -> Bool {
    text.contains { $0.isASCII && $0.isNumber }
      && text.allSatisfy {
        ($0.isASCII && $0.isNumber) || "+-eE".contains($0) || others.contains($0)
      }
  }

  /// Whether a text is a number, or one whose groups of three digits are separated by one of the signs.
  private static func isGrouped(_ text: String, by signs: Set<Character>) -> Bool {
    let whole = text.prefix { $0 != "." && $0 != "," }
    let parts = whole.split(omittingEmptySubsequences: false) { signs.contains($0) }
    return digits(text, besides: signs.union([".", ","]))
      && parts.dropFirst().allSatisfy { $0.count == 3 }
      && (parts.count == 1 || (1...4).contains(parts[0].count))
      && !text.dropFirst(whole.count).contains(where: signs.contains)
  }
}
