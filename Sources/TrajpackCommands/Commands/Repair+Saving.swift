import TrajpackFormat
import TrajpackSources
import TrajpackStore

/// `trajpack repair DATASET DST`.
extension Repair {
  func save(to destination: String, _ console: Console) throws(TrajpackError) {
    try Destination.refuse(destination, in: dataset)
    let options = try writing.options(of: SalvageImporter.self)
    let pool = try WorkerPool(threads: options.jobs)
    let importer = try SalvageImporter(
      dataset, mode: mask ? .mask : .cut, pool: pool, version: Trajpack.version)
    let carried = importer.carriedSideFiles()
    if dryRun {
      try carried?.look()
    } else {
      guard
        try WriteOptions.run(
          importer, to: destination, carried.map { options.carrying($0) } ?? options,
          verb: ("saving", "saved"), items: "episodes", console) != nil
      else { return }
    }
    let report = SalvageReport(importer, carried)
    if json {
      console.print(report.json(dataset, destination, isWritten: !dryRun))
    } else {
      for line in report.lines { console.print(line.printable) }
      console.print(
        "\(destination): \(report.summary)\(dryRun ? " would be kept" : "")".printable)
    }
    guard report.hasLosses else { return }
    throw TrajpackError(
      .data, file: dataset,
      "not all of it could be read; \(destination) \(dryRun ? "would have" : "has") what could"
    )
  }
}

/// What became of a damaged dataset, for people and as JSON.
struct SalvageReport {
  private let fates: [SalvageImporter.Fate]
  private let losses: [(name: String, what: String)]
  private let leftOut: [String]
  private let carried: [String]
  private let retyped: [(channel: String, from: ElementType, to: ElementType)]
  /// Episodes that are named; the rest are counted, and JSON has all.
  private static let mostLines = 50

  init(_ importer: SalvageImporter, _ side: CarriedSideFiles?) {
    fates = importer.fates
    losses = importer.losses
    retyped = importer.retyped
    leftOut = side?.leftOut ?? []
    carried = side?.carried ?? []
  }

  var hasLosses: Bool {
    !losses.isEmpty || !leftOut.isEmpty || fates.contains { !$0.isWhole }
  }

  var lines: [String] {
    var out = losses.map { "\($0.name): \($0.what)" } + leftOut
    out += retyped.map {
      "\($0.channel) is \($0.to.rawValue) now: \($0.from.rawValue) has no mark for values that were not observed"
    }
    let hurt = fates.filter { !$0.isWhole }
    for fate in hurt.prefix(Self.mostLines) {
      let what =
        (fate.kept == 0 && fate.rows > 0 ? ["nothing is kept"] : fate.losses)
        + (fate.masked > 0 ? ["\(fate.masked) values are not observed now"] : [])
      out.append("\(fate.id) [\(fate.shard)]: \(what.joined(separator: "; "))")
    }
    if hurt.count > Self.mostLines {
      out.append("and \(hurt.count - Self.mostLines) episodes more; --json has all")
    }
    return out
  }

  var summary: String {
    let whole = fates.count { $0.isWhole }
    let kept = fates.count { $0.kept > 0 || $0.rows == 0 }
    let rows = fates.reduce(0) { $0 + $1.kept }
    let all = fates.reduce(0) { $0 + $1.rows }
    return
      "\(Human.count(kept, "episodes")) of \(fates.count), \(whole) of them whole; \(rows) of \(all) rows"
  }

  func json(_ dataset: String, _ destination: String, isWritten: Bool) -> JSONValue {
    .record([
      "source": .string(dataset), "dataset": .string(destination), "written": .bool(isWritten),
      "lost": .bool(hasLosses),
      "files": .array(
        losses.map { .record(["name": .string($0.name), "what": .string($0.what)]) }),
      "carried": .array(carried.map { .string($0) }),
      "left_out": .array(leftOut.map { .string($0) }),
      "types": .object(
        retyped.map { .init($0.channel, .string($0.to.rawValue)) }),
      "episodes": .array(
        fates.map { fate in
          .record([
            "id": .string(fate.id), "shard": .string(fate.shard), "whole": .bool(fate.isWhole),
            "rows_kept": .int(Int64(fate.kept)), "rows": .int(Int64(fate.rows)),
            "values_masked": .int(Int64(fate.masked)),
            "losses": .array(fate.losses.map { .string($0) }),
          ])
        }),
    ])
  }
}
