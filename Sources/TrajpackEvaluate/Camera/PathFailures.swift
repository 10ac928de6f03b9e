/// Which paths and poses of a call failed: poses that are not finite, paths whose fit degenerates.
struct PathFailures {
  private let frames: Int
  private var known = [Int]()
  private var paths: [Int] = []
  private var lost: [(path: Int, frames: [Int])] = []
  private var unfitted: [(path: Int, cause: String)] = []

  init(_ inputs: CameraInputs) { frames = inputs.frames }

  /// Counts a path that has a truth.
  mutating func add(_ path: Int, _ pair: PathPair) {
    paths.append(path)
    known.append(pair.known)
    if !pair.lost.isEmpty { lost.append((path, pair.lost.map(\.frame))) }
  }

  /// Counts a path whose fit degenerates because of the estimate.
  mutating func add(_ path: Int, _ pair: PathPair, fit cause: String) {
    unfitted.append((path, cause))
  }

  /// What failed for a figure that needs the fit, or not: whole paths where no single pose did.
  func failures(fits: Bool) -> Failures {
    guard !lost.isEmpty else {
      var failures = Failures("paths", of: paths.count)
      if fits { for (path, cause) in unfitted { failures.add(path, cause) } }
      return failures
    }
    var failures = Failures("poses", of: known.reduce(0, +))
    for (place, path) in paths.enumerated() {
      let broken = lost.first { $0.path == path }?.frames ?? []
      for frame in broken {
        failures.add(path * frames + frame, "the pose at frame \(frame) is not finite")
      }
      if fits, let cause = unfitted.first(where: { $0.path == path })?.cause {
        for pose in 0..<known[place] - broken.count { failures.add(path * frames + pose, cause) }
      }
    }
    return failures
  }
}
