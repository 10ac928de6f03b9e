extension Schema {
  /// The schema as the JSON of the section `schema`; see `schemas/schema.schema.json`.
  public var json: JSONValue {
    .record([
      "streams": .array(streams.map(\.json)),
      "blocks": .array(blocks.map(\.json)),
      "skeletons": .array(
        skeletons.map { skeleton in
          .record([
            "name": .string(skeleton.name),
            "edges": .array(skeleton.edges.map { .array($0.map { .int(Int64($0)) }) }),
          ])
        }),
      "entity_kinds": .array(entityKinds.map { .string($0) }),
      "splits": .array(splits.map { .string($0) }),
      "attributes": attributes,
    ])
  }

  /// Reads a schema; the rules between its parts are ``validate(chunks:)``'s.
  public init(json: JSONValue) throws(TrajpackError) {
    let reader = JSONReader(json, at: "schema")
    streams = try reader.list("streams") { (r) throws(TrajpackError) in try Stream(r) }
    blocks = try reader.list("blocks") { (r) throws(TrajpackError) in try Block(r) }
    skeletons = try Self.skeletons(reader)
    entityKinds = try reader.list("entity_kinds") { (r) throws(TrajpackError) in try r.text() }
    splits = try reader.list("splits") { (r) throws(TrajpackError) in try r.text() }
    attributes = try reader.object("attributes")
  }

  /// The joint graphs of a document's member `skeletons`.
  package static func skeletons(_ reader: JSONReader) throws(TrajpackError) -> [Skeleton] {
    try reader.list("skeletons") { (r) throws(TrajpackError) in
      Skeleton(
        name: try r.text("name"),
        edges: try r.list("edges") { (edge) throws(TrajpackError) in
          let pair = try edge.integers()
          guard pair.count == 2, pair.allSatisfy({ $0 >= 0 }) else {
            throw edge.wrong("two joint indices")
          }
          return pair
        })
    }
  }
}

extension Stream {
  var json: JSONValue {
    .record([
      "name": .string(name),
      "description": description.map { .string($0) },
      "time_unit": .string(timeUnit),
      "skeleton": skeleton.map { .string($0) },
      "blob": blob.map { .int(Int64($0)) },
      "channels": .array(channels.map(\.json)),
      "attributes": attributes == .object([]) ? nil : attributes,
    ])
  }

  package init(_ reader: JSONReader) throws(TrajpackError) {
    name = try reader.text("name")
    description = try reader.optionalText("description")
    timeUnit = try reader.text("time_unit")
    skeleton = try reader.optionalText("skeleton")
    blob = try reader.optionalInteger("blob")
    channels = try reader.list("channels") { (r) throws(TrajpackError) in try Channel(r) }
    attributes = reader.value["attributes"] == nil ? .object([]) : try reader.object("attributes")
  }
}

extension Channel {
  var json: JSONValue {
    .record([
      "name": .string(name),
      "kind": .string(kind.rawValue),
      "type": .string(type.rawValue),
      "shape": .array(shape.map { .int(Int64($0)) }),
      "units": units.map { .string($0) },
      "description": description.map { .string($0) },
      "conventions": conventions.isEmpty ? nil : .object(conventions),
      "categories": categories.map { .array($0.map { .string($0) }) },
      "missing": missing == .never ? nil : .string(missing.rawValue),
      "block": .int(Int64(storage.block)),
      "column": .int(Int64(storage.column)),
      "decimals": storage.decimals.map { .int(Int64($0)) },
    ])
  }

  package init(_ reader: JSONReader) throws(TrajpackError) {
    name = try reader.text("name")
    kind = try reader.choice("kind", Kind.init(rawValue:))
    type = try reader.choice("type", ElementType.init(rawValue:))
    shape = try reader.integers("shape")
    units = try reader.optionalText("units")
    description = try reader.optionalText("description")
    conventions =
      try reader.value["conventions"].map { (_) throws(TrajpackError) in
        try reader.object("conventions").members ?? []
      } ?? []
    categories = try reader.value["categories"].map { (_) throws(TrajpackError) in
      try reader.list("categories") { (r) throws(TrajpackError) in try r.text() }
    }
    missing = reader.value["missing"] == nil ? .never : try reader.choice("missing", Missing.init)
    storage = Storage(
      block: try reader.integer("block"), column: try reader.integer("column"),
      decimals: try reader.optionalInteger("decimals"))
  }
}

extension Block {
  var json: JSONValue {
    .record([
      "path": .string(path),
      "stream": .int(Int64(stream)),
      "type": .string(type.rawValue),
      "shape": .array(shape.map { .int(Int64($0)) }),
      "chunk_rows": .int(Int64(chunkRows)),
      "codec": .string(codec.name),
      "shuffle": .int(Int64(shuffle)),
      "rows": .int(Int64(rows)),
      "first_chunk": .int(Int64(firstChunk)),
    ])
  }

  init(_ reader: JSONReader) throws(TrajpackError) {
    path = try reader.text("path")
    stream = try reader.integer("stream")
    type = try reader.choice("type", ElementType.init(rawValue:))
    shape = try reader.integers("shape")
    chunkRows = try reader.integer("chunk_rows")
    codec = try reader.choice("codec", Codec.init(name:))
    shuffle = try reader.integer("shuffle")
    rows = try reader.integer("rows")
    firstChunk = try reader.integer("first_chunk")
  }
}
