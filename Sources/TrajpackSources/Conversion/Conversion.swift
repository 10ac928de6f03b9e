import TrajpackCodecs
import TrajpackFormat
import TrajpackHDF5
import TrajpackStore

/// Where the files of a dataset are that is not finished yet.
public struct ConversionFolders: Sendable {
  /// Where its shards are read: a folder, or a prefix of a bucket.
  public let shards: String
  /// The folder into which side files are written.
  public let files: String
}

/// Converts recordings into a dataset, shard by shard, with what is needed to go on after any end.
///
/// The shards are planned from the sizes of the recordings alone, so the plan is the same on every run
/// and each shard is a task of its own: examined, laid out, written, made durable, acknowledged in the
/// journal. A run that was stopped loses the shard that was under way, nothing else.
public struct Conversion<Source: Importer>: Sendable {
  /// What the command line says.
  public struct Options: Sendable {
    /// How rows are cut and compressed.
    public var layout = LayoutOptions()
    /// What samples of depth mean, where the user says it.
    public var depth = DepthMeaning()
    /// Threads.
    public var jobs = WorkerPool.processors
    /// Bytes of source in a shard; a recording is never split.
    public var shardBytes = 512 << 20
    /// Go on with what is there.
    public var resume = false
    /// Replace the dataset that is there.
    public var overwrite = false
    /// Leave recordings out whose files are at fault, instead of stopping.
    public var skipsErrors = false
    /// The shards of the plan that are written, those of a task of a job; all where `nil`. The folder then gets no
    /// manifest, and its journal says that the task is complete.
    public var task: Range<Int>?
    /// Compares the bytes of an earlier run's shards with their SHA-256; else only their lengths.
    public var comparesBytes = true
    /// The folder in which the shards for a bucket are made, below one of their own; `$TMPDIR` where `nil`.
    public var staging: String?
    /// Makes the side files of the dataset, when its shards are durable and before its manifest is written. It is
    /// given the folders and the shards, in order.
    public var sideFiles:
      (
        @Sendable (_ folders: ConversionFolders, _ shards: [Manifest.Entry]) throws(TrajpackError)
          -> [SideFile]
      )?

    /// The defaults.
    public init() {}
  }

  /// What happens meanwhile, for a progress bar.
  public struct Events: Sendable {
    /// Recordings and bytes in all, and how many of them an earlier run has done.
    public var planned:
      @Sendable (_ items: Int, _ bytes: Int, _ doneItems: Int, _ doneBytes: Int) -> Void
    /// A recording is being written.
    public var began: @Sendable (Recording) -> Void
    /// Bytes of recordings were read: once when they are examined, and again when they are drafted; and once more as
    /// their rows are written.
    public var read: (@Sendable (Int) -> Void)?
    /// A recording has been written.
    public var wrote: @Sendable (Recording) -> Void
    /// A recording was left out, and why.
    public var skipped: @Sendable (Recording, FailedRecording) -> Void
    /// Whether the user wants to stop.
    public var isInterrupted: @Sendable () -> Bool
    /// A sentence that a user should know.
    public var noted: @Sendable (String) -> Void

    /// Events that nobody looks at.
    public init(
      planned: @escaping @Sendable (Int, Int, Int, Int) -> Void = { _, _, _, _ in },
      began: @escaping @Sendable (Recording) -> Void = { _ in },
      wrote: @escaping @Sendable (Recording) -> Void = { _ in },
      skipped: @escaping @Sendable (Recording, FailedRecording) -> Void = { _, _ in },
      isInterrupted: @escaping @Sendable () -> Bool = { false },
      noted: @escaping @Sendable (String) -> Void = { _ in }
    ) {
      self.planned = planned
      self.began = began
      self.wrote = wrote
      self.skipped = skipped
      self.isInterrupted = isInterrupted
      self.noted = noted
    }
  }

  /// What came of it.
  public struct Outcome: Sendable {
    /// The shards, in order.
    public var shards: [Manifest.Entry]
    /// Whether every shard was written; not so after an interrupt.
    public var isComplete: Bool
    /// Bytes of all recordings' files.
    public var sourceBytes: Int
    /// Recordings that were left out, by this run or earlier ones.
    public var failed: [FailedRecording]
    /// What a user should know of how recordings were read, each sentence once with the recordings that it is true of:
    /// those of this run.
    public var remarks: [String] = []
    /// How the source was read, as the manifest has it: an array of objects.
    public var reading: JSONValue?
    /// The files that were not taken, as the manifest has them, and how many there are.
    public var leftOut: JSONValue?

    /// Episodes in all.
    public var episodes: Int { shards.reduce(0) { $0 + $1.receipt.episodes } }
    /// Bytes of the shards.
    public var bytes: Int { shards.reduce(0) { $0 + $1.receipt.bytes } }
  }

  let source: Source
  let destination: String
  let options: Options
  let events: Events

  /// A conversion of `source` into the folder `destination`.
  public init(_ source: Source, to destination: String, options: Options, events: Events = Events())
  {
    self.source = source
    self.destination = destination
    self.options = options
    self.events = events
  }

  /// The most recordings of a shard: what is known of each before it is written is kept meanwhile.
  static var mostRecordings: Int { 4096 }

  /// The recordings of each shard, by number, where nothing was done before.
  public var plan: [[Int]] { shards(of: Array(source.recordings.indices)) }

  /// Cuts recordings into shards.
  func shards(of numbers: [Int]) -> [[Int]] {
    var shards: [[Int]] = []
    var current: [Int] = []
    var bytes = 0
    for number in numbers {
      let size = source.recordings[number].bytes
      if let last = current.last {
        let isFull = bytes + size > options.shardBytes || current.count >= Self.mostRecordings
        if isFull || (last + 1...number).contains(where: source.beginsShard) {
          shards.append(current)
          (current, bytes) = ([], 0)
        }
      }
      current.append(number)
      bytes += size
    }
    if !current.isEmpty { shards.append(current) }
    return shards
  }

  /// What identifies the conversion: the same plan gives the same bytes.
  public var planRecord: JSONValue {
    let digest = SourceRecordings.digest(
      source.recordings.lazy.map { ($0.id, $0.fingerprint) })
    return .record([
      "type": "plan", "format": .string(Source.format.name), "options": source.options,
      "codec": .string(options.layout.codec.name),
      "level": options.layout.level.map { .int(Int64($0)) },
      "chunk_rows": options.layout.chunkRows.map { .int(Int64($0)) },
      "depth": options.depth.json, "shard_bytes": .int(Int64(options.shardBytes)),
      "recordings": .int(Int64(source.recordings.count)), "digest": .string(digest),
    ])
  }
}
