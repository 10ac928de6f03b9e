import Glibc
import TrajpackFormat
import TrajpackStore

/// Compares what libhdf5 reads of a shard with what trajpack reads: which datasets there are, the type, shape, chunks
/// and filters of each, where its chunks lie, and every value. libhdf5 runs in a process that can do nothing else.
public struct HDF5Agreement {
  /// The most differences that are told of a shard.
  public static let most = 16
  /// Bytes of rows that are compared at once, or a chunk.
  private static let piece = 4 << 20

  private let shard: Shard
  private let isStopped: () -> Bool
  private var reader: GuardedReader?
  private var found: [TrajpackError] = []
  private let blocks: BlockReader

  /// What differs in a shard, a sentence each; empty where HDF5's programs read what trajpack reads. Damaged chunks are
  /// not compared: they are a matter of their checksums.
  ///
  /// - Throws: A machine error where libhdf5 is missing or no process can be started; a usage error of a remote shard.
  public static func differences(
    of shard: Shard, isStopped: @escaping () -> Bool = { false }
  ) throws(TrajpackError) -> [TrajpackError] {
    guard shard.file is LocalFile else {
      throw TrajpackError(
        .usage, file: shard.file.path,
        "is remote, and libhdf5 reads local files alone; copy it, or leave --hdf5 out")
    }
    var check = HDF5Agreement(shard: shard, isStopped: isStopped)
    try check.run()
    return check.found
  }

  private init(shard: Shard, isStopped: @escaping () -> Bool) {
    (self.shard, self.isStopped) = (shard, isStopped)
    blocks = BlockReader(shard, cache: 1)
  }

  private mutating func run() throws(TrajpackError) {
    let expected = Expected.all(of: shard)
    guard let nodes = try asked("/", { (reader) throws(TrajpackError) in try reader.nodes() })
    else { return }
    let promised = Set(expected.map(\.path))
    var groups: Set<String> = ["/"]
    for item in expected {
      var path = ""
      for part in item.path.pathComponents.dropFirst().dropLast() {
        path += "/\(part)"
        groups.insert(path)
      }
    }
    let known = Set(ShardHeader.SectionID.allCases.map(\.rawValue))
    let hasNewer = shard.header.sections.contains { !known.contains($0.id) }
    var met: Set<String> = []
    for node in nodes {
      switch node.content {
      case .group where groups.contains(node.path) && node.target.isEmpty: continue
      case .array where promised.contains(node.path) && node.target.isEmpty:
        met.insert(node.path)
        continue
      case .unread(let why): add("HDF5 has \(node.path), which \(why)", node.path)
      default:
        if hasNewer, node.path.hasPrefix("/index/") { continue }
        add("HDF5 has \(node.path), of which the index says nothing", node.path)
      }
    }
    if let root = nodes.first(where: { $0.path == "/" }) {
      guard case .texts(let texts)? = root["format"]?.content,
        texts.first?.hasPrefix("trajpack shard") == true
      else {
        return add("HDF5's attribute 'format' is not that of a shard", "/")
      }
    }
    for item in expected {
      guard found.count < Self.most, !isStopped() else { return }
      guard met.contains(item.path) else {
        add("the index has \(item.path), which HDF5 does not", item.path, item.stream)
        continue
      }
      try compare(item)
    }
  }

  /// Asks the reading process; what it cannot read is a difference, and it is started anew.
  private mutating func asked<Answer>(
    _ path: String, stream: String? = nil,
    _ body: (GuardedReader) throws(TrajpackError) -> Answer
  ) throws(TrajpackError) -> Answer? {
    let current: GuardedReader
    if let reader { current = reader } else { current = try GuardedReader(shard.file.path) }
    reader = current
    do throws(TrajpackError) {
      return try body(current)
    } catch {
      guard error.fault == .data else { throw error }
      reader = nil
      let own = "\(shard.file.path): "
      let isOwn = error.message.hasPrefix(own)
      let why = isOwn ? String(error.message.dropFirst(own.count)) : error.message
      add("HDF5 cannot read it: \(why)", path, stream)
      return nil
    }
  }

  private mutating func add(_ sentence: String, _ path: String, _ stream: String? = nil) {
    guard found.count < Self.most else { return }
    found.append(
      TrajpackError(
        .data,
        "\(shard.name): \(sentence); programs that use HDF5 do not read what trajpack reads, so restore the shard from "
          + "a copy or convert the source again",
        at: ErrorPlace(file: shard.name, stream: stream)))
  }

