import TrajpackFormat

/// What came of validating some datasets, in every form in which it can be written.
public struct ValidationReport: Sendable {
  /// The datasets, in the order in which they were named.
  public var outcomes: [Validation.Outcome]
  /// The least severity that counts as a failure.
  public var failOn: Severity
  /// The rules that were run, by id, with those of the configuration.
  public var rules: [Rule]
  /// Findings that a baseline knows, and which are not listed.
  public var known = 0

  /// A report.
  public init(
    _ outcomes: [Validation.Outcome], _ config: ValidateConfig, failOn: Severity
  ) {
    self.outcomes = outcomes
    self.failOn = failOn
    let run = Set(outcomes.flatMap(\.rules))
    rules = (Rule.all + config.rules.map { $0.rule() }).filter { run.contains($0.id) }
  }

  /// All findings.
  public var findings: [Finding] { outcomes.flatMap(\.findings) }
  /// Those that count as failures.
  public var failures: Int { findings.count { $0.severity >= failOn } }

  /// How many findings are of a severity.
  public func count(_ severity: Severity) -> Int { findings.count { $0.severity == severity } }

  /// What the baseline left out, in a sentence; `nil` where it left out nothing.
  public var leftOut: String? {
    known == 0
      ? nil : "left out, because the baseline has them: \(known) finding\(known == 1 ? "" : "s")"
  }

  func rule(_ id: String) -> Rule? { rules.first { $0.id == id } }
}

extension Finding {
  /// The finding in a sentence, without its places: `state/hp: infinite values (12 in 3 tracks)`.
  public var sentence: String {
    let subject = subject.map { "\($0): " } ?? ""
    return "\(subject)\(what)\(tally)"
  }

  private var tally: String {
    let grown = known.map { ", \($0) of them known; the places may be known ones" } ?? ""
    if count <= 1, tracks <= 1 { return "" }
    return count == tracks
      ? " (\(count) times\(grown))"
      : " (\(count) times in \(tracks) \(tracks == 1 ? "place" : "places")\(grown))"
  }
}

extension Place {
  /// `000001 monster 0 rows 5-7 (inf) [shard-000000.h5]: note`.
  public var sentence: String {
    var words: [String] = []
    if let episode { words.append(episode) }
    if let entity { words.append(entity) }
    if let rows {
      words.append(
        rows.count == 1
          ? "row \(rows.lowerBound)"
          : "rows \(rows.lowerBound)-\(max(rows.upperBound - 1, rows.lowerBound))")
    }
    if !values.isEmpty {
      words.append("(" + values.map(\.description).joined(separator: ", ") + ")")
    }
    if let shard { words.append("[\(shard)]") }
    let text = words.joined(separator: " ")
    guard let note else { return text }
    return text.isEmpty ? note : "\(text): \(note)"
  }
}
