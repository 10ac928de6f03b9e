import TrajpackFormat
import TrajpackStore

/// `trajpack bench`: what this machine gives on this dataset, and what limits it.
struct Bench: Command {
  static let name = "bench"
  static let summary = "Measure how fast this machine reads a dataset, and what limits it."
  static let discussion = """
    Reads the dataset in order, several times, with one stage more each time: bytes, checksums, inflating, \
    rows. The stages take turns, and medians are printed, so that a busy machine does not tilt them. Then \
    it opens the dataset afresh and reads one window of every stream, and has the loader give windows of all \
    channels, in order and shuffled from anywhere, as training takes them.
    """
  static var examples: [Example] { [("trajpack bench ww", "Measure with all processors.")] }
  static var parameters: [Parameter<Self>] {
    [
      .positional(
        "DATASET", to: \.dataset, completes: .files, help: "A dataset or a single shard."),
      .option(
        "--jobs", "-j", to: \.jobs, value: "N", in: 1...1024,
        help: "Threads; by default one a processor."),
      .option(
        "--rounds", to: \.rounds, value: "N", in: 1...1000, help: "How often each stage is run."),
      .flag("--json", to: \.json, help: "Print JSON."),
    ]
  }
  var dataset = ""
  var jobs: Int?
  var rounds = 7
  var json = false

  mutating func run(_ console: Console) throws(TrajpackError) {
    let opened = try Dataset(dataset)
    let pool = try WorkerPool(threads: jobs ?? WorkerPool.processors)
    let shards = try opened.shardPaths.indices.mapThrowing { (n) throws(TrajpackError) in
      try opened.shard(n)
    }
    var times: [ReadBenchmark.Stage: [Double]] = [:]
    var bytes = 0
    var codec: [Double] = []
    let progress = console.progress("measuring", items: "rounds")
    progress.counters.expect(bytes: 0, items: rounds)
    for _ in 0..<rounds where !Interrupt.isRequested {
      for stage in ReadBenchmark.Stage.allCases {
        let clock = ContinuousClock()
        let start = clock.now
        var measure = ReadBenchmark.Measure()
        for shard in shards {
          let part = try ReadBenchmark.run(shard, stage, pool: pool)
          measure.bytes += part.bytes
          measure.codecSeconds += part.codecSeconds
        }
        bytes = measure.bytes
        if stage == .inflate { codec.append(measure.codecSeconds / Double(pool.count)) }
        times[stage, default: []].append(Self.seconds(clock.now - start))
      }
      progress.counters.advance(bytes: 0, items: 1)
    }
    progress.cancel()
    let (open, window) = try openings()
    let medians = ReadBenchmark.Stage.allCases.map { Self.median(times[$0] ?? []) }
    let loaded = Interrupt.isRequested ? nil : try loading(console)
    if json {
      console.print(
        .record([
          "threads": .int(Int64(pool.count)), "row_bytes": .int(Int64(bytes)),
          "read_s": .double(medians[0]), "check_s": .double(medians[1]),
          "inflate_s": .double(medians[2]), "rows_s": .double(medians[3]),
          "codec_s": .double(Self.median(codec)),
          "open_s": .double(open), "first_window_s": .double(window),
          "window_rows": loaded.map { .int(Int64($0.length)) },
          "loader": loaded.map { .array($0.orders.map(\.json)) },
        ]))
      return
    }
    var table = Table(
      .text("stage"), .number("time"), .number("rows a second"), .number("of the codec's speed"))
    let codecTime = Self.median(codec)
    let stages = [
      ("read bytes", medians[0]), ("read and check", medians[1]), ("the codec alone", codecTime),
      ("read and inflate", medians[2]), ("read, check, inflate, make rows", medians[3]),
    ]
    for (name, time) in stages {
      table.add(
        name, Human.duration(.microseconds(Int64(time * 1e6))),
        Human.bytes(Int(Double(bytes) / max(time, 1e-9))) + "/s",
        "\(Int((codecTime / max(time, 1e-9) * 100).rounded())) %")
    }
    console.print(
      "\(Human.bytes(bytes)) of rows, \(Human.count(pool.count, "threads")), median of \(rounds) rounds\n"
    )
    console.print(table)
    console.print(
      "\nopen \(Self.milliseconds(open)), a first window of every stream \(Self.milliseconds(window))"
    )
    console.print(advice(medians))
    if let loaded {
      show(
        loaded.length, loaded.orders, codecRate: Double(bytes) / max(codecTime, 1e-9), console)
    }
  }

  private func advice(_ medians: [Double]) -> String {
    let (read, inflate, rows) = (medians[0], medians[2] - medians[0], medians[3] - medians[2])
    if read > medians[3] / 2 {
      return
        "the disk or the page cache limits: a faster disk or more memory would help, a lighter codec not"
    }
    if inflate > rows {
      return
        "inflating limits: more processors would help, or a lighter codec (lz4, none) if space allows"
    }
    return "copying rows limits: the memory's speed is reached"
  }

  /// Opens the dataset's middle shard and reads 64 rows of every stream, as often as there are rounds.
  private func openings() throws(TrajpackError) -> (open: Double, window: Double) {
    var opens: [Double] = []
    var windows: [Double] = []
    for _ in 0..<max(rounds, 5) {
      let clock = ContinuousClock()
      let start = clock.now
      let opened = try Dataset(dataset)
      guard !opened.shardPaths.isEmpty else { return (0, 0) }
      let shard = try opened.shard(opened.shardPaths.count / 2)
      opens.append(Self.seconds(clock.now - start))
      let reader = BlockReader(shard)
      if shard.index.episodeCount > 0 {
        for number in shard.index.episode(shard.index.episodeCount / 2).tracks {
          let track = TrackReader(shard, track: number, reader: reader)
          let first = max(track.count / 2 - 32, 0)
          for channel in track.stream.channels.indices {
            _ = try track.read(channel: channel, rows: first..<min(first + 64, track.count))
          }
        }
      }
      windows.append(Self.seconds(clock.now - start))
    }
    return (Self.median(opens), Self.median(windows))
  }

  static func seconds(_ duration: Duration) -> Double {
    Double(duration.components.seconds) + Double(duration.components.attoseconds) * 1e-18
  }

  static func median(_ values: [Double]) -> Double {
    let sorted = values.sorted()
    return sorted.isEmpty ? 0 : sorted[sorted.count / 2]
  }

  private static func milliseconds(_ seconds: Double) -> String {
    "\((seconds * 10_000).rounded() / 10) ms"
  }
}
