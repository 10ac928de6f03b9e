import TrajpackFormat
import TrajpackStore

/// Runs rules over episodes, several at once, and gathers what they find in the order of the episodes: the same
/// report with any number of threads.
public final class Validation {
  /// What came of it.
  public struct Outcome: Sendable {
    /// The dataset or source, as it was named.
    public var dataset: String
    /// What was found.
    public var findings: [Finding]
    /// Findings that are not listed, because there were too many different ones.
    public var dropped = 0
    /// Episodes that were read.
    public var episodes = 0
    /// All episodes that there are.
    public var allEpisodes = 0
    /// Episodes that were to be read: those of the sample and the splits.
    public var taken = 0
    /// Episodes that were to be read, and could not be.
    public var failed = 0
    /// What could not be read and no rule that is run says: shards, recordings, episodes, lists.
    public var unreported = 0
    /// Rows of all tracks that were read.
    public var rows = 0
    /// Numbers that were looked at.
    public var values = 0
    /// The ids of the rules that were run.
    public var rules: [String]
    /// The profile whose rules were run, too.
    public var profile: String?
    /// What was not checked, a sentence each.
    public var unchecked: [String] = []
    /// The rules among those run that looked at nothing, by id, and why.
    public var skipped: [String: String] = [:]
    /// How many rules of the project met no stream or channel that they look at; ``skipped`` has them, too.
    public var idle = 0
    /// Whether the user stopped it.
    public var isStopped = false

    /// How many findings are of a severity.
    public func count(_ severity: Severity) -> Int {
      findings.count { $0.severity == severity }
    }
  }

  /// The splits that a scheme of a dataset makes.
  public struct SchemeSplits: Sendable {
    /// The scheme's name.
    public var name: String
    /// The digest of its side file.
    public var digest: String
    /// Episodes that it cuts, which are in no split as a whole.
    public var cutEpisodes: Int
    /// The split of an episode, by the name of its shard and its number there; empty for none.
    public var split: @Sendable (_ shard: String, _ episode: Int) -> String

    /// The splits of a scheme.
    public init(
      name: String, digest: String, cutEpisodes: Int,
      split: @escaping @Sendable (String, Int) -> String
    ) {
      (self.name, self.digest) = (name, digest)
      (self.cutEpisodes, self.split) = (cutEpisodes, split)
    }
  }

  /// Makes some episodes ready to be read one after the other, on one of the threads.
  public typealias Opening = @Sendable () throws(TrajpackError) -> [any EpisodeData]

  private struct Work {
    /// The first episode's id, and how many there are.
    var id: String
    var count: Int
    var shard: String?
    var outcomes: Future<[EpisodeOutcome]>
    /// The shard whose last episodes they are.
    var closes: Shard?
    /// Under which the log has it; `nil` where it came from there.
    var key: String?
  }

  let config: ValidateConfig
  let pool: WorkerPool
  private let rules: [Rule]
  private let severities: [Severity]
  private let ruleSet: RuleSet
  private let caches = ReadingCaches()
  private var datasetChecks: [(rule: Int, check: any DatasetCheck)] = []
  private let peers: PeerChecks
  private var list: FindingList
  private var outcome: Outcome
  private var queue: [Work] = []
  private var applied = RuleNumbers()
  /// What was met that a rule says which is not run: how often, and where first.
  private var unreported: [String: (count: Int, first: Place)] = [:]
  private let progress: (EpisodeAbout, Int) -> Void
  /// The names of the values that were set on the dataset, by episode, and of those that were taken away.
  var values: (set: [String: [String]], removed: [String]) = ([:], [])
  /// The splits by which rules compare; those of the shards where `nil`.
  var scheme: SchemeSplits?
  private let stored: StoredStatisticsCheck?
  /// What was looked at before.
  var log: ValidationLog?
  /// What the tasks of a job looked at.
  var parts: [ValidationLog] = []

  /// Prepares to look at data of a profile.
  ///
  /// - Parameters:
  ///   - profile: The profile that the data itself names, as `wildworld`.
  ///   - progress: Told of each episode and its rows.
  /// - Throws: A usage error where the configuration names no rule.
  public init(
    _ dataset: String, profile: String?, _ config: ValidateConfig, pool: WorkerPool,
    progress: @escaping (EpisodeAbout, Int) -> Void = { _, _ in }
  ) throws(TrajpackError) {
    self.config = config
    self.pool = pool
    self.progress = progress
    let active = try config.active(profile: profile)
    rules = active.map(\.rule)
    severities = active.map(\.severity)
    ruleSet = RuleSet(rules)
    peers = PeerChecks(rules)
    list = FindingList(dataset)
    outcome = Outcome(dataset: dataset, findings: [], rules: rules.map(\.id))
    stored =
      config.readsAll && rules.contains { $0.id == Rule.containerStatistics.id }
      ? StoredStatisticsCheck() : nil
    if rules.isEmpty {
      outcome.unchecked.append("anything: the rules that are selected are for data of a profile")
    }
    let used = config.profile ?? profile
    if rules.contains(where: { $0.profile != nil && $0.profile == used }) { outcome.profile = used }
    for (number, rule) in rules.enumerated() {
      if case .dataset(let make) = rule.check { datasetChecks.append((number, make())) }
    }
  }

