import CHDF5
import CHDF5Shims

/// Sends how a dataset lies in its file: its type, shape and filters, and where its first chunks are.
struct LayoutReading {
  let file: hid_t
  let path: String
  /// Chunks whose places are sent, along the first axis.
  let chunks: Int

  /// - Returns: What is wrong; `nil` for nothing.
  func send(_ frames: inout MessageWriter) -> String? {
    // A second for the work, and ten microseconds for the place of a chunk.
    tph5_allow(1000 + UInt64(clamping: chunks) / 100)
    let dataset = H5Dopen2(file, path, hid_t(0))
    guard dataset >= 0 else { return "is damaged" }
    let (type, space) = (H5Dget_type(dataset), H5Dget_space(dataset))
    let creation = H5Dget_create_plist(dataset)
    defer {
      H5Tclose(type)
      H5Sclose(space)
      H5Pclose(creation)
      H5Dclose(dataset)
    }
    let rank = H5Sget_simple_extent_ndims(space)
    guard type >= 0, creation >= 0, (0...32).contains(rank) else { return "is damaged" }
    var out: [UInt8] = []
    let form = ElementForm(type)
    out.append(form.sort.asciiValue ?? 0)
    out.put(form.size)
    out.put(form.axes.count)
    for axis in form.axes { out.put(axis) }
    var extent = [hsize_t](repeating: 0, count: Int(rank) + 1)
    H5Sget_simple_extent_dims(space, &extent, nil)
    out.put(Int(rank))
    for size in extent.prefix(Int(rank)) { out.put(Int(clamping: size)) }
    var sizes = [hsize_t](repeating: 0, count: Int(rank) + 1)
    let isChunked =
      H5Pget_layout(creation) == H5D_CHUNKED && H5Pget_external_count(creation) <= 0 && rank > 0
      && H5Pget_chunk(creation, rank, &sizes) == rank
    out.put(isChunked ? Int(rank) : 0)
    if isChunked { for size in sizes.prefix(Int(rank)) { out.put(Int(clamping: size)) } }
    let filters = max(H5Pget_nfilters(creation), 0)
    out.put(Int(filters))
    for i in 0..<UInt32(filters) {
      var (flags, count, settings): (UInt32, Int, UInt32) = (0, 0, 0)
      out.put(Int(H5Pget_filter2(creation, i, &flags, &count, nil, 0, nil, &settings)))
    }
    var number: hsize_t = 0
    let isCounted = isChunked && H5Dget_num_chunks(dataset, space, &number) >= 0
    out.put(isCounted ? Int(clamping: number) : -1)
    frames.send("L", out)
    guard isChunked else { return nil }
    var offset = [hsize_t](repeating: 0, count: Int(rank))
    var places: [UInt8] = []
    for chunk in 0..<max(chunks, 0) {
      let (start, isOver) = sizes[0].multipliedReportingOverflow(by: hsize_t(chunk))
      guard !isOver, start < extent[0] else { break }
      offset[0] = start
      var mask: UInt32 = 0
      var address = haddr_t.max
      var size: hsize_t = 0
      guard H5Dget_chunk_info_by_coord(dataset, offset, &mask, &address, &size) >= 0 else {
        return "the place of its chunk \(chunk) is damaged"
      }
      places.put(Int(mask))
      places.put(Int(truncatingIfNeeded: address))
      places.put(Int(clamping: size))
      if places.count >= 192 << 10 {
        frames.send("C", places)
        places.removeAll(keepingCapacity: true)
      }
    }
    frames.send("C", places)
    return nil
  }
}
