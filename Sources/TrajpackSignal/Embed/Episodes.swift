import TrajpackFormat

/// Runs of rows that belong together: episodes, cut at gaps and absences. Nothing in this layer
/// joins a row of one run with a row of another.
public struct Episodes: Sendable, Hashable {
  /// The runs, in order and without overlap.
  public let runs: [Range<Int>]

  /// Refuses runs that overlap or leave the rows.
  public init(_ runs: [Range<Int>], rows: Int) throws(TrajpackError) {
    var end = 0
    for (i, run) in runs.enumerated() {
      guard run.lowerBound >= end, run.upperBound <= rows else {
        throw TrajpackError(
          .usage, "episode \(i) (rows \(run)) overlaps the one before or leaves the \(rows) rows")
      }
      end = run.upperBound
    }
    self.runs = runs
  }

  /// One run of all rows.
  public init(whole rows: Int) { runs = [0..<max(rows, 0)] }

  /// The longest run.
  var longest: Int { runs.map(\.count).max() ?? 0 }

  /// Refuses NaN, infinities and what squares to one in a channel, naming episode and row.
  func requireFinite<S: SignalScalar>(
    _ x: UnsafePointer<S>, _ components: Int, _ channel: Int
  ) throws(TrajpackError) {
    for (i, run) in runs.enumerated() {
      for row in run where !(Double(x[row * components + channel]).magnitude < 1e150) {
        throw TrajpackError(
          .data,
          "episode \(i), row \(row) of channel \(channel) is missing, infinite or beyond 1e150: cut the episode "
            + "there, or resample over it first")
      }
    }
  }
}
