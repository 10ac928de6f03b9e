import TrajpackFormat
import TrajpackSources
import TrajpackStore
import TrajpackTestSupport

/// A source of made-up recordings: one of each thing that the format can say.
struct SpecimenSource: Importer {
  static let format = FormatDescription(
    name: "specimen", summary: "made-up recordings", carries: "everything", reads: true,
    writes: false)
  /// What each recording claims to weigh, so that shards are planned by their number.
  static let bytes = 1000

  let recordings: [Recording]
  let rows: Int

  init(episodes: Int, rows: Int) {
    self.rows = rows
    recordings = (0..<episodes).map { number in
      Recording(
        id: "episode-\(number)", path: "specimen/\(number)", bytes: Self.bytes,
        fingerprint: "\(number) of \(rows) rows")
    }
  }

  var options: JSONValue { .record(["rows": .int(Int64(rows))]) }

  func examine(_ recording: Recording) throws(TrajpackError) -> Int? {
    recordings.firstIndex { $0.id == recording.id }
  }

  func schema(
    for examined: [(Recording, Int)], _ layout: LayoutOptions
  ) throws(TrajpackError) -> Schema {
    Schema(
      layingOut: Self.streams,
      skeletons: [Skeleton(name: "stick", edges: (1..<12).map { [$0 - 1, $0] })],
      attributes: .record(["title": "a specimen of every feature", "umlaut": "Bär \u{1F43B}"]),
      options: layout)
  }

  func draft(
    _ recording: Recording, _ number: Int, _ schema: Schema
  ) throws(TrajpackError) -> EpisodeDraft {
    var random = SeededGenerator(seed: UInt64(number) * 7919 + 1)
    var episode = EpisodeDraft(
      id: recording.id, split: ["train", "test", ""][number % 3],
      metadata: number % 2 == 0
        ? .record(["player": .string("Zoë \(number)"), "score": .double(0.1 * Double(number))])
        : .object([]))
    let count = max(rows - 3 * (number % 4), 1)
    guard let rate = Rational(30000, 1001), let start = Rational(-7, 3),
      let tick = Rational(1, 1_000_000)
    else { throw TrajpackError(.usage, "a clock is wrong") }
    let regular = Clock.regular(start: number % 2 == 0 ? .zero : start, rate: rate)
    for (stream, plan) in Self.streams.enumerated() {
      let name = plan.stream.name
      let entities: [(Entity?, Clock, Int)]
      switch name {
      case "body":
        // A monster that comes later and leaves again has two tracks.
        let late = Clock.regular(start: start, rate: rate)
        entities = [
          (Entity(kind: "npc", index: 0, type: 21), regular, count),
          (Entity(kind: "npc", index: 1, type: -1), regular, count),
          (Entity(kind: "monster", index: 0, type: 48), regular, count / 2),
          (Entity(kind: "monster", index: 0, type: 48), late, 1),
        ]
      case "log": entities = [(nil, .ticks(tick), number == 0 ? 0 : count / 3 + 1)]
      case "lorenz": entities = [(nil, .float64, count + 5)]
      case "nothing": entities = []
      default: entities = [(nil, regular, count)]
      }
      for (entity, clock, rows) in entities {
        var packer = RowPacker(schema, stream: stream, rows: rows)
        packer.fill(&random)
        episode.tracks.append(
          try packer.track(
            entity: entity, clock: clock,
            metadata: name == "log"
              ? .record(["language": "de", "name": number % 2 == 0 ? "Zo\u{EB}" : "Zoe\u{308}"])
              : .object([])))
      }
    }
    return episode
  }
}
