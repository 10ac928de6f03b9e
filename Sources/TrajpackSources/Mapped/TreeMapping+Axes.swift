import TrajpackFormat
import TrajpackStore

extension TreeMapping {
  /// Names of axes that count recordings.
  static let recordingAxes: Set<String> = [
    "env", "traj", "trajectory", "episode", "trial", "run", "sample", "batch", "seed",
  ]

  /// Arrays whose axes are declared: `time` counts rows, axes that count recordings make them, and all others are
  /// the shape of a row.
  mutating func byAxes() throws(TrajpackError) -> [MappedRecording] {
    var all: [[String]] = []
    var named: [String: [String]] = [:]
    for text in options.axes {
      let halves = text.split(separator: "=", maxSplits: 1).map { String($0) }
      let axes = (halves.last ?? "").split { $0 == "," || $0 == " " }.map { $0.lowercased() }
      guard axes.filter({ $0 == "time" }).count == 1, Set(axes).count == axes.count else {
        throw TrajpackError(
          .usage,
          "--axes: '\(text)' does not name each axis once, 'time' among them, as env,traj,time,dim")
      }
      if halves.count == 2 { named[halves[0]] = axes } else { all.append(axes) }
    }
    var taken: [(node: TreeNode, axes: [String])] = []
    var time: TreeNode?
    if let name = options.time, name != "none" {
      guard let node = index[name], node.array?.type != nil else {
        throw TrajpackError(.usage, "\(file.path): --time '\(name)' is no array of numbers")
      }
      time = node
    }
    for node in index.below("/") where options.takes(node.path) && node.path != time?.path {
      guard let array = node.array else { continue }
      let place = String(node.path.dropFirst())
      guard
        let axes = named[place] ?? named[node.name]
          ?? all.first(where: { $0.count == array.shape.count }),
        axes.count == array.shape.count, array.type != nil, array.count > 0
      else {
        var why = "has no declared axes (\(array.text))"
        if case .unread(let reason) = array.form { why = reason }
        leftOut.append(LeftOut(path: "\(file.place):\(node.path)", why: why))
        continue
      }
      // In the order in which they lie in the file.
      var stored = axes
      for (axis, name) in zip(index.tree.axes(of: node), axes) { stored[axis] = name }
      taken.append((node, stored))
    }
    guard let first = taken.first else {
      throw TrajpackError(
        .usage,
        "\(file.path): --axes: no array has as many axes; 'trajpack inspect' shows their shapes")
    }
    // The axes that count recordings, and how long each is.
    let said = index.tree.axes(of: first.node).map { first.axes[$0] }
    let counted = said.filter { Self.recordingAxes.contains($0) }
    var sizes: [String: Int] = [:]
    for (node, axes) in taken {
      for (axis, size) in zip(axes, node.array?.shape ?? []) where Self.recordingAxes.contains(axis)
      {
        guard counted.contains(axis), sizes[axis] == nil || sizes[axis] == size else {
          throw TrajpackError(
            .data,
            "\(file.path): \(node.path): its axis '\(axis)' has \(size) elements, and that of others \(sizes[axis] ?? 0)"
          )
        }
        sizes[axis] = size
      }
    }
    return try recordings(taken, counted, counted.map { sizes[$0] ?? 1 }, time)
  }

  private func recordings(
    _ taken: [(node: TreeNode, axes: [String])], _ counted: [String], _ sizes: [Int],
    _ time: TreeNode?
  ) throws(TrajpackError) -> [MappedRecording] {
    let total = sizes.reduce(1, *)
    guard total <= 10_000_000 else {
      throw TrajpackError(
        .usage, "\(file.path): --axes makes \(total) recordings of it; check which axis is which")
    }
    var out: [MappedRecording] = []
    for number in 0..<total {
      var place: [String: Int] = [:]
      var rest = number
      for (axis, size) in zip(counted, sizes).reversed() {
        place[axis] = rest % size
        rest /= size
      }
      let parts = zip(counted, sizes).map { axis, size in
        let text = String(place[axis] ?? 0)
        return String(repeating: "0", count: String(size - 1).count - text.count) + text
      }
      var recording = MappedRecording(file, id: ([file.stem] + parts).joined(separator: "/"))
      for axis in counted { recording.values.append(.init(axis, .int(Int64(place[axis] ?? 0)))) }
      for (node, axes) in taken {
        guard let rows = axes.firstIndex(of: "time") else { continue }
        var fixed: [Int: Int] = [:]
        for (i, axis) in axes.enumerated() { if let index = place[axis] { fixed[i] = index } }
        let part = TreePart(index.tree, node, time: rows, at: fixed)
        let label = String(node.path.dropFirst())
        let item = TreeLayout.Item(node: node, place: label, part: part)
        let width = part.rowShape.reduce(part.type.size, *)
        let channel = MappedChannel(TreeLayout.channel(label, item, options), .tree(part))
        let main = recording.streams.firstIndex {
          $0.name == TreeLayout.main && $0.count == part.count
        }
        if let main, width < 4096 {
          recording.streams[main].channels.append(channel)
        } else {
          recording.streams.append(
            MappedStream(
              name: width < 4096 && recording.streams.allSatisfy { $0.name != TreeLayout.main }
                ? TreeLayout.main : label,
              count: part.count, time: MappedStream.time(rate: options.rate), channels: [channel]))
        }
      }
      if let time { try clock(&recording, time, counted, sizes, place) }
      out.append(recording)
    }
    return out
  }

  /// Times of all recordings, or an array of them with the same axes before that of time.
  private func clock(
    _ recording: inout MappedRecording, _ time: TreeNode, _ counted: [String], _ sizes: [Int],
    _ place: [String: Int]
  ) throws(TrajpackError) {
    let shape = index.tree.shape(of: time)
    let isVector = index.tree.isReversed(time) && shape.count(where: { $0 != 1 }) <= 1
    let part: TreePart
    if shape.count == 1 || isVector {
      part = TreePart(index.tree, time)
    } else if Array(shape.dropLast()) == sizes {
      var fixed: [Int: Int] = [:]
      let axes = index.tree.axes(of: time)
      for (axis, name) in zip(axes, counted) { fixed[axis] = place[name] }
      part = TreePart(index.tree, time, time: axes[shape.count - 1], at: fixed)
    } else {
      throw TrajpackError(
        .data,
        "\(file.path): the times '\(time.path)' have the shape \(shape), which is neither one list nor one for each recording"
      )
    }
    for i in recording.streams.indices {
      guard recording.streams[i].count == part.count else {
        throw TrajpackError(
          .data,
          "\(file.path): '\(time.path)' has \(part.count) times for the \(recording.streams[i].count) rows of '\(recording.streams[i].name)'"
        )
      }
      recording.streams[i].time = .array(
        .tree(part), part.type, tick: .one, unit: options.timeUnit ?? "time")
    }
  }
}
