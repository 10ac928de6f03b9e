import Glibc
import Testing
import TrajpackFormat
import TrajpackTestSupport

@testable import TrajpackStore

@Suite struct SideFileTests {
  private let folder = Scratch()
  private var path: String { folder.path }
  private var manifestPath: String { "\(path)/manifest.json" }

  /// A finished dataset of one shard.
  init() throws {
    let receipt = try RandomShard(seed: 7).write("\(folder.path)/shard-000000.h5")
    try Manifest.finish(
      folder.path, shards: [.init(name: "shard-000000.h5", receipt: receipt)],
      source: .record([
        "type": "plan", "format": "writer", "options": .object([]), "codec": "zstd",
        "shard_bytes": 1,
      ]))
  }

  private func put(
    _ name: String, _ content: JSONValue, _ role: SideFile.Role = .splits, isRequired: Bool = false
  ) throws {
    let editor = try SideFileEditor(path)
    try editor.put(role, named: name, content, isRequired: isRequired)
    try editor.commit()
  }

  private func version() throws -> String? {
    try JSONValue(parsing: contents(manifestPath))["version"]?.string
  }

  @Test func comesBackByRoleAndName() throws {
    let before = try Dataset(path)
    try put("paper", .record(["a": 1]))
    try put("paper", "other", .values)
    try put("deutsch é", .array([1, 2.5, .null]))
    let dataset = try Dataset(path)
    #expect(try dataset.content(.splits, named: "paper") == .record(["a": 1]))
    #expect(try dataset.content(.values, named: "paper") == "other")
    #expect(try dataset.content(.splits, named: "deutsch é") == .array([1, 2.5, .null]))
    #expect(try dataset.content(.clips, named: "paper") == nil)
    #expect(dataset.sideFiles(.splits).map(\.name) == ["paper", "deutsch é"])
    #expect(dataset.manifest?.digest == before.manifest?.digest)
    #expect(try version() == "1.1")
    #expect(FileSystem.item(at: "\(path)/journal") == nil)
  }

  @Test func withoutThemTheManifestIsAsBefore() throws {
    let before = try contents(manifestPath)
    try put("a", 1, isRequired: true)
    #expect(try version() == "2.0")
    try put("b", 2)
    let editor = try SideFileEditor(path)
    try editor.remove(.splits, named: "a")
    try editor.commit()
    #expect(try version() == "1.1")
    let last = try SideFileEditor(path)
    try last.remove(.splits, named: "b")
    try last.commit()
    #expect(try contents(manifestPath) == before)
    // Its file stays for readers of the list before, until the next writer.
    #expect(try Dataset(path).unlistedSideFiles(FileSystem.names(in: path)).count == 1)
    try SideFileEditor(path).close()
    #expect(try FileSystem.names(in: path) == ["manifest.json", "shard-000000.h5"])
  }

  @Test func whatIsNotCommittedDoesNotCount() throws {
    let before = try contents(manifestPath)
    do {
      let editor = try SideFileEditor(path)
      try editor.put(.splits, named: "x", 1)
    }
    #expect(try contents(manifestPath) == before)
    try put("y", 1)
    #expect(try Dataset(path).sideFiles.map(\.name) == ["y"])
    #expect(try FileSystem.names(in: path).filter(SideFile.isSideFile).count == 1)
  }

  @Test func oneWriterAtATime() throws {
    let editor = try SideFileEditor(path)
    #expect(failure { _ = try SideFileEditor(path) }?.fault == .usage)
    try editor.put(.clips, named: "c", 1)
    try editor.commit()
    try put("d", 2)
    #expect(try Dataset(path).sideFiles.map(\.name) == ["c", "d"])
  }

  @Test func whatCannotBeChangedIsRefused() throws {
    let shard = failure { _ = try SideFileEditor("\(path)/shard-000000.h5") }
    #expect(shard?.fault == .usage && shard?.message.contains("--into") == true)
    let editor = try SideFileEditor(path)
    #expect(failure { try editor.remove(.splits, named: "none") }?.fault == .usage)
    for name in ["", "a\nb", String(repeating: "x", count: 201)] {
      #expect(failure { try editor.put(.splits, named: name, 1) }?.fault == .usage)
    }
    try editor.close()
    let newer = String(decoding: try contents(manifestPath), as: UTF8.self)
      .replacing("\"1.0\"", with: "\"1.7\"")
    try FileSystem.replace(manifestPath, with: Array(newer.utf8))
    #expect(failure { _ = try SideFileEditor(path) }?.message.contains("1.7") == true)
    // Without its manifest, a folder with a journal is not finished.
    unlink(manifestPath)
    let journal = try Journal(inFolder: path)
    try journal.begin(
      .record(["type": "plan", "format": "npz", "options": .object([])]))
    try journal.acknowledge(
      Manifest.Entry(
        name: "shard-000000.h5",
        receipt: .init(
          bytes: FileSystem.size(of: "\(path)/shard-000000.h5"),
          digest: try LocalFile("\(path)/shard-000000.h5").digest(), episodes: 1, rows: 1)))
    #expect(failure { _ = try SideFileEditor(path) }?.message.contains("--resume") == true)
  }

