import TrajpackFormat

/// How bad a finding is.
public enum Severity: String, Sendable, CaseIterable, Comparable {
  /// Something could be better.
  case suggestion
  /// A model will probably learn something wrong.
  case warning
  /// The data is wrong.
  case error

  private var rank: Int { self == .suggestion ? 0 : self == .warning ? 1 : 2 }

  /// Suggestions are less than warnings, and warnings less than errors.
  public static func < (a: Severity, b: Severity) -> Bool { a.rank < b.rank }
}

/// Something that holds of good data, how it is checked, and what to say where it does not hold.
///
/// A rule is one file in `Rules/` and one line in ``Rule/all``. Its page in `docs/rules/` is made of the same text.
public struct Rule: Sendable {
  /// How a rule looks at data.
  enum Check: Sendable {
    /// At the rows of each track, in one pass; `nil` where it does not concern a track.
    case track(@Sendable (TrackContext) -> (any TrackCheck)?)
    /// At each episode, when its rows have been read.
    case episode(@Sendable (EpisodeFacts, inout Hits) -> Void)
    /// At what is remembered of all episodes.
    case dataset(@Sendable () -> any DatasetCheck)
    /// At files, while they are opened and read: the engine itself reports these.
    case container
    /// Nowhere: trajpack.validate in Python runs it.
    case elsewhere
  }

  /// `family.name`.
  public let id: String
  /// How bad it is by default.
  public let severity: Severity
  /// What is wrong, in a few words.
  public let summary: String
  /// Why it matters.
  public let reason: String
  /// What it looks like, and what it does not report.
  public let example: String
  /// What to do.
  public let remedy: String
  /// Rules that find the same fault, too.
  public let implies: [String]
  /// The profile that it belongs to; `nil` for all data.
  public let profile: String?
  let check: Check
  /// Whether a channel is one that the rule looks at: its check is not made for tracks that have no such channel. `nil` where that is not known beforehand.
  let concerns: (@Sendable (Quantity) -> Bool)?
  /// What a track must have of, so that the rule can find something; empty where that is not known without a look.
  let needs: TrackSketch
  /// Decides over all episodes what of a rule of tracks or episodes is how the data is; `nil` where each finding counts.
  let peers: (@Sendable () -> any PeerCheck)?

  init(
    _ id: String, _ severity: Severity, _ summary: String, reason: String, example: String,
    remedy: String, implies: [String] = [], profile: String? = nil, needs: TrackSketch = [],
    concerns: (@Sendable (Quantity) -> Bool)? = nil,
    peers: (@Sendable () -> any PeerCheck)? = nil, check: Check
  ) {
    self.id = id
    self.severity = severity
    self.summary = summary
    self.reason = reason
    self.example = example
    self.remedy = remedy
    self.implies = implies
    self.profile = profile
    self.check = check
    self.needs = needs
    self.concerns = concerns
    self.peers = peers
  }

  /// The part of the id before the dot.
  public var family: String { String(id.prefix { $0 != "." }) }

  /// The families of all rules, in their order.
  public static let families: [String] = all.reduce(into: []) { out, rule in
    if !out.contains(rule.family) { out.append(rule.family) }
  }

  /// The rule of that id.
  ///
  /// - Throws: A usage error that names the nearest id.
  public static func named(_ id: String) throws(TrajpackError) -> Rule {
    if let rule = all.first(where: { $0.id == id }) { return rule }
    throw TrajpackError(
      .usage,
      "there is no rule '\(id)'" + Suggestion.text(for: id, among: all.map(\.id))
        + "; 'trajpack rules' lists them")
  }

  /// The profiles that rules belong to.
  public static var profiles: [String] {
    Set(all.compactMap(\.profile)).sorted()
  }
}

/// Looks at the rows of one track, a run at a time.
protocol TrackCheck: AnyObject {
  /// Takes the next rows.
  func add(_ run: TrackRun)
  /// Says what was found, when all rows have been taken.
  func finish(_ facts: TrackFacts, _ hits: inout Hits)
}

extension TrackCheck {
  /// What is known of the columns is enough.
  func add(_ run: TrackRun) {}
}

/// Remembers something of each episode, in the order of the dataset, and compares.
protocol DatasetCheck: AnyObject {
  /// Takes the next episode. What is kept of it does not grow with the number of episodes; throws an error of the machine.
  func add(_ episode: EpisodeFacts) throws(TrajpackError)
  /// Says what was found.
  func finish(_ hits: inout DatasetHits) throws(TrajpackError)
  /// Channels that were not compared, because too many others are remembered.
  var isFull: Bool { get }
}

extension DatasetCheck {
  /// What does not remember channels is never full.
  var isFull: Bool { false }
}
