import Synchronization
import TrajpackCodecs
import TrajpackFormat
import TrajpackStore

/// A Zarr store of version 2 or 3, a folder or a zip archive, as a tree of arrays.
final class ZarrStore: TreeFile {
  static let title = "Zarr 2 and 3 (folder, .zip)"
  static let endings = [".zarr", ".zip"]

  let path: String
  let nodes: [TreeNode]
  private let objects: ZarrObjects
  private let arrays: [String: ZarrArray]
  private let cache = Mutex(ChunkCache())

  /// Bytes of rows that are gathered at once.
  private static let slab = 16 << 20

  /// Whether a path is one, by the metadata in it.
  static func recognises(_ path: String) -> Bool {
    switch FileSystem.item(at: path) {
    case .folder: return ZarrObjects.isFolder(path)
    case .file: return ZarrObjects.isArchive(path)
    default: return false
    }
  }

  /// Reads the metadata of all groups and arrays.
  init(_ path: String) throws(TrajpackError) {
    self.path = path
    objects = try ZarrObjects(path)
    var nodes: [TreeNode] = []
    var arrays: [String: ZarrArray] = [:]
    for (key, metadata) in try objects.nodes() {
      let prefix = key.isEmpty ? "" : key + "/"
      let json = try objects.json(prefix + metadata)
      var attributes = json["attributes"]
      if metadata != "zarr.json" {
        attributes = nil
        if try objects.read(prefix + ".zattrs") != nil {
          attributes = try objects.json(prefix + ".zattrs")
        }
      }
      let isArray = metadata == ".zarray" || json["node_type"]?.string == "array"
      // An array at the root has no name of its own.
      let place = key.isEmpty ? isArray ? "/values" : "/" : "/" + key
      if nodes.isEmpty, place != "/" { nodes.append(TreeNode(path: "/", content: .group)) }
      var node = TreeNode(path: place, content: .group, attributes: Self.attributes(attributes))
      if isArray {
        do throws(ZarrArray.Unread) {
          var array = metadata == ".zarray" ? try ZarrArray(v2: json) : try ZarrArray(v3: json)
          array.keyPrefix = prefix + array.keyPrefix
          var tree = TreeArray(form: .numbers(array.type), shape: array.shape)
          if array.isComplex {
            tree.shape.append(2)
            (tree.isComplex, tree.elementRank) = (true, 1)
          }
          tree.tick = array.dates?.tick
          tree.storage = array.storage + (array.dates.map { ", \($0.name)" } ?? "")
          node.content = .array(tree)
          if let why = Self.excess(array, objects.bytes) { node.content = .unread(why) }
          arrays[place] = array
        } catch {
          var tree = TreeArray(form: .unread(error.why), shape: [])
          tree.shape = (json["shape"]?.array ?? []).compactMap(\.int)
          node.content = .array(tree)
        }
      } else {
        let version = json["zarr_format"]?.int ?? 0
        guard version == (metadata == ".zgroup" ? 2 : 3) else {
          throw TrajpackError(
            .data, file: "\(path)/\(prefix)\(metadata)",
            "is of Zarr format \(version); 2 and 3 are read")
        }
      }
      nodes.append(node)
    }
    (self.nodes, self.arrays) = (nodes, arrays)
  }

  /// Why an array of that shape cannot lie in a store of so many bytes.
  private static func excess(_ array: ZarrArray, _ stored: Int) -> String? {
    let bytes = array.shape.reduce(array.size, *)
    guard bytes > 4 << 30, bytes / 20_000 > stored else { return nil }
    return "claims \(bytes) bytes, and the whole store has \(stored)"
  }

  private static func attributes(_ json: JSONValue?) -> [(name: String, value: TreeValue)] {
    (json?.members ?? []).map { member in
      let text: String
      switch member.value {
      case .int(let n): return (member.name, TreeValue(content: .integers([n])))
      case .uint(let n): return (member.name, TreeValue(content: .numbers([Double(n)])))
      case .double(let x): return (member.name, TreeValue(content: .numbers([x])))
      case .bool(let flag): return (member.name, TreeValue(content: .integers([flag ? 1 : 0])))
      case .string(let plain): text = plain
      case .array(let all):
        let numbers = all.compactMap(\.double)
        if !all.isEmpty, numbers.count == all.count {
          return (member.name, TreeValue(content: .numbers(numbers), shape: [numbers.count]))
        }
        let texts = all.compactMap(\.string)
        if !all.isEmpty, texts.count == all.count {
          return (member.name, TreeValue(content: .texts(texts), shape: [texts.count]))
        }
        text = member.value.text()
      default: text = member.value.text()
      }
      return (member.name, TreeValue(content: .texts([text])))
    }
  }

