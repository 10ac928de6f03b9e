import TrajpackCodecs
import TrajpackFormat
@testable import TrajpackReports
@testable import TrajpackSources
@testable import TrajpackStore

let textTargets: [FuzzTarget] = [
  // Records of CSV alone, read in windows of 64 bytes or more: the first byte.
  FuzzTarget("csv-records") { (input) throws(TrajpackError) in
    guard let first = input.first else { return }
    let file = try LocalFile(Scratch.file("x.csv", input.dropFirst()))
    let delimiters = Array(",\t; ".utf8)
    let scanner = CSVScanner(
      TextFile(file), TableDialect(delimiters[Int(first) & 3]), capacity: 64 + Int(first))
    while try scanner.next() {
      for i in 0..<scanner.count {
        let field = scanner[i]
        _ = field.text.count
        _ = DecimalLiteral(field.bytes).value
      }
    }
  },

  // A table as it is converted: its form, times and columns are found, and its rows are made.
  FuzzTarget("csv") { (input) throws(TrajpackError) in
    try convert(SeriesImporter([Scratch.file("x.csv", input)]))
  },

  FuzzTarget("dysts") { (input) throws(TrajpackError) in
    try convert(SeriesImporter([Scratch.file("x.json", input)]))
  },

  FuzzTarget("npy") { (input) throws(TrajpackError) in
    let array = try ArrayFile(try LocalFile(Scratch.file("x", input)))
    guard array.header.dataBytes <= 1 << 20 else { return }
    try array.read { (_, _) throws(TrajpackError) in }
    _ = try array.spool(elements: 0..<min(array.header.count, 3))
  },

  FuzzTarget("npz") { (input) throws(TrajpackError) in
    let archive = try NPZ(try LocalFile(Scratch.file("x.npz", input)), keepsOthers: true)
    for name in archive.names.prefix(8) {
      guard let array = try? archive.array(name), array.header.dataBytes <= 1 << 20 else {
        continue
      }
      try? array.read { (_, _) throws(TrajpackError) in }
    }
    try convert(SeriesImporter([Scratch.file("x.npz", input)]))
  },

  // Predictions, by the first byte: JSON lines or a table.
  FuzzTarget("predictions") { (input) throws(TrajpackError) in
    guard let kind = input.first else { return }
    let file = try LocalFile(Scratch.file("x", input.dropFirst()))
    let found =
      kind & 1 == 0
      ? try PredictionLines.read(file)
      : try PredictionTable.read(
        file, delimiter: kind & 2 == 0 ? nil : UInt8(ascii: ","), ["camera/pos", "npc/hp"],
        isExport: kind & 4 != 0)
    for (_, arrays) in found.prefix(4) {
      for name in arrays.names.prefix(8) { _ = try? arrays.array(name) }
    }
  },
]

/// Takes a source as `convert` does, and writes no shard.
func convert(_ importer: some Importer) throws(TrajpackError) {
  for recording in importer.recordings.prefix(4) {
    guard let examination = try importer.examine(recording) else { continue }
    let schema = try importer.schema(for: [(recording, examination)], LayoutOptions())
    _ = try importer.draft(recording, examination, schema)
  }
}

/// Takes a source as `convert` does, where the format is named.
func convert(_ paths: [String], from name: String) throws(TrajpackError) {
  guard let importer = try MappedFormats.importer(paths, from: name, MappingOptions()) else {
    return
  }
  try convert(importer)
}
