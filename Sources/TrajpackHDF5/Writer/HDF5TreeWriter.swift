import CHDF5
import CHDF5Shims
import Glibc
import TrajpackFormat
import TrajpackStore

/// Writes an HDF5 file of groups, arrays and attributes as h5py writes them, for formats of other software. The format of
/// the file is that of HDF5 1.8.
public final class HDF5TreeWriter {
  /// Bytes of an array from which on it is cut into chunks and compressed, and of a chunk.
  private static let chunkBytes = 256 << 10

  private let path: String
  private var file: HDF5Handle?
  private var groups: Set<String> = ["", "/"]

  /// Makes a file where there is none.
  public init(_ path: String) throws(TrajpackError) {
    self.path = path
    let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { throw .system("cannot be made", path) }
    close(descriptor)
    unlink(path)
    try HDF5Backend.loadLibrary()
    let file = try HDF5Handle(tph5_tree_create(path), .file, "\(path): cannot be made")
    self.file = consume file
  }

  private var id: hid_t { file?.id ?? -1 }

  /// Makes a group, and those above it, where they are not there.
  public func group(_ name: String) throws(TrajpackError) {
    var made = ""
    for part in name.pathComponents where !part.isEmpty {
      made += "/" + part
      guard groups.insert(made).inserted else { continue }
      _ = try HDF5Handle(tph5_create_group(id, made), .group, "\(path): group \(made)")
    }
  }

  /// An array that is filled row by row.
  public struct Rows: ~Copyable {
    private let dataset: HDF5Handle
    private let what: String
    private var first: UInt64 = 0

    init(_ dataset: consuming HDF5Handle, _ what: String) {
      self.dataset = dataset
      self.what = what
    }

    /// Appends rows, little-endian and packed; truth values are bytes.
    public mutating func append(_ bytes: [UInt8], count: Int) throws(TrajpackError) {
      guard count > 0 else { return }
      let status = bytes.withUnsafeBytes {
        tph5_tree_write(dataset.id, first, UInt64(count), $0.baseAddress)
      }
      guard status >= 0 else { throw .hdf5("\(what) cannot be written") }
      first += UInt64(count)
    }
  }

  /// Makes an array of `rows` rows.
  public func array(
    _ name: String, _ type: ElementType, rows: Int, shape: [Int]
  ) throws(TrajpackError) -> Rows {
    let letter: Character =
      type == .bool ? "b" : type.isFloat ? "f" : type.code.first == "i" ? "i" : "u"
    return Rows(
      try dataset(name, letter, type.size, [rows] + shape), "\(path): \(name)")
  }

  private func dataset(
    _ name: String, _ letter: Character, _ size: Int, _ shape: [Int]
  ) throws(TrajpackError) -> HDF5Handle {
    try group(name.pathComponents.dropLast().joined(separator: "/"))
    let row = shape.dropFirst().reduce(max(size, 1)) { Int(clamping: Int128($0) * Int128($1)) }
    let isLarge = letter != "t" && row > 0 && shape[0] >= Self.chunkBytes / row + 1
    let chunk = isLarge ? max(min(Self.chunkBytes / row, shape[0]), 1) : 0
    return try HDF5Handle(
      tph5_tree_dataset(
        id, "/" + name, CChar(letter.asciiValue ?? 0), size, Int32(shape.count),
        shape.map { UInt64($0) }, UInt64(chunk), 4),
      .dataset, "\(path): \(name) cannot be made")
  }

  /// Writes an array of texts of any length.
  ///
  /// - Throws: A data error where a text holds a zero byte, which HDF5 takes for its end.
  public func texts(_ name: String, _ texts: [[UInt8]]) throws(TrajpackError) {
    guard !texts.contains(where: { $0.contains(0) }) else {
      throw TrajpackError(.data, "'\(name)' has a text with a zero byte, which HDF5 cannot hold")
    }
    let dataset = try dataset(name, "t", 0, [texts.count])
    guard !texts.isEmpty else { return }
    // All texts one after the other, and where each begins.
    var all: [CChar] = []
    var starts: [Int] = []
    for text in texts {
      starts.append(all.count)
      all += text.map { CChar(bitPattern: $0) } + [0]
    }
    let status = all.withUnsafeBufferPointer { bytes in
      starts.map { start in bytes.baseAddress.map { $0 + start } }.withUnsafeBytes {
        tph5_tree_write(dataset.id, 0, UInt64(texts.count), $0.baseAddress)
      }
    }
    guard status >= 0 else { throw .hdf5("\(path): \(name) cannot be written") }
  }

  /// Sets an attribute of a group that is there; `/` is the file.
  public func set(_ name: String, of group: String, _ value: JSONValue) throws(TrajpackError) {
    try self.group(group)
    let object = try HDF5Handle(
      H5Gopen2(id, group.hasPrefix("/") ? group : "/" + group, hid_t(0)), .group,
      "\(path): group \(group)")
    let status: Int32
    switch value {
    case .int(let n): status = tph5_tree_set_integer(object.id, name, n)
    case .uint(let n): status = tph5_tree_set_number(object.id, name, Double(n))
    case .double(let x): status = tph5_tree_set_number(object.id, name, x)
    case .bool(let b): status = tph5_tree_set_truth(object.id, name, b ? 1 : 0)
    case .string(let text): status = tph5_tree_set_text(object.id, name, text)
    default: status = tph5_tree_set_text(object.id, name, value.text())
    }
    guard status >= 0 else {
      throw .hdf5("\(path): the attribute \(name) of \(group) cannot be written")
    }
  }

  /// Closes the file and makes it durable.
  public func finish() throws(TrajpackError) {
    if let file = file.take() { try file.close("\(path): cannot be closed") }
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw .system("cannot be opened", path) }
    defer { close(descriptor) }
    try FileSystem.sync(descriptor, path)
  }
}
