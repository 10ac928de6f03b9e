import TrajpackFormat
import TrajpackLoader
import TrajpackStore

/// `trajpack verify`: every stored byte against its checksum.
struct Verify: Command {
  static let name = "verify"
  static let summary = "Check every stored byte of a dataset against its checksum."
  static let discussion = """
    Reads the whole dataset: the index, every chunk, the digest and the counts of each shard, the \
    statistics of the manifest, and the side files (splits, values, clips, ...). Damage is named by \
    shard, stream, episode, chunk and byte. Exits with 1 where anything is damaged.

    Shards in the folder that the dataset does not list are named too. A crash may leave such as are \
    superseded (a joined shard has their episodes) or unacknowledged (the writer stopped before it listed \
    them); any other is an orphan, which counts as damage: the list has lost it, or it was put there.

    With --frames videos are decoded too, all frames or a sample, and compared with the checksums that \
    'convert --frame-hashes' has kept; a frame that differs is named by episode, stream and number.

    The digest of a shard stands in its dataset's manifest or journal. Of a shard by itself the index and \
    the chunks are checked, which is all that trajpack reads, but not what only other HDF5 programs look at: \
    --hdf5 checks that.
    """
  static var examples: [Example] {
    [
      ("trajpack verify ww", "Check a dataset after copying it."),
      (
        "trajpack verify ww --frames --sample 1% --seed 3", "Decode a hundredth of the frames, too."
      ),
    ]
  }
  static var parameters: [Parameter<Self>] {
    [
      .positional(
        "DATASET", to: \.dataset, completes: .files, help: "A dataset, or a shard by itself."),
      .option(
        "--jobs", "-j", to: \.jobs, value: "N", in: 1...1024,
        help: "Threads; by default one a processor."),
      .flag(
        "--frames", to: \.frames, help: "Decode videos, and compare frames with their checksums."),
      .option(
        "--sample", to: \.sample, value: "SHARE",
        help: "With --frames: decode a share of each video's frames, as 1% or 0.01."),
      .option(
        "--seed", to: \.seed, value: "N", in: 0...Int.max,
        help: "With --sample: decides which frames (0)."),
      .option(
        "--media", to: \.media, value: "DIR", completes: .folders,
        help: "With --frames: the folder in which linked videos lie."),
      .flag(
        "--allow-outside", to: \.allowsOutside,
        help: "With --media: links in it may lead out of it."),
      .flag(
        "--hdf5", to: \.hdf5,
        help:
          "Also have libhdf5 read every shard, in a process that can do nothing else, and compare its types, chunks and "
          + "values with those of the index."),
      .flag("--json", to: \.json, help: "Print the outcome as JSON."),
    ]
  }
  var dataset = ""
  var jobs: Int?
  var frames = false
  var sample: String?
  var seed: Int?
  var media: String?
  var allowsOutside = false
  var hdf5 = false
  var json = false

