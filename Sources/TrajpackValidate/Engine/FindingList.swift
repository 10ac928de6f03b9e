import TrajpackFormat

/// Findings of a dataset, equal ones as one, in the order in which they were first found.
struct FindingList {
  private struct Key: Hashable {
    var rule: String
    var stream: String?
    var channel: String?
    var what: String
  }

  let dataset: String
  private(set) var findings: [Finding] = []
  /// Findings that were not kept, because there were too many different ones.
  private(set) var dropped = 0
  private var numbers: [Key: Int] = [:]

  /// The most different findings: memory stays flat, and nobody reads more.
  static let most = 10_000

  init(_ dataset: String) { self.dataset = dataset }

  mutating func add(
    _ rule: Rule, _ severity: Severity, stream: String?, channel: String?, _ what: String,
    count: Int, tracks: Int = 1, _ places: [Place]
  ) {
    add(
      rule.id, severity, stream: stream, channel: channel, what, count: count, tracks: tracks,
      places)
  }

  mutating func add(
    _ rule: String, _ severity: Severity, stream: String?, channel: String?, _ what: String,
    count: Int, tracks: Int = 1, _ places: [Place]
  ) {
    let key = Key(rule: rule, stream: stream, channel: channel, what: what)
    if let number = numbers[key] {
      findings[number].count += count
      findings[number].tracks += tracks
      let room = Finding.mostPlaces - findings[number].places.count
      findings[number].places += places.prefix(max(room, 0))
      return
    }
    guard findings.count < Self.most else {
      dropped += 1
      return
    }
    numbers[key] = findings.count
    findings.append(
      Finding(
        rule: rule, severity: severity, dataset: dataset, stream: stream, channel: channel,
        what: what, count: count, tracks: tracks, places: Array(places.prefix(Finding.mostPlaces))))
  }
}
