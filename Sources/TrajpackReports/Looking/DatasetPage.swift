import Glibc
import TrajpackFormat
import TrajpackLoader
import TrajpackStore

/// One HTML page of all episodes of a dataset.
///
/// Episodes are sketched by several threads and written one after the other, so memory does not grow with their number;
/// the browser draws those that are scrolled to. What is known of the dataset as a whole follows at the end.
public struct DatasetPage: Sendable {
  /// What is wanted.
  public struct Options: Sendable {
    /// The most bytes of the page, pictures in it included.
    public var bytes = 96 << 20
    /// Whether frames of videos are shown.
    public var hasPictures = true
    /// Whether pictures lie in a folder beside the page.
    public var hasFolder = false
    /// The program's version.
    public var version: String

    /// The defaults.
    public init(version: String) { self.version = version }
  }

  /// What was made.
  public struct Outcome: Sendable {
    /// Episodes in the page.
    public internal(set) var episodes = 0
    /// Bytes of the page.
    public internal(set) var bytes = 0
    /// Bytes of the pictures beside it.
    public internal(set) var pictureBytes = 0
    /// Frames of each video that were wanted.
    public internal(set) var frames = 0
    /// Episodes of which a video has no pictures.
    public internal(set) var blind = 0
    /// Why the first of them has none.
    public internal(set) var reason: String?
    /// Episodes of which something is odd.
    public internal(set) var odd = 0
  }

  private let data: OpenDataset
  private let options: Options
  private let chosen: [Int]
  private let summary: DatasetSummary
  private let plan: PagePlan
  private let colours: EntityColours

  /// Looks at the dataset as a whole.
  ///
  /// - Parameter episodes: The numbers of those that are shown.
  public init(
    _ data: OpenDataset, episodes: [Int], _ options: Options
  ) throws(TrajpackError) {
    self.data = data
    self.options = options
    chosen = episodes
    summary = try DatasetSummary(data.dataset)
    let videos = summary.streams.filter { $0.stream.isVideo && $0.rows > 0 }
    let all = PagePlan(
      summary,
      PageBudget(
        episodes: 1, bytes: .max, videos: 0, curves: 0, lanes: 0, skeletons: 0, pictures: false))
    let entities = summary.streams.map { $0.entityKinds.values.reduce(0, +) }.max() ?? 0
    // Pictures beside the page do not count; its fixed parts take some 64 KiB.
    var budget = PageBudget(
      episodes: episodes.count, bytes: max(options.bytes - (1 << 16), 0) / 10 * 9,
      videos: videos.count,
      curves: all.plots.reduce(0) { $0 + $1.components.count }, lanes: entities,
      skeletons: summary.streams.reduce(0) { sum, stream in
        stream.stream.skeleton == nil
          ? sum : sum + stream.entityKinds.values.reduce(0, +)
      },
      pictures: options.hasPictures && !options.hasFolder)
    if !options.hasPictures { budget.frames = 0 }
    plan = PagePlan(summary, budget)
    var kinds: [String] = []
    for shard in data.shards { kinds += shard.schema.entityKinds.filter { !kinds.contains($0) } }
    colours = EntityColours(kinds)
  }

  /// The folder of pictures of a page: `ww.html` has `ww_files`.
  public static func folder(of path: String) -> String {
    let name = FileSystem.name(of: path)
    let stem = name.hasSuffix(".html") ? String(name.dropLast(5)) : name
    let parent = FileSystem.parent(of: path)
    return "\(parent == "." && !path.hasPrefix("./") ? "" : parent + "/")\(stem)_files"
  }

  /// Writes the page: whole, or not at all.
  ///
  /// - Parameters:
  ///   - isInterrupted: Asked between episodes; the page is not made then.
  ///   - done: Called for each episode that is in it.
  /// - Returns: `nil` where it was interrupted.
  public func write(
    to path: String, isInterrupted: () -> Bool = { false }, done: (String) -> Void = { _ in }
  ) throws(TrajpackError) -> Outcome? {
    let folder = options.hasFolder && plan.budget.frames > 0 ? Self.folder(of: path) : nil
    let file = try PageFile(path, folder: folder)
    do throws(TrajpackError) {
      guard let outcome = try fill(file, isInterrupted, done) else {
        file.discard()
        return nil
      }
      try file.publish()
      return outcome
    } catch {
      file.discard()
      throw error
    }
  }

