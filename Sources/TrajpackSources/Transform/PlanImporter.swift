import TrajpackFormat
import TrajpackSignal
import TrajpackStore

/// Episodes of a dataset, prepared by a plan: what `trajpack apply` converts from.
public struct PlanImporter: Importer {
  /// What a dataset that a plan made says of its source.
  public static let format = FormatDescription(
    name: "plan", summary: "a dataset prepared by a plan",
    carries: "every stream, as the plan's steps leave it", reads: false, writes: false)

  let source: EpisodeSource
  /// The plan, with everything chosen.
  let plan: Plan
  /// For each layout, what the plan does to its streams.
  let programs: [[PlanProgram]]
  private let numbers: [String: Int]
  /// Values that were set on the dataset after it was written.
  let values: CarriedValues
  /// The recordings, one an episode.
  public let recordings: [Recording]
  /// What identifies the preparation: the canonical plan, the source's digest and own origin, and the
  /// version of trajpack.
  public let options: JSONValue

  /// Binds a plan to a dataset.
  ///
  /// - Parameter foldsValues: Whether values that were set on the dataset afterwards become those of the shards.
  /// - Throws: `.usage` where a step does not fit what the dataset holds, or is unresolved.
  public init(
    _ dataset: Dataset, _ plan: Plan, version: String, foldsValues: Bool = true
  ) throws(TrajpackError) {
    try self.init(
      try EpisodeSource(dataset), plan, version: version, foldsValues: foldsValues)
  }

  /// - Parameter fittedBy: What names the split scheme that steps were fitted to; `nil` for none.
  init(
    _ source: EpisodeSource, _ plan: Plan, version: String, foldsValues: Bool = true,
    fittedBy: String? = nil
  ) throws(TrajpackError) {
    self.source = source
    self.plan = plan
    // A step that names nothing is a mistake, which one shard alone does not show.
    let all = try plan.programs(for: source.allStreams)
    guard all.contains(where: { !$0.outputs.isEmpty }) || source.places.isEmpty else {
      throw TrajpackError(.usage, "the plan keeps no channel: select at least one")
    }
    var programs: [[PlanProgram]] = []
    for layout in source.layouts {
      programs.append(
        try plan.programs(for: EpisodeSource.streams(layout).map(\.stream), areAll: false))
    }
    self.programs = programs
    recordings = source.places.map { place in
      Recording(
        id: place.id, path: source.dataset.path, bytes: place.bytes,
        fingerprint: "\(source.digest) \(place.shard) \(place.number)")
    }
    numbers = Dictionary(
      source.places.enumerated().map { ($1.id, $0) }, uniquingKeysWith: { first, _ in first })
    let values = try CarriedValues(foldsValues ? source.dataset : nil)
    self.values = values
    options = .record([
      "plan": plan.json, "plan_digest": .string(plan.digest),
      "source_digest": .string(source.digest), "source": source.dataset.manifest?.source,
      "trajpack": .string(version), "values": values.digest.map { .string($0) },
      "scheme": fittedBy.map { .string($0) },
    ])
  }

  /// Where the layout changes; see ``Importer``.
  public func beginsShard(_ number: Int) -> Bool {
    number > 0 && source.places[number].layout != source.places[number - 1].layout
  }

  /// Nothing is looked at that the index has not said; see ``Importer``.
  public func examine(_ recording: Recording) -> EpisodeNumber? {
    numbers[recording.id].map { EpisodeNumber(value: $0) }
  }

  /// Which of the source's episodes a recording is.
  public struct EpisodeNumber: Sendable {
    let value: Int
  }
}
