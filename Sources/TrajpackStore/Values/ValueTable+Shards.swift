import TrajpackFormat

extension ValueTable {
  /// The member of an episode's metadata, and of a schema's attributes, that holds values.
  public static let member = "values"

  /// Which values are read.
  public enum Selection: Sendable {
    /// All of them.
    case all
    /// All but what an importer noted of where a recording came from: its file, its place in it.
    case known
  }

  /// The values of all episodes of some shards, in order: of their metadata, and of `annotations` where an
  /// episode has some.
  ///
  /// In the metadata, the members of `values` are values, of the types that the schema's attribute `values` says;
  /// so are the members of `constants` and `members`, which importers write, and all other plain members, those of
  /// objects by a path with dots. What is no number, no text and no list of numbers of one shape is no value.
  ///
  /// - Throws: A data error where metadata is no JSON or no value of its type.
  public init(
    _ shards: [Shard], _ selection: Selection = .all, annotations: ValueAnnotations? = nil
  ) throws(TrajpackError) {
    self.init(count: shards.reduce(0) { $0 + $1.index.episodeCount })
    var rows: [String: Int] = [:]
    if let annotations {
      for (row, id) in annotations.ids.enumerated() { rows[id] = row }
    }
    let removed = Set(annotations?.removed ?? [])
    var row = 0
    for shard in shards {
      let values = try ShardValues(shard, selection)
      for number in 0..<shard.index.episodeCount {
        let episode = shard.index.episode(number)
        for (field, value) in try values.values(of: episode) where !removed.contains(field.name) {
          set(field, row: row, value)
        }
        if let annotations, let own = rows[episode.id] {
          for column in annotations.table.columns {
            let value = column.cells[own]
            guard value != .missing || self[column.field.name] == nil else { continue }
            set(column.field, row: row, value)
          }
        }
        row += 1
      }
    }
    settle()
  }
}

/// Reads the values in the metadata of a shard's episodes.
struct ShardValues {
  private let shard: Shard
  private let fields: [String: ValueField]
  private let hasNotes: Bool
  private let selection: ValueTable.Selection

  /// What importers and plans note of an episode. A writer's own metadata may have such members, which are values.
  private static let notes: Set<String> = [
    "file", "episode", "piece", "element", "system", "frames", "rate", "layout", "absent",
    "skeleton", "prepared",
  ]

  init(_ shard: Shard, _ selection: ValueTable.Selection) throws(TrajpackError) {
    self.shard = shard
    self.selection = selection
    let attributes = shard.schema.attributes
    hasNotes = attributes["source"] != nil
    var fields: [String: ValueField] = [:]
    if let declared = attributes[ValueTable.member]?.array {
      for (number, json) in declared.enumerated() {
        let field = try ValueField(
          JSONReader(json, at: "\(shard.name): attributes.values[\(number)]"))
        fields[field.name] = field
      }
    }
    self.fields = fields
  }

  /// The values of an episode, each name once.
  func values(
    of episode: ShardIndex.Episode
  ) throws(TrajpackError) -> [(field: ValueField, value: EpisodeValue)] {
    guard !episode.metadata.isEmpty else { return [] }
    let metadata = try within(
      "\(shard.name), metadata of episode '\(episode.id)'",
      at: ErrorPlace(file: shard.name, episode: episode.id)
    ) {
      () throws(TrajpackError) in try JSONValue(parsing: episode.metadata)
    }
    var out: [(field: ValueField, value: EpisodeValue)] = []
    var names: Set<String> = []
    func add(_ field: ValueField, _ value: EpisodeValue) {
      if ValueField.isName(field.name), names.insert(field.name).inserted {
        out.append((field, value))
      }
    }
    func walk(_ json: JSONValue, _ name: String, depth: Int = 0) {
      if let members = json.members {
        if depth > 8 { return }
        for member in members { walk(member.value, "\(name).\(member.name)", depth: depth + 1) }
      } else if let (field, value) = EpisodeValue.plain(json, named: name) {
        add(field, value)
      }
    }
    let members = metadata.members ?? []
    for member in metadata[ValueTable.member]?.members ?? [] {
      if let field = fields[member.name] {
        let reader = JSONReader(
          member.value,
          at: "\(shard.name), metadata of episode '\(episode.id)', value '\(member.name)'")
        add(field, try EpisodeValue(reader, field))
      } else if let (field, value) = EpisodeValue.constant(member.value, named: member.name) {
        add(field, value)
      } else {
        walk(member.value, member.name)
      }
    }
    for member in metadata["constants"]?.members ?? [] {
      if let (field, value) = EpisodeValue.constant(member.value, named: member.name) {
        add(field, value)
      } else {
        walk(member.value, "constants.\(member.name)")
      }
    }
    if hasNotes {
      for member in metadata["members"]?.members ?? [] { walk(member.value, member.name) }
    }
    for member in members {
      switch member.name {
      case ValueTable.member where member.value.members != nil: continue
      case "constants" where member.value.members != nil: continue
      case "members" where hasNotes: continue
      case let name where hasNotes && Self.notes.contains(name):
        if selection == .all, name != "prepared", name != "absent" { walk(member.value, name) }
      default: walk(member.value, member.name)
      }
    }
    return out
  }
}
