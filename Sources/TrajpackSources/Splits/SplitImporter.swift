import TrajpackFormat
import TrajpackLoader
import TrajpackStore

/// The recordings of splits as recordings of their own, without the rows that lie in no named split: what
/// `trajpack cut --split` converts from, and `trajpack export --split` writes where a scheme cuts recordings.
public struct SplitImporter: Importer {
  /// What a dataset of splits says of its source.
  public static let format = FormatDescription(
    name: "split", summary: "splits cut out of a dataset",
    carries: "the rows of every stream in the splits, video cut at packets or whole", reads: false,
    writes: false)

  /// What is asked for.
  public struct Choice: Sendable {
    /// The splits.
    public var splits: [String]
    /// The scheme that they are of; `nil` for the one that counts where none is named.
    public var scheme: String?
    /// The fold that is the test, of a scheme of folds.
    public var fold: Int?
    /// Only recordings of these ids; all where empty.
    public var episodes: Set<String>
    /// How videos are taken.
    public var video: ClipImporter.VideoRule
    /// Whether times of a part count from its first row instead of the recording's.
    public var countsFromZero: Bool

    /// Splits of the scheme that counts, with the recordings' times.
    public init(
      splits: [String], scheme: String? = nil, fold: Int? = nil, episodes: Set<String> = [],
      video: ClipImporter.VideoRule = .cut, countsFromZero: Bool = false
    ) {
      (self.splits, self.scheme, self.fold) = (splits, scheme, fold)
      (self.episodes, self.video) = (episodes, video)
      self.countsFromZero = countsFromZero
    }
  }

  /// One part of a recording that lies in one split.
  struct Part: Sendable {
    var id: String
    var split: String
    var stretch: SplitSelection.Stretch
    var layout: Int
  }

  /// What became of videos that are not taken as a whole.
  public let tally = VideoTally()
  let data: OpenDataset
  /// The dataset that the parts are of.
  public var dataset: Dataset { data.dataset }
  let choice: Choice
  /// The scheme's name.
  public let scheme: String
  let selections: [SplitSelection]
  let parts: [Part]
  let schemas: [Schema]
  let values: CarriedValues
  private let numbers: [String: Int]
  /// The recordings, one a part.
  public let recordings: [Recording]
  /// What identifies the cutting: the scheme, the source's digest, and the version of trajpack.
  public let options: JSONValue

  /// Finds the parts of recordings in a dataset.
  ///
  /// - Returns: `nil` where the shards' own splits count.
  /// - Throws: A usage error for a dataset that has not finished, for a split that is not there, or where nothing is
  ///   in it.
  public init?(_ path: String, _ choice: Choice, version: String) throws(TrajpackError) {
    let data = try OpenDataset(path)
    guard data.dataset.isComplete else {
      throw TrajpackError(
        .usage, file: path, "its conversion has not finished; go on with it by --resume first")
    }
    var selections: [SplitSelection] = []
    for split in choice.splits {
      guard
        let own = try SplitSelection(
          data, scheme: choice.scheme, splits: [split], fold: choice.fold)
      else { return nil }
      selections.append(own)
    }
    guard let first = selections.first else { return nil }
    var schemas: [Schema] = []
    let layouts = data.shards.map { shard in
      if let known = schemas.firstIndex(where: { EpisodeSource.areAlike($0, shard.schema) }) {
        return known
      }
      schemas.append(shard.schema)
      return schemas.count - 1
    }
    self.data = data
    self.choice = choice
    self.selections = selections
    self.schemas = schemas
    scheme = first.scheme
    values = try CarriedValues(data.dataset)
    parts = try Self.parts(data, choice, selections, layouts)
    recordings = parts.map { part in
      let shard = data.shards[part.stretch.shard]
      let row = shard.schema.blocks.reduce(0) { $0 + $1.rowBytes }
      let rows = shard.index.tracks(ofEpisode: part.stretch.episode).map {
        shard.index.numbers(ofTrack: $0).count
      }
      return Recording(
        id: part.id, path: path, bytes: (rows.max() ?? 0) * row,
        fingerprint: "\(data.digest) \(part.split) \(part.id)")
    }
    numbers = Dictionary(
      recordings.enumerated().map { ($1.id, $0) }, uniquingKeysWith: { first, _ in first })
    options = .record([
      "scheme": .string(scheme), "splits": .array(choice.splits.map { .string($0) }),
      "selection": .array(selections.map { .string($0.identity) }),
      "fold": choice.fold.map { .int(Int64($0)) }, "video": .string(choice.video.rawValue),
      "times": choice.countsFromZero ? "part" : "recording",
      "source_digest": .string(data.digest), "source": data.dataset.manifest?.source,
      "trajpack": .string(version), "values": values.digest.map { .string($0) },
    ])
  }

