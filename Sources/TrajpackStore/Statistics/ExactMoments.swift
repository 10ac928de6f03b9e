import CPlatform
import TrajpackFormat

/// Counts, extremes and exact sums of values and of their squares, from which mean and standard deviation are
/// rounded once. The result does not depend on the order in which values were added or parts were merged.
package struct ExactMoments: Sendable {
  private var total = tp_exact()

  /// Of no values.
  package init() { tp_exact_begin(&total) }

  /// Room for ``add(_:_:finite:)``; one thread at a time.
  package final class Table {
    fileprivate let bytes: UnsafeMutableRawBufferPointer

    package init() {
      let count = tp_exact_table_bytes()
      bytes = .allocate(byteCount: count, alignment: 16)
      bytes.initializeMemory(as: UInt8.self, repeating: 0)
    }

    deinit { bytes.deallocate() }
  }

  /// Adds values; NaN counts as missing. The finite ones go to `finite`, in their order, where it is given.
  ///
  /// - Returns: How many are finite.
  @discardableResult
  package mutating func add(
    _ values: UnsafeBufferPointer<Double>, _ table: Table,
    finite: UnsafeMutablePointer<Double>? = nil
  ) -> Int {
    tp_exact_add(&total, values.baseAddress, values.count, table.bytes.baseAddress, finite)
  }

  /// Adds what another has counted.
  package mutating func merge(_ other: Self) {
    withUnsafePointer(to: other.total) { tp_exact_merge(&total, $0) }
  }

  /// Finite values.
  package var count: Int { Int(total.count) }

  /// The figures, rounded to doubles; without quantiles.
  package var statistics: ComponentStatistics {
    var out = ComponentStatistics()
    (out.missing, out.infinite) = (Int(total.missing), Int(total.infinite))
    guard total.count > 0 else { return out }
    var deviation = 0.0
    withUnsafePointer(to: total) { tp_exact_figures($0, &out.mean, &out.m2, &deviation) }
    out.count = Int(total.count)
    (out.minimum, out.maximum) = (total.minimum, total.maximum)
    return out
  }
}

extension ExactMoments: Equatable {
  /// Whether all counts, extremes and sums are the same.
  package static func == (a: Self, b: Self) -> Bool {
    withUnsafeBytes(of: a.total) { a in
      withUnsafeBytes(of: b.total) { b in a.elementsEqual(b) }
    }
  }
}
