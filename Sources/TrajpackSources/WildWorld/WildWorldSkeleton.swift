import TrajpackFormat
import TrajpackStore

extension WildWorldExamination.Array {
  /// The stream of the array's joints: by the name of its joint graph where there is one.
  func stream(_ edges: [String: [[Int]]]) -> String {
    let graph = graph
    if edges[graph] != nil { return "skeleton/\(graph)" }
    // Characters share one graph; without it each type is a skeleton of its own.
    return entity.kind == "npc" ? "skeleton/npc_\(entity.type)" : "skeleton/\(graph)"
  }

  /// The name of the joint graph in `skeleton_edges.json`.
  var graph: String {
    switch entity.kind {
    case "monster": return "em_\(entity.type)"
    case "weapon": return "wp_\(entity.type)"
    default: return "npc"
    }
  }

  /// The kinds of entities by the first letter of a key.
  static let kinds: [Character: String] = ["m": "monster", "n": "npc", "w": "weapon"]

  /// Reads a key `<kind><index>_<type>`.
  init?(key: String, joints: Int, of element: ElementType = .float32) {
    guard let letter = key.first, let kind = Self.kinds[letter],
      let bar = key.firstIndex(of: "_"),
      let index = Int(key[key.index(after: key.startIndex)..<bar]),
      let type = Int(key[key.index(after: bar)...]), index >= 0, index < 1 << 20, type >= 0
    else { return nil }
    self.key = key
    self.joints = joints
    self.type = element
    entity = Entity(kind: kind, index: index, type: type)
    // A key must come back from the numbers, or the export would give it another name.
    guard "\(letter)\(index)_\(type)" == key else { return nil }
  }
}

extension WildWorldExamination {
  /// Reads the headers of the arrays of a `skeleton.npz`.
  ///
  /// - Returns: The arrays and their number of frames, `nil` where there is no array; and the names of members that
  ///   are no joints.
  static func arrays(
    of path: String, edges: [String: [[Int]]]
  ) throws(TrajpackError) -> (arrays: [Array], frames: Int?, others: [String]) {
    let archive = try NPZ(LocalFile(path), as: "skeleton.npz")
    var arrays: [Array] = []
    var frames: Int?
    var others: [String] = []
    for name in archive.names {
      if Array(key: name, joints: 0) == nil {
        // What is no array of joints by name and content: a rate, names of joints.
        guard case .numbers(let found)? = try? archive.content(name), isJoints(found) else {
          others.append(name)
          continue
        }
      }
      let header = try archive.array(name)
      guard isJoints(header.header) else {
        throw TrajpackError(
          .data,
          "skeleton.npz: array '\(name)' is \(header.type.rawValue) \(header.shape) where joints are "
            + "float32 or float64 (N, J, 3)")
      }
      guard let array = Array(key: name, joints: header.shape[1], of: header.type) else {
        throw TrajpackError(
          .data,
          "skeleton.npz: array '\(name)' has no name of the form <kind><index>_<type> with kind m, "
            + "n or w")
      }
      if let frames, header.shape[0] != frames {
        throw TrajpackError(
          .data,
          "skeleton.npz: array '\(name)' has \(header.shape[0]) frames where '\(arrays[0].key)' has "
            + "\(frames)")
      }
      frames = header.shape[0]
      if let joint = edges[array.graph]?.joined().max(), joint >= array.joints {
        throw TrajpackError(
          .data,
          "skeleton.npz: array '\(name)' has \(array.joints) joints, but '\(array.graph)' of "
            + "skeleton_edges.json joins joint \(joint), so it has \(joint + 1) or more")
      }
      arrays.append(array)
    }
    return (arrays, frames, others)
  }

  private static func isJoints(_ header: NPYHeader) -> Bool {
    header.type.isFloat && header.shape.count == 3 && header.shape[2] == 3 && header.shape[1] > 0
  }
}

/// Cuts the rows of an array into tracks: a run of frames in which the entity is there.
///
/// A frame whose joints are all NaN, as numpy writes NaN, is one in which the entity is not present.
struct SkeletonRows {
  /// One run.
  struct Run {
    var first: Int
    var count: Int
  }

  let spool = RowSpool()
  private(set) var runs: [Run] = []
  private var frame = 0
  private let rowBytes: Int
  /// Whether elements are float64.
  private let isDouble: Bool
  /// Whether float32 elements are kept as float64.
  private let widens: Bool

  /// Rows of joints of one type, kept as those of another that holds them.
  init(joints: Int, _ type: ElementType, as stored: ElementType) {
    isDouble = type == .float64
    widens = stored == .float64 && !isDouble
    rowBytes = joints * 3 * type.size
  }

  /// The bits of the NaN that numpy writes, as float32 and float64.
  static let nan: UInt32 = 0x7FC0_0000
  static let longNaN: UInt64 = 0x7FF8_0000_0000_0000

  /// Adds whole frames, up to `limit` in all.
  mutating func append(_ bytes: UnsafeRawBufferPointer, limit: Int) throws(TrajpackError) {
    var start = 0
    let count = min(bytes.count / rowBytes, limit - frame)
    for row in 0..<max(count, 0) {
      let part = UnsafeRawBufferPointer(rebasing: bytes[row * rowBytes..<(row + 1) * rowBytes])
      if isAbsent(part) {
        try keep(UnsafeRawBufferPointer(rebasing: bytes[start * rowBytes..<row * rowBytes]))
        start = row + 1
      } else if let last = runs.last, last.first + last.count == frame {
        runs[runs.count - 1].count += 1
      } else {
        runs.append(Run(first: frame, count: 1))
      }
      frame += 1
    }
    if count > start {
      try keep(UnsafeRawBufferPointer(rebasing: bytes[start * rowBytes..<count * rowBytes]))
    }
  }

  /// Whether all elements of a row are the NaN that numpy writes.
  private func isAbsent(_ row: UnsafeRawBufferPointer) -> Bool {
    if isDouble {
      return stride(from: 0, to: rowBytes, by: 8).allSatisfy {
        UInt64(littleEndian: row.loadUnaligned(fromByteOffset: $0, as: UInt64.self)) == Self.longNaN
      }
    }
    return stride(from: 0, to: rowBytes, by: 4).allSatisfy {
      UInt32(littleEndian: row.loadUnaligned(fromByteOffset: $0, as: UInt32.self)) == Self.nan
    }
  }

  private func keep(_ bytes: UnsafeRawBufferPointer) throws(TrajpackError) {
    guard widens else { return try spool.append(bytes) }
    var wide = [UInt8](repeating: 0, count: bytes.count * 2)
    wide.withUnsafeMutableBytes { out in
      for at in stride(from: 0, to: bytes.count, by: 4) {
        let bits = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: at, as: UInt32.self))
        let value = Double(Float(bitPattern: bits))
        out.storeBytes(of: value.bitPattern.littleEndian, toByteOffset: 2 * at, as: UInt64.self)
      }
    }
    try spool.append(wide)
  }
}
