/// The different texts of a column, in the order of their first rows, as long as they are few enough for categories.
struct DistinctTexts: Sendable {
  private var numbers: [String: Int] = [:]
  private let most: Int
  /// Whether there are more texts than a categorical channel takes.
  private(set) var areTooMany = false

  /// No texts, of which up to `most` are categories.
  init(atMost most: Int) { self.most = most }

  /// The texts; where they are too many, the first of them.
  var texts: [String] { numbers.sorted { $0.value < $1.value }.map(\.key) }

  /// Adds a text.
  mutating func add(_ text: String) {
    guard !areTooMany, numbers[text] == nil else { return }
    numbers[text] = numbers.count
    areTooMany = numbers.count > most
  }

  /// Adds the texts of a column of another recording.
  mutating func merge(_ other: Self) {
    for text in other.texts { add(text) }
    areTooMany = areTooMany || other.areTooMany
  }

  /// Whether a column of so many rows repeats few texts, so that they are categories where nothing else is said.
  func areFew(among rows: Int) -> Bool {
    !areTooMany && (numbers.count <= 16 || numbers.count * 4 <= rows)
  }
}
