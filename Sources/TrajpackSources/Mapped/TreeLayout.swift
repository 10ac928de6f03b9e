import TrajpackFormat
import TrajpackStore

/// Lays the arrays of a group out as streams.
///
/// Arrays that lie in the group itself are channels of the stream `steps`, those in a group below are channels of a
/// stream of its name. An array whose rows are 4 KiB and more (a camera) is a stream of its own, and so is one that
/// has another number of rows than the others beside it.
struct TreeLayout {
  /// The stream of the arrays that lie in the group itself.
  static let main = "steps"
  /// Bytes of a row from which on an array is a stream of its own.
  private static let wideRow = 4096

  let tree: any ArrayTree
  let options: MappingOptions
  /// The time of all streams but those that have their own.
  var time = MappedStream.steps
  /// The rows that are taken of each array; all of them where `nil`.
  var rows: Range<Int>?
  /// Arrays with a number of rows of their own, by path: see ``streams(_:)``.
  var leftOut: [LeftOut] = []
  var values: [JSONValue.Member] = []

  init(_ tree: any ArrayTree, _ options: MappingOptions) {
    self.tree = tree
    self.options = options
  }

  /// An array that becomes a channel.
  struct Item {
    var node: TreeNode
    /// Its path below the group.
    var place: String
    var part: TreePart
    var kind: Kind?
    var units: String?
    var conventions: [JSONValue.Member] = []
    var description: String?
    /// The type of the channel, where it is another than that of the array and holds its numbers.
    var type: ElementType?
    /// Whether it is a stream of its own.
    var isApart = false
    /// What its first row is, where rows are files of pictures.
    var picture: FirstPicture?
  }

  /// The arrays below a group as items; constants become values, and what cannot be read is left out.
  ///
  /// - Parameter skipping: Paths below the group that are not taken.
  mutating func items(
    _ nodes: some Sequence<TreeNode>, below base: String,
    skipping: (String) -> Bool = { _ in false }
  ) throws(TrajpackError) -> [Item] {
    let prefix = base == "/" || base.isEmpty ? "/" : base + "/"
    var items: [Item] = []
    for node in nodes where node.path.hasPrefix(prefix) && !node.isGroup {
      let place = String(node.path.dropFirst(prefix.count))
      guard !skipping(place), options.takes(node.path) else { continue }
      guard let array = node.array else {
        if case .unread(let why) = node.content { leave(node, why) }
        continue
      }
      if case .unread(let why) = array.form {
        leave(node, why)
        continue
      }
      guard array.isRead else {
        leave(node, "holds references to other objects")
        continue
      }
      if array.shape.isEmpty {
        if let value = try tree.value(node).json { values.append(.init(place, value)) }
        continue
      }
      let row = array.shape.dropFirst().reduce(1, *)
      if array.shape[0] == 0 || row == 0 {
        leave(node, "has no elements (\(array.text))")
        continue
      }
      if array.type == nil, array.shape.count > 1 {
        leave(node, "has several texts a row (\(array.text))")
        continue
      }
      items.append(Item(node: node, place: place, part: TreePart(tree, node, rows: rows)))
    }
    return items
  }

  private mutating func leave(_ node: TreeNode, _ why: String) {
    leftOut.append(LeftOut(path: "\(FileSystem.name(of: tree.path)):\(node.path)", why: why))
  }

