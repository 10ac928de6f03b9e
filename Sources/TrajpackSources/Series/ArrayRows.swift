import TrajpackFormat
import TrajpackStore

/// Bytes of files that many recordings share: inflated once, kept while their recordings are read.
///
/// Files are read while a lock is held. It is one of pthread, since ThreadSanitizer does not see how a `Mutex` of Swift passes from
/// one thread to another that waits for it.
final class InflatedCache: @unchecked Sendable {
  private struct Entry {
    var path: String
    var spools: [String: RowSpool]
  }

  /// Files whose bytes are kept: recordings come in order, so two are enough.
  private static let limit = 2
  private let lock = ConditionLock()
  private var entries: [Entry] = []
  /// Told of what is read.
  let watch = ReadWatch()
  private let archivesLock = ConditionLock()
  private var archives: [(path: String, archive: NPZ)] = []

  /// The archive at a path, whose directory is read once for all of its arrays.
  func archive(_ path: String) throws(TrajpackError) -> NPZ {
    archivesLock.lock()
    defer { archivesLock.unlock() }
    if let known = archives.first(where: { $0.path == path }) { return known.archive }
    let archive = try NPZ(watch.file(path, times: 2), as: "", keepsOthers: true)
    if archives.count == Self.limit { archives.removeFirst() }
    archives.append((path, archive))
    return archive
  }

  /// What `make` gives for a part of a file.
  func spool(
    _ path: String, _ name: String, _ make: () throws(TrajpackError) -> RowSpool
  ) throws(TrajpackError) -> RowSpool {
    lock.lock()
    defer { lock.unlock() }
    var i = entries.firstIndex { $0.path == path }
    if i == nil {
      if entries.count == Self.limit { entries.removeFirst() }
      entries.append(Entry(path: path, spools: [:]))
      i = entries.count - 1
    }
    guard let i else { return RowSpool() }
    if let known = entries[i].spools[name] { return known }
    let spool = try make()
    entries[i].spools[name] = spool
    return spool
  }
}

/// Rows of the arrays of a file that make one recording.
struct ArrayPart: Sendable {
  /// The place along the first axis, where it counts recordings.
  var element: Int?
  /// The number of the episode, where rows are cut into episodes.
  var episode: Int?
  /// The number of the piece, where rows are cut in pieces.
  var piece: Int?
  /// The rows of a group that are taken; all of them where `nil`.
  var rows: Range<Int>?
  /// The row at which the recording's clock begins, where it has steps.
  var start = 0

  /// The rows of a group that has `count`.
  func range(_ count: Int) -> Range<Int> { rows ?? 0..<count }
}

extension ArraySet {
  /// The recordings of the file.
  func parts(_ options: SeriesOptions) -> [ArrayPart] {
    let elements: [Int?] = batch.map { Array(0..<$0) } ?? [nil]
    guard let count = rows.first, count > 0, cut != nil || options.segment != nil else {
      return elements.map { ArrayPart(element: $0) }
    }
    let episodes = cut?.episodes ?? [0..<count]
    return elements.flatMap { element in
      episodes.enumerated().flatMap { number, rows in
        let episode = cut == nil ? nil : number
        guard let segment = options.segment else {
          return [
            ArrayPart(element: element, episode: episode, rows: rows, start: rows.lowerBound)
          ]
        }
        return stride(from: rows.lowerBound, to: rows.upperBound, by: segment).map { first in
          ArrayPart(
            element: element, episode: episode, piece: (first - rows.lowerBound) / segment,
            rows: first..<min(first + segment, rows.upperBound), start: rows.lowerBound)
        }
      }
    }
  }

  /// The elements `range` of an array in C order.
  func elements(
    _ item: Item, _ range: Range<Int>, of path: String, _ cache: InflatedCache
  ) throws(TrajpackError) -> ChannelRows {
    let array =
      shape.isArchive
      ? try cache.archive(path).array(item.name)
      : try ArrayFile(cache.watch.file(path, times: 2), as: "")
    guard range.upperBound <= array.header.count else {
      throw TrajpackError(.data, "the file has changed while it was converted; run again")
    }
    if range.count == array.header.count { return ChannelRows(spool: try array.spool()) }
    if let spool = try array.spool(elements: range) { return ChannelRows(spool: spool) }
    let whole = try cache.spool(path, item.name) { () throws(TrajpackError) in
      try array.spool()
    }
    return ChannelRows(spool: whole, offset: range.lowerBound * item.type.size)
  }

  /// The rows of an array that belong to a part.
  func rows(
    _ item: Item, group: Int, _ part: ArrayPart, of path: String, _ cache: InflatedCache
  ) throws(TrajpackError) -> ChannelRows {
    let count = rows[group]
    let width = item.row.reduce(1, *)
    let range = part.range(count)
    let isShared = item == shape.groups[group].time && sharesTime[group]
    let first = (isShared ? 0 : part.element ?? 0) * count + range.lowerBound
    return try elements(item, first * width..<(first + range.count) * width, of: path, cache)
  }

  /// The times of a part.
  func times(
    group: Int, _ part: ArrayPart, of path: String, _ cache: InflatedCache
  ) throws(TrajpackError) -> RecordedTimes {
    guard let item = shape.groups[group].time else { return .none }
    let rows = try rows(item, group: group, part, of: path, cache)
    let count = part.range(self.rows[group]).count
    var times = RecordedTimesReader()
    let perPiece = 32 << 10
    let bytes = ByteBuffer(min(max(count, 1), perPiece) * item.type.size)
    for row in 0..<count {
      if row % perPiece == 0 {
        let piece = min(perPiece, count - row) * item.type.size
        try rows.spool.read(
          at: rows.offset + row * item.type.size,
          into: UnsafeMutableRawBufferPointer(rebasing: bytes.bytes[..<piece]))
      }
      let number = StoredNumber(UnsafeRawBufferPointer(bytes.bytes), row % perPiece, item.type)
      guard times.add(number, ticks: item.dates?.tick) else {
        throw TrajpackError(
          .data,
          "the times '\(item.name)' go back, or are none, at row "
            + "\(part.range(self.rows[group]).lowerBound + row)"
            + "\(part.element.map { " of recording \($0)" } ?? "")")
      }
    }
    return times.found(isFloat: item.type.isFloat)
  }
}
