import TrajpackFormat

/// The shapes that the files of a source have. Files of one shape share their streams, whose names
/// are the same in every shard.
struct SeriesLayouts: Sendable {
  /// What files of one shape agree in.
  enum Key: Hashable, Sendable {
    case table(TableForm)
    case arrays(ArraySet.Shape)
    /// Systems with that many numbers a row, with times or without.
    case systems(width: Int?, hasTime: Bool)
  }

  private var keys: [Key] = []
  private var hints: [String] = []
  private var numbers: [Key: Int] = [:]

  /// Notes the shapes of a file and gives back its content.
  mutating func add(_ content: SeriesImporter.Content, stem: String) -> SeriesImporter.Content {
    switch content {
    case .table(let form):
      // Many files share one form in memory.
      if case .table(let known) = keys[number(.table(form), stem)] { return .table(known) }
    case .arrays(let set): _ = number(.arrays(set.shape), stem)
    case .systems(let file):
      for system in file.systems {
        let key = Self.key(system)
        _ = number(key, system.width.map { "dimension_\($0)" } ?? "scalar")
      }
    }
    return content
  }

  /// The shape of a system.
  static func key(_ system: DystsFile.System) -> Key {
    .systems(width: system.width, hasTime: system.time != nil)
  }

  private mutating func number(_ key: Key, _ hint: String) -> Int {
    if let known = numbers[key] { return known }
    numbers[key] = keys.count
    keys.append(key)
    var name = hint
    if case .table(let form) = key, let stream = form.stream { name = stream }
    while hints.contains(name) { name += "_" }
    hints.append(name)
    return keys.count - 1
  }

  /// The name of the stream of a shape: `series` where there is one shape; else after the first
  /// file that has it.
  func stream(_ key: Key, suffix: String = "") -> String {
    let name = keys.count == 1 ? "series" : hints[numbers[key] ?? 0]
    return suffix.isEmpty ? name : "\(name)/\(suffix)"
  }

  /// The shapes, in the order in which files first had them, and the stream of each.
  var all: [(key: Key, stream: String)] { keys.map { ($0, stream($0)) } }

  /// Every channel of values.
  var channelNames: Set<String> {
    var names: Set<String> = []
    for key in keys {
      switch key {
      case .table(let form):
        for (i, name) in form.channelNames.enumerated() where form.isValue(i) {
          names.insert(name)
        }
      case .arrays(let shape): names.formUnion(shape.groups.flatMap(\.items).map(\.channel))
      case .systems: names.insert("values")
      }
    }
    return names
  }

  /// Whether some series have times other than dates, or none.
  var haveUnits: Bool {
    keys.contains { key in
      if case .table(let form) = key { form.time == nil || !form.timeIsDate } else { true }
    }
  }

  /// Whether some series have no times, so that their rows lie at the steps of a rate.
  func haveSteps(_ options: SeriesOptions) -> Bool {
    keys.contains { key in
      switch key {
      case .table(let form): return form.time == nil
      case .arrays(let shape): return shape.groups.contains { $0.time == nil }
      case .systems(_, let hasTime): return !hasTime || options.time == .none
      }
    }
  }
}
