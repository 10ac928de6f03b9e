import CHDF5
import CHDF5Shims
import Glibc

/// Sends the elements of a part of a dataset, in the order of C.
struct DataReading {
  /// Bytes that are read at once.
  static let piece = 4 << 20
  /// The most bytes of a chunk beyond what the file's own size explains.
  private static let mostChunk = 64 << 20
  /// The most bytes of a dataset of which less than a thousandth was ever written: the rest is one value, made up as it is
  /// read, and a file of a kilobyte could keep a reader busy for days.
  private static let mostUnwritten = 4 << 30

  let file: hid_t
  /// Memory for ``piece`` bytes, one for all reading: the heap of a process with a limit must not be left in pieces.
  let buffer: UnsafeMutableRawBufferPointer
  let path: String
  let field: String
  let start: [Int]
  let count: [Int]

  /// - Returns: What is wrong; `nil` for nothing.
  func send(_ frames: inout MessageWriter, fileBytes: Int) -> String? {
    tph5_allow(1000)
    var dataset = H5Dopen2(file, path, hid_t(0))
    guard dataset >= 0 else { return "is damaged" }
    var chunk = 0
    let creation = H5Dget_create_plist(dataset)
    if H5Pget_layout(creation) == H5D_CHUNKED {
      var sizes = [hsize_t](repeating: 0, count: 33)
      let rank = H5Pget_chunk(creation, 32, &sizes)
      let type = H5Dget_type(dataset)
      chunk = sizes.prefix(max(Int(rank), 0)).reduce(H5Tget_size(type)) { bytes, size in
        bytes.multipliedReportingOverflow(by: Int(clamping: size)).overflow
          ? Int.max : bytes * Int(clamping: size)
      }
      H5Tclose(type)
    }
    H5Pclose(creation)
    guard chunk <= max(Self.mostChunk, 2 * fileBytes), chunk < 1 << 32 else {
      H5Dclose(dataset)
      return
        "has chunks of \(chunk) bytes, more than is read of such a file; write it anew with smaller ones"
    }
    if chunk > 1 << 20 {
      H5Dclose(dataset)
      let access = tph5_dataset_access(chunk)
      dataset = H5Dopen2(file, path, access)
      H5Pclose(access)
      guard dataset >= 0 else { return "is damaged" }
    }
    defer { H5Dclose(dataset) }
    let (type, space) = (H5Dget_type(dataset), H5Dget_space(dataset))
    defer {
      H5Tclose(type)
      H5Sclose(space)
    }
    var fileType = type
    var form = ElementForm(type)
    if !field.isEmpty {
      guard let i = form.fields.firstIndex(where: { $0.name == field }) else {
        return "has no '\(field)'"
      }
      fileType = H5Tget_member_type(type, UInt32(i))
      form = form.fields[i].form
    }
    defer { if !field.isEmpty { H5Tclose(fileType) } }
    guard "iufbsovr".contains(form.sort) else { return "holds \(form.note), which is not read" }
    var memory = form.memory(of: fileType)
    let values = HDF5Values(file: file, form: form, type: fileType)
    if !field.isEmpty {
      let record = H5Tcreate(H5T_COMPOUND, values.memoryBytes)
      H5Tinsert(record, field, 0, memory)
      H5Tclose(memory)
      memory = record
    }
    defer { H5Tclose(memory) }
    let rank = Int(H5Sget_simple_extent_ndims(space))
    var extent = [hsize_t](repeating: 0, count: max(rank, 1))
    H5Sget_simple_extent_dims(space, &extent, nil)
    guard rank == start.count, rank == count.count,
      (0..<rank).allSatisfy({
        start[$0] >= 0 && count[$0] >= 0 && start[$0] <= Int(clamping: extent[$0]) - count[$0]
      })
    else { return "has another shape than before" }
    if count.contains(0) { return nil }
    let bytes = extent.prefix(rank).reduce(Double(H5Tget_size(type))) { $0 * Double($1) }
    var chunks: hsize_t = 0
    if chunk > 0, bytes > Double(Self.mostUnwritten),
      H5Dget_num_chunks(dataset, space, &chunks) >= 0,
      Double(chunks) * Double(chunk) < bytes / 1000
    {
      return
        "has \(Int(bytes / Double(1 << 30))) GiB by its shape, of which \(chunks) chunks of \(chunk) bytes were "
        + "written; give it the shape of its data"
    }
    guard values.memoryBytes <= Self.piece else {
      return "has elements of \(values.memoryBytes) bytes"
    }
    return read(start, count, axis: 0, (dataset, space, memory, values, chunk), &frames)
  }

  private typealias Open = (
    dataset: hid_t, space: hid_t, memory: hid_t, values: HDF5Values, chunk: Int
  )

  private func read(
    _ start: [Int], _ count: [Int], axis: Int, _ open: Open,
    _ frames: inout MessageWriter
  ) -> String? {
    let elements = count.reduce(1) {
      $0.multipliedReportingOverflow(by: $1).overflow ? .max : $0 * $1
    }
    if elements <= Self.piece / open.values.memoryBytes {
      return readOnce(start, count, elements, open, &frames)
    }
    guard axis < count.count else { return "has elements that are too large" }
    // Whole runs along this axis, or one step of it and the next axis.
    let inner = elements / count[axis]
    let run = max(min(Self.piece / open.values.memoryBytes / max(inner, 1), count[axis]), 1)
    var (start, part) = (start, count)
    let end = start[axis] + count[axis]
    while start[axis] < end {
      part[axis] = min(run, end - start[axis])
      if let wrong = read(start, part, axis: axis + 1, open, &frames) { return wrong }
      start[axis] += part[axis]
    }
    return nil
  }

  private func readOnce(
    _ start: [Int], _ count: [Int], _ elements: Int, _ open: Open,
    _ frames: inout MessageWriter
  ) -> String? {
    // A second for the work, and as long as the bytes of the chunks take.
    tph5_allow(1000 + UInt64(Self.piece + open.chunk * 4) / 20_000)
    let rank = Int32(count.count)
    let target =
      rank == 0 ? H5Screate(H5S_SCALAR) : H5Screate_simple(rank, count.map { hsize_t($0) }, nil)
    defer { H5Sclose(target) }
    if rank > 0 {
      H5Sselect_hyperslab(
        open.space, H5S_SELECT_SET, start.map { hsize_t($0) }, nil, count.map { hsize_t($0) }, nil)
    }
    let bytes = elements * open.values.memoryBytes
    let part = UnsafeMutableRawBufferPointer(rebasing: buffer[..<bytes])
    if open.values.isAllocated { part.initializeMemory(as: UInt8.self, repeating: 0) }
    guard
      H5Dread(open.dataset, open.memory, target, open.space, hid_t(0), part.baseAddress) >= 0
    else {
      return "its data is damaged from index \(start) on"
    }
    if open.values.isText {
      open.values.texts(UnsafeRawBufferPointer(part), elements) { frames.send("T", $0) }
    } else {
      frames.send("D", UnsafeRawBufferPointer(part))
    }
    if open.values.isAllocated { H5Dvlen_reclaim(open.memory, target, hid_t(0), part.baseAddress) }
    return nil
  }
}
