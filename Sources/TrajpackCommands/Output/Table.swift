/// Rows in aligned columns, two spaces apart, without lines or boxes.
///
/// ```
/// stream   rows        size
/// state    1,204,000   42 MiB
/// camera     602,000  8.1 MiB
/// ```
struct Table: Sendable {
  enum Alignment: Sendable { case left, right }

  struct Column: Sendable {
    var title: String
    var alignment: Alignment

    /// For names and texts.
    static func text(_ title: String) -> Column { Column(title: title, alignment: .left) }
    /// For numbers; never cut short.
    static func number(_ title: String) -> Column { Column(title: title, alignment: .right) }
  }

  var columns: [Column]
  private(set) var rows: [[String]] = []

  init(_ columns: Column...) { self.columns = columns }
  init(columns: [Column]) { self.columns = columns }

  /// Adds a row; cells may come from files, they are made safe. Missing cells stay empty.
  mutating func add(_ cells: [String]) {
    let filled = cells.prefix(columns.count).map(\.printable)
    rows.append(filled + Array(repeating: "", count: columns.count - filled.count))
  }

  mutating func add(_ cells: String...) { add(cells) }

  /// The lines, titles first. Where `width` is given, the widest texts are cut until a line fits.
  func lines(_ paint: ANSIStyle = ANSIStyle(isOn: false), width: Int? = nil) -> [String] {
    guard !rows.isEmpty else { return [] }
    let titles = columns.map(\.title)
    var widths = columns.indices.map { index in
      ([titles] + rows).reduce(0) { max($0, $1[index].displayWidth) }
    }
    if let width { shrink(&widths, to: width) }
    return [line(titles, widths, paint.bold)] + rows.map { line($0, widths) { $0 } }
  }

  private static let gap = 2
  /// Texts are not cut below this.
  private static let least = 8

  private func shrink(_ widths: inout [Int], to width: Int) {
    var excess = widths.reduce(0, +) + Table.gap * (widths.count - 1) - width
    let texts = columns.indices.filter { columns[$0].alignment == .left }
    while excess > 0 {
      guard let widest = texts.max(by: { widths[$0] < widths[$1] }), widths[widest] > Table.least
      else { return }
      widths[widest] -= 1
      excess -= 1
    }
  }

  private func line(
    _ cells: [String], _ widths: [Int], _ paint: (String) -> String
  ) -> String {
    let last = columns.count - 1
    let parts = columns.indices.map { index in
      let cell = cells[index].truncated(to: widths[index])
      let isRight = columns[index].alignment == .right
      // The last text has nothing behind it to line up with.
      let padded = cell.padded(to: index == last && !isRight ? 0 : widths[index], isRight: isRight)
      return padded
    }
    let text = parts.joined(separator: String(repeating: " ", count: Table.gap)).trimmedRight
    return paint(text)
  }
}
