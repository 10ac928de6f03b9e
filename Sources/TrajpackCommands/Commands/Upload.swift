import TrajpackFormat
import TrajpackStore

/// `trajpack upload`: a finished dataset into a bucket.
struct Upload: Command {
  static let name = "upload"
  static let summary = "Copy a finished dataset into a bucket of S3, checked, its manifest last."
  static let discussion = """
    Sends the shards, then the side files, then the manifest: readers see the whole dataset or none. Every request has the \
    SHA-256 and the CRC-32C of its bytes, which the server compares; the SHA-256 that the manifest lists is compared while \
    a file is read, and kept with the object.

    After a stop, the same command goes on: what is there with the same content is not sent again. An object of the same \
    name and other content is never replaced. 'trajpack gc' removes what a stop has left.

    The dataset may lie on a server, too. Credentials are those of reading; see docs/remote.md.
    """
  static var examples: [Example] {
    [("trajpack upload ww s3://bucket/datasets/ww", "Copy the dataset ww into a bucket.")]
  }
  static var parameters: [Parameter<Self>] {
    [
      .positional("DATASET", to: \.dataset, completes: .folders, help: "The folder of a dataset."),
      .positional("DST", to: \.destination, help: "Where it goes, as s3://BUCKET/PREFIX."),
      .flag("--dry-run", "-n", to: \.dryRun, help: "Say what would be sent, send nothing."),
      .flag("--json", to: \.json, help: "Print the outcome as JSON."),
    ]
  }
  var dataset = ""
  var destination = ""
  var dryRun = false
  var json = false

  mutating func run(_ console: Console) throws(TrajpackError) {
    let upload = try DatasetUpload(dataset, to: destination)
    if dryRun {
      return console.print(
        "would upload \(Human.count(upload.count, "files")) (\(Human.bytes(upload.bytes))) to \(destination)"
      )
    }
    let progress = console.progress("uploading", items: "files")
    progress.counters.expect(bytes: upload.bytes, items: upload.count)
    let counters = progress.counters
    let outcome: DatasetUpload.Outcome
    do throws(TrajpackError) {
      outcome = try Interruption.watched({ Interrupt.isRequested }) { () throws(TrajpackError) in
        try upload.run(
          began: { counters.begin($0) }, took: { counters.advance(bytes: $0, items: $1) })
      }
    } catch {
      progress.cancel()
      if Interrupt.isRequested {
        return console.warn("stopped before the manifest; the same command goes on")
      }
      guard error.fault == .machine else { throw error }
      throw TrajpackError(error.fault, "\(error.message) (the same command goes on)")
    }
    progress.finish("uploaded")
    if json {
      return console.print(
        .record([
          "dataset": .string(upload.destination), "episodes": .int(Int64(upload.episodes)),
          "files": .int(Int64(upload.count)), "bytes": .int(Int64(upload.bytes)),
          "sent": .int(Int64(outcome.stored)), "sent_bytes": .int(Int64(outcome.storedBytes)),
          "there": .int(Int64(outcome.there)),
        ]))
    }
    console.print(
      "\(upload.destination): \(Human.count(upload.episodes, "episodes")), "
        + "\(Human.count(upload.count, "files")), \(Human.bytes(upload.bytes))"
        + (outcome.there > 0 ? "; \(Human.count(outcome.there)) of the files were there" : ""))
  }
}
