import TrajpackFormat
import TrajpackLoader
import TrajpackStore

/// `trajpack clips --list`: which rows the clips of a list take.
struct ClipListing {
  var dataset: String
  var list: String
  var reference: String?
  var stream: String?
  var json: Bool

  func run(_ console: Console) throws(TrajpackError) {
    let data = try OpenDataset(dataset)
    let clipped = try ClippedDataset(
      data, try ClipArgument.list(list, of: dataset), reference: reference)
    var table = Table(
      .text("clip"), .text("episode"), .number("row"), .number("rows"), .text("rate"),
      .text("label"))
    var objects: [JSONValue] = []
    for placed in clipped.clips {
      let clip = clipped.clip(placed)
      let rows = try stream.map { (name) throws(TrajpackError) in
        try clipped.rows(placed, stream: name)
      }
      if json {
        objects.append(
          .record([
            "id": .string(clip.id), "episode": .string(clip.episode),
            "row": .int(Int64(placed.row)),
            "rows": .int(Int64(placed.rows)), "rate": placed.rate.map { .string($0.description) },
            "label": clip.label.map { .string($0) }, "stream": stream.map { .string($0) },
            "stream_rows": rows.map { .array($0.map { .int(Int64($0)) }) },
          ]))
      } else if let rows {
        console.print("\(clip.id): \(Self.runs(rows))")
      } else {
        table.add(
          clip.id.printable, clip.episode.printable, String(placed.row), String(placed.rows),
          placed.rate?.description ?? "its own times", (clip.label ?? "").printable)
      }
    }
    if json {
      console.print(.record(["reference": .string(clipped.reference), "clips": .array(objects)]))
    } else if stream == nil {
      console.print(table)
    }
  }

  /// `0-9, 12 13 15`: runs of neighbours as their ends.
  private static func runs(_ rows: [Int]) -> String {
    var out: [String] = []
    var at = 0
    while at < rows.count {
      var end = at
      while end + 1 < rows.count, rows[end + 1] == rows[end] + 1, rows[at] >= 0 { end += 1 }
      out.append(rows[at] < 0 ? "-" : end > at + 1 ? "\(rows[at])-\(rows[end])" : "\(rows[at])")
      at = end > at + 1 ? end + 1 : at + 1
    }
    return out.joined(separator: " ")
  }
}
