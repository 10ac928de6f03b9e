import Synchronization
import TrajpackFormat
import TrajpackStore

/// A MATLAB file of version 4, 5, 6 or 7 as the tree that version 7.3 would make of it: axes from the last to the first,
/// structs as groups, cells as references to objects below `#refs#`.
final class MATFile: TreeFile {
  static let title = "MATLAB (.mat)"
  static let endings = [".mat"]

  let path: String
  let nodes: [TreeNode]
  private let file: LocalFile
  private let places: [String: MATPlace]
  private let targets: [String: [String]]
  /// What the compressed element that was read last inflates to.
  private let inflated = Mutex<(range: Range<Int>, spool: RowSpool)?>(nil)

  static func recognises(_ path: String) -> Bool {
    guard let file = try? LocalFile(path), let first = try? file.bytes(0..<min(file.length, 512))
    else { return false }
    return isVersion5(first) || MAT4.recognises(first)
  }

  /// Version 5 ends its header of 128 bytes with the version and the order of bytes; 7.3 has another version.
  private static func isVersion5(_ first: [UInt8]) -> Bool {
    guard first.count >= 128 else { return false }
    return first[126..<128].elementsEqual("IM".utf8) && first[125] == 1
      || first[126..<128].elementsEqual("MI".utf8) && first[124] == 1
  }

  init(_ path: String) throws(TrajpackError) {
    self.path = path
    file = try LocalFile(path)
    var parser = MATParser(ByteOrigin(name: path))
    let first = try file.bytes(0..<min(file.length, 128))
    var variables: [[TreeNode]]
    if Self.isVersion5(first) {
      variables = try Self.variables(file, isBig: first[126] == UInt8(ascii: "M"), &parser)
    } else {
      variables = try MAT4.variables(file, &parser)
    }
    // What has no name is of MATLAB itself, for objects.
    variables.removeAll { $0.first?.path == "/" }
    var names: Set<String> = []
    for variable in variables {
      guard let name = variable.first?.path, names.insert(name).inserted else {
        throw TrajpackError(
          .data, file: path,
          "two variables are called '\(variable.first?.name ?? "")'; save it again")
      }
    }
    var nodes = [TreeNode(path: "/", content: .group)] + variables.flatMap { $0 }
    if !parser.cells.isEmpty {
      nodes.append(TreeNode(path: "/#refs#", content: .group))
      nodes += parser.cells.flatMap { $0 }
    }
    self.nodes = nodes
    (places, targets) = (parser.places, parser.targets)
  }

  private static func variables(
    _ file: LocalFile, isBig: Bool, _ parser: inout MATParser
  ) throws(TrajpackError) -> [[TreeNode]] {
    var variables: [[TreeNode]] = []
    let stream = MATStream(file, 128..<file.length, isBig: isBig, parser.origin)
    while stream.position < file.length {
      let tag = try stream.tag()
      guard tag.small == nil, tag.count <= file.length - tag.start else {
        throw parser.origin.wrong(
          "ends at byte \(file.length), and its variable at byte \(tag.start - 8) would end at \(tag.start + tag.count); it was cut short or is damaged"
        )
      }
      if tag.type == 15 {
        let range = tag.start..<tag.start + tag.count
        let inflated = MATStream(
          inflating: try InflateStream(file, range, .zlib, parser.origin), isBig: isBig,
          parser.origin)
        parser.packed = range
        variables.append(
          try parser.matrix(inflated, try inflated.tag(), at: nil, level: 0, toEnd: false))
        try stream.skip(tag.count)
      } else {
        parser.packed = nil
        variables.append(try parser.matrix(stream, tag, at: nil, level: 0, toEnd: true))
      }
    }
    return variables
  }

  private func place(_ node: TreeNode) throws(TrajpackError) -> MATPlace {
    guard let place = places[node.path] else {
      throw TrajpackError(.data, file: path, "\(node.path): is no array that is read")
    }
    return place
  }

  /// Calls `body` with what fills a buffer from a byte of the element on that holds an array.
  private func reading(
    _ place: MATPlace,
    _ body: (
      (Int, UnsafeMutableRawBufferPointer) throws(TrajpackError) -> Void
    ) throws(TrajpackError) -> Void
  ) throws(TrajpackError) {
    guard let packed = place.packed else {
      let window = FileWindow(file)
      return try body { (at, buffer) throws(TrajpackError) in try window.read(at: at, into: buffer)
      }
    }
    let spool = try inflated.withLock { (known) throws(TrajpackError) in
      if let known, known.range == packed { return known.spool }
      known = nil
      let spool = try self.inflate(packed, isBig: place.isBig)
      known = (packed, spool)
      return spool
    }
    try body { (at, buffer) throws(TrajpackError) in
      guard at >= 0, at + buffer.count <= spool.count else {
        throw TrajpackError(.data, file: self.path, "a compressed array is shorter than it claims")
      }
      try spool.read(at: at, into: buffer)
    }
  }

  private func inflate(_ packed: Range<Int>, isBig: Bool) throws(TrajpackError) -> RowSpool {
    let origin = ByteOrigin(name: path)
    let stream = try InflateStream(file, packed, .zlib, origin)
    let head = try stream.bytes(8)
    let claimed = head.count == 8 ? Int(MATStream.word(head, 4, isBig)) : 0
    let spool = RowSpool()
    try spool.append(head)
    let buffer = ByteBuffer(256 << 10)
    // One more byte is asked for, so that the checksum behind the last is compared.
    while spool.count <= claimed + 8 {
      let some = UnsafeMutableRawBufferPointer(
        rebasing: buffer.bytes[..<min(buffer.bytes.count, claimed + 9 - spool.count)])
      let count = try stream.read(into: some)
      try spool.append(UnsafeRawBufferPointer(rebasing: some[..<count]))
      if count < some.count { break }
    }
    return spool
  }

