/// Whether the first record of a table names its columns.
struct TableHeader {
  /// Whether it does.
  var isThere: Bool
  /// What the user should know where it is not certain.
  var hint: String?

  private init(_ isThere: Bool, hint: String? = nil) {
    self.isThere = isThere
    self.hint = hint
  }

  /// Decides by what stands below the first record.
  ///
  /// It is a header where text stands over numbers or dates, where all of it is text, where its first
  /// cell is empty over an index, and where numbers one apart or years stand over others.
  init(_ sample: TableSample) {
    let first = sample.rows[0]
    let body = Array(sample.rows.dropFirst())
    let columns = first.indices.map { sample.column($0, from: 1).map(\.look) }
    let differs = first.indices.contains { i in
      first[i].look == .text && !columns[i].contains(.text)
        && columns[i].contains { $0 == .number || $0 == .date }
    }
    // In a mixed column the cell right below decides.
    let mixes = first.indices.contains { i in
      first[i].look == .text && (columns[i].first == .number || columns[i].first == .date)
    }
    if differs || mixes || first.allSatisfy({ $0.look == .text }) {
      self.init(true)
      return
    }
    guard !body.isEmpty else {
      self.init(false)
      return
    }
    // Dates of other forms than ISO 8601 look like text: `Month` over `Jan-2000`.
    let isOverDates = first.indices.contains { i in
      first[i].look == .text && sample.holdsDates(i, from: 1) && !first[i].isDateOfSomeForm
    }
    if isOverDates || Self.namesAnIndex(first, sample) {
      self.init(true)
      return
    }
    let numbers = first.indices.filter { first[$0].look == .number }
    let isSequence = Self.isSequence(numbers.map { first[$0].whole })
    let areYears = Self.areYears(numbers.map { first[$0].whole })
    let repeats = body.contains { row in
      let below = numbers.map { row.indices.contains($0) ? row[$0].whole : nil }
      // Counts below years repeat no years.
      return Self.areYears(below) || !areYears && Self.isSequence(below)
    }
    guard isSequence || areYears, !repeats, numbers.count >= 2 else {
      self.init(false)
      return
    }
    let texts = first.indices.filter { first[$0].look == .text }
    let isOverOtherText = texts.contains { i in
      let below = sample.column(i, from: 1)
      return below.allSatisfy { $0.look == .text && $0.text != first[i].text }
    }
    if isOverOtherText, numbers.count + texts.count == first.count {
      self.init(true)
      return
    }
    let fractions = numbers.filter { i in sample.column(i, from: 1).contains(where: \.isFraction) }
    let isOverFractions = fractions.count * 2 > numbers.count
    if numbers.count == first.count, isOverFractions, areYears || numbers.count >= 3,
      !Self.goesOn(sample)
    {
      self.init(true)
      return
    }
    let words = numbers.prefix(3).map { first[$0].text }.joined(separator: ", ")
    self.init(
      false,
      hint:
        "the first row (\(words) …) was read as values; if it names the columns, say --header yes"
    )
  }

  /// Whether the first cell is empty, as pandas writes the name of an index, over cells that are not.
  private static func namesAnIndex(_ first: [TableSample.Cell], _ sample: TableSample) -> Bool {
    let names = first.dropFirst()
    let index = sample.column(0, from: 1)
    guard first.count > 1, first[0].text.isEmpty, names.allSatisfy({ !$0.text.isEmpty }),
      Set(names.map(\.text)).count == names.count, index.allSatisfy({ $0.look != .empty })
    else { return false }
    let counts = index.enumerated().allSatisfy { $1.whole == Int64($0) }
    return counts || index.allSatisfy { $0.look == .date }
      || names.allSatisfy { !$0.isFraction && $0.look != .date }
  }

  /// Whether whole numbers follow one another by one.
  private static func isSequence(_ numbers: [Int64?]) -> Bool {
    zip(numbers, numbers.dropFirst()).allSatisfy { a, b in
      guard let a, let b, a < .max else { return false }
      return b == a + 1
    } && numbers.count > 1
  }

  private static func areYears(_ numbers: [Int64?]) -> Bool {
    numbers.count > 1
      && numbers.allSatisfy { $0.map { (1500...2200).contains($0) } ?? false }
      && zip(numbers, numbers.dropFirst()).allSatisfy { ($0 ?? 0) < ($1 ?? 0) }
  }

  /// Whether the first column goes on in the steps in which the first record begins it, as times do.
  private static func goesOn(_ sample: TableSample) -> Bool {
    let values = sample.column(0, from: 0).map { Double($0.text) ?? .nan }
    guard values.count > 2 else { return false }
    let step = values[1] - values[0]
    return zip(values, values.dropFirst()).allSatisfy {
      abs($1 - $0 - step) <= 1e-6 * max(abs(step), abs($1))
    }
  }
}
