import TrajpackFormat

/// Decides at the end, over all episodes, whether what a rule of tracks found is how the channel is rather than a fault: a fault is in few
/// recordings. What it keeps does not grow with the number of episodes.
protocol PeerCheck: AnyObject {
  /// Takes the next episode and what the rule found in it.
  func add(_ episode: EpisodeFacts, _ hits: [Hit])
  /// Whether a finding is how the channel is: it is not reported.
  func isUsual(_ finding: Finding) -> Bool
}

/// What is found in a share of at least ten tracks of a stream.
class ShareOfTracks: PeerCheck {
  /// Tracks from which on it is known what is usual.
  static let least = 10
  private static let mostStreams = 4096
  private let share: Double
  private let applies: (@Sendable (Finding) -> Bool)?
  private var tracks: [String: Int] = [:]

  /// - Parameters:
  ///   - share: Of all tracks of the stream, from which on a finding is usual.
  ///   - applies: Of which findings this is asked; `nil` for all.
  init(_ share: Double, applies: (@Sendable (Finding) -> Bool)? = nil) {
    (self.share, self.applies) = (share, applies)
  }

  func add(_ episode: EpisodeFacts, _ hits: [Hit]) {
    for facts in episode.tracks where facts.track.rows > 0 {
      let name = facts.track.stream.name
      guard tracks[name] != nil || tracks.count < Self.mostStreams else { continue }
      tracks[name, default: 0] += 1
    }
  }

  /// Tracks of a stream, those without rows aside.
  func tracks(of finding: Finding) -> Int { finding.stream.flatMap { tracks[$0] } ?? 0 }

  func isUsual(_ finding: Finding) -> Bool {
    let all = tracks(of: finding)
    guard all >= Self.least, applies?(finding) ?? true else { return false }
    return Double(finding.tracks) >= share * Double(all)
  }
}

/// The rules that leave out what is usual.
struct PeerChecks {
  private let checks: [(rule: Int, id: String, check: any PeerCheck)]

  init(_ rules: [Rule]) {
    checks = rules.enumerated().compactMap { number, rule in
      rule.peers.map { (number, rule.id, $0()) }
    }
  }

  func add(_ outcome: EpisodeOutcome) {
    for (rule, _, check) in checks { check.add(outcome.facts, outcome.hits[rule] ?? []) }
  }

  /// The findings that are faults, and a sentence of each rule that left some out.
  func sort(_ findings: [Finding]) -> (faults: [Finding], left: [String]) {
    var usual: [String: [Finding]] = [:]
    let faults = findings.filter { finding in
      guard let own = checks.first(where: { $0.id == finding.rule }), own.check.isUsual(finding)
      else { return true }
      usual[finding.rule, default: []].append(finding)
      return false
    }
    let left = checks.compactMap { _, id, _ -> String? in
      guard let found = usual[id], let first = found.first else { return nil }
      let subject = first.subject.map { "'\($0)'" } ?? "all"
      let more = found.count > 1 ? ", and of \(found.count - 1) more" : ""
      return
        "what rule '\(id)' met in \(first.tracks) tracks of \(subject)\(more): it is so in most or all, and was taken for how the "
        + "data is"
    }
    return (faults, left)
  }
}