  func read(
    _ node: TreeNode, _ part: [Range<Int>],
    _ body: (UnsafeRawBufferPointer) throws(TrajpackError) -> Void
  ) throws(TrajpackError) {
    guard let array = node.array, let type = array.type, array.count > 0 else { return }
    let place = try place(node)
    if place.sparse != nil {
      let full = try sparse(place, node, type, isComplex: array.isComplex)
      return try ArrayGather(shape: array.shape, part: part, size: type.size).read(full, body)
    }
    let rank = place.axes.count
    let (shape, some) = (Array(array.shape.prefix(rank)), Array(part.prefix(rank)))
    func gather(
      _ numbers: MATPlace.Numbers, _ body: (UnsafeRawBufferPointer) throws(TrajpackError) -> Void
    ) throws(TrajpackError) {
      try reading(place) { (fill) throws(TrajpackError) in
        try ArrayGather(shape: shape, part: some, size: numbers.type.size).read(
          { (at, buffer) throws(TrajpackError) in
            try fill(numbers.start + at, buffer)
            if place.isBig { buffer.reverseElements(of: numbers.type.size) }
          }
        ) { (bytes) throws(TrajpackError) in
          try MATNumbers.converted(bytes, numbers.type, to: type, isLogical: place.isLogical, body)
        }
      }
    }
    guard let imaginary = place.imaginary else { return try gather(place.numbers, body) }
    let (first, second) = (RowSpool(), RowSpool())
    try gather(place.numbers) { (bytes) throws(TrajpackError) in try first.append(bytes) }
    try gather(imaginary) { (bytes) throws(TrajpackError) in try second.append(bytes) }
    try MATNumbers.interleaved(first, second, size: type.size, body)
  }

  /// A sparse matrix in full, in the order of the file.
  private func sparse(
    _ place: MATPlace, _ node: TreeNode, _ type: ElementType, isComplex: Bool
  ) throws(TrajpackError) -> RowSpool {
    guard let sparse = place.sparse else { return RowSpool() }
    var rows: [Int64] = []
    var columns: [Int64] = []
    var parts: [[UInt8]] = []
    func all(_ numbers: MATPlace.Numbers, to type: ElementType, isLogical: Bool = false)
      throws(TrajpackError) -> [UInt8]
    {
      var out: [UInt8] = []
      try reading(place) { (fill) throws(TrajpackError) in
        try ArrayGather(
          shape: [numbers.count], part: [0..<numbers.count], size: numbers.type.size
        ).read(
          { (at, buffer) throws(TrajpackError) in
            try fill(numbers.start + at, buffer)
            if place.isBig { buffer.reverseElements(of: numbers.type.size) }
          }
        ) { (bytes) throws(TrajpackError) in
          try MATNumbers.converted(bytes, numbers.type, to: type, isLogical: isLogical) {
            (bytes) throws(TrajpackError) in out.append(contentsOf: bytes)
          }
        }
      }
      return out
    }
    func whole(_ numbers: MATPlace.Numbers) throws(TrajpackError) -> [Int64] {
      let bytes = try all(numbers, to: .int64)
      return (0..<numbers.count).map { bytes.little(8 * $0, as: Int64.self) }
    }
    rows = try whole(sparse.rows)
    columns = try whole(sparse.columns)
    for numbers in [place.numbers, place.imaginary].compactMap({ $0 }) {
      parts.append(try all(numbers, to: type, isLogical: place.isLogical))
    }
    let step = type.size * parts.count
    var full = [UInt8](repeating: 0, count: place.axes[0] * place.axes[1] * step)
    for column in 0..<place.axes[1] {
      let (first, end) = (columns[column], columns[column + 1])
      guard first >= 0, first <= end, end <= min(rows.count, place.numbers.count) else {
        throw TrajpackError(
          .data, file: path, "the indices of the sparse matrix '\(node.path)' are damaged")
      }
      for i in Int(first)..<Int(end) {
        guard (0..<Int64(place.axes[0])).contains(rows[i]) else {
          throw TrajpackError(
            .data, file: path, "the indices of the sparse matrix '\(node.path)' are damaged")
        }
        let at = (column * place.axes[0] + Int(rows[i])) * step
        for (part, bytes) in parts.enumerated() {
          for j in 0..<type.size { full[at + part * type.size + j] = bytes[i * type.size + j] }
        }
      }
    }
    let spool = RowSpool()
    try spool.append(full)
    return spool
  }

  func readTexts(
    _ node: TreeNode, _ part: [Range<Int>], _ body: ([UInt8]) throws(TrajpackError) -> Void
  ) throws(TrajpackError) {
    if let own = targets[node.path] {
      for target in own { try body(Array(target.utf8)) }
      return
    }
    let place = try place(node)
    var bytes: [UInt8] = []
    let numbers = place.numbers
    let count = numbers.count * numbers.type.size
    try reading(place) { (fill) throws(TrajpackError) in
      let buffer = ByteBuffer(max(count, 1))
      let some = UnsafeMutableRawBufferPointer(rebasing: buffer.bytes[..<count])
      try fill(numbers.start, some)
      if place.isBig { some.reverseElements(of: numbers.type.size) }
      bytes = Array(some)
    }
    guard let lines = MATNumbers.lines(bytes, place) else {
      throw TrajpackError(
        .data, file: path, "\(node.path): has other characters than its axes \(place.axes) say")
    }
    let range = part.first ?? 0..<1
    for line in lines[range] { try body(Array(line.utf8)) }
  }
}
