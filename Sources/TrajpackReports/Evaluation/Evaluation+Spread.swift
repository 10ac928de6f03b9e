extension Evaluation {
  /// Gives all episodes the same columns: those of all of them, channel by channel; NaN where an episode has
  /// not the channel. So the figures of all episodes together can be computed from one array, and a column
  /// means the same in each.
  static func spread(_ gathered: inout [Gathered], by input: String) {
    var all: [(path: String, width: Int)] = []
    var own: [[(path: String, width: Int)]] = []
    for episode in gathered {
      let columns = (episode.entries[input] ?? []).map { ($0.path, episode.widths[$0.path] ?? 1) }
      own.append(columns)
      for column in columns where !all.contains(where: { $0.path == column.0 }) {
        all.append(column)
      }
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
        func wide(_ clips: [Clip]) -> [Clip] {
          clips.map { clip in
            Clip(
              arrays: clip.arrays.mapValues { numbers in
                numbers.width == width
                  ? spread(numbers, own[at], starts, total: total) : numbers
              }, rows: clip.rows)
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
    _ gathered: [Gathered], _ input: String, _ all: [(path: String, width: Int)]
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