  func read(
    _ node: TreeNode, _ part: [Range<Int>],
    _ body: (UnsafeRawBufferPointer) throws(TrajpackError) -> Void
  ) throws(TrajpackError) {
    guard let array = arrays[node.path], node.array?.type != nil else {
      throw TrajpackError(.data, file: path, "\(node.path): is no array of numbers")
    }
    // The parts of a complex number are an axis of the tree, and one element of the store.
    var wanted = part
    if array.isComplex {
      guard part.last == 0..<2 else {
        throw TrajpackError(.data, file: path, "\(node.path): its complex numbers are not divided")
      }
      wanted.removeLast()
    }
    guard !wanted.contains(where: \.isEmpty) else { return }
    let unpacker = Decompressor()
    guard !wanted.isEmpty else {
      let bytes = try chunk([], array, node, unpacker) ?? array.fill
      return try bytes.withUnsafeBufferPointer { (raw) throws(TrajpackError) in
        try body(UnsafeRawBufferPointer(raw))
      }
    }
    let rest = wanted.dropFirst()
    let row = rest.reduce(array.size) { $0 * $1.count }
    let across = zip(rest, array.chunk.dropFirst()).map { range, size in
      range.lowerBound / size..<(range.upperBound - 1) / size + 1
    }
    let isOne = across.allSatisfy { $0.count == 1 }
    var first = wanted[0].lowerBound
    while first < wanted[0].upperBound {
      let band = first / array.chunk[0]
      var end = min((band + 1) * array.chunk[0], wanted[0].upperBound)
      // One chunk is kept, so that its rows can be taken in pieces.
      if isOne { end = min(end, first + max(Self.slab / max(row, 1), 1)) }
      let slab = ByteBuffer((end - first) * row)
      var numbers = [band] + across.map(\.lowerBound)
      while true {
        let bytes = try chunk(numbers, array, node, unpacker)
        Self.place(bytes, numbers, array, [first..<end] + rest, slab.bytes)
        var axis = numbers.count - 1
        while axis > 0 {
          numbers[axis] += 1
          if numbers[axis] < across[axis - 1].upperBound { break }
          numbers[axis] = across[axis - 1].lowerBound
          axis -= 1
        }
        if axis == 0 { break }
      }
      try body(UnsafeRawBufferPointer(slab.bytes))
      first = end
    }
  }

  func readTexts(
    _ node: TreeNode, _ part: [Range<Int>], _ body: ([UInt8]) throws(TrajpackError) -> Void
  ) throws(TrajpackError) {
    throw TrajpackError(
      .data, file: path, "\(node.path): is text, which is not read of Zarr stores")
  }

  /// Copies the elements of a chunk that lie in a part into the rows of the part; the fill value where it was never
  /// written.
  private static func place(
    _ bytes: [UInt8]?, _ numbers: [Int], _ array: ZarrArray, _ part: [Range<Int>],
    _ out: UnsafeMutableRawBufferPointer
  ) {
    let rank = part.count
    let own = zip(numbers, array.chunk).map { $0 * $1..<($0 + 1) * $1 }
    let common = zip(part, own).map { $0.clamped(to: $1) }
    guard !common.contains(where: \.isEmpty) else { return }
    func strides(_ sizes: [Int]) -> [Int] {
      var out = [Int](repeating: array.size, count: sizes.count)
      for axis in sizes.indices.dropLast().reversed() {
        out[axis] = out[axis + 1] * sizes[axis + 1]
      }
      return out
    }
    let (from, to) = (strides(array.chunk), strides(part.map(\.count)))
    let run = common[rank - 1].count * array.size
    var index = common.map(\.lowerBound)
    (bytes ?? array.fill).withUnsafeBytes { source in
      guard let base = source.baseAddress, let target = out.baseAddress else { return }
      while true {
        var (read, write) = (0, 0)
        for axis in 0..<rank {
          read += (index[axis] - own[axis].lowerBound) * from[axis]
          write += (index[axis] - part[axis].lowerBound) * to[axis]
        }
        if bytes != nil {
          (target + write).copyMemory(from: base + read, byteCount: run)
        } else {
          for at in stride(from: write, to: write + run, by: array.size) {
            (target + at).copyMemory(from: base, byteCount: array.size)
          }
        }
        var axis = rank - 2
        while axis >= 0 {
          index[axis] += 1
          if index[axis] < common[axis].upperBound { break }
          index[axis] = common[axis].lowerBound
          axis -= 1
        }
        if axis < 0 { return }
      }
    }
  }

