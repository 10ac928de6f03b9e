import CHDF5
import CHDF5Shims

/// Sends every object of a file: groups before what lies in them.
struct HDF5TreeWalk {
  /// The most objects, and how deep groups are looked into.
  private static let mostObjects = 2_000_000
  private static let mostLevels = 32
  /// Milliseconds of CPU that one object may take.
  private static let time: UInt64 = 1000

  let file: hid_t
  private var count = 0
  private var seen: Set<UInt64> = []

  init(_ file: hid_t) { self.file = file }

  /// Walks the whole file.
  ///
  /// - Returns: What is wrong with it; `nil` for nothing.
  mutating func send(_ frames: inout MessageWriter) -> String? {
    tph5_allow(Self.time)
    let root = H5Gopen2(file, "/", hid_t(0))
    guard root >= 0 else { return "its root group is damaged" }
    defer { H5Gclose(root) }
    var address: UInt64 = 0
    var kind: CChar = 0
    if tph5_object(root, &address, &kind) >= 0 { seen.insert(address) }
    var node: [UInt8] = [UInt8(ascii: "g")]
    node.put("/")
    node.put("")
    HDF5Attributes.put(root, in: file, into: &node)
    frames.send("N", node)
    return walk(root, "", 0, &frames)
  }

  private mutating func walk(
    _ group: hid_t, _ path: String, _ level: Int, _ frames: inout MessageWriter
  ) -> String? {
    guard level < Self.mostLevels else { return "its groups lie more than \(Self.mostLevels) deep" }
    guard let names = HDF5Names.links(of: group) else { return "group \(path)/ is damaged" }
    for name in names {
      count += 1
      guard count <= Self.mostObjects else { return "it has more than \(Self.mostObjects) objects" }
      tph5_allow(Self.time)
      let place = "\(path)/\(name)"
      guard place.utf8.count <= 4096 else { return "an object has a path of more than 4096 bytes" }
      var info = H5L_info_t()
      guard H5Lget_info(group, name, &info, hid_t(0)) >= 0 else {
        return "link \(place) is damaged"
      }
      var target = ""
      switch info.type {
      case H5L_TYPE_HARD: break
      case H5L_TYPE_SOFT:
        var text = [CChar](repeating: 0, count: Int(min(info.u.val_size, 4096)) + 1)
        H5Lget_val(group, name, &text, text.count - 1, hid_t(0))
        target = String(
          decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
      default:
        frames.send("N", Self.unread(place, "a link to another file, which is never followed"))
        continue
      }
      let object = H5Oopen(group, name, hid_t(0))
      guard object >= 0 else {
        frames.send(
          "N",
          Self.unread(
            place, target.isEmpty ? "is damaged" : "a link to '\(target)', which is not there"))
        continue
      }
      defer { H5Oclose(object) }
      var address: UInt64 = 0
      var kind: CChar = 0
      guard tph5_object(object, &address, &kind) >= 0 else {
        frames.send("N", Self.unread(place, "is damaged"))
        continue
      }
      switch UInt8(bitPattern: kind) {
      case UInt8(ascii: "g"):
        guard target.isEmpty, seen.insert(address).inserted else {
          frames.send("N", Self.unread(place, "a link to a group that has another place"))
          continue
        }
        var node: [UInt8] = [UInt8(ascii: "g")]
        node.put(place)
        node.put("")
        HDF5Attributes.put(object, in: file, into: &node)
        frames.send("N", node)
        if let wrong = walk(object, place, level + 1, &frames) { return wrong }
      case UInt8(ascii: "d"): dataset(object, place, target, &frames)
      default: continue  // a type with a name
      }
    }
    return nil
  }

  private static func unread(_ path: String, _ why: String) -> [UInt8] {
    var node: [UInt8] = [UInt8(ascii: "x")]
    node.put(path)
    node.put(why)
    return node
  }

  private func dataset(
    _ object: hid_t, _ path: String, _ target: String, _ frames: inout MessageWriter
  ) {
    let (type, space) = (H5Dget_type(object), H5Dget_space(object))
    let creation = H5Dget_create_plist(object)
    defer {
      H5Tclose(type)
      H5Sclose(space)
      H5Pclose(creation)
    }
    let rank = H5Sget_simple_extent_ndims(space)
    guard type >= 0, creation >= 0, rank >= 0, rank <= 32 else {
      return frames.send("N", Self.unread(path, "is damaged"))
    }
    var sizes = [hsize_t](repeating: 0, count: Int(rank) + 1)
    H5Sget_simple_extent_dims(space, &sizes, nil)
    let form = ElementForm(type)
    var shape = sizes.prefix(Int(rank)).map { Int(clamping: $0) }
    // A null space has no elements, a scalar one.
    if H5Sget_simple_extent_type(space) == H5S_NULL { shape = [0] }
    let storage = Self.storage(creation, rank)
    let fields =
      form.sort == "k"
      ? form.fields.map { ("\(path).\($0.name)", $0.name, $0.form) } : [(path, "", form)]
    for (path, field, form) in fields {
      var node: [UInt8] = [UInt8(ascii: "d")]
      node.put(path)
      node.put(target)
      HDF5Attributes.put(object, in: file, into: &node)
      node.put(field)
      form.put(into: &node)
      node.put(shape.count)
      for size in shape { node.put(size) }
      node.put(storage.chunk.count)
      for size in storage.chunk { node.put(size) }
      node.put(storage.text)
      node.put(storage.wrong)
      frames.send("N", node)
    }
  }

  /// How a dataset lies in its file, and why it cannot be read; empty where it can.
  private static func storage(
    _ creation: hid_t, _ rank: Int32
  ) -> (chunk: [Int], text: String, wrong: String) {
    let layout = H5Pget_layout(creation)
    if layout == H5D_VIRTUAL {
      return ([], "virtual", "lies in other files, which are never opened")
    }
    if H5Pget_external_count(creation) > 0 {
      return ([], "external", "lies in other files, which are never opened")
    }
    guard layout == H5D_CHUNKED else { return ([], "", "") }
    var sizes = [hsize_t](repeating: 0, count: Int(rank) + 1)
    H5Pget_chunk(creation, rank, &sizes)
    var names: [String] = []
    for i in 0..<UInt32(max(H5Pget_nfilters(creation), 0)) {
      var (flags, parameters, settings): (UInt32, Int, UInt32) = (0, 0, 0)
      var name = [CChar](repeating: 0, count: 64)
      let id = H5Pget_filter2(creation, i, &flags, &parameters, nil, 63, &name, &settings)
      let known = [
        1: "gzip", 2: "shuffle", 3: "fletcher32", 4: "szip", 5: "nbit", 6: "scaleoffset",
      ]
      let own = [32000: "lzf", 32004: "lz4", 32015: "zstd"]
      if let text = known[Int(id)] ?? own[Int(id)], H5Zfilter_avail(id) > 0 {
        names.append(text)
        continue
      }
      let text = String(
        decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
      return (
        sizes.prefix(Int(rank)).map { Int(clamping: $0) }, text,
        "is compressed by filter \(id)\(text.isEmpty ? "" : " (\(text))"), which is not read; write it anew with gzip"
      )
    }
    return (sizes.prefix(Int(rank)).map { Int(clamping: $0) }, names.joined(separator: ", "), "")
  }
}
