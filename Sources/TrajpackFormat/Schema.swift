/// What a shard holds: its streams and channels, and the blocks in which their rows lie.
///
/// The streams say what the data means; the blocks say where it is. A channel belongs to one stream
/// and lies in a range of columns of one block.
public struct Schema: Sendable, Equatable {
  /// The tables of rows, in a stable order.
  public var streams: [Stream]
  /// The storage of the streams' rows. Several narrow channels share a block; a wide one has its own.
  public var blocks: [Block]
  /// The joint graphs that skeleton streams name.
  public var skeletons: [Skeleton]
  /// Names of the kinds of entities, by the number that the entity table uses.
  public var entityKinds: [String]
  /// Names of the splits, by the number that the episode table uses.
  public var splits: [String]
  /// What the importer wants to remember about the source as a whole; an object.
  public var attributes: JSONValue

  /// A schema.
  public init(
    streams: [Stream] = [], blocks: [Block] = [], skeletons: [Skeleton] = [],
    entityKinds: [String] = [], splits: [String] = [], attributes: JSONValue = .object([])
  ) {
    self.streams = streams
    self.blocks = blocks
    self.skeletons = skeletons
    self.entityKinds = entityKinds
    self.splits = splits
    self.attributes = attributes
  }
}

/// A table of rows that share a schema and a clock.
public struct Stream: Sendable, Equatable {
  /// The name, a path of printable text: `state`, `skeleton/em_21`.
  public var name: String
  /// What the rows are, in a sentence.
  public var description: String?
  /// The unit of the stream's times: `s`, or another word where time has no seconds.
  public var timeUnit: String
  /// The name of the joint graph of a skeleton stream.
  public var skeleton: String?
  /// The block of the bytes that rows of ``ElementType/bytes`` channels point into; each track has a
  /// range of it, and the offsets of its rows count from the range's start.
  public var blob: Int?
  /// The columns.
  public var channels: [Channel]
  /// What the importer wants to remember about the stream; an object.
  public var attributes: JSONValue

  /// A stream.
  public init(
    name: String, description: String? = nil, timeUnit: String = "s", skeleton: String? = nil,
    blob: Int? = nil, channels: [Channel] = [], attributes: JSONValue = .object([])
  ) {
    self.name = name
    self.blob = blob
    self.description = description
    self.timeUnit = timeUnit
    self.skeleton = skeleton
    self.channels = channels
    self.attributes = attributes
  }

  /// The position of the channel of that name.
  public func channel(named name: String) -> Int? { channels.firstIndex { $0.name == name } }
  /// The number of each channel, by name.
  package var channelNumbers: [String: Int] {
    Dictionary(channels.indices.map { (channels[$0].name, $0) }) { first, _ in first }
  }
}

/// One named array of a stream.
public struct Channel: Sendable, Equatable {
  /// How an element that was not observed is told from one that was.
  public enum Missing: String, Sendable {
    /// Every element was observed.
    case never
    /// NaN stands for an element that was not observed.
    case nan
    /// The smallest integer of the stored type stands for an element that was not observed.
    case sentinel
  }

  /// Where the elements lie.
  public struct Storage: Sendable, Equatable {
    /// The block, by its number in the schema.
    public var block: Int
    /// The first of the channel's elements in a row of the block.
    public var column: Int
    /// Stored integers are the value times ten to this power; `nil` where values are stored as they
    /// are. See ``DecimalCode``.
    public var decimals: Int?

    /// A place.
    public init(block: Int, column: Int, decimals: Int? = nil) {
      self.block = block
      self.column = column
      self.decimals = decimals
    }
  }

  /// The name, unique in its stream.
  public var name: String
  /// What the numbers mean.
  public var kind: Kind
  /// The type of the elements as readers give them.
  public var type: ElementType
  /// The shape of one row; empty for a scalar.
  public var shape: [Int]
  /// The unit of the numbers, as UCUM or plain text writes it: `px`, `m`, `game units`.
  public var units: String?
  /// What the numbers are, in a sentence.
  public var description: String?
  /// What must be known to use the numbers: `order: xyzw`, `pose: camera-to-world`, `axes: OpenGL`.
  public var conventions: [JSONValue.Member]
  /// The names that the numbers of a categorical channel stand for.
  public var categories: [String]?
  /// How an element that was not observed is marked.
  public var missing: Missing
  /// Where the elements lie.
  public var storage: Storage

