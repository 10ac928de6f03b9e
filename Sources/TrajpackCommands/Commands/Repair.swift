import TrajpackFormat
import TrajpackStore

/// `trajpack repair`: lists the shards of a folder anew.
struct Repair: Command {
  static let name = "repair"
  static let summary =
    "Save what can be read of a damaged dataset into a new one, or list its shards anew."
  static let discussion = """
    With DST: checks every byte and writes what can be read to a new dataset. Of each episode the longest run of rows is \
    kept that is whole in all streams, with its times; the row numbers that it had are in the episode's metadata \
    ('repaired'). --mask keeps all rows, and marks values that cannot be read as not observed; a channel whose type has no \
    such mark becomes int32 or int64. Videos with damaged packets are left out. Splits, clips and vocabularies come along \
    where they hold of what is kept; the others are named, as losses. A manifest is not needed. Exits with 0 where nothing was lost, 1 where something was; the report \
    says what.

    Without DST: checks every byte of every shard in the folder and writes a new manifest of those that are whole; for a \
    conversion that was not finished, a new journal, with which 'trajpack convert --resume' goes on. No shard \
    is changed or removed. The old manifest and journal stay as *.before-repair. Side files (splits, values, \
    clips, ...) that are whole are listed, too. Exits with 1 where a file is damaged, and so is not listed.

    Shards are listed by number. One whose episodes are all in newer shards, equal in every value, is left \
    out, because a writer that joined shards had replaced it. Where two shards have an episode of the same id \
    and other content, nothing is done.
    """
  static var examples: [Example] {
    [
      ("trajpack repair ww saved", "What can be read of ww, as a new dataset."),
      ("trajpack repair ww saved --mask", "All rows; damaged values are not observed."),
      ("trajpack repair ww", "List the shards of ww anew."),
    ]
  }
  static var parameters: [Parameter<Self>] {
    [
      .positional(
        "DATASET", to: \.dataset, completes: .files,
        help: "The folder of a dataset; with DST also a single shard."),
      .positional(
        "[DST]", to: \.destination, completes: .folders, help: "The new dataset's folder."),
      .flag(
        "--mask", to: \.mask,
        help: "With DST: keep all rows, and mark what cannot be read as not observed."),
      .flag("--dry-run", "-n", to: \.dryRun, help: "Say what would be done, write nothing."),
      .flag("--json", to: \.json, help: "Print the outcome as JSON."),
    ] + WriteOptions.parameters.map { $0.lifted(\.writing) }
  }
  var dataset = ""
  var destination: String?
  var mask = false
  var dryRun = false
  var json = false
  var writing = WriteOptions()

  mutating func run(_ console: Console) throws(TrajpackError) {
    if let destination { return try save(to: destination, console) }
    let plain = WriteOptions()
    guard !mask, !writing.resume, !writing.overwrite, writing.level == nil,
      writing.chunkRows == nil, writing.codec == plain.codec,
      writing.shardSize.bytes == plain.shardSize.bytes
    else {
      throw TrajpackError(
        .usage, "--mask and the options of writing are for a new dataset; name its folder, DST")
    }
    let pool = try WorkerPool(threads: writing.jobs ?? WorkerPool.processors)
    var repair = try DatasetRepair(dataset, pool: pool) { Interrupt.isRequested }
    if Interrupt.isPending, Interrupt.wasObserved {
      repair.leave()
      console.warn("stopped; nothing was changed")
      return
    }
    if dryRun { repair.leave() } else { try repair.write() }
    if json { console.print(document(repair)) } else { describe(repair, console) }
    guard repair.damaged.isEmpty else {
      throw TrajpackError(
        .data, file: dataset,
        "damaged, and so not listed: \(Human.count(repair.damaged.count, "files")); move what is damaged elsewhere before "
          + "more is written; 'trajpack repair \(dataset) DST' saves what can be read")
    }
  }

  private func describe(_ repair: DatasetRepair, _ console: Console) {
    for name in repair.superseded {
      console.print("\(name): superseded, newer shards have its episodes".printable)
    }
    for (name, what) in repair.damaged {
      console.print("\(name): damaged, not listed: \(what)".printable)
    }
    for name in repair.kept { console.print("\(name): what was there before".printable) }
    let episodes = repair.listed.reduce(0) { $0 + $1.receipt.episodes }
    console.print(
      "\(dataset): \(Human.count(repair.listed.count, "shards")) with "
        + "\(Human.count(episodes, "episodes"))"
        + (repair.sideFiles.isEmpty
          ? "" : " and \(Human.count(repair.sideFiles.count, "side files"))")
        + " \(dryRun ? "would be" : "are") listed"
        + (repair.isUnfinished ? "; 'trajpack convert' with --resume goes on" : ""))
  }

  private func document(_ repair: DatasetRepair) -> JSONValue {
    .record([
      "dataset": .string(dataset), "written": .bool(!dryRun),
      "complete": .bool(!repair.isUnfinished), "listed": .array(repair.listed.map(\.json)),
      "side_files": .array(repair.sideFiles.map(\.json)),
      "superseded": .array(repair.superseded.map { .string($0) }),
      "damaged": .array(
        repair.damaged.map { .record(["name": .string($0.name), "what": .string($0.what)]) }),
      "kept": .array(repair.kept.map { .string($0) }),
    ])
  }
}