  mutating func run(_ console: Console) throws(TrajpackError) {
    let frameSample = try frameSample()
    let isFolder = FileSystem.item(at: dataset) == .folder
    // Names first: what a writer has renamed by then is listed afterwards, but for its last shard.
    let names = isFolder ? try FileSystem.names(in: dataset) : []
    let opened = try Dataset(dataset, allowingOrphans: true)
    let unnamed = try UnnamedShards(of: opened, names: names)
    let pool = try WorkerPool(threads: jobs ?? WorkerPool.processors)
    let progress = console.progress("verifying", items: "shards")
    progress.counters.expect(
      bytes: opened.isRemote
        ? opened.entries.reduce(0) { $0 + $1.receipt.bytes }
        : opened.shardPaths.reduce(0) { $0 + FileSystem.size(of: $1) },
      items: opened.shardPaths.count)
    var total = Verification.Result()
    var statistics = DatasetStatistics()
    for (number, path) in opened.shardPaths.enumerated() {
      progress.counters.begin(FileSystem.name(of: path))
      let counters = progress.counters
      let result: Verification.Result
      do throws(TrajpackError) {
        result = try Verification.verify(
          opened.path(ofShard: number),
          expected: opened.entries.isEmpty ? nil : opened.entries[number],
          list: opened.manifest == nil ? "journal" : "manifest", statistics: &statistics,
          pool: pool,
          isStopped: { Interrupt.isRequested }
        ) { counters.advance(bytes: $0, items: 0) }
      } catch {
        progress.cancel()
        throw error
      }
      if hdf5, result.damages.isEmpty, !Interrupt.isRequested {
        do throws(TrajpackError) {
          total.damages += try Validate.hdf5Differences(try Shard(opened.path(ofShard: number)))
        } catch {
          progress.cancel()
          throw error
        }
      }
      counters.advance(bytes: 0, items: 1)
      total.bytes += result.bytes
      total.chunks += result.chunks
      total.damages += result.damages
    }
    if Interrupt.isPending, Interrupt.wasObserved {
      progress.cancel()
      console.warn("stopped; what was not read is not checked")
      if let first = total.damages.first { throw first }
      return
    }
    progress.finish("verified")
    if let manifest = opened.manifest, total.damages.isEmpty {
      total.damages = try ManifestCheck.damages(
        of: manifest, inFolder: opened.listFolder, statistics: statistics)
    }
    do throws(TrajpackError) { try unnamed.refuseOrphans(in: dataset) } catch {
      total.damages.append(error)
    }
    for file in opened.sideFiles {
      do throws(TrajpackError) { _ = try opened.content(of: file) } catch {
        total.damages.append(error)
      }
      total.bytes += file.bytes
    }
    let oldSideFiles = opened.unlistedSideFiles(names)
    // Not damage: the file of a name that was listed is another dataset's by now.
    if !total.damages.isEmpty, !opened.isCurrent {
      throw TrajpackError(
        .data, file: dataset, "was changed or replaced while it was verified; run verify again")
    }
    var decoded: FrameVerification.Result?
    if let frameSample, total.damages.isEmpty {
      decoded = try verifyFrames(frameSample, pool, console)
      total.damages += decoded?.damages ?? []
      if Interrupt.isPending, Interrupt.wasObserved {
        console.warn("stopped; frames that were not decoded are not checked")
        if let first = total.damages.first { throw first }
        return
      }
    }
    if json {
      console.print(document(total, opened, unnamed, oldSideFiles, decoded))
    } else {
      for item in unnamed.items { console.print(Self.line(item)) }
      for name in oldSideFiles {
        console.print("\(name): not listed, superseded: \(Self.oldSideFile)")
      }
    }
    guard let first = total.damages.first else {
      if !json {
        console.print(
          "\(dataset): good; \(Human.count(opened.shardPaths.count, "shards")), "
            + "\(Human.count(total.chunks, "chunks"))"
            + (opened.sideFiles.isEmpty
              ? "" : ", \(Human.count(opened.sideFiles.count, "side files"))")
            + ", \(Human.bytes(total.bytes)) match their checksums"
        )
      }
      if !json, let decoded { console.print("\(dataset): \(Self.line(decoded))") }
      if let unfinished = opened.unfinished { console.warn(unfinished) }
      if !json, hdf5 {
        console.print("\(dataset): HDF5's programs read of every shard what trajpack reads")
      } else if !json, opened.entries.isEmpty {
        console.print("without a manifest there is no digest to compare HDF5's own structures with")
      }
      return
    }
    for damage in total.damages.dropFirst() { console.warn(damage.message.printable) }
    throw first
  }

  private static let oldSideFile =
    "a side file that was replaced or removed; the next writer deletes it"

  private static func line(_ item: UnnamedShards.Item) -> String {
    let what =
      switch item.standing {
      case .superseded: "other shards have its episodes"
      case .unacknowledged: "its writer stopped before it listed it"
      case .orphan: item.reason
      }
    return "\(item.name): not listed, \(item.standing.rawValue): \(what)".printable
  }

  private func document(
    _ total: Verification.Result, _ opened: Dataset, _ unnamed: UnnamedShards,
    _ oldSideFiles: [String], _ decoded: FrameVerification.Result?
  ) -> JSONValue {
    .record([
      "dataset": .string(dataset), "shards": .int(Int64(opened.shardPaths.count)),
      "side_files": .int(Int64(opened.sideFiles.count)), "chunks": .int(Int64(total.chunks)),
      "bytes": .int(Int64(total.bytes)),
      "frames": decoded.map {
        .record([
          "videos": .int(Int64($0.videos)), "matching": .int(Int64($0.matching)),
          "without_checksum": .int(Int64($0.unhashed)),
        ])
      },
      "hdf5": hdf5 ? .bool(total.damages.isEmpty) : nil,
      "complete": .bool(opened.isComplete),
      "unlisted": .array(
        unnamed.items.map {
          .record([
            "name": .string($0.name), "standing": .string($0.standing.rawValue),
            "reason": $0.reason.isEmpty ? nil : .string($0.reason),
          ])
        }
          + oldSideFiles.map {
            .record([
              "name": .string($0), "standing": "superseded", "reason": .string(Self.oldSideFile),
            ])
          }),
      "damages": .array(total.damages.map { .string($0.message) }),
    ])
  }
}
