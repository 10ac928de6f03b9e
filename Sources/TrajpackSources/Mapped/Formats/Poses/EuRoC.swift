import TrajpackFormat
import TrajpackStore

/// Tables of the EuRoC MAV datasets (ASL form): nanoseconds, then columns that a header names with their units.
enum EuRoC: MappedFormat {
  static let format = FormatDescription(
    name: "euroc", summary: "EuRoC tables (#timestamp [ns], p_RS_R_x [m], …)",
    carries: "every column, those of one vector together, at exact nanoseconds", reads: true,
    writes: false)

  private static let endings = [".csv"]

  /// A vector of the header: its name, units, and the columns of its components.
  private struct Vector {
    var name: String
    var units: String
    var parts: [(letter: String, column: Int)]
  }

  /// Whether the header names units in brackets, as all of EuRoC's do; other tables may begin with `#timestamp`, too.
  private static func isEuRoC(_ path: String) -> Bool {
    guard let text = try? PoseText(path, commas: true, rows: 2), let header = text.comments.last,
      header.hasPrefix("timestamp"), header.contains("["), let row = text.rows.first,
      row.fields.count == header.split(separator: ",").count, row.fields.count > 1
    else { return false }
    return Int64(row.fields[0]) != nil
  }

  static func recognises(_ files: SourceFiles, _ options: MappingOptions) -> Bool {
    !options.isMapping && !options.isTabular && options.rate == nil
      && files.named(endings).prefix(64).contains { isEuRoC($0.path) }
  }

  private static func vectors(_ header: String) -> [Vector] {
    var vectors: [Vector] = []
    for (column, field) in header.split(separator: ",").enumerated().dropFirst() {
      let title = String(PoseText.trimmed(field))
      let name = title.split(separator: "[").first.map { String(PoseText.trimmed($0)) } ?? title
      let units = title.split(separator: "[").dropFirst().first.map {
        String(PoseText.trimmed($0.prefix { $0 != "]" }))
      }
      let parts = name.split(separator: "_")
      let letter = String(parts.last ?? "")
      let isPart = parts.count > 1 && ["w", "x", "y", "z"].contains(letter)
      let base = isPart ? parts.dropLast().joined(separator: "_") : name
      if isPart, let last = vectors.indices.last, vectors[last].name == base,
        !vectors[last].parts[0].letter.isEmpty
      {
        vectors[last].parts.append((letter, column))
      } else {
        vectors.append(
          Vector(name: base, units: units ?? "", parts: [(isPart ? letter : "", column)]))
      }
    }
    return vectors
  }

  static func read(
    _ files: SourceFiles, _ options: MappingOptions
  ) throws(TrajpackError) -> MappedSource {
    guard options.rate == nil else {
      throw TrajpackError(.usage, "--rate: EuRoC tables have times of their own")
    }
    let own = files.files(endings, where: isEuRoC)
    return try Poses.read(files, own, options, "euroc") { (file, source) throws(TrajpackError) in
      let text = try PoseText(file.path, commas: true)
      let header = text.comments.last ?? ""
      let count = header.split(separator: ",").count
      var ticks: [Int64] = []
      for row in text.rows {
        guard row.fields.count == count else {
          throw TrajpackError(
            .data, file: file.path,
            "line \(row.line) has \(row.fields.count) columns where its header names \(count)"
          )
        }
        guard let tick = Int64(row.fields[0]) else {
          throw TrajpackError(
            .data, file: file.path,
            "line \(row.line) has '\(String(row.fields[0].prefix(40)).printable)' as its time, which is no whole number of nanoseconds"
          )
        }
        ticks.append(tick)
      }
      let order = Poses.order(ticks, file, &source)
      var channels: [MappedChannel] = []
      for vector in vectors(header) {
        channels.append(try channel(vector, text, order))
      }
      return [
        MappedStream(
          name: "states", count: ticks.count,
          time: .array(.integers(order.map { ticks[$0] }), .int64, tick: Poses.tick, unit: "s"),
          channels: channels)
      ]
    }
  }

  private static func channel(
    _ vector: Vector, _ text: PoseText, _ order: [Int]
  ) throws(TrajpackError) -> MappedChannel {
    let first = vector.parts[0].column
    if vector.parts.count == 1, let row = text.rows.first, Double(row.fields[first]) == nil {
      let texts = order.map { Array(text.rows[$0].fields[first].utf8) }
      return MappedChannel(
        Channel(name: vector.name, kind: .text, type: .bytes),
        .texts { () throws(TrajpackError) in texts })
    }
    var values: [Double] = []
    for place in order {
      let row = text.rows[place]
      for part in vector.parts { values.append(try text.number(row.fields[part.column], row.line)) }
    }
    let letters = vector.parts.map(\.letter).joined()
    let isQuaternion = letters == "wxyz" || letters == "xyzw"
    let isPosition = vector.name.hasPrefix("p_") && letters == "xyz"
    var conventions: [(String, String)] = []
    if isQuaternion { conventions.append(("order", letters)) }
    if isQuaternion || isPosition { conventions.append(("pose", "body-to-world")) }
    return .doubles(
      vector.name, isQuaternion ? .quaternion : isPosition ? .position : .scalar,
      vector.parts.count > 1 ? [vector.parts.count] : [], values,
      units: vector.units.isEmpty ? nil : vector.units, conventions)
  }
}
