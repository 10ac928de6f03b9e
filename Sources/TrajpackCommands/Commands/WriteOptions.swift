import Synchronization
import TrajpackCodecs
import TrajpackFormat
import TrajpackSources
import TrajpackStore

/// What the commands that write a dataset share: how it is laid out, going on, and the run itself.
struct WriteOptions: ArgumentSet {
  enum CodecChoice: String, ArgumentChoice {
    case lz4, zstd, gzip, none
  }

  /// How chunks look.
  static var layout: [Parameter<Self>] {
    [
      .option("--codec", "-c", to: \.codec, value: "CODEC", help: "How chunks are compressed."),
      .option(
        "--level", "-l", to: \.level, value: "N",
        help: "How hard to compress: lz4 1 to 12 (6), zstd 1 to 19 (3), gzip 1 to 9 (4)."),
      .option(
        "--chunk-rows", to: \.chunkRows, value: "N", in: 1...65_536,
        help: "Rows of a chunk; by default 32 to 4096, by the size of a row."),
    ]
  }

  /// What samples of depth mean.
  static var depths: [Parameter<Self>] {
    [
      .option(
        "--depth", to: \.depth, value: "STREAM=ENCODING",
        help:
          "What the samples of a video or channel of depth mean: depth=linear:scale=0.001,units=m,invalid=0; also inverse, log, near= and far= instead of scale= and offset=, measured=axis or ray. May be given again."
      )
    ]
  }

  /// How the work is done.
  static var work: [Parameter<Self>] {
    [
      .option(
        "--jobs", "-j", to: \.jobs, value: "N", in: 1...1024,
        help: "Threads; by default one a processor. The result does not depend on it."),
      .option("--shard-size", to: \.shardSize, value: "SIZE", help: "Bytes of source in a shard."),
    ]
  }

  /// What to do with what is there already.
  static var again: [Parameter<Self>] {
    [
      .flag("--resume", to: \.resume, help: "Go on with what an earlier run left unfinished."),
      .flag(
        "--overwrite", to: \.overwrite,
        help:
          "Replace the dataset at DST once the new one is complete; needs room for both until then."
      ),
    ]
  }

  /// Where files are kept on their way from or to a bucket.
  static var stagingFolder: [Parameter<Self>] {
    [
      .option(
        "--staging", to: \.staging, value: "DIR", completes: .folders,
        help:
          "Where SRC or DST is in a bucket: the folder ($TMPDIR) for files on their way. Each shard is made in it before it is uploaded; --resume needs it again."
      )
    ]
  }

  static var parameters: [Parameter<Self>] { layout + work + again + stagingFolder }

  var codec = CodecChoice.lz4
  var level: Int?
  var chunkRows: Int?
  var depth: [String] = []
  var jobs: Int?
  var shardSize = ByteSize(512 << 20)
  var resume = false
  var overwrite = false
  var staging: String?

  /// The options of a conversion.
  ///
  /// - Throws: A usage error where they contradict each other.
  func options<I: Importer>(of importer: I.Type) throws(TrajpackError) -> Conversion<I>.Options {
    guard !(resume && overwrite) else {
      throw TrajpackError(.usage, "--resume and --overwrite exclude each other; give one of them")
    }
    var options = Conversion<I>.Options()
    options.layout = LayoutOptions(
      codec: Codec(name: codec.rawValue) ?? .lz4, level: level, chunkRows: chunkRows)
    if let level {
      guard codec != .none else {
        throw TrajpackError(
          .usage, "--level \(level): --codec none compresses nothing and has no level; leave it out"
        )
      }
      let range = Compressor.levels(of: options.layout.codec).range
      guard range.contains(level) else {
        throw TrajpackError(
          .usage,
          "--level: \(codec.rawValue) has levels \(range.lowerBound) to \(range.upperBound), "
            + "not \(level)")
      }
    }
    guard shardSize.bytes > 0 else {
      throw TrajpackError(.usage, "--shard-size: 0 bytes hold no episode; give a size like 512MiB")
    }
    options.depth = try DepthMeaning(depth)
    options.jobs = jobs ?? WorkerPool.processors
    options.shardBytes = shardSize.bytes
    options.resume = resume
    options.overwrite = overwrite
    options.staging = staging
    return options
  }

  /// The most recordings that are named when they are left out; the manifest has all.
  private static let mostWarnings = 20

  /// Converts, with progress; `nil` where the user stopped it, which is said.
  ///
  /// - Parameters:
  ///   - verb: What is done and has been done: `("converting", "converted")`.
  ///   - again: What goes on after a stop.
  static func run<I: Importer>(
    _ importer: I, to destination: String, _ options: Conversion<I>.Options,
    verb: (doing: String, done: String), items: String,
    again: String? = nil, _ console: Console
  ) throws(TrajpackError) -> Conversion<I>.Outcome? {
    let progress = console.progress(verb.doing, items: items)
    var events = Conversion<I>.Events()
    let counters = progress.counters
    events.planned = { items, bytes, doneItems, doneBytes in
      counters.expect(bytes: bytes, items: items)
      if doneItems > 0 { counters.resume(bytes: doneBytes, items: doneItems) }
    }
    events.began = { counters.begin($0.id) }
    events.read = { counters.read(bytes: $0) }
    events.wrote = { counters.advance(bytes: $0.bytes, items: 1) }
    let warnings = Atomic(0)
    events.skipped = { recording, failure in
      counters.advance(bytes: recording.bytes, items: 1)
      guard warnings.add(1, ordering: .relaxed).oldValue < mostWarnings else { return }
      console.warn("\(recording.path.printable): left out: \(failure.why.printable)")
    }
    events.isInterrupted = { Interrupt.isRequested }
    events.noted = { console.warn($0.printable) }
    let outcome: Conversion<I>.Outcome
    do throws(TrajpackError) {
      outcome = try Conversion(importer, to: destination, options: options, events: events).run()
    } catch {
      progress.cancel()
      guard error.fault == .machine, !error.message.contains("--resume") else { throw error }
      throw TrajpackError(
        error.fault, "\(error.message) (\(again ?? "the same command with --resume") goes on)",
        at: error.place)
    }
    guard outcome.isComplete else {
      progress.cancel()
      let again =
        again ?? "the same command with --resume"
        + (options.overwrite ? " instead of --overwrite" : "")
      console.warn("stopped after \(Human.count(outcome.episodes, "episodes")); \(again) goes on")
      return nil
    }
    progress.finish(verb.done)
    return outcome
  }
}