  /// The parts in the order of the dataset, those of one recording in the order of time. A recording of which one part
  /// is taken keeps its id; of several each has its number after an `@`.
  private static func parts(
    _ data: OpenDataset, _ choice: Choice, _ selections: [SplitSelection], _ layouts: [Int]
  ) throws(TrajpackError) -> [Part] {
    var parts: [Part] = []
    var ids: Set<String> = []
    for (s, shard) in data.shards.enumerated() {
      for episode in 0..<shard.index.episodeCount {
        let id = shard.index.id(ofEpisode: episode)
        guard choice.episodes.isEmpty || choice.episodes.contains(id) else { continue }
        var own: [(split: String, stretch: SplitSelection.Stretch)] = []
        for (split, selection) in zip(choice.splits, selections) {
          own += selection.stretches(ofEpisode: episode, shard: s).map { (split, $0) }
        }
        own.sort { $0.stretch.precedes($1.stretch) }
        for (number, (split, stretch)) in own.enumerated() {
          parts.append(
            Part(
              id: own.count == 1 ? id : "\(id)@\(number)", split: split, stretch: stretch,
              layout: layouts[s]))
        }
      }
    }
    for part in parts where !ids.insert(part.id).inserted {
      throw TrajpackError(
        .usage, file: data.dataset.path,
        "two parts of recordings would have the id '\(part.id)'; take the splits one by one"
      )
    }
    guard !parts.isEmpty else {
      throw TrajpackError(
        .usage, file: data.dataset.path,
        "no row of "
          + (choice.episodes.isEmpty ? "an episode" : "the chosen episodes")
          + " is in the split \(choice.splits.map { "'\($0)'" }.joined(separator: " or "))")
    }
    return parts
  }

  /// Where the layout changes; see ``Importer``.
  public func beginsShard(_ number: Int) -> Bool {
    number > 0 && parts[number].layout != parts[number - 1].layout
  }

  /// Which of the parts a recording is.
  public struct PartNumber: Sendable {
    let value: Int
  }

  /// Nothing is looked at that the index has not said; see ``Importer``.
  public func examine(_ recording: Recording) -> PartNumber? {
    numbers[recording.id].map { PartNumber(value: $0) }
  }

  /// The streams of the source's layout, without videos where these are not wanted; see ``Importer``.
  public func schema(
    for examined: [(Recording, PartNumber)], _ layout: LayoutOptions
  ) throws(TrajpackError) -> Schema {
    guard let first = examined.first?.1.value else { return Schema() }
    let old = schemas[parts[first].layout]
    return TrackCopy.schema(
      old, layout, attributes: values.attributes(old.attributes), keeps: keeps)
  }

  func keeps(_ stream: TrajpackFormat.Stream) -> Bool { choice.video != .none || !stream.isVideo }

  /// Whether any recording is cut.
  public var cutsEpisodes: Bool { selections.contains(where: \.cutsEpisodes) }

  /// The streams of videos in the source.
  public var videos: [String] {
    var out: [String] = []
    for stream in schemas.flatMap(\.streams) where stream.isVideo && !out.contains(stream.name) {
      out.append(stream.name)
    }
    return out
  }
}
