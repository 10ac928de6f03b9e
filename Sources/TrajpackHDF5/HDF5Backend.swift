import CHDF5
import CHDF5Shims
import Glibc
import TrajpackCodecs
import TrajpackFormat
import TrajpackStore

/// The container of a shard: an HDF5 file in the format of libhdf5 1.10, written chunk by chunk with
/// `H5Dwrite_chunk`. The only user of libhdf5.
///
/// libhdf5 1.10.8 answers the question where a chunk lies in time linear in the number of chunks, so
/// asking for each is quadratic. Instead the address is the end of allocation, which moves with each
/// chunk because small-block aggregation is off; every address is proved by reading the bytes back.
public final class HDF5Backend: ShardBackend {
  private struct Dataset: ~Copyable {
    let handle: HDF5Handle
    var extent: UInt64
    let chunkRows: UInt64
    let path: String
    /// The dimensions of the dataset behind its rows; none where a row is an element.
    let inner: [UInt64]

    /// Sets the number of rows; the corresponding C function is `H5Dset_extent`.
    mutating func resize(_ rows: UInt64) -> Bool {
      extent = rows
      return H5Dset_extent(handle.id, [rows] + inner) >= 0
    }
  }

  private let path: String
  private var file: HDF5Handle?
  private var datasets: [DatasetBox] = []
  private var groups: Set<String> = []

  /// A box, because arrays cannot hold values that are not copyable.
  private final class DatasetBox {
    var value: Dataset?
    init(_ value: consuming Dataset) { self.value = consume value }
  }

  /// Makes a shard's container at `path`, where no file may be.
  public init(_ path: String) throws(TrajpackError) {
    self.path = path
    // libhdf5 speaks of "unable to open file" whatever is wrong: the system says why.
    try Self.loadLibrary()
    let fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
    guard fd >= 0 else { throw .system("cannot be made", path) }
    let file = try HDF5Handle(
      tph5_create(path, fd, UInt64(ShardHeader.size)), .file, "\(path): cannot be made")
    guard tph5_set_text(file.id, "format", "trajpack shard; see /index/schema") >= 0,
      tph5_set_text(
        file.id, "format_version", "\(ShardHeader.version.major).\(ShardHeader.version.minor)") >= 0
    else { throw .hdf5("\(path): an attribute cannot be written") }
    self.file = consume file
    try makeGroups(of: "/index/x")
  }

