extension [UInt8] {
  /// The elements of an array whose axes have `sizes` indices that lie `steps` bytes apart, in the order of C. The bytes
  /// are those of all elements, `size` of each.
  func strided(sizes: [Int], steps: [Int], element size: Int) -> [UInt8] {
    precondition(count == sizes.reduce(size, *))
    return [UInt8](unsafeUninitializedCapacity: count) { out, filled in
      withUnsafeBufferPointer { from in
        var index = [Int](repeating: 0, count: sizes.count)
        var place = 0
        while filled < from.count {
          for i in 0..<size { out[filled + i] = from[place + i] }
          filled += size
          for axis in sizes.indices.reversed() {
            index[axis] += 1
            place += steps[axis]
            if index[axis] < sizes[axis] { break }
            place -= index[axis] * steps[axis]
            index[axis] = 0
          }
        }
      }
    }
  }
}
