import TrajpackFormat
import TrajpackStore

/// stable-worldmodel's HDF5: a dataset a column, and `ep_len` and `ep_offset` for the rows of each episode.
enum StableWorldModel: MappedFormat {
  static let format = FormatDescription(
    name: "stable-worldmodel", summary: "stable-worldmodel datasets (HDF5)",
    carries: "every column, text too", reads: true, writes: false)

  static func recognises(_ files: SourceFiles, _ options: MappingOptions) -> Bool {
    guard !options.isMapping, let tree = files.first else { return false }
    let index = TreeIndex(tree)
    return index.array("/ep_len")?.shape.count == 1 && index.array("/ep_offset")?.shape.count == 1
  }

  static func read(
    _ files: SourceFiles, _ options: MappingOptions
  ) throws(TrajpackError) -> MappedSource {
    var source = MappedSource(recordings: [])
    source.recordings = try files.recordings(options) { (file, index) throws(TrajpackError) in
      guard let lengths = index["/ep_len"], let offsets = index["/ep_offset"],
        let counts = try index.tree.value(lengths).integers,
        let firsts = try index.tree.value(offsets).integers, counts.count == firsts.count
      else {
        throw TrajpackError(
          .data, file: file.path, "/ep_len and /ep_offset are not two lists of one length")
      }
      var layout = TreeLayout(index.tree, options)
      layout.time = MappedStream.time(rate: options.rate)
      let items = try layout.items(index.below("/"), below: "/") {
        ["ep_len", "ep_offset"].contains($0)
      }
      let rows = items.map(\.part.count).min() ?? 0
      var ranges: [Range<Int>] = []
      for (first, count) in zip(firsts, counts) {
        guard first >= 0, count > 0, first <= Int64(rows), count <= Int64(rows) - first else {
          throw TrajpackError(
            .data, file: file.path,
            "episode \(ranges.count) is rows \(first) to \(first &+ count) of columns that have \(rows)"
          )
        }
        ranges.append(Int(first)..<Int(first + count))
      }
      source.leftOut += layout.leftOut
      return try Cuts.recordings(file, files, ranges, items, &layout)
    }
    source.leftOut += files.others()
    return source
  }
}
