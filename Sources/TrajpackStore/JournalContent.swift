import TrajpackCodecs
import TrajpackFormat

/// What a journal says, read record by record, so that its length costs no memory.
public struct JournalContent {
  /// The first record; `nil` where there is none.
  public private(set) var plan: JSONValue?
  /// The shards that are acknowledged, in order.
  public private(set) var shards: [Manifest.Entry] = []
  /// The side files of the dataset.
  private(set) var sideFiles: [SideFile] = []
  /// What a conversion has recorded of the recordings of each shard, by the shard's name.
  public private(set) var notes: [String: JSONValue] = [:]
  /// The record that ends the journal of a task of a job.
  public private(set) var completion: JSONValue?
  /// Bytes of the magic and of the whole records; 0 where not even the magic is whole.
  private(set) var length = 0
  /// Whether a record behind them was cut off when its writer stopped.
  private(set) var isTorn = false

  private var names = DistinctNames()
  private var records = 0

  /// Reads the journal of a dataset.
  ///
  /// - Throws: A data error where it is damaged, which names record and byte.
  public init(inFolder folder: String) throws(TrajpackError) {
    try self.init(try LocalFile("\(folder)/\(Journal.fileName)"))
  }

  init(_ file: LocalFile) throws(TrajpackError) {
    guard file.length <= Journal.longest else {
      throw TrajpackError(
        .data, file: file.path,
        "has \(file.length) bytes, where a journal has at most \(Journal.longest); "
          + Self.remedy(file))
    }
    let magic = Journal.magic
    let head = try file.bytes(0..<min(file.length, magic.count))
    guard head == magic || head == Journal.magicOfRequired else {
      // A writer that stopped at once leaves a part of the magic, or its length without its bytes.
      if file.length <= magic.count, Journal.isBeginning(head) || head.allSatisfy({ $0 == 0 }) {
        isTorn = !head.isEmpty
        return
      }
      throw TrajpackError(
        .data, file: file.path,
        "is damaged at byte 0: it does not begin as a trajpack journal does; "
          + Self.remedy(file), at: ErrorPlace(byte: 0))
    }
    length = magic.count
    shards.reserveCapacity(file.length / Manifest.shortestEntry)
    var window = FileWindow(file, from: length)
    while let frame = try window.frame(at: length) {
      try take(frame, file)
      length += 8 + frame.count
    }
    if length < file.length {
      let tail = try JournalTail(file, from: length)
      if let damage = tail.damage {
        throw TrajpackError(
          .data, file: file.path,
          "record \(records), at byte \(length), is damaged: \(damage); "
            + Self.remedy(file), at: ErrorPlace(file: file.path, byte: length))
      }
      isTorn = true
    }
  }

  private mutating func take(_ payload: ArraySlice<UInt8>, _ file: LocalFile) throws(TrajpackError)
  {
    let record = try within(
      "\(file.path), record \(records), at byte \(length)",
      at: ErrorPlace(file: file.path, byte: length)
    ) {
      () throws(TrajpackError) in
      try JSONValue(parsing: Array(payload), mostValues: Journal.mostValues)
    }
    func damaged(_ what: String) -> TrajpackError {
      TrajpackError(
        .data, file: file.path,
        "record \(records), at byte \(length), \(what); " + Self.remedy(file),
        at: ErrorPlace(byte: length))
    }
    let type = record["type"]?.string
    if records == 0 {
      guard type == "plan" else { throw damaged("is not the plan that comes first") }
      plan = record
    } else if type == "plan" {
      throw damaged("is a second plan")
    } else if let entry = try Manifest.Entry(record: record, number: records) {
      guard names.insert(entry.name, behind: shards[...]) else {
        throw damaged("names \(entry.name), which an earlier record names too")
      }
      guard isGrowing || entry.name == Manifest.shardName(shards.count) else {
        throw damaged(
          "names \(entry.name) where \(Manifest.shardName(shards.count)) is due, so a record is missing"
        )
      }
      shards.append(entry)
    } else if type == "recordings", let shard = record["shard"]?.string {
      notes[shard] = record
    } else if type == "complete" {
      completion = record
    } else if type == "side_file" {
      sideFiles.append(
        try SideFile(JSONReader(record, at: "\(file.path), record \(records), at byte \(length)")))
    }
    records += 1
  }

  /// The first record of a journal, be the rest damaged or not; `nil` where that is damaged itself.
  static func plan(inFolder folder: String) -> JSONValue? {
    guard let file = try? LocalFile("\(folder)/\(Journal.fileName)") else { return nil }
    var window = FileWindow(file, from: 0)
    guard let frame = try? window.frame(at: Journal.magic.count),
      let plan = try? JSONValue(parsing: Array(frame), mostValues: Journal.mostValues),
      plan["type"]?.string == "plan"
    else { return nil }
    return plan
  }

  /// Whether a writer that adds episodes made it, rather than a conversion.
  var isGrowing: Bool { plan?["format"]?.string == "writer" }

  private static func remedy(_ file: LocalFile) -> String {
    "nothing was changed; restore it from a copy, or run 'trajpack repair "
      + "\(FileSystem.parent(of: file.path))', which lists the shards anew"
  }
}

/// Reads records of a file one after the other, by pieces of a fixed size.
private struct FileWindow {
  let file: LocalFile
  var bytes: [UInt8] = []
  var start: Int

  init(_ file: LocalFile, from start: Int) {
    self.file = file
    self.start = start
  }

  /// Makes `count` bytes from `offset` on available; `nil` where the file ends before.
  private mutating func part(
    _ offset: Int, _ count: Int
  ) throws(TrajpackError) -> ArraySlice<UInt8>? {
    guard count <= file.length - offset else { return nil }
    if offset < start || offset + count > start + bytes.count {
      bytes = try file.bytes(offset..<min(file.length, offset + max(count, 1 << 18)))
      start = offset
    }
    return bytes[offset - start..<offset - start + count]
  }

  /// The payload of the record at `offset`; `nil` where no whole one begins there.
  mutating func frame(at offset: Int) throws(TrajpackError) -> ArraySlice<UInt8>? {
    guard let head = try part(offset, 8) else { return nil }
    let (length, crc) = JournalTail.header(head)
    // The checksum of nothing is 0, so zeros would be a record.
    guard length > 0, length <= Journal.longestRecord, let payload = try part(offset + 8, length),
      payload.withUnsafeBytes({ CRC32C.of($0) }) == crc
    else { return nil }
    return payload
  }
}
