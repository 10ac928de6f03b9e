import TrajpackFormat
@testable import TrajpackSources
@testable import TrajpackStore

let sourceTargets: [FuzzTarget] = [
  FuzzTarget("parquet") { (input) throws(TrajpackError) in
    let table = try ParquetTable(Scratch.file("x.parquet", input))
    for name in table.file.names.prefix(8) {
      _ = try? table.lists(name)
      _ = try? table.recordRows(name)
      guard let column = try? table.column(name) else { continue }
      _ = try? table.texts(column)
      _ = try? table.file.firstBytes(column)
      for shape in [[], [2]] {
        _ = try? table.rows(.init(name: name, shape: shape, type: .float64, missing: .nan))
      }
    }
  },

  FuzzTarget("matlab") { (input) throws(TrajpackError) in
    let path = Scratch.file("x.mat", input)
    try look(at: MATFile(path))
    try convert([path], from: Matlab5.format.name)
  },

  FuzzTarget("netcdf3") { (input) throws(TrajpackError) in
    let path = Scratch.file("x.nc", input)
    try look(at: NetCDF3File(path))
    try convert([path], from: NetCDF3.format.name)
  },

  FuzzTarget("edf") { (input) throws(TrajpackError) in
    let path = Scratch.file("x.edf", input)
    let file = try EDFFile(path)
    try look(at: file)
    _ = try? file.annotations()
    try convert([path], from: EDF.format.name)
  },

  // Poses, by the first byte: TUM, KITTI, EuRoC, COLMAP's texts and binaries (cameras, then images).
  FuzzTarget("poses") { (input) throws(TrajpackError) in
    guard let kind = input.first else { return }
    let rest = UnsafeBufferPointer(rebasing: input.dropFirst())
    switch kind % 5 {
    case 0: try convert([Scratch.file("x.txt", rest)], from: TUM.format.name)
    case 1: try convert([Scratch.file("x.txt", rest)], from: KITTI.format.name)
    case 2: try convert([Scratch.file("data.csv", rest)], from: EuRoC.format.name)
    default:
      let ending = kind % 5 == 3 ? "txt" : "bin"
      for other in ["txt", "bin"] {
        Scratch.remove("images.\(other)")
        Scratch.remove("cameras.\(other)")
      }
      let (cameras, images) = rest.halves
      let paths = [
        Scratch.file("cameras.\(ending)", cameras), Scratch.file("images.\(ending)", images),
      ]
      try convert(paths, from: COLMAP.format.name)
    }
  },

  // What the reader of foreign HDF5 answers; a file may have taken that process over.
  FuzzTarget("reader-message") { (input) throws(TrajpackError) in
    var message = ReaderMessage(Array(input))
    let node = try message.node()
    _ = node.array?.count
  },
]

/// Reads what a tree says that it has.
private func look(at tree: some TreeFile) throws(TrajpackError) {
  for node in tree.nodes.prefix(64) {
    guard let array = node.array, array.isRead, array.count <= 1 << 16 else { continue }
    let part = array.shape.map { 0..<$0 }
    if array.type != nil {
      try? tree.read(node, part) { (_) throws(TrajpackError) in }
    } else {
      try? tree.readTexts(node, part) { (_) throws(TrajpackError) in }
    }
    _ = try? tree.value(node)
  }
}
