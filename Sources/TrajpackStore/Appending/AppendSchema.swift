import TrajpackFormat

/// What the rows of a dataset that grows must be: its streams and channels without a place yet.
public struct AppendSchema: Sendable, Equatable {
  /// The streams.
  public let plans: [StreamPlan]
  /// The joint graphs that they name.
  public let skeletons: [Skeleton]
  /// What the maker says of the whole; an object.
  public let attributes: JSONValue

  /// Reads `{"streams", "skeletons", "attributes"}`: a stream and a channel as the schema of a shard has
  /// them (`schemas/schema.schema.json`), but for their places.
  ///
  /// - Throws: A usage error naming the stream or channel that cannot be.
  public init(json: JSONValue) throws(TrajpackError) {
    do throws(TrajpackError) {
      let reader = JSONReader(json, at: "the declared schema")
      plans = try reader.list("streams") { (r) throws(TrajpackError) in
        let channels = try r.list("channels") { (c) throws(TrajpackError) in
          ChannelPlan(try Channel(Self.placed(c)))
        }
        let bare = JSONValue.object(
          (r.value.members ?? []).filter { $0.name != "channels" } + [.init("channels", .array([]))]
        )
        return Self.plan(
          try TrajpackFormat.Stream(JSONReader(bare, at: r.path)), channels)
      }
      skeletons = json["skeletons"] == nil ? [] : try Schema.skeletons(reader)
      attributes = json["attributes"] == nil ? .object([]) : try reader.object("attributes")
    } catch {
      throw TrajpackError(.usage, error.message, at: error.place)
    }
    try validate()
  }

  /// A stream whose bytes are compressed unless they are packets of videos.
  private static func plan(
    _ stream: TrajpackFormat.Stream, _ channels: [ChannelPlan]
  ) -> StreamPlan {
    var plan = StreamPlan(stream, channels: channels)
    plan.blobIsText = !plan.isVideo || stream.hasChunkedFrames
    return plan
  }

  private static func placed(_ reader: JSONReader) -> JSONReader {
    JSONReader(
      .object((reader.value.members ?? []) + [.init("block", 0), .init("column", 0)]),
      at: reader.path)
  }

  /// That of a shard's rows. Numbers that are stored as scaled integers there become what they stand for.
  public init(_ schema: Schema) {
    plans = schema.streams.map { stream in
      var bare = stream
      bare.blob = nil
      bare.channels = []
      return Self.plan(
        bare,
        stream.channels.map { channel in
          var channel = channel
          if channel.missing == .sentinel, channel.type != .int32, channel.type != .int64 {
            channel.missing = channel.type.isFloat ? .nan : .never
          }
          if channel.storage.decimals != nil { channel.missing = .nan }
          channel.storage = Channel.Storage(block: 0, column: 0)
          return ChannelPlan(channel)
        })
    }
    skeletons = schema.skeletons
    attributes = schema.attributes
  }

  /// The JSON that ``init(json:)`` reads.
  public var json: JSONValue {
    let schema = layout(LayoutOptions())
    let document = schema.json
    return .record([
      "streams": document["streams"], "skeletons": document["skeletons"], "attributes": attributes,
    ])
  }

  /// The position of a stream.
  public func stream(named name: String) -> Int? { plans.firstIndex { $0.stream.name == name } }

  /// The schema of a shard with these rows; `blobBytes` are expected of each stream's text.
  func layout(_ options: LayoutOptions, blobBytes: [Int] = []) -> Schema {
    var plans = plans
    for (i, bytes) in blobBytes.enumerated() where i < plans.count { plans[i].blobBytes = bytes }
    return Schema(
      layingOut: plans, skeletons: skeletons, attributes: attributes, options: options)
  }

  /// Whether the rows of a shard lie as ``layout(_:blobBytes:)`` would lay them, so that they can be
  /// taken over as they are.
  func lies(in schema: Schema, _ options: LayoutOptions) -> Bool {
    Self.bare(schema) == Self.bare(layout(options))
  }

  private static func bare(_ schema: Schema) -> Schema {
    var schema = schema
    (schema.splits, schema.entityKinds) = ([], [])
    let blobs = schema.blobs
    for i in schema.blocks.indices {
      (schema.blocks[i].rows, schema.blocks[i].firstChunk, schema.blocks[i].shuffle) = (0, 0, 0)
      if blobs.contains(i) { schema.blocks[i].chunkRows = 0 }
    }
    return schema
  }
}