  private mutating func compare(_ item: Expected) throws(TrajpackError) {
    let count = item.rows == 0 ? 0 : (item.rows - 1) / max(item.chunkRows, 1) + 1
    let layout = try asked(item.path, stream: item.stream) { (reader) throws(TrajpackError) in
      try reader.layout(item.path, chunks: count)
    }
    guard let layout else { return }
    func differs(_ what: String, _ ours: some Equatable, _ theirs: some Equatable) -> String? {
      "\(ours)" == "\(theirs)" ? nil : "\(what) \(theirs) in HDF5, and \(ours) in the index"
    }
    let first =
      differs("type", Expected.spelled(item.type), layout.element)
      ?? differs("elements of shape", item.elementShape, layout.elementShape)
      ?? differs("shape", [item.rows] + item.inner, layout.shape)
      ?? differs("chunks", [item.chunkRows] + item.inner, layout.chunkShape)
      ?? differs("filters", item.filters, layout.filters)
      ?? (layout.written < 0 ? nil : differs("number of chunks", count, layout.written))
    if let first { return add("\(item.path) has \(first)", item.path, item.stream) }
    for (number, chunk) in layout.chunks.enumerated() {
      let ours = place(ofChunk: number, item)
      let isHere = [ours.address, ours.address - ShardHeader.size].contains(chunk.address)
      guard isHere, chunk.stored == ours.stored, chunk.mask == ours.mask else {
        return add(
          "chunk \(number) of \(item.path) lies at byte \(chunk.address) (\(chunk.stored) bytes, filter mask "
            + "\(chunk.mask)) in HDF5, and at byte \(ours.address) (\(ours.stored) bytes, filter mask \(ours.mask)) "
            + "in the index", item.path, item.stream)
      }
    }
    try compareValues(item, chunks: count)
  }

  private func place(ofChunk number: Int, _ item: Expected) -> HDF5Layout.Chunk {
    if let block = item.block {
      let chunk = shard.index.chunk(number, of: shard.schema.blocks[block])
      return HDF5Layout.Chunk(
        mask: Int(chunk.filterMask), address: chunk.offset, stored: chunk.stored)
    }
    let section = item.section.flatMap { shard.header.section($0) }
    return HDF5Layout.Chunk(
      mask: 0, address: Int(section?.offset ?? 0), stored: Int(section?.stored ?? 0))
  }

  private mutating func compareValues(_ item: Expected, chunks: Int) throws(TrajpackError) {
    guard let number = item.block else {
      if let id = item.section, let bytes = try shard.section(id) {
        try compare(item, rows: 0..<item.rows, with: bytes)
      }
      return
    }
    let block = shard.schema.blocks[number]
    let perPiece = max(Self.piece / max(block.chunkBytes, 1), 1)
    for first in stride(from: 0, to: chunks, by: perPiece) {
      guard !isStopped() else { return }
      // Chunks that are damaged lie between runs of good ones.
      var run: (rows: Range<Int>, bytes: [UInt8]) = (0..<0, [])
      for chunk in first..<min(first + perPiece, chunks) {
        let start = chunk * block.chunkRows
        let rows = start..<min(start + block.chunkRows, block.rows)
        if let bytes = try good(rows, of: number) {
          run = (
            run.bytes.isEmpty ? rows : run.rows.lowerBound..<rows.upperBound, run.bytes + bytes
          )
          continue
        }
        guard try compare(item, rows: run.rows, with: run.bytes) else { return }
        run = (0..<0, [])
      }
      guard try compare(item, rows: run.rows, with: run.bytes) else { return }
    }
  }

  /// The bytes of rows of a block; `nil` where they are damaged.
  private func good(_ rows: Range<Int>, of number: Int) throws(TrajpackError) -> [UInt8]? {
    let size = shard.schema.blocks[number].rowBytes
    var failure: TrajpackError?
    let bytes = [UInt8](unsafeUninitializedCapacity: rows.count * size) { buffer, count in
      guard let base = buffer.baseAddress else { return }
      do throws(TrajpackError) {
        try blocks.read(block: number, rows: rows, columns: 0..<size, into: base, stride: size)
        count = rows.count * size
      } catch { failure = error }
    }
    if let failure {
      guard failure.fault == .data else { throw failure }
      return nil
    }
    return bytes
  }

  /// Whether rows of a dataset have the bytes `ours`.
  @discardableResult
  private mutating func compare(
    _ item: Expected, rows: Range<Int>, with ours: [UInt8]
  ) throws(TrajpackError) -> Bool {
    guard !rows.isEmpty else { return true }
    var (at, different): (Int, Int?) = (0, nil)
    let part = [rows] + item.inner.map { 0..<$0 }
    let isRead: Void? = try asked(item.path, stream: item.stream) {
      (reader) throws(TrajpackError) in
      try reader.read(item.path, field: "", part) { (bytes) throws(TrajpackError) in
        if different == nil {
          let end = at + bytes.count
          guard end <= ours.count else {
            different = ours.count
            return
          }
          ours.withUnsafeBytes { ours in
            let part = UnsafeRawBufferPointer(rebasing: ours[at..<end])
            guard !part.elementsEqualBytes(bytes) else { return }
            different = at + (zip(part, bytes).enumerated().first { $1.0 != $1.1 }?.offset ?? 0)
          }
        }
        at += bytes.count
      }
    }
    guard isRead != nil else { return false }
    if different == nil, at != ours.count { different = min(at, ours.count) }
    guard let different else { return true }
    let row = rows.lowerBound + different / max(ours.count / max(rows.count, 1), 1)
    add("\(item.path) has other values in HDF5, from row \(row) on", item.path, item.stream)
    return false
  }
}

extension UnsafeRawBufferPointer {
  /// Whether two buffers have the same bytes.
  fileprivate func elementsEqualBytes(_ other: UnsafeRawBufferPointer) -> Bool {
    guard count == other.count else { return false }
    guard let a = baseAddress, let b = other.baseAddress else { return true }
    return memcmp(a, b, count) == 0
  }
}
