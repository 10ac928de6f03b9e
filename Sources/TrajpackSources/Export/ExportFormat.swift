import TrajpackFormat
import TrajpackSignal
import TrajpackStore

/// What a user has asked of an export.
public struct ExportRequest: Sendable {
  /// The dataset.
  public var dataset: Dataset
  /// The episodes; all where empty.
  public var ids: [String]
  /// The folder in which videos that were linked are looked for; `nil` to leave them out.
  public var media: String?
  /// Rows a second, where the dataset does not say it.
  public var rate: Rational?
  /// The videos that are wanted; all where empty.
  public var streams: [String]
  /// The frames of them that are wanted; all where `nil`.
  public var frames: Range<Int>?
  /// What channels are called in the format.
  public var names: [ChannelName]
  /// Whether texts that a spreadsheet would compute get an apostrophe in front.
  public var escapesFormulas: Bool
  /// What writes, by name and version.
  public var software: String

  /// A request.
  public init(
    _ dataset: Dataset, ids: [String] = [], media: String? = nil, rate: Rational? = nil,
    streams: [String] = [], frames: Range<Int>? = nil, names: [ChannelName] = [],
    escapesFormulas: Bool = false, software: String = "trajpack"
  ) {
    (self.dataset, self.ids, self.media, self.rate) = (dataset, ids, media, rate)
    (self.streams, self.frames, self.escapesFormulas) = (streams, frames, escapesFormulas)
    (self.names, self.software) = (names, software)
  }

  /// Refuses a rate where all rows have times in seconds, which it would not change.
  func checkRate() throws(TrajpackError) {
    guard rate != nil else { return }
    for number in dataset.shardPaths.indices {
      let streams = try dataset.shard(number).schema.streams
      if streams.contains(where: { $0.timeUnit != "s" }) { return }
    }
    throw rateIsKnown("the rows of all streams have times in seconds")
  }

  /// An error of a rate that the dataset itself says, for which `why` is the reason.
  func rateIsKnown(_ why: String) -> TrajpackError {
    TrajpackError(
      .usage,
      "--rate: \(why), which it does not change; leave it out, or bring them to another rate first ('trajpack resample')",
      at: ErrorPlace(option: "--rate"))
  }
}

/// What a channel is called in another format, or several that become one there.
public struct ChannelName: Sendable, Equatable {
  /// The name in the format.
  public let name: String
  /// The channels, as `stream/channel`.
  public let channels: [String]
  private let text: String

  /// Reads `NAME=STREAM/CHANNEL,…`.
  ///
  /// - Throws: A usage error where it has another form.
  public init(_ text: String) throws(TrajpackError) {
    let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
    self.text = text
    name = String(parts[0])
    channels =
      parts.count == 2
      ? parts[1].split(separator: ",", omittingEmptySubsequences: false).map { String($0) } : []
    guard !name.isEmpty, !channels.isEmpty, !channels.contains("") else {
      throw wrong("it must be NAME=STREAM/CHANNEL, or NAME=STREAM/CHANNEL,STREAM/CHANNEL")
    }
  }

  /// - Throws: A usage error where one of `others` gives the same name.
  func checkAlone(_ others: [ChannelName]) throws(TrajpackError) {
    guard !others.contains(where: { $0.name == name }) else {
      throw wrong("another --map gives the name '\(name)', which one thing has")
    }
  }

  func wrong(_ why: String) -> TrajpackError {
    TrajpackError(.usage, "--map '\(text)': \(why)", at: ErrorPlace(option: "--map"))
  }
}

/// A format that datasets are written in. A new one is a file with its exporter, and a line in ``all``.
public struct ExportFormat: Sendable {
  /// An option of the command that not every format has.
  public enum Option: String, Sendable, CaseIterable {
    case rate = "--rate"
    case stream = "--stream"
    case frames = "--frames"
    case map = "--map"
    case escapes = "--csv-escape-formulas"
  }

  /// How it is written.
  public enum Way {
    /// Episode by episode, each in a folder or a file of its own.
    case episodes(any Exporter)
    /// In files that episodes share.
    case dataset(any DatasetExporter)
  }

  /// What it is.
  public let description: FormatDescription
  /// The options that it has.
  public let options: Set<Option>
  /// Whether it has as many frames of video as rows, so that a whole video beside a part of its rows is none of it.
  public let needsCutVideos: Bool
  /// What is done to the dataset before it is written, and what to say of it; `nil` for nothing.
  public let prepare: @Sendable (ExportRequest) throws(TrajpackError) -> (Plan, [String])?
  /// Makes what writes it.
  public let make: @Sendable (ExportRequest) throws(TrajpackError) -> Way

  init(
    _ description: FormatDescription, _ options: Set<Option> = [], needsCutVideos: Bool = false,
    prepare: @escaping @Sendable (ExportRequest) throws(TrajpackError) -> (Plan, [String])? = {
      (_) throws(TrajpackError) in nil
    },
    _ make: @escaping @Sendable (ExportRequest) throws(TrajpackError) -> Way
  ) {
    (self.description, self.options, self.make) = (description, options, make)
    (self.needsCutVideos, self.prepare) = (needsCutVideos, prepare)
  }

  /// All of them, in the order in which `trajpack export --to` lists them.
  public static let all: [ExportFormat] = [
    .init(WildWorldExporter.format, needsCutVideos: true) { (request) throws(TrajpackError) in
      .episodes(WildWorldExporter(mediaFolder: request.media))
    },
    .init(
      LeRobotExport.format, [.rate, .map],
      prepare: { (request) throws(TrajpackError) in try LeRobotResampling.preparation(request) }
    ) { (request) throws(TrajpackError) in .dataset(try LeRobotExport(request)) },
    .init(MCAPExporter.format, [.rate]) { (request) throws(TrajpackError) in
      .episodes(try MCAPExporter(request))
    },
    .init(RobomimicExport.format, [.rate, .map]) { (request) throws(TrajpackError) in
      .dataset(try RobomimicExport(request))
    },
    .init(MinariExport.format, [.map]) { (request) throws(TrajpackError) in
      .dataset(try MinariExport(request))
    },
    .init(ParquetTables.format) { (request) throws(TrajpackError) in
      .episodes(TableExporter<ParquetWriter>(mediaFolder: request.media))
    },
    .init(ArrowTables.format) { (request) throws(TrajpackError) in
      .episodes(TableExporter<ArrowWriter>(mediaFolder: request.media))
    },
    .init(TUMExporter.format) { (_) throws(TrajpackError) in .episodes(TUMExporter()) },
    .init(NPZExporter.format) { (request) throws(TrajpackError) in
      .episodes(NPZExporter(mediaFolder: request.media))
    },
    .init(CSVExporter.format, [.escapes]) { (request) throws(TrajpackError) in
      .episodes(
        CSVExporter(mediaFolder: request.media, escapesFormulas: request.escapesFormulas))
    },
    .init(FramesExporter.format, [.stream, .frames]) { (request) throws(TrajpackError) in
      .episodes(try FramesExporter(request, .mp4))
    },
    .init(FramesExporter.pictures, [.stream, .frames]) { (request) throws(TrajpackError) in
      .episodes(try FramesExporter(request, .png))
    },
  ]

  /// The format of that name.
  public static func named(_ name: String?) -> ExportFormat? {
    all.first { $0.description.name == name }
  }
}