  /// Whether an episode is among those that are drawn, so that it is to be added. Counts it.
  public func takes(_ id: @autoclosure () -> String) -> Bool {
    outcome.allEpisodes += 1
    let isTaken = config.readsAll || config.takes(id())
    if isTaken { outcome.taken += 1 }
    return isTaken
  }

  /// Takes the next episodes, which one thread reads. Waits where many are under way.
  ///
  /// - Parameters:
  ///   - id: That of the first of them.
  ///   - count: How many they are, at least one.
  public func add(
    _ id: String, count: Int = 1, shard: String?, closes: Shard? = nil, _ open: @escaping Opening
  ) throws(TrajpackError) {
    let (rules, config, caches) = (ruleSet, config, caches)
    let key = "\(shard ?? "") \(id) \(count)"
    let known = try known(key)
    let future = pool.run { () throws(TrajpackError) in
      let episodes = try open()
      var cache = caches.take()
      defer { caches.give(back: cache) }
      if let first = episodes.first { cache.begin(first.about.schema) }
      if var known {
        let found = episodes.compactMap {
          EpisodeOutcome($0.about, config, cache: &cache, from: &known)
        }
        if found.count == episodes.count, known.isAtEnd { return found }
      }
      return episodes.map { EpisodeOutcome($0, rules, config, cache: &cache) }
    }
    queue.append(
      Work(
        id: id, count: count, shard: shard, outcomes: future, closes: closes,
        key: known == nil ? key : nil))
    while queue.count > 2 * pool.count { try settle() }
  }

  /// What is known of some episodes, or of what a shard holds beside them.
  func known(_ key: String) throws(TrajpackError) -> ByteDecoder? {
    if let found = try log?.take(key) { return found }
    for part in parts {
      if let found = try part.take(key) { return found }
    }
    return nil
  }

  /// Waits for the oldest episodes under way, and takes what was found.
  private func settle() throws(TrajpackError) {
    let work = queue.removeFirst()
    outcome.episodes += work.count
    do throws(TrajpackError) {
      let found = try work.outcomes.value()
      if let key = work.key {
        try log?.append(key) { out in
          for outcome in found { outcome.encode(to: &out) }
        }
      }
      for outcome in found { try take(outcome) }
    } catch {
      guard error.fault == .data else { throw error }
      outcome.failed += work.count
      damaged(error, shard: work.shard, episode: work.count == 1 ? work.id : nil)
    }
    if let shard = work.closes { try checkStatistics(of: shard) }
  }

  /// Compares the index of a shard with what was read of it.
  private func checkStatistics(of shard: Shard) throws(TrajpackError) {
    guard let stored else { return }
    do throws(TrajpackError) {
      for (stream, channel, note) in try stored.finish(shard) {
        report(
          Rule.containerStatistics.id, "stored statistics are not those of the data",
          stream: stream, channel: channel,
          Place(shard: shard.name, episode: nil, values: [], note: note))
      }
    } catch {
      guard error.fault == .data else { throw error }
      damaged(error, shard: shard.name, episode: nil)
    }
  }

  private func take(_ found: EpisodeOutcome) throws(TrajpackError) {
    outcome.rows += found.rows
    outcome.values += found.values
    applied.formUnion(found.applied)
    let about = found.facts.about
    for number in found.hits.isEmpty ? [] : found.hits.keys.sorted() {
      for hit in found.hits[number] ?? [] {
        list.add(
          rules[number], severities[number], stream: hit.stream, channel: hit.channel, hit.what,
          count: hit.count,
          hit.places.map {
            Place(
              shard: about.shard, episode: about.id, entity: hit.entity, rows: $0.rows,
              values: $0.values, note: $0.note)
          })
      }
    }
    if let failure = found.failure {
      guard failure.fault == .data else { throw failure }
      outcome.failed += 1
      damaged(failure, shard: about.shard, episode: about.id)
    } else {
      let facts = found.facts
      if !values.set.isEmpty { facts.values = values.set[about.id] ?? [] }
      facts.removedValues = values.removed
      for (_, check) in datasetChecks { try check.add(facts) }
      peers.add(found)
      stored?.add(facts)
    }
    progress(about, found.rows)
  }

