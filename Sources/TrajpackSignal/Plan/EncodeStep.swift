import TrajpackFormat

/// Adds one channel to a stream: the number of a row's action in a vocabulary, as an index, one of as many
/// columns, or the weight that gives all actions the same share of draws.
package struct EncodeStep: PlanStep {
  enum Form: String, Sendable, CaseIterable {
    case index
    case oneHot = "one_hot"
    case weight
  }

  /// The vocabulary of the dataset that is meant, before it is read; then `nil`.
  package let named: String?
  /// The channels that make up an action, in order, as `stream/channel`; none where a vocabulary that is not read yet
  /// says them.
  let channels: [String]
  /// The actions; the place of one is its number.
  let vocabulary: [[Int64]]
  /// Rows that have each action; empty where the vocabulary was a bare list.
  let counts: [Int]
  let form: Form
  /// Whether a row whose action is not in the vocabulary is an error instead of missing.
  let refusesUnknown: Bool
  let name: String

  package init(_ r: inout PlanReader) throws(TrajpackError) {
    let given = r.value("vocabulary")
    guard let given else {
      throw TrajpackError(
        .usage,
        "\(r.path) has no 'vocabulary': a list of actions, what 'trajpack actions --output' writes, or the "
          + "name that 'trajpack actions --save' keeps it under"
      )
    }
    named = given.string
    let entries = given["entries"]?.array
    (vocabulary, counts) =
      given.string == nil
      ? try Self.actions(entries ?? given.array, entries != nil, given, r) : ([], [])
    if let own = r.value("channels") {
      channels = try Self.texts(own, "channels", r)
    } else if let own = given["channels"] {
      channels = try Self.texts(own, "vocabulary.channels", r)
    } else if named != nil {
      channels = []
    } else {
      throw TrajpackError(
        .usage,
        "\(r.path) has no 'channels': the channels that make up an action, in the order of its numbers"
      )
    }
    guard channels.isEmpty && named != nil || Set(channels).count == channels.count,
      channels.isEmpty
        || Set(channels.map { $0.prefix(upTo: $0.lastIndex(of: "/") ?? $0.startIndex) }).count == 1,
      channels.allSatisfy({ $0.contains("/") })
    else {
      throw TrajpackError(
        .usage,
        "\(r.path).channels must be different channels of one stream, as stream/channel, not "
          + channels.joined(separator: ", "))
    }
    let width = channels.count
    guard vocabulary.allSatisfy({ $0.count == width }) else {
      throw TrajpackError(
        .usage,
        "\(r.path).vocabulary has an action of another number of channels than \(channels.count)")
    }
    guard Set(vocabulary).count == vocabulary.count else {
      throw TrajpackError(.usage, "\(r.path).vocabulary names an action twice")
    }
    form = try r.choice("as", .index)
    guard form != .weight || !counts.isEmpty || named != nil else {
      throw TrajpackError(
        .usage,
        "\(r.path).as is 'weight', which needs how many rows have each action: give the vocabulary that "
          + "'trajpack actions --output' writes")
    }
    switch try r.text("unknown") ?? "missing" {
    case "missing": refusesUnknown = false
    case "refuse": refusesUnknown = true
    case let other: throw r.wrong("unknown", .string(other), "'missing' or 'refuse'")
    }
    name = try r.text("name") ?? "action"
  }

  private static func texts(
    _ value: JSONValue, _ name: String, _ r: PlanReader
  ) throws(TrajpackError) -> [String] {
    let texts = (value.array ?? [value]).compactMap(\.string)
    guard !texts.isEmpty, texts.count == (value.array ?? [value]).count else {
      throw r.wrong(name, value, "a list of channels")
    }
    return texts
  }

  private static func actions(
    _ list: [JSONValue]?, _ isDocument: Bool, _ given: JSONValue, _ r: PlanReader
  ) throws(TrajpackError) -> ([[Int64]], [Int]) {
    guard let list, !list.isEmpty, list.count <= 1 << 20 else {
      throw r.wrong("vocabulary", given, "a list of actions, or a vocabulary with 'entries'")
    }
    var actions: [[Int64]] = []
    var counts: [Int] = []
    for (number, entry) in list.enumerated() {
      let action = isDocument ? entry["action"] : entry
      let numbers = (action?.array ?? []).compactMap(\.int)
      guard let action, !numbers.isEmpty, numbers.count == action.array?.count else {
        throw TrajpackError(
          .usage, "\(r.path).vocabulary: entry \(number) is no action, a list of whole numbers")
      }
      actions.append(numbers.map { Int64($0) })
      if let rows = entry["rows"]?.int, isDocument, rows > 0 { counts.append(rows) }
    }
    return (actions, counts.count == actions.count ? counts : [])
  }

  package var selection: ChannelSelection {
    ChannelSelection(channels.map { .pattern(Pattern($0)) })
  }

  package var unresolved: String? {
    named.map { "the vocabulary '\($0)' is not read yet" }
  }

  /// The step with a vocabulary in the place of its name.
  ///
  /// - Parameter path: What errors call the step.
  /// - Throws: A usage error where the vocabulary does not fit the step.
  package func reading(_ vocabulary: JSONValue, at path: String) throws(TrajpackError)
    -> any PlanStep
  {
    let members = (json.members ?? []).map { member in
      member.name == "vocabulary" ? .init("vocabulary", vocabulary) : member
    }
    return try PlanSteps.read(.object(members), at: path)
  }

  package var json: JSONValue {
    .record([
      "step": "encode",
      "channels": channels.isEmpty ? nil : .array(channels.map { .string($0) }),
      "vocabulary": named.map { .string($0) } ?? given, "as": .string(form.rawValue),
      "unknown": refusesUnknown ? "refuse" : "missing", "name": .string(name),
    ])
  }

  private var given: JSONValue {
    counts.isEmpty
      ? .array(vocabulary.map(Self.json))
      : .record([
        "entries": .array(
          zip(vocabulary, counts).map { action, rows in
            .record(["action": Self.json(action), "rows": .int(Int64(rows))])
          })
      ])
  }

  private static func json(_ action: [Int64]) -> JSONValue { .array(action.map { .int($0) }) }
}

