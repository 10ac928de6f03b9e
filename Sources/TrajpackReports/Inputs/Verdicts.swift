import TrajpackFormat
import TrajpackStore

/// A judge's verdicts on segments, as JSON lines:
/// `{"id": "…", "episode": "000001", "first": 0, "last": 29, "verdict": true, "reason": "…"}`. Rows count
/// from 0 and `last` belongs to the segment; `verdict` may be null. `class` and `group` are optional names.
struct Verdicts {
  struct Segment {
    var id: String
    var episode: String
    var first: Int
    var last: Int
    var frames: Int
    var verdict: Double
    var className: String?
    var group: String?
  }

  var segments: [Segment] = []

  init(_ path: String) throws(TrajpackError) {
    let file = try LocalFile(path)
    var seen: Set<String> = []
    var places: Set<String> = []
    try PredictionLines.forEachLine(file) { (json, place) throws(TrajpackError) in
      let reader = JSONReader(json, at: place)
      let (first, last) = (try reader.integer("first"), try reader.integer("last"))
      guard first >= 0, last >= first, last < 1 << 40 else {
        throw TrajpackError(.data, "\(place): a segment from row \(first) to row \(last) is none")
      }
      let id = try reader.text("id")
      guard seen.insert(id).inserted else {
        throw TrajpackError(.data, "\(place): the segment '\(id)' comes twice")
      }
      let episode = try reader.text("episode")
      guard places.insert("\(first) \(last) \(episode)").inserted else {
        throw TrajpackError(
          .data, "\(place): rows \(first) to \(last) of episode '\(episode)' have two verdicts")
      }
      segments.append(
        Segment(
          id: id, episode: episode, first: first, last: last, frames: last - first + 1,
          verdict: try Self.verdict(json["verdict"], place),
          className: try Self.name(reader, "class"), group: try Self.name(reader, "group")))
    }
    guard !segments.isEmpty else { throw TrajpackError(.data, file: path, "holds no verdict") }
    try refuseOverlaps(path)
  }

  /// Refuses segments that share rows, which would count twice.
  private func refuseOverlaps(_ path: String) throws(TrajpackError) {
    let sorted = segments.sorted { ($0.episode, $0.first) < ($1.episode, $1.first) }
    for (a, b) in zip(sorted, sorted.dropFirst())
    where a.episode == b.episode && b.first <= a.last {
      throw TrajpackError(
        .data, file: path,
        "segments '\(a.id)' and '\(b.id)' of episode '\(a.episode)' share rows \(b.first) to "
          + "\(min(a.last, b.last)), which would count twice; leave one out")
    }
  }

  /// A name that may be absent or null.
  private static func name(
    _ reader: JSONReader, _ member: String
  ) throws(TrajpackError) -> String? {
    if case .null? = reader.value[member] { return nil }
    return try reader.optionalText(member)
  }

  static func verdict(_ json: JSONValue?, _ place: String) throws(TrajpackError) -> Double {
    switch json {
    case .bool(let verdict)?: return verdict ? 1 : 0
    case .null?: return .nan
    default: throw TrajpackError(.data, "\(place): a verdict is true, false or null")
    }
  }

  /// The arrays of `action.following`, and the names of its classes and groups in their order.
  static func arrays(_ segments: [Segment]) -> (arrays: [String: Numbers], names: [String]) {
    func codes(_ names: [String?]) -> (codes: [Double], names: [String])? {
      guard names.contains(where: { $0 != nil }) else { return nil }
      let known = Array(Set(names.map { $0 ?? "" })).sorted()
      let places = Dictionary(
        known.enumerated().map { ($1, Double($0)) }, uniquingKeysWith: { a, _ in a })
      return (names.map { places[$0 ?? ""] ?? 0 }, known)
    }
    func column(_ values: [Double]) -> Numbers { Numbers(shape: [values.count], values) }
    var arrays = [
      "verdicts": column(segments.map(\.verdict)),
      "clips": column(codes(segments.map(\.episode))?.codes ?? []),
      "frames": column(segments.map { Double($0.frames) }),
    ]
    let classes = codes(segments.map(\.className))
    if let classes { arrays["classes"] = column(classes.codes) }
    if let groups = codes(segments.map(\.group)) { arrays["groups"] = column(groups.codes) }
    return (arrays, classes?.names ?? [])
  }

  /// The labels of people, as JSON lines: `{"id": "…", "labels": [true, false, null]}`; by segment.
  static func labels(_ path: String) throws(TrajpackError) -> [String: [Double]] {
    var out: [String: [Double]] = [:]
    try PredictionLines.forEachLine(try LocalFile(path)) { (json, place) throws(TrajpackError) in
      let reader = JSONReader(json, at: place)
      let labels = try reader.list("labels") { (r) throws(TrajpackError) in
        try verdict(r.value, place)
      }
      guard out.updateValue(labels, forKey: try reader.text("id")) == nil else {
        throw TrajpackError(.data, "\(place): the segment '\(try reader.text("id"))' comes twice")
      }
    }
    return out
  }
}
