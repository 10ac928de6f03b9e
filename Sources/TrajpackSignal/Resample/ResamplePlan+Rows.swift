import TrajpackFormat

extension ResamplePlan {
  /// The source row that each output row takes under a selecting method; -1 where it is missing.
  ///
  /// - Throws: `.usage` for a method that makes new values.
  public func rowIndices(
    _ method: Interpolation, into indices: UnsafeMutableBufferPointer<Int32>
  ) throws(TrajpackError) {
    guard method.isSelection else {
      throw TrajpackError(
        .usage, "\(method.name) makes new values: take rows by previous, next, nearest")
    }
    let out = try indices.require(rows, 1, "indices")
    for row in 0..<rows {
      let k = Int(left[row])
      out[row] = k < 0 ? -1 : Int32(selected(method, k, fraction[row]))
    }
  }
}

/// Copies whole rows of any element type: `rowBytes` bytes each from `indices`, zeros for -1.
///
/// Labels, names, pictures, packets are resampled by this and never averaged.
///
/// - Throws: `.usage` for a buffer of another size or an index outside the source.
public func gatherRows(
  _ indices: UnsafeBufferPointer<Int32>, from source: UnsafeRawBufferPointer, rowBytes: Int,
  into output: UnsafeMutableRawBufferPointer
) throws(TrajpackError) {
  guard rowBytes > 0, source.count % rowBytes == 0, output.count / rowBytes == indices.count,
    output.count % rowBytes == 0
  else {
    throw TrajpackError(
      .usage, "\(source.count) bytes to gather into \(output.count): give whole rows of \(rowBytes)"
    )
  }
  let rows = source.count / rowBytes
  for i in 0..<indices.count where indices[i] >= rows || indices[i] < -1 {
    throw TrajpackError(.usage, "row \(indices[i]) is not among the \(rows) rows of the source")
  }
  guard let to = output.baseAddress else { return }
  guard let from = source.baseAddress else {
    to.initializeMemory(as: UInt8.self, repeating: 0, count: output.count)
    return
  }
  for i in 0..<indices.count {
    let target = to + i * rowBytes
    if indices[i] < 0 {
      target.initializeMemory(as: UInt8.self, repeating: 0, count: rowBytes)
    } else {
      target.copyMemory(from: from + Int(indices[i]) * rowBytes, byteCount: rowBytes)
    }
  }
}
