import TrajpackFormat
import TrajpackStore

/// What a first pass over a WildWorld sample has shown.
struct WildWorldExamination: Sendable {
  /// What the cells of a column have shown.
  struct Column: Sendable {
    /// The column's name in the header.
    var name: String
    /// Where its values belong.
    var place: WildWorldColumn
    /// Elements of a tuple; 1 for plain cells, `nil` where every cell is empty.
    var width: Int?
    /// The numbers.
    var facts = NumberFacts()
    /// The different texts, in the order of their first row; only where a cell is no number.
    var texts: [String] = []
    /// Whether there were more texts than a categorical channel takes.
    var hasManyTexts = false

    /// Whether the column holds text.
    var isText: Bool { facts.hasText }
  }

  /// An array of `skeleton.npz`.
  struct Array: Sendable {
    /// The key, as `m0_21`.
    var key: String
    /// Whose joints they are.
    var entity: Entity
    /// Joints.
    var joints: Int
  }

  /// The columns of `state.csv`, in its order; `nil` where the sample has none.
  var columns: [Column]?
  /// The arrays of `skeleton.npz`, in its order; `nil` where the sample has none.
  var arrays: [Array]?
  /// The videos, by stream name.
  var videos: [WildWorldVideo] = []
  /// Frames that are taken over.
  var frames = 0
}

extension WildWorldExamination {
  /// The most different texts of a categorical column; more become a text channel.
  static let maximumTexts = 4096

  /// Reads a `state.csv` once: the header, and what the cells of each column are.
  ///
  /// - Returns: The columns and the number of rows.
  /// - Throws: A data error naming the row and column of a cell that cannot be kept.
  static func columns(of file: LocalFile) throws(TrajpackError) -> (columns: [Column], rows: Int) {
    let scanner = CSVScanner(file)
    guard try scanner.next() else {
      throw TrajpackError(.data, "state.csv is empty; it must begin with a header")
    }
    var columns: [Column] = []
    var names: Set<String> = []
    for i in 0..<scanner.count {
      guard scanner[i].isUTF8 else {
        throw TrajpackError(.data, "state.csv: column \(i + 1) of the header is no UTF-8 text")
      }
      let name = scanner[i].text
      guard names.insert(name).inserted else {
        throw TrajpackError(.data, "state.csv: column '\(name)' comes twice in the header")
      }
      columns.append(Column(name: name, place: WildWorldColumn(name)))
    }
    var rows = 0
    var seen = [Set<String>](repeating: [], count: columns.count)
    while try scanner.next() {
      guard scanner.count == columns.count else {
        throw TrajpackError(
          .data, "state.csv: row \(rows + 1) (byte \(scanner.recordOffset)) has \(scanner.count) cells "
            + "where the header has \(columns.count); the file was cut or a cell is missing")
      }
      for i in columns.indices {
        try columns[i].add(scanner[i], row: rows + 1, &seen[i])
      }
      rows += 1
    }
    for column in columns where column.isText {
      if let documented = column.numberExpected, let text = column.texts.first(where: \.isNoNumber) {
        throw TrajpackError(
          .data, "state.csv: column '\(column.name)' must hold \(documented) but has the text '\(text)'")
      }
    }
    return (columns, rows)
  }
}

extension WildWorldExamination.Column {
  /// Adds a cell.
  @inline(__always)
  fileprivate mutating func add(
    _ cell: CSVScanner.Field, row: Int, _ seen: inout Set<String>
  ) throws(TrajpackError) {
    let count = WildWorldCell.tuple(cell.bytes) { facts.add($1) }
    if count > 0 {
      guard (width ?? count) == count else { throw arity(count, row) }
      width = count
      if facts.hasText { throw textInTuple(cell, row) }
      return
    }
    let number = NumberText(cell.bytes)
    if number.form == .text || !texts.isEmpty {
      try note(cell, row, &seen)
    } else if number.form != .missing {
      guard (width ?? 1) == 1 else { throw arity(1, row) }
      width = 1
    }
    facts.add(number)
  }

  private mutating func note(
    _ cell: CSVScanner.Field, _ row: Int, _ seen: inout Set<String>
  ) throws(TrajpackError) {
    guard cell.isUTF8 else {
      throw TrajpackError(.data, "state.csv: row \(row), column '\(name)': the text is no UTF-8")
    }
    guard (width ?? 1) == 1 || !texts.isEmpty else {
      throw TrajpackError(
        .data, "state.csv: row \(row), column '\(name)': '\(cell.text)' is no tuple of \(width ?? 0) numbers")
    }
    if let expected = numberExpected, texts.isEmpty, !cell.bytes.isEmpty {
      throw TrajpackError(
        .data, "state.csv: row \(row), column '\(name)' must hold \(expected) but has the text '\(cell.text)'")
    }
    width = 1
    let text = cell.text
    if seen.count <= WildWorldExamination.maximumTexts, seen.insert(text).inserted { texts.append(text) }
    hasManyTexts = seen.count > WildWorldExamination.maximumTexts
  }

  /// What the README says a documented column holds; `nil` where it may hold text.
  fileprivate var numberExpected: String? {
    switch (place.stream, place.channel) {
    case ("camera", "K"): return "a tuple of 4 numbers"
    case ("camera", "pos"): return "a tuple of 3 numbers"
    case ("camera", "rot"): return "a tuple of 4 numbers"
    case (_, "pos") where place.slot >= 0: return "a tuple of 3 numbers"
    case (_, "rot") where place.slot >= 0: return "a tuple of 4 numbers"
    case (_, let channel) where place.slot >= 0 && Self.numbers.contains(channel): return "a number"
    case ("state", "npc.count"), ("state", "npc.tracking"), ("state", "monster.count"):
      return "a number"
    default: return nil
    }
  }

  private static let numbers: Set<String> = [
    "type_id", "member_id", "weapon_id", "motion_bank_id", "motion_id", "motion_frame", "hp", "max_hp",
    "red_hp", "sp", "max_sp", "atk", "wp_atk", "attr", "wp_attr", "crit_rate", "crit_atk_rate", "def",
    "resist_fire", "resist_water", "resist_ice", "resist_elec", "resist_dragon",
  ]

  /// Elements that the README states; `nil` where it states none.
  var documentedWidth: Int? {
    switch numberExpected {
    case "a tuple of 4 numbers": return 4
    case "a tuple of 3 numbers": return 3
    case "a number": return 1
    default: return nil
    }
  }

  private func arity(_ count: Int, _ row: Int) -> TrajpackError {
    TrajpackError(
      .data, "state.csv: row \(row), column '\(name)' has \(count) number\(count == 1 ? "" : "s") where "
        + "other rows have \(width ?? 0)")
  }

  private func textInTuple(_ cell: CSVScanner.Field, _ row: Int) -> TrajpackError {
    TrajpackError(
      .data, "state.csv: row \(row), column '\(name)': the tuple '\(cell.text)' holds something that is "
        + "no number")
  }
}

extension String {
  /// Whether the text is neither empty nor a number.
  fileprivate var isNoNumber: Bool {
    Swift.Array(utf8).withUnsafeBufferPointer { NumberText($0).form == .text }
  }
}