  /// The streams of items.
  ///
  /// - Parameter rows: The number of rows that a recording has, where the format says it: arrays of one row beside
  ///   it are values.
  mutating func streams(_ items: [Item], rows: Int? = nil) throws(TrajpackError) -> [MappedStream] {
    var groups: [(name: String, items: [Item])] = []
    for item in items {
      if let rows, rows > 1, item.part.count == 1, item.part.rowShape.reduce(1, *) <= 1024 {
        if let value = try tree.value(item.node).json {
          values.append(.init(item.place, item.part.rowShape.isEmpty ? Self.first(value) : value))
        }
        continue
      }
      let parts = item.place.pathComponents
      let width = item.part.rowShape.reduce(item.part.type.size, *)
      let name =
        width >= Self.wideRow || item.isApart || Self.isPicture(item)
        ? item.place : parts.count > 1 ? String(parts[0]) : Self.main
      if let i = groups.firstIndex(where: { $0.name == name }) {
        groups[i].items.append(item)
      } else {
        groups.append((name, [item]))
      }
    }
    var streams: [MappedStream] = []
    for group in groups {
      var counts: [Int: Int] = [:]
      for item in group.items { counts[item.part.count, default: 0] += 1 }
      // The number of rows that the format says, or that most arrays have.
      let main =
        rows.flatMap { counts[$0] == nil ? nil : $0 }
        ?? counts.max { ($0.value, $0.key) < ($1.value, $1.key) }?.key ?? 0
      let own = group.items.filter { $0.part.count == main }
      streams.append(stream(group.name, own))
      for item in group.items where item.part.count != main {
        streams.append(stream(item.place, [item]))
      }
    }
    return streams
  }

  /// Whether rows are pictures, which are read one by one.
  private static func isPicture(_ item: Item) -> Bool {
    let shape = item.part.rowShape
    return item.kind == .packet || item.node.array?.form == .bytes
      || (item.part.type == .uint8 && shape.count == 3 && [1, 3, 4].contains(shape[2]))
  }

  private static func first(_ value: JSONValue) -> JSONValue {
    if let all = value.array, all.count == 1 { return all[0] }
    return value
  }

  private func stream(_ name: String, _ items: [Item]) -> MappedStream {
    MappedStream(
      name: name, count: items.first?.part.count ?? 0, time: time,
      channels: items.map { item in
        let channel =
          item.place == name
          ? String(item.place.pathComponents.last ?? "")
          : item.place.hasPrefix(name + "/")
            ? String(item.place.dropFirst(name.utf8.count + 1)) : item.place
        return Self.mapped(channel, item, options)
      })
  }

  /// The channel of an item, and where its rows come from.
  static func mapped(_ name: String, _ item: Item, _ options: MappingOptions) -> MappedChannel {
    var mapped = MappedChannel(channel(name, item, options), .tree(item.part))
    if let type = item.type { mapped.channel.type = type }
    mapped.picture = item.picture
    return mapped
  }

  /// The channel of an item.
  static func channel(_ name: String, _ item: Item, _ options: MappingOptions) -> Channel {
    let (type, shape) = (item.part.type, item.part.type == .bytes ? [] : item.part.rowShape)
    var channel = Channel(
      name: name,
      kind: options.kinds[item.place] ?? options.kinds[name] ?? item.kind
        ?? kind(name, type, shape, item.node.array), type: type, shape: shape,
      units: options.units[item.place] ?? options.units[name] ?? item.units
        ?? item.node.array?.tick.map { $0 == .one ? "s" : "\($0) s" },
      missing: item.node.array?.missing ?? (type.isFloat ? .nan : .never))
    channel.description = item.description
    channel.conventions = item.conventions
    if let array = item.node.array {
      if let type = array.listed {
        channel.description =
          channel.description ?? "the bytes of a list of any length, little-endian"
        channel.setConvention("elements", .string(type.rawValue))
      }
      if array.holdsTextLists {
        channel.description = channel.description ?? "a list of texts, as JSON"
      }
      if array.isComplex { channel.setConvention("complex", "last axis: real, imaginary") }
      // Names are those of a categorical channel where they count from zero.
      if !array.categories.isEmpty,
        array.categories.map(\.value) == Array(0..<array.categories.count)
      {
        channel.kind = .categorical
        channel.categories = array.categories.map(\.name)
      }
    }
    return channel
  }

  /// The kind that a type and a name show; a number is a scalar where neither says more.
  private static func kind(
    _ name: String, _ type: ElementType, _ shape: [Int], _ array: TreeArray?
  ) -> Kind {
    if type == .bytes { return array?.form == .text ? .text : .packet }
    if type == .bool { return .label }
    if shape.count >= 2, name.lowercased().contains("depth") { return .depth }
    if type == .uint8, shape.count == 3, [1, 3, 4].contains(shape[2]) { return .image }
    return .scalar
  }
}
