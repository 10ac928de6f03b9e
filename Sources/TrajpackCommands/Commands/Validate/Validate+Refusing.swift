import TrajpackFormat
import TrajpackSources
import TrajpackStore
import TrajpackValidate

/// What ends a validation without a report.
extension Validate {
  static func printsJSON(_ words: [String]) -> Bool {
    words.contains("--json") || words.contains("--format=json")
      || zip(words, words.dropFirst()).contains { $0 == "--format" && $1 == "json" }
  }

  /// Reads a configuration or a baseline.
  static func document(_ path: String) throws(TrajpackError) -> JSONValue {
    do throws(TrajpackError) {
      let bytes = try OptionFile.bytes(path, most: 64 << 20, what: "a configuration or baseline")
      return try within(file: OptionFile.name(path)) { () throws(TrajpackError) in
        try JSONValue(parsing: bytes, mostValues: 4 << 20)
      }
    } catch { throw withoutReport(error) }
  }

  /// The error of a command that ends without a report: exit code 1 says that a report names findings.
  static func withoutReport(_ error: TrajpackError) -> TrajpackError {
    error.fault == .data ? TrajpackError(.usage, error.message, at: error.place) : error
  }

  /// Refuses a validation in which no episode was looked at and nothing was found.
  func refuseEmpty(
    _ outcome: Validation.Outcome, _ path: String, _ config: ValidateConfig
  ) throws(TrajpackError) {
    // A task of a job may have no episode of those that are drawn.
    guard config.part == nil, !outcome.isStopped, outcome.episodes == outcome.failed,
      outcome.findings.isEmpty, outcome.allEpisodes + outcome.unreported > 0
    else { return }
    let all = Human.count(outcome.allEpisodes, "episodes")
    if outcome.taken + outcome.unreported > 0 {
      throw TrajpackError(
        .usage, file: path,
        (outcome.allEpisodes > 0 ? "none of \(all) can be read" : "nothing of it can be read")
          + ", and the rules that say why, 'container.unreadable' and 'container.damage', are not run"
      )
    }
    if let sample {
      throw TrajpackError(
        .usage, file: path,
        "--sample \(sample) with --seed \(seed) draws none of \(all); take a larger share or another seed",
        at: ErrorPlace(option: "--sample"))
    }
    throw TrajpackError(
      .usage, file: path, "none of \(all) lies in the split", at: ErrorPlace(option: "--split"))
  }

  /// Refuses options that say how recordings are read, where there are none.
  func refuseReading() throws(TrajpackError) {
    let options: [(name: String, isGiven: Bool)] = [
      ("--from", from != nil), ("--rate", rate != nil),
      ("an option of tables (--time, --delimiter, ...)", tables != TableReading()),
    ]
    guard let given = options.first(where: \.isGiven),
      paths.allSatisfy({ Dataset.isDataset($0) || Self.holdsShards($0) })
    else { return }
    throw TrajpackError(
      .usage,
      "\(given.name) says how recordings are read before conversion, and \(paths[0]) is a dataset; leave it out"
    )
  }

  /// Refuses a choice that runs no rule on any of the paths.
  func refuseNoRule(_ outcomes: [Validation.Outcome]) throws(TrajpackError) {
    guard !outcomes.isEmpty, outcomes.allSatisfy({ $0.rules.isEmpty && !$0.isStopped }) else {
      return
    }
    throw TrajpackError(
      .usage,
      "no rule is left: those that are selected are for data of a profile; name it with --profile",
      at: ErrorPlace(option: "--select"))
  }
}
