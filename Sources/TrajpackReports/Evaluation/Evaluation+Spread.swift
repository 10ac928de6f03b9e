extension Evaluation {
  /// Gives all episodes the same columns: those of all of them, channel by channel; NaN where an episode has
  /// not the channel. So the figures of all episodes together can be computed from one array, and a column
  /// means the same in each.
  static func spread(_ gathered: inout [MetricInputs], by input: String) {
    var all: [(path: String, width: Int)] = []
    var seen: Set<String> = []
    var own: [[(path: String, width: Int)]] = []
    for episode in gathered {
      let columns = (episode.entries[input] ?? []).map { ($0.path, episode.widths[$0.path] ?? 1) }
      own.append(columns)
      for column in columns where seen.insert(column.0).inserted { all.append(column) }
    }
    if own.contains(where: { $0.map(\.path) != all.map(\.path) }) {
      var starts: [String: Int] = [:]
      var total = 0
      for column in all {
        starts[column.path] = total
        total += column.width
      }
      for at in gathered.indices {
        let width = own[at].reduce(0) { $0 + $1.width }
        func wide(_ clips: [MetricClip]) -> [MetricClip] {
          clips.map { clip in
            MetricClip(
              arrays: clip.arrays.mapValues { numbers in
                numbers.width == width
                  ? spread(numbers, own[at], starts, total: total) : numbers
              }, rows: clip.rows, settings: clip.settings)
          }
        }
        gathered[at].clips = wide(gathered[at].clips)
        gathered[at].truthClips = wide(gathered[at].truthClips)
      }
    }
    if let bones = bones(gathered, input, all) {
      for at in gathered.indices { gathered[at].constants["bones"] = bones }
    }
  }

  private static func spread(
    _ numbers: Numbers, _ own: [(path: String, width: Int)], _ starts: [String: Int], total: Int
  ) -> Numbers {
    // Joints are three numbers wide, and stay apart.
    let axes = numbers.shape.count == 3 ? numbers.shape[2] : 0
    let out = Numbers(
      shape: [numbers.rows] + (axes > 0 ? [total / axes, axes] : [total]))
    var from = 0
    for column in own {
      let to = starts[column.path] ?? 0
      for row in 0..<numbers.rows {
        for index in 0..<column.width {
          out.values[row * total + to + index] = numbers.values[row * numbers.width + from + index]
        }
      }
      from += column.width
    }
    return out
  }

  /// The bones of all channels of joints, by their place among all joints; nil where there are none.
  private static func bones(
    _ gathered: [MetricInputs], _ input: String, _ all: [(path: String, width: Int)]
  ) -> Numbers? {
    var bones: [Double] = []
    var first = 0
    for column in all {
      let graph = gathered.lazy.compactMap { $0.bones[column.path] }.first ?? []
      let joints = column.width / 3
      for bone in graph where bone.count == 2 && bone.allSatisfy({ $0 >= 0 && $0 < joints }) {
        bones += bone.map { Double(first + $0) }
      }
      first += joints
    }
    return bones.isEmpty ? nil : Numbers(shape: [bones.count / 2, 2], bones)
  }
}

extension Evaluation {
  /// Which body each joint is of, for metrics that fit poses: entities in the order of the truth's channels.
  static func entities(_ gathered: [MetricInputs], _ plan: MetricPlan) -> [String: Numbers] {
    guard plan.evaluator.inputs.contains(where: { $0.name == "entities" }) else { return [:] }
    var columns: [(path: String, width: Int)] = []
    var seen: Set<String> = []
    for episode in gathered {
      for entry in episode.entries["truth"] ?? []
      where seen.insert(entry.path).inserted {
        columns.append((entry.path, episode.widths[entry.path] ?? 0))
      }
    }
    let axes = gathered.lazy.compactMap { $0.clips.first?.arrays["truth"]?.shape.last }.first ?? 3
    guard columns.count > 1, axes > 0 else { return [:] }
    let numbers = columns.enumerated().flatMap { number, column in
      [Double](repeating: Double(number), count: column.width / axes)
    }
    return ["entities": Numbers(shape: [numbers.count], numbers)]
  }

  /// Masks what the truth does not hold, for metrics that measure one motion or series.
  static func mask(_ gathered: inout [MetricInputs], _ plan: MetricPlan) {
    guard plan.binding.measuresOne, let input = plan.binding.inputs.first?.name,
      plan.evaluator.inputs.contains(where: { $0.name == "mask" })
    else { return }
    for at in gathered.indices
    where gathered[at].clips.count == gathered[at].truthClips.count {
      for clip in gathered[at].clips.indices {
        guard let truth = gathered[at].truthClips[clip].arrays[input],
          truth.rows == gathered[at].clips[clip].rows
        else { continue }
        let parts = truth.shape.count == 3 ? truth.shape[1] : 1
        let width = parts > 0 ? truth.width / parts : 0
        let mask = Numbers(shape: parts == 1 ? [truth.rows] : [truth.rows, parts])
        for index in 0..<truth.rows * parts {
          let range = index * width..<(index + 1) * width
          mask.values[index] = truth.values[range].allSatisfy(\.isFinite) ? 1 : 0
        }
        gathered[at].clips[clip].arrays["mask"] = mask
        gathered[at].truthClips[clip].arrays["mask"] = mask
      }
    }
  }
}
