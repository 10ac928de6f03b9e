import TrajpackFormat

/// One kind of step of a plan. To add one is a file with such a type and its ``PlanStage``, and a line in ``PlanSteps``.
package protocol PlanStep: Sendable, Equatable {
  /// What the member `step` says.
  static var name: String { get }
  /// Reads the other members.
  init(_ reader: inout PlanReader) throws(TrajpackError)
  /// The canonical form: members in a fixed order, every default written out.
  var json: JSONValue { get }
  /// What must be chosen from the data first; `nil` where the step can run.
  var unresolved: String? { get }
  /// The channels that it is for, or the streams.
  var selection: ChannelSelection { get }
  /// Whether it is for streams, because it changes all of their rows.
  var isOfStreams: Bool { get }
  /// Whether a row is made of other rows as well as of itself.
  var looksAround: Bool { get }
  /// The streams whose clocks it needs.
  var onto: [String] { get }
  /// The selectors by which a member gives values to single channels.
  var ruleSelectors: [(member: String, selectors: [ChannelSelector])] { get }
  /// Refuses what else names nothing among the channels that there are.
  func checkNames(_ channels: [(stream: String, channel: Channel)]) throws(TrajpackError)
  /// Binds the step to the stream of a program, and says in the program what comes out; `nil` where it leaves the
  /// stream as it is.
  func stage(
    in program: inout PlanProgram, isVideo: Bool
  ) throws(TrajpackError) -> (any PlanStage)?
}

extension PlanStep {
  package var unresolved: String? { nil }
  package var isOfStreams: Bool { false }
  package var looksAround: Bool { true }
  package var onto: [String] { [] }
  package var ruleSelectors: [(member: String, selectors: [ChannelSelector])] { [] }
  package func checkNames(_ channels: [(stream: String, channel: Channel)]) {}

  /// What the member `step` says.
  package var stepName: String { Self.name }
}

/// What a step does to the tracks of one stream, bound to its channels. What is not said stays: the clock, and rows
/// that need no others.
package protocol PlanStage: Sendable {
  /// Runs on rows of a track.
  ///
  /// - Parameter target: Gives the clock behind the step.
  func run(_ track: inout PlanTrack, _ key: PlanKey, _ target: PlanTarget) throws(TrajpackError)
  /// The clock behind the step.
  ///
  /// - Parameter reference: Gives the clock of another stream's only track in the same episode before the step.
  func clock(
    behind clock: PlanClock, _ key: PlanKey,
    _ reference: (String) throws(TrajpackError) -> PlanClock
  ) throws(TrajpackError) -> PlanClock
  /// The sort of the clock behind the step.
  func sort(
    behind sort: PlanClock.Sort, _ reference: (String) throws(TrajpackError) -> PlanClock.Sort
  ) throws(TrajpackError) -> PlanClock.Sort
  /// Whether rows of a regular clock need input rows nearby only.
  var isLocal: Bool { get }
  /// The input rows that output rows need; `nil` for all.
  func needs(_ rows: Range<Int>, _ input: PlanClock, _ output: PlanClock) -> Range<Int>?
  /// Whether a run of rows may round otherwise than the whole track.
  var mayRoundInRuns: Bool { get }
}

/// Gives the clock behind a step.
package typealias PlanTarget = () throws(TrajpackError) -> PlanClock

extension PlanStage {
  package func clock(
    behind clock: PlanClock, _ key: PlanKey,
    _ reference: (String) throws(TrajpackError) -> PlanClock
  ) throws(TrajpackError) -> PlanClock { clock }

  package func sort(
    behind sort: PlanClock.Sort, _ reference: (String) throws(TrajpackError) -> PlanClock.Sort
  ) throws(TrajpackError) -> PlanClock.Sort { sort }

  package var isLocal: Bool { false }

  package func needs(
    _ rows: Range<Int>, _ input: PlanClock, _ output: PlanClock
  ) -> Range<Int>? { rows }

  package var mayRoundInRuns: Bool { false }
}

/// The kinds of steps.
package enum PlanSteps {
  /// In the order in which messages list them.
  static let all: [any PlanStep.Type] = [
    ResampleStep.self, AlignStep.self, QuantiseStep.self, EmbedStep.self, MaskStep.self,
    TimeSinceStep.self, ElapsedStep.self, EncodeStep.self, PathStep.self, NormalizeStep.self,
    SelectStep.self,
  ]

  /// What the member `step` may say.
  package static var names: [String] { all.map { $0.name } }

  /// Reads a step.
  ///
  /// - Parameter path: What errors call it.
  package static func read(
    _ value: JSONValue, at path: String
  ) throws(TrajpackError) -> any PlanStep {
    var reader = try PlanReader(value, at: path)
    guard let name = try reader.text("step") else {
      throw TrajpackError(
        .usage,
        "\(path) does not say which step it is: add \"step\", one of "
          + names.joined(separator: ", "))
    }
    guard let kind = all.first(where: { $0.name == name }) else {
      throw TrajpackError(
        .usage,
        "\(path).step: there is no step '\(name)'\(Suggestion.text(for: name, among: names))")
    }
    let step = try kind.init(&reader)
    try reader.finish()
    return step
  }
}