  static func loadLibrary() throws(TrajpackError) {
    var text = [CChar](repeating: 0, count: 1024)
    guard tph5_load(&text, text.count) == 0 else { return }
    throw TrajpackError(
      .machine,
      String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self))
  }

  private func makeGroups(of path: String) throws(TrajpackError) {
    guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")),
      !groups.contains(String(path[..<slash]))
    else { return }
    var group = ""
    for part in path.pathComponents.dropLast() where !part.isEmpty {
      group += "/" + part
      guard groups.insert(group).inserted else { continue }
      _ = try HDF5Handle(tph5_create_group(fileID, group), .group, "\(self.path): group \(group)")
    }
  }

  private var fileID: hid_t { file?.id ?? -1 }

  private func make(
    _ path: String, type: ElementType, shape: [Int], arrays: Bool = true, rows: Int, chunkRows: Int,
    growing: Bool, filters: tph5_filters
  ) throws(TrajpackError) -> Dataset {
    try makeGroups(of: path)
    let letter: Character = type.isFloat ? "f" : (type.code.first == "i" ? "i" : "u")
    let handle = try HDF5Handle(
      tph5_create_dataset(
        fileID, path, CChar(letter.asciiValue ?? 0), type.size, Int32(shape.count),
        shape.map { UInt64($0) }, arrays ? 1 : 0, UInt64(rows), UInt64(chunkRows), growing ? 1 : 0,
        filters),
      .dataset, "\(self.path): dataset \(path) cannot be made")
    return Dataset(
      handle: handle, extent: UInt64(rows), chunkRows: UInt64(chunkRows), path: path,
      inner: arrays ? [] : shape.map { UInt64($0) })
  }

  /// See ``ShardBackend``: makes the dataset of a block.
  public func create(_ block: Block, level: Int?, note: String) throws(TrajpackError) {
    let filters = tph5_filters(
      codec: Int32(block.codec.rawValue),
      level: Int32(level ?? Compressor.levels(of: block.codec).normal),
      shuffle: block.shuffle)
    let dataset = try make(
      block.path, type: block.type, shape: block.shape,
      arrays: block.shuffle <= 1 || block.shuffle == block.rowBytes, rows: 0,
      chunkRows: block.chunkRows, growing: true, filters: filters)
    // HDF5 keeps an attribute in the object header, which holds 64 KiB.
    if note.utf8.count < 32 << 10 {
      guard tph5_set_text(dataset.handle.id, "columns", note) >= 0 else {
        throw .hdf5("\(path): an attribute of \(block.path) cannot be written")
      }
    }
    datasets.append(DatasetBox(dataset))
  }

  /// See ``ShardBackend``: writes a chunk and proves its place.
  public func write(
    _ bytes: UnsafeRawBufferPointer, chunk: Int, block number: Int, filterMask: UInt32
  ) throws(TrajpackError) -> Int {
    let box = datasets[number]
    let rows = box.value?.chunkRows ?? 1
    // The extent only ever grows: when it shrinks, libhdf5 reads and rewrites the last chunk. One row
    // into the chunk is enough to write it; finish(rows:) sets the true number.
    guard box.value?.resize(UInt64(chunk) * rows + 1) ?? false else {
      throw .hdf5("\(path): \(box.value?.path ?? "") cannot grow")
    }
    let inner = [UInt64](repeating: 0, count: box.value?.inner.count ?? 0)
    return try write(
      bytes, to: box.value?.handle.id ?? -1, at: [UInt64(chunk) * rows] + inner,
      filterMask: filterMask, box.value?.path ?? "")
  }

  private func write(
    _ bytes: UnsafeRawBufferPointer, to dataset: hid_t, at offset: [UInt64], filterMask: UInt32,
    _ name: String
  ) throws(TrajpackError) -> Int {
    var before: haddr_t = 0
    var after: haddr_t = 0
    guard H5Fget_eoa(fileID, &before) >= 0,
      H5Dwrite_chunk(dataset, hid_t(0), filterMask, offset, bytes.count, bytes.baseAddress) >= 0,
      H5Fget_eoa(fileID, &after) >= 0
    else { throw .hdf5("\(path): a chunk of \(name) cannot be written") }
    // The chunk is the last thing allocated, or the first where metadata grew behind it.
    let base = ShardHeader.size
    for start in [Int(after) - bytes.count, Int(before)] {
      for candidate in [start + base, start] where try lies(bytes, at: candidate) {
        return candidate
      }
    }
    var mask: UInt32 = 0
    var address: haddr_t = 0
    var size: hsize_t = 0
    if H5Dget_chunk_info_by_coord(dataset, offset, &mask, &address, &size) >= 0,
      size == UInt64(bytes.count)
    {
      for candidate in [Int(address), Int(address) + base] where try lies(bytes, at: candidate) {
        return candidate
      }
    }
    throw TrajpackError(
      .machine, file: path, "a chunk of \(name) cannot be found again after writing")
  }

  /// Whether the file has `bytes` at `offset`.
  private func lies(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(TrajpackError) -> Bool {
    guard offset >= ShardHeader.size else { return false }
    let found = tph5_lies(fileID, bytes.baseAddress, bytes.count, UInt64(offset))
    guard found >= 0 else { throw .hdf5("\(path): cannot be read at byte \(offset)") }
    return found == 1
  }

  /// See ``ShardBackend``: writes a section of the index.
  public func write(
    section name: String, _ bytes: UnsafeRawBufferPointer, raw: Int, type: ElementType,
    columns: Int,
    codec: Codec
  ) throws(TrajpackError) -> Int {
    let rows = raw / (type.size * columns)
    let dataset = try make(
      "/index/\(name)", type: type, shape: columns > 1 ? [columns] : [], rows: rows,
      chunkRows: rows,
      growing: false, filters: tph5_filters(codec: Int32(codec.rawValue), level: 3, shuffle: 0))
    return try write(bytes, to: dataset.handle.id, at: [0], filterMask: 0, "/index/\(name)")
  }

  /// See ``ShardBackend``: sets the numbers of rows and closes.
  public func finish(rows: [Int]) throws(TrajpackError) {
    for (box, count) in zip(datasets, rows) {
      guard var dataset = box.value.take() else { continue }
      guard dataset.extent == UInt64(count) || dataset.resize(UInt64(count)) else {
        throw .hdf5("\(path): \(dataset.path) cannot be closed")
      }
    }
    datasets = []
    if let file = file.take() { try file.close("\(path): cannot be closed") }
  }
}
