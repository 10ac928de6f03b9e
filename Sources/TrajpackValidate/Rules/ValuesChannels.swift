import TrajpackFormat

extension Rule {
  static let valuesChannels = Rule(
    "values.channels", .warning, "a few episodes have other channels than the rest",
    reason: """
      A column that an export forgot, renamed, or wrote as another type gives these episodes a stream of other channels. Rules \
      and windows that name the stream or the channel of the rest pass them over, without a word.
      """,
    example: """
      11 of 12 csv files of a rig have the columns time, temp and flow, and one has time and temp. Reported where nine of ten episodes have the same streams, and another one has a stream of \
      other channels in place of one of these, and the two share at least half of their channels. Streams of other names, and types and shapes, are compared only \
      where names come from files (csv, npz): in other datasets a left and a right hand are meant so.
      """,
    remedy: "Add or rename the column in these files, or leave them out.",
    check: .dataset { ChannelsCheck() })
}

private final class ChannelsCheck: DatasetCheck {
  /// The channels of a stream, as one schema has them. Streams of one name are compared by the names of their channels alone: what type
  /// and shape they have may differ from shard to shard.
  private struct Form: Hashable {
    var stream: String
    var isNamedAfterFile: Bool
    var names: Set<String>
    var channels: [String: Channel]

    static func == (a: Form, b: Form) -> Bool { a.stream == b.stream && a.names == b.names }

    func hash(into hasher: inout Hasher) {
      hasher.combine(stream)
      hasher.combine(names)
    }
  }
  private struct Known {
    var forms: [Int]
    var episodes = 0
    var places: [Place] = []
  }
  private static let mostForms = 1024
  private static let mostSets = 1024
  private static let mostLayouts = 1024
  private var forms: [Form] = []
  private var formNumbers: [Form: Int] = [:]
  /// Layouts that were met, and their forms: one object serves the episodes of a thread and schema.
  private var layouts: [ObjectIdentifier: (layout: TrackContext.Layout, form: Int)] = [:]
  private var sets: [Known] = []
  private var setNumbers: [[Int]: Int] = [:]
  private(set) var isFull = false

  func add(_ episode: EpisodeFacts) {
    var own: [Int] = []
    for facts in episode.tracks where facts.track.entity == nil {
      guard let form = form(facts.track) else { return }
      if !own.contains(form) { own.append(form) }
    }
    own.sort()
    let place: Int
    if let known = setNumbers[own] {
      place = known
    } else {
      guard sets.count < Self.mostSets else { return isFull = true }
      place = sets.count
      setNumbers[own] = place
      sets.append(Known(forms: own))
    }
    sets[place].episodes += 1
    if sets[place].places.count < Finding.mostPlaces { sets[place].places.append(episode.place()) }
  }

  private func form(_ track: TrackContext) -> Int? {
    let id = ObjectIdentifier(track.layout)
    if let known = layouts[id] { return known.form }
    let attributes = track.about.schema.attributes
    // Times are a channel only where a clock is not regular.
    let channels = track.stream.channels.filter { $0.name != "time" }
    let form = Form(
      stream: track.stream.name, isNamedAfterFile: attributes["source"]?.string == "series",
      names: Set(channels.map(\.name)),
      channels: Dictionary(channels.map { ($0.name, $0) }) { first, _ in first })
    let number: Int
    if let known = formNumbers[form] {
      number = known
    } else {
      guard forms.count < Self.mostForms else {
        isFull = true
        return nil
      }
      number = forms.count
      formNumbers[form] = number
      forms.append(form)
    }
    if layouts.count == Self.mostLayouts { layouts = [:] }
    layouts[id] = (track.layout, number)
    return number
  }

  func finish(_ hits: inout DatasetHits) {
    let all = sets.reduce(0) { $0 + $1.episodes }
    guard let many = sets.first(where: { 10 * $0.episodes >= 9 * all }) else { return }
    for few in sets {
      let own = few.forms.filter { !many.forms.contains($0) }
      let others = many.forms.filter { !few.forms.contains($0) }
      guard own.count == 1, others.count == 1,
        let what = Self.difference(forms[own[0]], forms[others[0]], many.episodes)
      else { continue }
      hits.add(what, stream: forms[own[0]].stream, count: few.episodes, few.places)
    }
  }

  /// What a stream of a few episodes has otherwise than that of the rest; `nil` where it is another one.
  private static func difference(_ few: Form, _ rest: Form, _ episodes: Int) -> String? {
    guard few.stream == rest.stream || few.isNamedAfterFile && rest.isNamedAfterFile,
      2 * few.names.intersection(rest.names).count >= max(few.names.count, rest.names.count)
    else { return nil }
    var parts: [String] = []
    let without = rest.names.subtracting(few.names)
    let with = few.names.subtracting(rest.names)
    if !without.isEmpty { parts.append("without \(listed(without))") }
    if !with.isEmpty { parts.append("with \(listed(with))") }
    if parts.isEmpty {
      let other = few.names.filter { form(few.channels[$0]) != form(rest.channels[$0]) }
      guard let name = other.min() else { return nil }
      parts.append(
        "'\(name)' is \(form(few.channels[name])), not \(form(rest.channels[name]))"
          + (other.count > 1 ? ", and \(other.count - 1) more" : ""))
    }
    let name = few.stream == rest.stream ? "the channels" : "'\(rest.stream)'"
    return "other channels than \(name) of \(episodes) episodes: \(parts.joined(separator: "; "))"
  }
  private static func listed(_ names: Set<String>) -> String {
    names.sorted().prefix(3).map { "'\($0)'" }.joined(separator: ", ")
      + (names.count > 3 ? " and \(names.count - 3) more" : "")
  }

  private static func form(_ channel: Channel?) -> String {
    channel.map { $0.type.rawValue + ($0.shape.isEmpty ? "" : "\($0.shape)") } ?? "missing"
  }
}
