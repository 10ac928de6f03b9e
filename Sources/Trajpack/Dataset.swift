import TrajpackFormat
import TrajpackLoader
import TrajpackStore

/// What trajpack throws: whose fault it is, and one sentence that says what is wrong, where, and what to do.
public typealias TrajpackError = TrajpackFormat.TrajpackError

/// The type of a channel's elements.
public typealias ElementType = TrajpackFormat.ElementType

/// A dataset that is open for reading: a folder of shards, or one shard file.
///
/// It may be used by several threads at once.
public struct Dataset: Sendable {
  let opened: OpenDataset
  /// The streams, with the channels that any shard has.
  public let streams: [Stream]

  /// Opens the dataset at `path` and reads the indexes of its shards.
  ///
  /// - Throws: A usage error where there is no dataset, a data error where its manifest or an index is damaged.
  public init(path: String) throws(TrajpackError) {
    opened = try OpenDataset(path)
    streams = Stream.all(of: opened)
  }

  /// Its folder or file.
  public var path: String { opened.dataset.path }
  /// A digest of the content, hexadecimal; equal datasets have equal digests.
  public var digest: String { opened.digest }
  /// Whether the conversion or the writer that made it came to its end.
  public var isComplete: Bool { opened.dataset.isComplete }
  /// The number of its episodes.
  public var episodeCount: Int { opened.episodeCount }

  /// The episode of that number, counted from 0.
  ///
  /// - Throws: A usage error where there is none of that number.
  public func episode(_ number: Int) throws(TrajpackError) -> Episode {
    try Episode(opened, number)
  }

  /// The episode of that id.
  ///
  /// - Throws: A usage error where there is none; it names ids that are spelled nearly so.
  public func episode(id: String) throws(TrajpackError) -> Episode {
    try Episode(opened, opened.episode(id: id))
  }

  /// The stream of that name, or `nil`.
  public func stream(_ name: String) -> Stream? { streams.first { $0.name == name } }

  /// Windows of this dataset in batches, in an order that any number of ranks, threads and restarts share.
  ///
  /// - Throws: A usage error naming the option that does not fit the data.
  public func windows(_ options: WindowOptions) throws(TrajpackError) -> Windows {
    try Windows([self], options)
  }
}