  @Test(arguments: 0..<4) func damageIsSeen(kind: Int) throws {
    try put("a", .record(["x": "yz"]))
    let file = "\(path)/\(try Dataset(path).sideFiles[0].file)"
    var bytes = try contents(file)
    switch kind {
    case 0: bytes[bytes.count / 2] ^= 1
    case 1: bytes.removeLast()
    case 2: bytes = []
    default: break
    }
    if kind == 3 { unlink(file) } else { try FileSystem.replace(file, with: bytes) }
    let dataset = try Dataset(path)
    let found = failure { _ = try dataset.content(.splits, named: "a") }
    #expect(found?.fault == .data && found?.message.contains(file) == true)
    // What is put again under the name replaces it.
    try put("a", .record(["x": "yz"]))
    #expect(try Dataset(path).content(.splits, named: "a") == .record(["x": "yz"]))
  }

  @Test func strangeListsAreRefused() throws {
    try put("a", 1)
    let text = String(decoding: try contents(manifestPath), as: UTF8.self)
    let digest = try Dataset(path).sideFiles[0].sha256
    for (old, new) in [
      ("\"side-splits-", "\"../side-splits-"), ("\"role\": \"splits\"", "\"role\": \"Splits\""),
      ("\"role\": \"splits\"", "\"role\": 3"), (digest, digest.uppercased()),
      ("\"name\": \"a\"", "\"name\": \"\""), ("\"name\": \"a\"", "\"name\": \"a\\n\""),
    ] {
      try #require(text.contains(old))
      try FileSystem.replace(manifestPath, with: Array(text.replacing(old, with: new).utf8))
      let found = failure { _ = try Dataset(path) }
      #expect(found?.fault == .data, "\(new)")
    }
    // A role of a newer trajpack: ignored, unless it is required.
    let other = text.replacing("splits", with: "moods")
    try FileSystem.replace(manifestPath, with: Array(other.utf8))
    #expect(try Dataset(path).sideFiles.map(\.role) == ["moods"])
    let required = other.replacing(
      "\"name\": \"a\",", with: "\"name\": \"a\", \"required\": true,")
    try FileSystem.replace(manifestPath, with: Array(required.utf8))
    #expect(failure { _ = try Dataset(path) }?.fault == .data)
  }

  @Test(arguments: [false, true]) func aWriterThatGoesOnKeepsThem(isRequired: Bool) throws {
    try put("a", 1, isRequired: isRequired)
    var options = DatasetAppender.Options()
    options.mustBeNew = false
    let text =
      #"{"streams": [{"name": "s", "time_unit": "s", "channels": [{"name": "x", "kind": "scalar", "#
      + #""type": "float32", "shape": []}]}]}"#
    let scratch = Scratch()
    let schema = try AppendSchema(json: JSONValue(parsing: text))
    func add(_ id: String, to appender: DatasetAppender) throws {
      let recorder = try appender.begin(id: id, split: "", metadata: .object([]))
      let track = try recorder.begin(
        stream: "s", entity: nil, clock: .regular(start: .zero, rate: .one))
      var value: Float = 1
      try withUnsafeBytes(of: &value) { bytes in
        try recorder.append(
          track: track, count: 1,
          columns: [.init(values: bytes, text: .init(start: nil, count: 0))])
      }
      try appender.commit(recorder)
    }
    // A dataset of that schema, whose side file is put before it is gone on with.
    options.mustBeNew = true
    let own = "\(scratch.path)/ds"
    defer {
      for name in (try? FileSystem.names(in: own)) ?? [] { unlink("\(own)/\(name)") }
      rmdir(own)
    }
    let first = try DatasetAppender(own, options: options, backend: RandomShard.backend)
    try first.declare(schema)
    try add("0", to: first)
    try first.close()
    let editor = try SideFileEditor(own)
    try editor.put(.splits, named: "s", .array([1]), isRequired: isRequired)
    try editor.put(.values, named: "v", .array([2]))
    try editor.commit()
    options.mustBeNew = false
    let second = try DatasetAppender(own, options: options, backend: RandomShard.backend)
    for n in 1...20 { try add("\(n)", to: second) }
    // While it grows, the journal names them; an older reader refuses it where it must.
    let growing = try Dataset(own)
    #expect(!growing.isComplete && growing.sideFiles.map(\.name) == ["s", "v"])
    #expect(try growing.content(.splits, named: "s") == .array([1]))
    #expect(Journal.isJournal("\(own)/journal"))
    let magic = "trajpack journal \(isRequired ? 2 : 1)\n"
    #expect(try contents("\(own)/journal").starts(with: Array(magic.utf8)))
    #expect(failure { _ = try SideFileEditor(own) } != nil)
    try second.close()
    let after = try Dataset(own)
    #expect(after.sideFiles == growing.sideFiles)
    #expect(after.manifest?.version == (isRequired ? "2.0" : "1.1"))
  }

  @Test func repairListsThemAgain() throws {
    try put("a", 1, isRequired: true)
    try put("b", 2, .values)
    let listed = try Dataset(path).sideFiles
    try FileSystem.replace(manifestPath, with: [0, 0])
    let pool = try WorkerPool(threads: 1)
    var repair = try DatasetRepair(path, pool: pool) { false }
    try repair.write()
    let found = try Dataset(path)
    #expect(Set(found.sideFiles.map(\.file)) == Set(listed.map(\.file)))
    #expect(found.manifest?.version == "2.0")
    #expect(try found.content(.values, named: "b") == 2)
  }
}
