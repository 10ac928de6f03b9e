import TrajpackFormat
import TrajpackStore

/// Trajectories of the TUM RGB-D benchmark: `timestamp tx ty tz qx qy qz qw` a line.
enum TUM: MappedFormat {
  static let format = FormatDescription(
    name: "tum", summary: "TUM trajectories (timestamp tx ty tz qx qy qz qw)",
    carries: "every pose at its time, also where lines are unordered or not found (nan)",
    reads: true, writes: true)

  private static let endings = [".txt", ".tum", ".traj"]

  private static func isTUM(_ path: String) -> Bool {
    PoseText.look(path, commas: false, count: 8) { Poses.isUnit($0[4...]) && $0[0].isFinite }
  }

  static func recognises(_ files: SourceFiles, _ options: MappingOptions) -> Bool {
    !options.isMapping && !options.isTabular && options.rate == nil
      && files.named(endings).prefix(64).contains { isTUM($0.path) }
  }

  static func read(
    _ files: SourceFiles, _ options: MappingOptions
  ) throws(TrajpackError) -> MappedSource {
    guard options.rate == nil else {
      throw TrajpackError(.usage, "--rate: TUM trajectories have times of their own")
    }
    let own = files.files(endings, where: isTUM)
    var isExact = !own.isEmpty
    var isFiner = false
    for file in own {
      guard isExact, let text = try? PoseText(file.path, commas: false) else { continue }
      for row in text.rows where isExact {
        guard let field = row.fields.first, let ticks = nanoseconds(field) else {
          isExact = false
          continue
        }
        // Whether the double is another time than the text says.
        if let time = Double(field), !isNear(time, ticks) { isFiner = true }
      }
    }
    let usesTicks = isExact && isFiner
    return try Poses.read(files, own, options, "tum") { (file, source) throws(TrajpackError) in
      let text = try PoseText(file.path, commas: false)
      let rows = try text.numbers(8)
      guard rows.allSatisfy({ $0[0].isFinite }) else {
        throw TrajpackError(.data, file: file.path, "has a line whose timestamp is no time")
      }
      let ticks = usesTicks ? text.rows.map { nanoseconds($0.fields[0]) ?? 0 } : []
      let order =
        usesTicks
        ? Poses.order(ticks, file, &source) : Poses.order(rows.map { $0[0] }, file, &source)
      let time: MappedStream.Time =
        usesTicks
        ? .array(.integers(order.map { ticks[$0] }), .int64, tick: Poses.tick, unit: "s")
        : .array(.doubles(order.map { rows[$0][0] }), .float64, tick: .one, unit: "s")
      let convention = [("pose", "body-to-world")]
      return [
        MappedStream(
          name: "poses", count: rows.count, time: time,
          channels: [
            .doubles(
              "position", .position, [3], order.flatMap { rows[$0][1...3] }, units: "m", convention),
            .doubles(
              "orientation", .quaternion, [4], order.flatMap { rows[$0][4...7] },
              [("order", "xyzw")] + convention),
          ])
      ]
    }
  }

  /// A plain decimal number of up to nine digits behind the point as nanoseconds; `nil` for any other.
  static func nanoseconds(_ text: Substring) -> Int64? {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count <= 2, parts.allSatisfy({ $0.allSatisfy { $0.isASCII && $0.isNumber } }),
      let whole = Int64(parts[0])
    else { return nil }
    let fraction = parts.count == 2 ? parts[1] : ""
    guard fraction.count <= 9,
      let rest = Int64(fraction + String(repeating: "0", count: 9 - fraction.count))
    else { return nil }
    let (scaled, overflow) = whole.multipliedReportingOverflow(by: 1_000_000_000)
    return overflow ? nil : scaled.addingReportingOverflow(rest).partialValue
  }

  /// Whether a double is the time that nanoseconds say.
  private static func isNear(_ time: Double, _ ticks: Int64) -> Bool {
    Rational(ticks, 1_000_000_000).map {
      Int128(time * 1e9) == Int128(ticks) || abs(time) < 1e6 && $0.value == time
    }
      ?? false
  }
}
