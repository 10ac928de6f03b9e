import TrajpackFormat
import TrajpackStore

/// `trajpack gc`: what stopped writers have left.
struct CollectGarbage: Command {
  static let name = "gc"
  static let summary = "Name and remove what stopped writers have left in a bucket or a folder."
  static let discussion = """
    In a bucket: shards and side files below the prefix that its manifest does not name (all of them where there is none), \
    and multipart uploads that were never completed, which cost money and are in no listing. Objects of other names, and \
    what lies in folders below the prefix, are not touched.

    In a folder: unfinished files, replaced side files and shards whose episodes are in others; the next writer would \
    remove them. A shard that the list has lost is kept, because 'trajpack repair' can list it.

    Nothing is removed without --delete. What is younger than --older-than is left alone, because a writer may be at \
    work: --older-than 0 takes its shards away from it.
    """
  static var examples: [Example] {
    [
      ("trajpack gc s3://bucket/datasets/ww", "Say what is left there."),
      ("trajpack gc s3://bucket/datasets/ww --older-than 2d --delete", "Remove it."),
    ]
  }
  static var parameters: [Parameter<Self>] {
    [
      .positional(
        "DATASET", to: \.dataset, completes: .folders,
        help: "s3://BUCKET/PREFIX, or the folder of a dataset."),
      .option(
        "--older-than", to: \.age, value: "TIME",
        help: "How long it must have been there, by the clock of the server."),
      .flag("--delete", to: \.deletes, help: "Remove it."),
      .flag("--json", to: \.json, help: "Print the list as JSON."),
    ]
  }
  var dataset = ""
  var age = Duration.seconds(24 * 3600)
  var deletes = false
  var json = false

  /// What was found, wherever.
  private struct Found {
    var items: [(name: String, bytes: Int?, age: Double)] = []
    var younger = 0
    var unknown = 0
    var others = 0
    var kept: [String] = []
  }

  mutating func run(_ console: Console) throws(TrajpackError) {
    let seconds = Double(age.components.seconds) + Double(age.components.attoseconds) * 1e-18
    let found = try Interruption.watched({ Interrupt.isRequested }) { () throws(TrajpackError) in
      Dataset.isRemote(dataset) ? try inBucket(seconds) : try inFolder(seconds)
    }
    let bytes = found.items.reduce(0) { $0 + ($1.bytes ?? 0) }
    if json {
      return console.print(
        .record([
          "dataset": .string(dataset), "deleted": .bool(deletes),
          "orphans": .array(
            found.items.map {
              .record([
                "name": .string($0.name), "kind": .string($0.bytes == nil ? "upload" : "file"),
                "bytes": $0.bytes.map { .int(Int64($0)) }, "age_s": .int(Int64($0.age)),
              ])
            }),
          "bytes": .int(Int64(bytes)), "younger": .int(Int64(found.younger)),
          "unknown_age": .int(Int64(found.unknown)),
          "others": .int(Int64(found.others)),
          "kept": .array(found.kept.map { .string($0) }),
        ]))
    }
    for item in found.items {
      let size = item.bytes.map { Human.bytes($0) } ?? "an upload that was not completed"
      console.print("\(item.name.printable): \(size), \(Int(item.age / 3600)) h old")
    }
    for name in found.kept {
      console.warn(
        "\(name.printable): is kept: no list names it; 'trajpack repair \(dataset)' looks at it")
    }
    let verb = deletes ? "removed" : "can be removed"
    console.print(
      "\(dataset): \(Human.count(found.items.count, "orphans"))"
        + (found.items.isEmpty ? "" : ", \(Human.bytes(bytes)), \(verb)")
        + (found.younger > 0
          ? "; \(found.younger) younger than \(age.argumentText) left alone" : "")
        + (found.unknown > 0
          ? "; \(found.unknown) of unknown age left alone, because the server says no time" : "")
    )
    if !deletes, !found.items.isEmpty { console.note("--delete removes them") }
  }

  private func inBucket(_ seconds: Double) throws(TrajpackError) -> Found {
    let orphans = try BucketOrphans(dataset, olderThan: seconds)
    if deletes { try orphans.remove() }
    return Found(
      items: orphans.items.map { ($0.name, $0.bytes, $0.age) }, younger: orphans.younger,
      unknown: orphans.unknown, others: orphans.others)
  }

  private func inFolder(_ seconds: Double) throws(TrajpackError) -> Found {
    let orphans =
      deletes
      ? try FolderOrphans.remove(in: dataset, olderThan: seconds)
      : try FolderOrphans(dataset, olderThan: seconds)
    return Found(
      items: orphans.items.map { ($0.name, $0.bytes, $0.age) }, younger: orphans.younger,
      kept: orphans.kept)
  }
}
