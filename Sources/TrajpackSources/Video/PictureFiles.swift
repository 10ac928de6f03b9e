import TrajpackFormat
import TrajpackStore

/// The picture files of a folder, one after the other, in the natural order of their names (2 before 10). Nothing of them is
/// kept in memory.
final class PictureFiles: MadeBytes {
  let paths: [String]
  /// Where each begins, and where the last one ends.
  private let starts: [Int]
  private let watch: ReadWatch

  private static let endings = [".png", ".jpg", ".jpeg"]

  /// The pictures of a folder; none where there is no such folder.
  static func names(in folder: String) throws(TrajpackError) -> [String] {
    guard FileSystem.item(at: folder) == .folder else { return [] }
    return try FileSystem.names(in: folder).filter { name in
      !name.hasPrefix(".") && endings.contains { name.lowercased().hasSuffix($0) }
    }.sorted { NaturalOrder.isBefore($0, $1) }
  }

  init(_ folder: String, _ names: [String], _ watch: ReadWatch) throws(TrajpackError) {
    paths = names.map { "\(folder)/\($0)" }
    self.watch = watch
    var starts = [0]
    for path in paths { starts.append(starts[starts.count - 1] + (try LocalFile(path).length)) }
    self.starts = starts
  }

  var count: Int { starts[starts.count - 1] }

  /// What a picture says of itself, and its size in bytes.
  func head(_ number: Int) throws(TrajpackError) -> (PictureHead?, Int) {
    let file = try LocalFile(paths[number])
    let size = starts[number + 1] - starts[number]
    return (PictureHead(try file.bytes(0..<min(file.length, 1 << 20))), size)
  }

  func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(TrajpackError) {
    var (low, high) = (0, paths.count)
    while low < high {
      let middle = (low + high) / 2
      if starts[middle + 1] <= offset { low = middle + 1 } else { high = middle }
    }
    var done = 0
    while done < buffer.count, low < paths.count {
      let file = try watch.file(paths[low])
      guard file.length == starts[low + 1] - starts[low] else {
        throw TrajpackError(
          .data, file: paths[low], "has changed while it was converted; run again")
      }
      let from = offset + done - starts[low]
      let some = min(file.length - from, buffer.count - done)
      try file.read(
        at: from, into: UnsafeMutableRawBufferPointer(rebasing: buffer[done..<done + some]))
      done += some
      low += 1
    }
  }
}
