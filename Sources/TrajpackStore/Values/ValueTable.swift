import TrajpackFormat

/// What is known of each recording of a dataset: a column a value, a row an episode.
public struct ValueTable: Sendable, Equatable {
  /// One value of every episode.
  public struct Column: Sendable, Equatable {
    /// Its name, type and units.
    public var field: ValueField
    /// The value of each row, of the field's type.
    public var cells: [EpisodeValue]

    /// A column.
    public init(_ field: ValueField, _ cells: [EpisodeValue]) {
      (self.field, self.cells) = (field, cells)
    }

    /// Rows that have a value.
    public var present: Int { cells.count { $0 != .missing } }

    /// The numbers of the rows: codes of categories and different texts, NaN where there is none or it is an array.
    public var numbers: [Double] {
      let codes = codes
      return cells.map { cell in
        if case .text(let text) = cell { return codes[text].map(Double.init) ?? .nan }
        return cell.double ?? .nan
      }
    }

    /// The code of each category, or of each different text in order of appearance.
    public var codes: [String: Int] {
      var codes: [String: Int] = [:]
      for name in names { codes[name] = codes.count }
      return codes
    }

    /// The categories, or the different texts in order of appearance.
    public var names: [String] {
      switch field.type {
      case .category: return field.categories
      case .text:
        var seen: Set<String> = []
        return cells.compactMap { cell in
          guard case .text(let text) = cell, seen.insert(text).inserted else { return nil }
          return text
        }
      case .number, .integer, .array: return []
      }
    }
  }

  /// The columns, in the order in which they were met.
  public private(set) var columns: [Column] = []
  /// Rows.
  public let count: Int
  private var places: [String: Int] = [:]

  /// A table without columns.
  public init(count: Int) { self.count = count }

  /// The names of the columns.
  public var names: [String] { columns.map(\.field.name) }

  /// The column of that name.
  public subscript(name: String) -> Column? { places[name].map { columns[$0] } }

  /// The value of a row; missing where there is no such column.
  public subscript(name: String, row: Int) -> EpisodeValue {
    places[name].map { columns[$0].cells[row] } ?? .missing
  }

  /// Sets a value, joining its field with that of the values that are there.
  public mutating func set(_ field: ValueField, row: Int, _ value: EpisodeValue) {
    if let place = places[field.name] {
      if columns[place].field != field {
        columns[place].field = columns[place].field.joined(field)
      }
      columns[place].cells[row] = value
    } else {
      places[field.name] = columns.count
      columns.append(Column(field, [EpisodeValue](repeating: .missing, count: count)))
      columns[columns.count - 1].cells[row] = value
    }
  }

  /// Adds a column, in place of one of that name.
  public mutating func set(_ column: Column) {
    if let place = places[column.field.name] {
      columns[place] = column
    } else {
      places[column.field.name] = columns.count
      columns.append(column)
    }
  }

  /// Removes a column; false where there is none.
  @discardableResult
  public mutating func remove(_ name: String) -> Bool {
    guard let place = places.removeValue(forKey: name) else { return false }
    columns.remove(at: place)
    for (other, at) in places where at > place { places[other] = at - 1 }
    return true
  }

  /// Makes every cell one of its column's type, after values of several types were set.
  public mutating func settle() {
    for place in columns.indices {
      let field = columns[place].field
      columns[place].cells = columns[place].cells.map { $0.cast(to: field) }
    }
  }

  /// The table of some of its rows, in that order.
  public func rows(_ rows: [Int]) -> ValueTable {
    var out = ValueTable(count: rows.count)
    for column in columns { out.set(Column(column.field, rows.map { column.cells[$0] })) }
    return out
  }

  /// The error of a value that there is not.
  public func unknown(_ name: String, _ option: String) -> TrajpackError {
    TrajpackError(
      .usage,
      "\(option): there is no value '\(name)'\(Suggestion.text(for: name, among: names))")
  }
}