/// The encoder bound to the channels of a stream.
struct EncodeStage: PlanStage {
  let columns: [Int]
  let output: Channel
  let step: EncodeStep
  private let numbers: [[Int64]: Int]
  private let weights: [Float]

  /// `nil` where the step does not concern the stream.
  init?(
    _ step: EncodeStep, _ stream: String, _ channels: [Channel], isVideo: Bool
  ) throws(TrajpackError) {
    let own = step.channels.map { path in
      channels.firstIndex { "\(stream)/\($0.name)" == path }
    }
    columns = own.compactMap { $0 }
    guard !isVideo, columns.count == own.count else { return nil }
    for column in columns where channels[column].elements != 1 || channels[column].type == .bytes {
      throw TrajpackError(
        .usage,
        "channel '\(stream)/\(channels[column].name)' has no single number a row, and an action is made of "
          + "whole numbers")
    }
    guard !channels.contains(where: { $0.name == step.name }) else {
      throw TrajpackError(
        .usage, "channel '\(stream)/\(step.name)' is there already: give another 'name'")
    }
    self.step = step
    numbers = Dictionary(
      step.vocabulary.enumerated().map { ($1, $0) }, uniquingKeysWith: { first, _ in first })
    // Every action is drawn as often as any other, and the mean weight of a row is 1.
    let rows = step.counts.reduce(0, +)
    weights = step.counts.map { Float(Double(rows) / Double(step.counts.count * $0)) }
    let count = step.vocabulary.count
    let names = step.channels.map { $0.split(separator: "/").last.map(String.init) ?? $0 }
      .joined(separator: ", ")
    switch step.form {
    case .index:
      output = Channel(
        name: step.name, kind: .label, type: .int32, shape: [],
        description: "number of the action (\(names)) among \(count)", missing: .sentinel)
    case .oneHot:
      output = Channel(
        name: step.name, kind: .label, type: .float32, shape: [count],
        description: "1 at the number of the action (\(names))", missing: .nan)
    case .weight:
      output = Channel(
        name: step.name, kind: .scalar, type: .float32, shape: [],
        description: "rows / (actions * rows with the action (\(names)))", missing: .nan)
    }
  }

  /// Numbers the action of each row; a row that lacks a number of it, or whose action is not in the vocabulary, is
  /// missing.
  ///
  /// - Throws: A usage error where numbers are not whole, or an unknown action is to be refused.
  func run(
    _ track: inout PlanTrack, _ key: PlanKey, _ target: PlanTarget
  ) throws(TrajpackError) {
    let rows = track.clock.count
    let values = columns.map { track.columns[$0].doubles() }
    var found = [Int](repeating: -1, count: rows)
    var action = [Int64](repeating: 0, count: columns.count)
    for row in 0..<rows {
      var isWhole = true
      for (place, column) in values.enumerated() {
        let number = column[row]
        if number.isNaN {
          isWhole = false
          break
        }
        guard let whole = Int64(exactly: number) else {
          throw TrajpackError(
            .usage,
            "an action is made of whole numbers, and '\(step.channels[place])' is \(number) in row "
              + "\(track.clock.first + row)")
        }
        action[place] = whole
      }
      guard isWhole else { continue }
      if let number = numbers[action] {
        found[row] = number
      } else if step.refusesUnknown {
        throw TrajpackError(
          .usage,
          "the action \(action.map { String($0) }.joined(separator: "/")) of row \(track.clock.first + row) is not "
            + "in the vocabulary; count the actions of this dataset, or leave 'unknown' at \"missing\""
        )
      }
    }
    track.columns.append(column(found))
  }

  private func column(_ found: [Int]) -> PlanColumn {
    switch step.form {
    case .index:
      var bytes: [UInt8] = []
      bytes.reserveCapacity(found.count * 4)
      for number in found {
        withUnsafeBytes(of: Int32(max(number, 0)).littleEndian) { bytes += $0 }
      }
      let observed = found.map { MaskByte($0 < 0 ? 0 : 1) }
      return PlanColumn(
        channel: output, values: .opaque(bytes, rowBytes: 4),
        observed: observed.contains(0) ? observed : nil)
    case .oneHot:
      let width = step.vocabulary.count
      var x = [Float](repeating: 0, count: found.count * width)
      for (row, number) in found.enumerated() {
        if number >= 0 {
          x[row * width + number] = 1
        } else {
          for i in row * width..<(row + 1) * width { x[i] = .nan }
        }
      }
      return PlanColumn(channel: output, values: .float32(x))
    case .weight:
      return PlanColumn(
        channel: output, values: .float32(found.map { $0 < 0 ? .nan : weights[$0] }))
    }
  }
}

extension EncodeStep {
  package static var name: String { "encode" }
  package var looksAround: Bool { false }

  package func stage(
    in program: inout PlanProgram, isVideo: Bool
  ) throws(TrajpackError) -> (any PlanStage)? {
    let made = try EncodeStage(self, program.stream, program.outputs, isVideo: isVideo)
    guard let made else { return nil }
    program.add(made.output, from: made.columns)
    return made
  }
}

extension EncodeStage {
  var isLocal: Bool { true }
}
