import TrajpackFormat
import TrajpackStore

/// D4RL: flat arrays of steps, cut into episodes where `terminals` or `timeouts` are true. The steps behind the last
/// end are an episode, too, which D4RL's own reader drops.
enum D4RL: MappedFormat {
  static let format = FormatDescription(
    name: "d4rl", summary: "D4RL datasets (flat HDF5)",
    carries: "every array of steps, the unfinished last episode too; scalars of metadata",
    reads: true, writes: false)

  static func recognises(_ files: SourceFiles, _ options: MappingOptions) -> Bool {
    guard !options.isMapping, let tree = files.first else { return false }
    let index = TreeIndex(tree)
    return ["observations", "actions", "rewards", "terminals"].allSatisfy { index.array($0) != nil }
  }

  static func read(
    _ files: SourceFiles, _ options: MappingOptions
  ) throws(TrajpackError) -> MappedSource {
    var source = MappedSource(recordings: [])
    source.recordings = try files.recordings(options) { (file, index) throws(TrajpackError) in
      guard let rows = index.array("/rewards")?.shape.first, rows > 0 else {
        throw TrajpackError(.data, file: file.path, "has no /rewards, as D4RL files do")
      }
      let ends = ["/terminals", "/timeouts"].compactMap { index[$0] }.filter {
        $0.array?.shape.first == rows
      }
      let (ranges, isUnfinished) = try Cuts.byEnds(index.tree, ends, rows)
      if isUnfinished, let last = ranges.last {
        source.remarks.append(
          "\(file.path): the last \(last.count) steps end in no terminal or timeout; they are an episode of their own, "
            + "which D4RL's reader drops")
      }
      if index.array("/timeouts") == nil {
        source.remarks.append(
          "\(file.path): has no timeouts, so episodes that ran out of time are joined with the next"
        )
      }
      var layout = TreeLayout(index.tree, options)
      layout.time = MappedStream.time(rate: options.rate)
      var items = try layout.items(index.below("/"), below: "/")
      items.removeAll { item in
        guard item.part.count != rows else { return false }
        source.leftOut.append(
          LeftOut(
            path: "\(FileSystem.name(of: file.path)):\(item.node.path)",
            why: "has other rows than the steps"))
        return true
      }
      source.leftOut += layout.leftOut
      if files.trees.count == 1 { source.attributes += layout.values }
      layout.values = []
      return try Cuts.recordings(file, files, ranges, items, &layout)
    }
    source.leftOut += files.others()
    return source
  }
}

/// Arrays of steps that are cut into episodes.
enum Cuts {
  /// The rows of each episode, by arrays whose true elements end one; whether the last rows end in none.
  static func byEnds(
    _ tree: any ArrayTree, _ ends: [TreeNode], _ rows: Int
  ) throws(TrajpackError) -> (ranges: [Range<Int>], isUnfinished: Bool) {
    var isEnd = [Bool](repeating: false, count: rows)
    for node in ends {
      guard let array = node.array, let type = array.type, array.count == rows else {
        throw TrajpackError(.data, file: tree.path, "\(node.path): has other rows than the steps")
      }
      var row = 0
      try tree.read(node, array.shape.map { 0..<$0 }) { (bytes) throws(TrajpackError) in
        for i in 0..<bytes.count / type.size {
          let x = StoredNumber(bytes, i, type).double
          if x != 0, !x.isNaN { isEnd[row] = true }
          row += 1
        }
      }
    }
    var ranges: [Range<Int>] = []
    var first = 0
    for row in 0..<rows where isEnd[row] {
      ranges.append(first..<row + 1)
      first = row + 1
    }
    if first < rows { ranges.append(first..<rows) }
    return (ranges, first < rows)
  }

  /// The rows of each episode, by the rows behind which each ends.
  static func byCounts(
    _ tree: any ArrayTree, _ node: TreeNode, _ rows: Int
  ) throws(TrajpackError) -> [Range<Int>] {
    var ranges: [Range<Int>] = []
    var first = 0
    for end in try tree.value(node).wholeNumbers ?? [] {
      guard end > first, end <= rows else {
        throw TrajpackError(
          .data, file: tree.path,
          "\(node.path): episode \(ranges.count) ends behind row \(end), which is not in \(first) to \(rows)"
        )
      }
      ranges.append(first..<Int(end))
      first = Int(end)
    }
    guard first == rows else {
      throw TrajpackError(
        .data, file: tree.path, "\(node.path): the last episode ends behind row \(first) of \(rows)"
      )
    }
    return ranges
  }

  /// A recording for each range of rows.
  static func recordings(
    _ file: SourceFiles.File, _ files: SourceFiles, _ ranges: [Range<Int>],
    _ items: [TreeLayout.Item],
    _ layout: inout TreeLayout
  ) throws(TrajpackError) -> [MappedRecording] {
    let width = String(max(ranges.count - 1, 0)).count
    var out: [MappedRecording] = []
    for (number, range) in ranges.enumerated() {
      let text = String(number)
      let padded = String(repeating: "0", count: width - text.count) + text
      var recording = MappedRecording(file, id: "\(file.stem)/\(padded)")
      let own = items.map { item in
        var item = item
        item.part.part[0] = range
        return item
      }
      recording.streams = try layout.streams(own)
      recording.metadata.append(
        .init("rows", .array([.int(Int64(range.lowerBound)), .int(Int64(range.upperBound))])))
      out.append(recording)
    }
    return out
  }
}
