import TrajpackFormat

/// Which elements of a channel's rows have statistics together.
package enum ComponentAxes {
  /// The elements of each component where `axes` of a row's shape keep statistics of their own, and all
  /// others are taken together: of rows `[C, H, W]`, axis 0 gives C components. Components are in the order of
  /// rows. Negative axes count from the last, as in numpy.
  ///
  /// - Parameter path: the channel, for errors.
  /// - Throws: A usage error for an axis that the shape does not have.
  package static func components(
    of shape: [Int], axes: [Int], _ path: String
  ) throws(TrajpackError) -> [[Int]] {
    var kept = [Bool](repeating: false, count: shape.count)
    for axis in axes {
      let at = axis < 0 ? axis + shape.count : axis
      guard kept.indices.contains(at) else {
        throw TrajpackError(
          .usage, option: "axes",
          "rows of channel '\(path)' have shape \(shape), which has no axis \(axis); give "
            + "axes by pattern where channels differ, as {\"\(path)\": [0]}")
      }
      kept[at] = true
    }
    let count = zip(shape, kept).reduce(1) { $1.1 ? $0 * $1.0 : $0 }
    var out = [[Int]](repeating: [], count: count)
    for element in 0..<shape.reduce(1, *) {
      var (rest, component, scale) = (element, 0, 1)
      for axis in shape.indices.reversed() {
        let index = rest % shape[axis]
        rest /= shape[axis]
        guard kept[axis] else { continue }
        component += index * scale
        scale *= shape[axis]
      }
      out[component].append(element)
    }
    return out
  }

  /// The most components of a channel whose quantiles are taken without being asked for, as in the statistics of
  /// a shard, and where they are asked for.
  package static let quantileComponents = (usual: 64, asked: 1024)
}
