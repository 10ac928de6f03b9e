import TrajpackCodecs
import TrajpackFormat
@testable import TrajpackSources
@testable import TrajpackStore

let storeTargets: [FuzzTarget] = [
  FuzzTarget("manifest") { (input) throws(TrajpackError) in
    _ = Scratch.file("manifest.json", input)
    _ = try? Manifest.statistics(inFolder: Scratch.folder, atMost: 1 << 16)
    let manifest = try Manifest(inFolder: Scratch.folder)
    _ = manifest.shards.map(\.name)
  },

  // A journal: where the first byte is odd, each line behind it is a record with its length and checksum.
  FuzzTarget("journal") { (input) throws(TrajpackError) in
    guard let first = input.first else { return }
    var bytes = Array("trajpack journal 1\n".utf8)
    if first & 1 == 1 {
      for line in input.dropFirst().split(separator: UInt8(ascii: "\n")) {
        let crc = Array(line).withUnsafeBytes { CRC32C.of($0) }
        for number in [UInt32(line.count), crc] {
          withUnsafeBytes(of: number.littleEndian) { bytes += $0 }
        }
        bytes += line
      }
      // A tail that a writer left, or damage.
      bytes += [UInt8](repeating: first, count: Int(first) >> 3)
    } else {
      bytes = Array(input.dropFirst())
    }
    _ = Scratch.file("journal", bytes)
    _ = JournalContent.plan(inFolder: Scratch.folder)
    let content = try JournalContent(inFolder: Scratch.folder)
    _ = content.shards.map(\.name)
  },

  // The list of clips, the values of episodes and the file of a job, by the first byte.
  FuzzTarget("side-file") { (input) throws(TrajpackError) in
    guard let kind = input.first else { return }
    let bytes = Array(input.dropFirst())
    switch kind % 3 {
    case 0: _ = try ClipList(bytes: bytes, source: "clips")
    case 1: _ = try ValueFile(Scratch.file("x.csv", bytes))
    default: _ = try JobDocument(reading: Scratch.file("x.json", bytes))
    }
  },
]