  /// The elements of a chunk; `nil` where it was never written.
  private func chunk(
    _ numbers: [Int], _ array: ZarrArray, _ node: TreeNode, _ unpacker: Decompressor
  ) throws(TrajpackError) -> [UInt8]? {
    let name = "\(node.path):\(numbers.map { String($0) }.joined(separator: "."))"
    if let known = cache.withLock({ $0[name] }) { return known }
    let bytes: [UInt8]
    let objectNumbers = array.shard.map { shard in zip(numbers, shard.counts).map { $0 / $1 } }
    let key = array.key(objectNumbers ?? numbers)
    do throws(TrajpackError) {
      guard let stored = try stored(numbers, key, array) else { return nil }
      bytes = try array.unpack(stored, unpacker)
    } catch {
      throw error.message.contains(key) ? error : error.within("\(path)/\(key)")
    }
    cache.withLock { $0.add(name, bytes) }
    return bytes
  }

  /// The packed bytes of a chunk; `nil` where it was never written.
  private func stored(
    _ numbers: [Int], _ key: String, _ array: ZarrArray
  ) throws(TrajpackError) -> [UInt8]? {
    guard let shard = array.shard else { return try objects.read(key) }
    let size = shard.indexBytes
    guard
      var index = try objects.read(
        key, { shard.isIndexAtEnd ? $0 - size..<max($0, $0 - size) : 0..<size })
    else { return nil }
    if shard.hasChecksum {
      let sum = index.withUnsafeBytes {
        CRC32C.of(UnsafeRawBufferPointer(rebasing: $0[..<(size - 4)]))
      }
      guard sum == index.little(size - 4, as: UInt32.self) else {
        throw TrajpackError(
          .data, "the table of the shard does not match its checksum; it is cut or damaged")
      }
    }
    if shard.isIndexBigEndian { index.withUnsafeMutableBytes { $0.reverseElements(of: 8) } }
    var number = 0
    for (own, count) in zip(numbers, shard.counts) { number = number * count + own % count }
    let offset = index.little(16 * number, as: UInt64.self)
    let length = index.little(16 * number + 8, as: UInt64.self)
    if offset == .max, length == .max { return nil }
    guard offset < 1 << 62, length < 1 << 31 else {
      throw TrajpackError(.data, "the table of the shard names bytes that no file has")
    }
    return try objects.read(key, { _ in Int(offset)..<Int(offset) + Int(length) })
  }
}

/// The chunks that were unpacked last: episodes that lie in one chunk are read one after the other.
private struct ChunkCache {
  private static let most = 64 << 20
  private static let mostOfOne = 48 << 20

  private var chunks: [String: (bytes: [UInt8], used: Int)] = [:]
  private var held = 0
  private var clock = 0

  subscript(name: String) -> [UInt8]? {
    mutating get {
      guard let found = chunks[name] else { return nil }
      clock += 1
      chunks[name]?.used = clock
      return found.bytes
    }
  }

  mutating func add(_ name: String, _ bytes: [UInt8]) {
    guard bytes.count <= Self.mostOfOne, chunks[name] == nil else { return }
    while held + bytes.count > Self.most || chunks.count >= 4096,
      let oldest = chunks.min(by: { $0.value.used < $1.value.used })
    {
      held -= oldest.value.bytes.count
      chunks[oldest.key] = nil
    }
    clock += 1
    chunks[name] = (bytes, clock)
    held += bytes.count
  }
}
