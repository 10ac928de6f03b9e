import TrajpackFormat
import TrajpackStore

/// Poses of KITTI's odometry: the twelve numbers of a 3 × 4 matrix a line, and times in a file beside it.
enum KITTI: MappedFormat {
  static let format = FormatDescription(
    name: "kitti", summary: "KITTI poses (3 × 4 matrices)",
    carries: "every matrix, with the times of a file beside it", reads: true, writes: false)

  private static let endings = [".txt", ".kitti"]

  private static func isKITTI(_ path: String) -> Bool {
    PoseText.look(path, commas: false, count: 12) { numbers in
      // The rows of the rotation have length 1 and are at right angles.
      let rows = [Array(numbers[0...2]), Array(numbers[4...6]), Array(numbers[8...10])]
      func dot(_ a: [Double], _ b: [Double]) -> Double { zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }
      return rows.allSatisfy { abs(dot($0, $0) - 1) < 0.01 }
        && abs(dot(rows[0], rows[1])) < 0.01 && abs(dot(rows[0], rows[2])) < 0.01
        && abs(dot(rows[1], rows[2])) < 0.01
    }
  }

  static func recognises(_ files: SourceFiles, _ options: MappingOptions) -> Bool {
    !options.isMapping && !options.isTabular
      && files.named(endings).prefix(64).contains { isKITTI($0.path) }
  }

  /// The file of times beside one of poses: `NAME_times.txt`, or `times.txt`.
  private static func times(_ path: String) -> String? {
    let folder = path.lastIndex(of: "/").map { String(path[...$0]) } ?? ""
    let stem = SourceFiles.File.stem(FileSystem.name(of: path))
    return ["\(folder)\(stem)_times.txt", "\(folder)times.txt"].first {
      FileSystem.item(at: $0) == .file
    }
  }

  static func read(
    _ files: SourceFiles, _ options: MappingOptions
  ) throws(TrajpackError) -> MappedSource {
    let own = files.files(endings, where: isKITTI)
    // Files of one folder have a layout in common.
    let found = options.rate == nil ? own.map { times($0.path) } : []
    let haveTimes = !found.isEmpty && found.allSatisfy { $0 != nil }
    return try Poses.read(
      files, own, options, "kitti", { haveTimes ? [times($0.path)].compactMap(\.self) : [] }
    ) { (file, source) throws(TrajpackError) in
      let rows = try PoseText(file.path, commas: false).numbers(12)
      var time = MappedStream.time(rate: options.rate)
      if haveTimes, let path = times(file.path) {
        let seconds = try PoseText(path, commas: false).numbers(1).map { $0[0] }
        guard seconds.count == rows.count else {
          throw TrajpackError(
            .data, file: path,
            "has \(seconds.count) times for the \(rows.count) poses of \(FileSystem.name(of: file.path)); move it away or give --rate"
          )
        }
        time = .array(.doubles(seconds), .float64, tick: .one, unit: "s")
      } else if options.rate == nil {
        source.remarks.append(
          "\(file.place): has no times beside it (\(FileSystem.name(of: file.stem))_times.txt or times.txt), so its rows are steps; --rate says how many there are in a second"
        )
      }
      return [
        MappedStream(
          name: "poses", count: rows.count, time: time,
          channels: [
            .doubles(
              "pose", .matrix, [3, 4], rows.flatMap { $0 }, units: "m",
              [("pose", "camera-to-world")])
          ])
      ]
    }
  }
}
