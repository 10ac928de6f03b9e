import Glibc
import TrajpackFormat

/// A band-limited path through the rows of a regular clock, at any times: a windowed sinc with the
/// pass band and the Kaiser window of ``LowPass``, ten zero crossings to a side.
struct WindowedSinc: Sendable {
  let line: ClockLine
  /// Cut-off as a fraction of half the source's rate.
  let cutoff: Double
  /// Periods that the kernel reaches to each side.
  let halfLength: Double
  static let beta = 5.0

  /// For outputs at `rate` rows a unit of time.
  init(_ line: ClockLine, rate: Double) {
    self.line = line
    cutoff = min(rate * line.period, 1)
    halfLength = 10 / cutoff
  }

  /// The kernel from 0 to its end, at equal steps; the same for every cut-off.
  private static let kernel: [Double] = (0...(1 << 16) + 1).map { step in
    let z = min(Double(step) / Double(1 << 16), 1)
    let angle = Double.pi * 10 * z
    return (z == 0 ? 1 : sin(angle) / angle) * besselI0(beta * (1 - z * z).squareRoot())
      / besselI0(beta)
  }

  /// Values at the times of a plan's output rows.
  ///
  /// Each component is filtered run by run, as ``LowPass/apply`` does: rows that are missing and
  /// periods that were skipped end a run, unless `bridge` of them or fewer lie between two rows,
  /// and the end value goes on beyond a run. Weights sum to one, so that a constant stays one.
  func apply<S: SignalScalar>(
    _ values: UnsafePointer<S>, _ plan: ResamplePlan, _ target: [Double], components: Int,
    observed: UnsafePointer<MaskByte>?, bridge: Int, into out: UnsafeMutablePointer<S>,
    mask: UnsafeMutablePointer<MaskByte>
  ) {
    let rows = plan.sourceRows
    let count = line.count(rows: rows)
    let breaks = plan.runs.dropFirst().dropLast().map { row in line.place(of: row) }
    let grid = Scratch<S>(count)
    let seen = Scratch<MaskByte>(count)
    let column = Scratch<S>(count)
    for component in 0..<components {
      seen.pointer.update(repeating: 0, count: count)
      for row in 0..<rows {
        let place = line.place(of: row)
        let value = values[row * components + component]
        grid[place] = value
        seen[place] = value == value && observed?[row * components + component] != 0 ? 1 : 0
      }
      let runs = LowPass.bridged(
        grid.pointer, UnsafePointer(seen.pointer), 1, count, bridge, breaks, column)
      var at = 0
      for row in 0..<plan.rows {
        if row & 0xFFFF == 0, Interruption.isRequested { return }
        let index = row * components + component
        out[index] = .nan
        mask[index] = 0
        guard plan.left[row] >= 0 else { continue }
        let place = (target[row] - line.start) / line.period
        // A stamp may lie beside the line, and so may an output at the end of a run.
        while at < runs.count, place > Double(runs[at].upperBound) - 0.5 { at += 1 }
        guard at < runs.count, place >= Double(runs[at].lowerBound) - 0.5 else { continue }
        out[index] = value(column.pointer, runs[at], place)
        mask[index] = 1
      }
    }
  }

  private func value<S: SignalScalar>(
    _ column: UnsafePointer<S>, _ run: Range<Int>, _ place: Double
  ) -> S {
    let low = Int((place - halfLength).rounded(.up))
    let high = Int((place + halfLength).rounded(.down))
    let base = Double(column[run.lowerBound])
    let scale = Double(1 << 16) / halfLength
    var sum = 0.0
    var weights = 0.0
    Self.kernel.withUnsafeBufferPointer { kernel in
      for k in low...high {
        let distance = abs(place - Double(k)) * scale
        let step = Int(distance)
        let weight = kernel[step] + (kernel[step + 1] - kernel[step]) * (distance - Double(step))
        let sample = column[min(max(k, run.lowerBound), run.upperBound - 1)]
        sum += weight * (Double(sample) - base)
        weights += weight
      }
    }
    return S(base + sum / weights)
  }
}
