import TrajpackFormat

/// Which rules are run, and what is known of the data that it does not say itself.
public struct ValidateConfig: Sendable {
  /// Ids, families or patterns of the rules to run; all where it is empty.
  public var select: [String] = []
  /// Ids, families or patterns of the rules not to run.
  public var ignore: [String] = []
  /// Severities other than the rules' own, by id.
  public var severities: [String: Severity] = [:]
  /// The profile whose rules are run too; where `nil`, the one of the importer that made the data.
  public var profile: String?
  /// Rows of the windows that will be trained on.
  public var window: Int?
  /// The largest speeds of positions, in metres a second, and of angles and rotations, in degrees a second.
  public var speeds: (position: Double?, angle: Double?) = (nil, nil)
  /// The user's own rules.
  public var rules: [UserRule] = []
  /// The share of episodes that are read.
  public var share = 1.0
  /// The seed by which they are drawn.
  public var seed: UInt64 = 0

  /// The file in which is kept what was looked at, to go on from; only of archives.
  public var resume: String?
  /// The shards whose episodes are looked at by a task of a job, which keeps what it finds in ``resume`` and reports
  /// nothing; all where `nil`.
  public var part: Range<Int>?
  /// The files of all tasks of a job, whose findings are put together.
  public var parts: [String] = []
  /// What else makes a validation another one: options, the text of the configuration, the version.
  public var identity = ""
  /// The ids of the episodes that are read; all where `nil`.
  public var episodes: Set<String>?

  /// All rules on all episodes.
  public init() {}

  /// Whether `patterns` name a rule: by its id, its family, or with `*` and `?`.
  static func names(_ patterns: [String], _ id: String) -> Bool {
    patterns.contains { pattern in
      pattern == id || id.hasPrefix(pattern + ".") || Pattern(pattern).matches(id)
    }
  }

  /// Checks that every pattern is of some rule.
  ///
  /// - Throws: A usage error that names the one that is not, and the nearest id.
  public func check(_ patterns: [String]) throws(TrajpackError) {
    let ids = Rule.all.map(\.id) + rules.map { $0.rule().id }
    var families: [String] = []
    for id in ids {
      let family = String(id.prefix { $0 != "." })
      if !families.contains(family) { families.append(family) }
    }
    for pattern in patterns where !ids.contains(where: { Self.names([pattern], $0) }) {
      throw TrajpackError(
        .usage,
        "there is no rule '\(pattern)'"
          + Suggestion.text(for: pattern, among: pattern.contains(".") ? ids : families)
          + "; 'trajpack rules' lists them")
    }
  }

  /// The rules to run on data of a profile, with their severities, in their order; none where those that are selected are of other profiles.
  ///
  /// - Throws: A usage error where a pattern names no rule, or none is left for data of any profile.
  func active(profile found: String?) throws(TrajpackError) -> [(rule: Rule, severity: Severity)] {
    let all = Rule.all + rules.map { $0.rule() }
    try check(select + ignore + severities.keys.sorted())
    let profile = self.profile ?? found
    let left = active(all, profile)
    // Where rules of another profile are left, data of it may lie beside this.
    guard left.isEmpty, active(all, nil, ofAllProfiles: true).isEmpty else { return left }
    throw TrajpackError(
      .usage,
      "no rule is left: what is ignored takes away all that \(select.isEmpty ? "there are" : "are selected")"
    )
  }

  private func active(
    _ all: [Rule], _ profile: String?, ofAllProfiles: Bool = false
  ) -> [(rule: Rule, severity: Severity)] {
    all.compactMap { rule in
      // A rule that is selected by its whole id runs whatever the profile.
      let isWanted =
        select.isEmpty
        ? rule.profile == nil || rule.profile == profile
        : Self.names(select, rule.id)
          && (ofAllProfiles || rule.profile == nil || rule.profile == profile
            || select.contains(rule.id))
      guard isWanted, !Self.names(ignore, rule.id) else { return nil }
      return (rule, severities[rule.id] ?? rule.severity)
    }
  }

  /// What to know of a user's rule that found nothing to look at.
  func hint(of id: String) -> String? {
    for rule in rules where "user.\(rule.id)" == id {
      switch rule.condition {
      case .expression(let expression): return expression.hint
      case .range(let pattern, _, _), .monotonic(let pattern, _, _), .units(let pattern, _):
        guard pattern.hasSuffix("]"), pattern.contains("[") else { return nil }
        return "one number of a channel is named in an 'expression', as in \"\(pattern) >= 0\""
      default: return nil
      }
    }
    return nil
  }

  /// What tracks are looked at by.
  var settings: TrackContext.Settings { .init(speeds: speeds, window: window) }

  /// Whether all episodes are read.
  var readsAll: Bool { share == 1 && episodes == nil }

  /// Whether an episode is among those that are read: of those that are drawn by a hash of seed and id, so that it
  /// does not depend on the others.
  func takes(_ id: String) -> Bool {
    guard episodes?.contains(id) ?? true else { return false }
    guard share < 1 else { return true }
    var hash = 0xcbf2_9ce4_8422_2325 ^ seed &* 0x9e37_79b9_7f4a_7c15
    for byte in id.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    hash = (hash ^ hash >> 33) &* 0xff51_afd7_ed55_8ccd
    hash = (hash ^ hash >> 33) &* 0xc4ce_b9fe_1a85_ec53
    hash ^= hash >> 33
    return Double(hash >> 11) * 0x1p-53 < share
  }
}
