import TrajpackFormat
import TrajpackStore

/// The files of a source that hold messages, a recording each, or a folder of rosbag2 with its files.
struct MessageFiles {
  /// A recording.
  struct Item: Sendable {
    var id: String
    /// The file, or the folder of a bag.
    var path: String
    /// What it is called below the source.
    var place: String
    /// The files, in order.
    var files: [String]
    /// How many messages the metadata of a bag count.
    var messages: Int?
    /// Why it cannot be read.
    var failure: TrajpackError?
  }

  private(set) var items: [Item] = []
  private(set) var leftOut: [LeftOut] = []
  private static let deepest = 8

  /// Whether a path is a file of messages, or a folder of which the first files are, beside none of another format.
  static func recognises(_ path: String) -> Bool {
    switch FileSystem.item(at: path) {
    case .file: return isMessages(path)
    case .folder: return (try? MessageFiles([path]))?.items.isEmpty == false
    default: return false
    }
  }

  private static func isMessages(_ path: String) -> Bool {
    MCAPFile.recognises(path) || ROSBagDatabase.recognises(path) || ROS1Bag.recognises(path)
  }

  /// The folders that were looked into.
  private var walked: Set<[UInt64]> = []

  /// Looks at names, and at the first bytes of files.
  init(_ sources: [String]) throws(TrajpackError) {
    for source in sources {
      switch FileSystem.item(at: source) {
      case .file: try add(source, FileSystem.name(of: source), isNamed: true)
      case .folder:
        var folder = source
        while folder.count > 1, folder.hasSuffix("/") { folder.removeLast() }
        try walk(folder, "", 0)
      default: throw FileSystem.noFile(at: source)
      }
    }
    var seen: [String: Int] = [:]
    for item in items { seen[item.id, default: 0] += 1 }
    // Names that come twice are told apart by where they lie.
    for i in items.indices where seen[items[i].id, default: 0] > 1 {
      items[i].id = SourceFiles.File.stem(items[i].place)
    }
  }

  private mutating func add(_ path: String, _ place: String, isNamed: Bool) throws(TrajpackError) {
    guard Self.isMessages(path) else {
      if isNamed {
        // A file that cannot be opened says why.
        _ = try LocalFile(path)
        throw TrajpackError(
          .data, file: path, "is no MCAP file, no database of rosbag2 and no ROS 1 bag")
      }
      leftOut.append(LeftOut(path: place, why: "is no MCAP file"))
      return
    }
    items.append(
      Item(
        id: SourceFiles.File.stem(FileSystem.name(of: place)), path: path, place: place,
        files: [path]))
  }

  private mutating func add(
    bag folder: String, _ place: String, _ names: [String]
  ) throws(TrajpackError) {
    let name = FileSystem.name(of: folder)
    var item = Item(id: name, path: folder, place: place.isEmpty ? name : place, files: [])
    if item.place.hasSuffix("/") { item.place.removeLast() }
    do throws(TrajpackError) {
      let bag = try ROSBagFolder(folder, names)
      item.files = bag.files.map { "\(folder)/\($0)" }
      item.messages = bag.messages
      for other in bag.others {
        leftOut.append(
          LeftOut(path: place + other, why: "is not named by \(ROSBagFolder.metadata)"))
      }
    } catch {
      item.failure = error
    }
    items.append(item)
  }

  private mutating func walk(
    _ folder: String, _ place: String, _ level: Int
  ) throws(TrajpackError) {
    // A link may lead back to a folder above.
    guard level < Self.deepest, !Dataset.isDataset(folder),
      let identity = FileSystem.identity(of: folder), walked.insert(identity).inserted
    else { return }
    let names = NaturalOrder.sorted(
      try FileSystem.names(in: folder).filter { !$0.hasPrefix(".") })
    let isBag = names.contains(ROSBagFolder.metadata) && names.contains(where: ROSBagFolder.isNamed)
    if isBag { try add(bag: folder, place, names) }
    for name in names {
      let path = "\(folder)/\(name)"
      switch FileSystem.item(at: path) {
      case .file:
        if isBag, ROSBagFolder.isNamed(name) || name == ROSBagFolder.metadata { continue }
        guard ROSBagFolder.isNamed(name) || name.lowercased().hasSuffix(".bag") else {
          leftOut.append(LeftOut(path: place + name, why: "is no MCAP file"))
          continue
        }
        try add(path, place + name, isNamed: false)
      case .folder: try walk(path, "\(place)\(name)/", level + 1)
      default: continue
      }
    }
  }
}