  /// A channel.
  public init(
    name: String, kind: Kind, type: ElementType, shape: [Int] = [], units: String? = nil,
    description: String? = nil, conventions: [JSONValue.Member] = [], categories: [String]? = nil,
    missing: Missing = .never, storage: Storage = Storage(block: 0, column: 0)
  ) {
    self.name = name
    self.kind = kind
    self.type = type
    self.shape = shape
    self.units = units
    self.description = description
    self.conventions = conventions
    self.categories = categories
    self.missing = missing
    self.storage = storage
  }

  /// Elements in a row.
  public var elements: Int { shape.reduce(1, *) }

  /// Elements of its block that a row takes: of bytes two, where they begin and how many they are.
  @inlinable
  package var storedElements: Int { type == .bytes ? 2 : elements }

  /// The convention of that name.
  public func convention(_ name: String) -> String? {
    conventions.first { $0.name == name }?.value.string
  }

  /// Sets a convention, in the place of one of the same name.
  package mutating func setConvention(_ name: String, _ value: JSONValue) {
    if let place = conventions.firstIndex(where: { $0.name == name }) {
      conventions[place] = .init(name, value)
    } else {
      conventions.append(.init(name, value))
    }
  }
}

/// A joint graph.
public struct Skeleton: Sendable, Equatable {
  /// The name by which streams refer to it.
  public var name: String
  /// Pairs of joint indices that are joined by a bone.
  public var edges: [[Int]]

  /// A joint graph.
  public init(name: String, edges: [[Int]]) {
    self.name = name
    self.edges = edges
  }
}

/// One HDF5 dataset of a shard: rows of equal size, cut into compressed chunks.
public struct Block: Sendable, Equatable {
  /// The path of the dataset in the HDF5 file.
  public var path: String
  /// The stream whose rows it holds, by its number in the schema.
  public var stream: Int
  /// The type of the stored elements.
  public var type: ElementType
  /// The shape of a row; the HDF5 type is an array of this shape, or the plain type where it is empty.
  public var shape: [Int]
  /// Rows of a chunk.
  public var chunkRows: Int
  /// How chunks are compressed.
  public var codec: Codec
  /// The element size of the byte shuffle that comes before compression; 0 or 1 for none.
  public var shuffle: Int
  /// Rows, over all episodes.
  public var rows: Int
  /// The first of the block's chunks in the chunk table.
  public var firstChunk: Int

  /// A block.
  public init(
    path: String, stream: Int, type: ElementType, shape: [Int], chunkRows: Int, codec: Codec,
    shuffle: Int, rows: Int = 0, firstChunk: Int = 0
  ) {
    self.path = path
    self.stream = stream
    self.type = type
    self.shape = shape
    self.chunkRows = chunkRows
    self.codec = codec
    self.shuffle = shuffle
    self.rows = rows
    self.firstChunk = firstChunk
  }

  /// Bytes of a byte plane of a chunk from which on planes are worth blocks of their own in a frame.
  public static let planeBytes = 8 << 10

  /// Elements of a row.
  public var elements: Int { shape.reduce(1, *) }
  /// Bytes of a row.
  public var rowBytes: Int { elements * type.size }
  /// Bytes of a chunk before compression; the last chunk is as large as the others.
  public var chunkBytes: Int { chunkRows * rowBytes }
  /// Chunks of the block.
  public var chunks: Int { rows == 0 ? 0 : (rows - 1) / chunkRows + 1 }
}

/// How the bytes of a chunk are compressed. Raw values are the numbers of the section table, which has no `lz4`.
public enum Codec: UInt32, Sendable, CaseIterable {
  /// As they are.
  case none = 0
  /// A zlib stream (RFC 1950): HDF5's filter 1, which every HDF5 library reads.
  case gzip = 1
  /// A Zstandard frame (RFC 8878) with its checksum: HDF5's registered filter 32015.
  case zstd = 2
  /// Blocks of LZ4 in HDF5's registered filter 32004, then Fletcher's checksum, HDF5's filter 3.
  case lz4 = 3

  /// The name that options and schemas use.
  public var name: String {
    switch self {
    case .none: return "none"
    case .gzip: return "gzip"
    case .zstd: return "zstd"
    case .lz4: return "lz4"
    }
  }

  /// The codec of that name.
  public init?(name: String) {
    guard let codec = Codec.allCases.first(where: { $0.name == name }) else { return nil }
    self = codec
  }
}