  private func fill(
    _ file: PageFile, _ isInterrupted: () -> Bool, _ done: (String) -> Void
  ) throws(TrajpackError) -> Outcome? {
    var outcome = Outcome()
    outcome.frames = plan.budget.frames
    try file.write(PageText.head(title: FileSystem.name(of: data.dataset.path)))
    let pool = try WorkerPool(threads: max(min(WorkerPool.processors, 8), 1))
    var waiting: [Future<EpisodeSketch>] = []
    var head = PageHead(plan)
    var next = 0
    while next < chosen.count || !waiting.isEmpty {
      while next < chosen.count, waiting.count < 16 {
        let number = chosen[next]
        let (data, plan, colours) = (data, plan, colours)
        let folder = file.folderName
        waiting.append(
          pool.run { () throws(TrajpackError) in
            try EpisodeSketch(data, number, plan, colours: colours, folder: folder)
          })
        next += 1
      }
      var sketch: EpisodeSketch? = try waiting.removeFirst().value()
      guard !isInterrupted() else {
        for left in waiting { _ = try? left.value() }
        return nil
      }
      guard let taken = sketch.take() else { continue }
      for picture in taken.pictures { try file.write(picture: picture.name, picture.bytes) }
      try file.write(
        "<script type=\"application/json\" id=\"e\(outcome.episodes)\">"
          + PageText.embedded(taken.json) + "</script>\n")
      outcome.episodes += 1
      if let why = taken.blind {
        outcome.blind += 1
        if outcome.reason == nil { outcome.reason = why }
      }
      head.add(taken)
      done(taken.id)
    }
    let document = try head.document(data, summary, chosen, outcome, version: options.version)
    outcome.odd = head.oddEpisodes
    try file.write(
      "<script type=\"application/json\" id=\"head\">" + PageText.embedded(document)
        + "</script>\n" + PageText.tail)
    (outcome.bytes, outcome.pictureBytes) = (file.bytes, file.pictureBytes)
    return outcome
  }
}

/// The file of a page under a temporary name, and its folder of pictures.
private final class PageFile {
  private let path: String
  private let temporary: String
  private let descriptor: Int32
  private let folder: String?
  private var names: [String] = []
  private var buffer: [UInt8] = []
  private var flushed = 0
  /// Bytes of the page so far.
  var bytes: Int { flushed + buffer.count }
  private(set) var pictureBytes = 0
  /// The folder of pictures as the page names it, percent-encoded.
  let folderName: String?

  init(_ path: String, folder: String?) throws(TrajpackError) {
    self.path = path
    self.folder = folder
    folderName = folder.map { folder in
      FileSystem.name(of: folder).utf8.map { byte in
        let isPlain =
          (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte)
          || (0x61...0x7A).contains(byte) || [0x2D, 0x2E, 0x5F].contains(byte)
        return isPlain
          ? String(UnicodeScalar(byte))
          : "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
      }.joined()
    }
    let name = String(decoding: FileSystem.name(of: path).utf8.prefix(200), as: UTF8.self)
    temporary =
      "\(FileSystem.parent(of: path))/.tmp-\(name)-\(String(UInt64.random(in: 0 ... .max), radix: 16))"
    descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { throw .system("cannot be written", path) }
    if let folder {
      guard mkdir(folder, 0o777) == 0 else {
        let failure =
          errno == EEXIST
          ? TrajpackError(
            .usage, file: folder,
            "is there already, and pictures would go there: remove it, or name another page"
          )
          : TrajpackError.system("cannot be made", folder)
        close(descriptor)
        unlink(temporary)
        throw failure
      }
    }
  }

  func write(_ text: String) throws(TrajpackError) {
    buffer += Array(text.utf8)
    if buffer.count > 1 << 20 { try flush() }
  }

  private func flush() throws(TrajpackError) {
    try FileSystem.write(buffer, to: descriptor, temporary)
    flushed += buffer.count
    buffer.removeAll(keepingCapacity: true)
  }

  func write(picture name: String, _ content: [UInt8]) throws(TrajpackError) {
    guard let folder else { return }
    let place = "\(folder)/\(name)"
    let fd = open(place, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
    guard fd >= 0 else { throw .system("cannot be made", place) }
    defer { close(fd) }
    names.append(name)
    try FileSystem.write(content, to: fd, place)
    pictureBytes += content.count
  }

  func publish() throws(TrajpackError) {
    try flush()
    try FileSystem.sync(descriptor, temporary)
    close(descriptor)
    guard rename(temporary, path) == 0 else { throw .system("cannot be named", path) }
    try FileSystem.syncFolder(FileSystem.parent(of: path))
  }

  /// Removes what was written.
  func discard() {
    close(descriptor)
    unlink(temporary)
    guard let folder else { return }
    for name in names { unlink("\(folder)/\(name)") }
    rmdir(folder)
  }
}