  private func damaged(_ error: TrajpackError, shard: String?, episode: String?) {
    stored?.fail()
    report(
      shard == nil ? "container.unreadable" : "container.damage",
      shard == nil ? "a recording cannot be read" : "stored data is damaged",
      Place(shard: shard, episode: episode, values: [], note: error.message))
  }

  /// Adds a finding of the engine itself.
  func report(
    _ id: String, _ what: String, stream: String? = nil, channel: String? = nil, count: Int = 1,
    _ place: Place
  ) {
    guard let number = rules.firstIndex(where: { $0.id == id }) else {
      unreported[id, default: (0, place)].count += 1
      return
    }
    list.add(
      rules[number], severities[number], stream: stream, channel: channel, what, count: count,
      [place])
  }

  /// Adds the finding of a recording that could not be read.
  public func unreadable(_ path: String, _ error: TrajpackError) {
    report(
      "container.unreadable", "a recording cannot be read",
      Place(
        shard: nil, episode: nil, values: [],
        note: error.message.hasPrefix(path) ? error.message : "\(path): \(error.message)",
        file: path))
  }

  /// Says what was not looked at.
  ///
  /// - Parameter rules: The rules that looked at nothing for that reason.
  public func unchecked(_ sentence: String, rules: [String] = []) {
    outcome.unchecked.append(sentence)
    for id in rules where runs(id) { outcome.skipped[id] = sentence }
  }

  /// The ids of the rules that are run.
  var ruleIDs: [String] { outcome.rules }

  /// Whether the file of a task of a job says that it has come to its end; `nil` where there is none.
  public static func isComplete(task path: String) throws(TrajpackError) -> Bool? {
    FileSystem.item(at: path) == .file ? try ValidationLog.isComplete(path) : nil
  }

  /// Whether a rule is run.
  func runs(_ id: String) -> Bool { rules.contains { $0.id == id } }

  /// Takes what is still under way, compares episodes, and ends.
  public func finish(isStopped: Bool = false) throws(TrajpackError) -> Outcome {
    while !queue.isEmpty { try settle() }
    if config.episodes != nil, config.share == 1, outcome.allEpisodes > outcome.episodes {
      outcome.unchecked.append(
        "\(outcome.allEpisodes - outcome.episodes) of \(outcome.allEpisodes) episodes are not in the split, and were "
          + "not read")
    }
    if config.share < 1 {
      outcome.unchecked.append(
        "\(outcome.allEpisodes - outcome.episodes) of \(outcome.allEpisodes) episodes were not drawn, and not read"
      )
    }
    for (number, rule) in rules.enumerated() {
      guard case .track = rule.check, !applied.contains(number) else { continue }
      guard rule.id.hasPrefix("user.") else {
        if outcome.skipped[rule.id] == nil {
          outcome.skipped[rule.id] = "it met nothing that it looks at"
          outcome.idle += 1
        }
        continue
      }
      unchecked(
        "rule '\(rule.id)' found nothing to look at: no track has the streams and channels that it names"
          + (config.hint(of: rule.id).map { "; \($0)" } ?? ""), rules: [rule.id])
    }
    for rule in rules {
      guard case .elsewhere = rule.check else { continue }
      unchecked(
        "rule '\(rule.id)', a function of Python, which trajpack.validate and pytest run",
        rules: [rule.id])
    }
    for (id, met) in unreported.sorted(by: { $0.key < $1.key })
    where id == "container.unreadable" || id == "container.damage" {
      let others = met.count > 1 ? " and \(met.count - 1) more" : ""
      unchecked("what cannot be read (\(met.first.sentence)\(others)): '\(id)' is not run")
      outcome.unreported += met.count
    }
    if !config.readsAll, runs(Rule.containerStatistics.id) {
      unchecked(
        "stored statistics, which are of all episodes: not all were read",
        rules: [Rule.containerStatistics.id])
    }
    if isStopped {
      outcome.isStopped = true
    } else {
      for (number, check) in datasetChecks {
        var hits = DatasetHits()
        try check.finish(&hits)
        if check.isFull {
          outcome.unchecked.append(
            "rule '\(rules[number].id)' remembers a limited number of channels and values, and did not compare the others"
          )
        }
        for what in hits.left {
          unchecked("rule '\(rules[number].id)' did not compare \(what)")
        }
        for hit in hits.list {
          list.add(
            rules[number], severities[number], stream: hit.stream, channel: hit.channel, hit.what,
            count: hit.count, tracks: hit.tracks, hit.places)
        }
      }
    }
    if !isStopped { log?.remove() }
    let (faults, left) = peers.sort(list.findings)
    for sentence in left { unchecked(sentence) }
    outcome.findings = faults.sorted { a, b in
      // The worst first; else as they were found.
      a.severity > b.severity
    }
    outcome.dropped = list.dropped
    return outcome
  }
}
