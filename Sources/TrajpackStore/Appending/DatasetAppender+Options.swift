import TrajpackFormat

extension DatasetAppender.Options {
  /// Reads the options of `tpw_writer_open`.
  ///
  /// - Throws: A usage error naming the member that is wrong, and what it may be.
  public init(json text: String) throws(TrajpackError) {
    self.init()
    try Self.table.read(
      try OptionTable<Self>.object(of: text, like: "{\"codec\": \"zstd\"}"), into: &self)
  }

  /// Every option.
  package static let table = OptionTable<Self>([
    OptionDeclaration(
      "new", \.mustBeNew, .truth,
      "Whether a dataset that is there is refused; otherwise it is gone on with."),
    OptionDeclaration(
      "codec", \.layout.codec,
      OptionForm(.choice(Codec.allCases.map(\.name)), json: { .string($0.name) }) {
        (o) throws(TrajpackError) in
        guard let codec = o.value.string.flatMap(Codec.init(name:)) else {
          throw o.wrong(Codec.allCases.map { "'\($0.name)'" }.joined(separator: ", "))
        }
        return codec
      }, "What chunks are compressed with."),
    OptionDeclaration(
      "level", \.layout.level, .integer(0...19),
      "How hard it compresses; by default the codec's own."),
    OptionDeclaration(
      "chunk_rows", \.layout.chunkRows, .integer(1...1 << 20),
      "Rows of a chunk; by default as many as make chunks of a good size."),
    OptionDeclaration(
      "shard_bytes", \.shardBytes, .integer(1 << 20...1 << 40),
      "Bytes from which on a shard is not joined with others."),
    OptionDeclaration(
      "threads", .record(["type": "integer", "minimum": 1, "maximum": 1024]),
      "Threads that compress; by default the processors."
    ) { (options, option) throws(TrajpackError) in options.jobs = try option.integer(1...1024) },
    OptionDeclaration(
      "commit_every", \.commitEvery, .integer(1...1 << 20),
      "How many episodes are made durable together."),
    OptionDeclaration(
      "staging", \.staging, .text,
      "The folder in which the shards for a bucket are made; by default `$TMPDIR` or `/tmp`."),
  ])
}
