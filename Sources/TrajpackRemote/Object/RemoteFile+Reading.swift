import Synchronization
import TrajpackFormat

/// Pages of a file that were brought because it is read from front to back.
struct Pages: Sendable {
  /// The first bytes, and how many.
  var head: (memory: OwnedBuffer, count: Int)?
  /// By their number, and when they were used last.
  var pages: [Int: (fetch: RemoteFetch, used: Int)] = [:]
  /// Where the last reads ended.
  var ends: [Int] = []
  var uses = 0
}

extension RemoteFile {
  private static let pageBytes = 1 << 20
  /// Pages that are asked for before they are needed, and those that are kept.
  private static let pagesAhead = 8
  private static let mostPages = 24
  /// Files that keep pages.
  private static let mostFiles = 8
  private static let paged = Mutex<[Weak]>([])

  private struct Weak: Sendable { weak var file: RemoteFile? }

  /// Fills `buffer` from byte `offset` on. What is read in order is brought in larger parts, some ahead.
  public func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(TrajpackError)
  {
    guard buffer.count > 0 else { return }
    let range = offset..<offset + buffer.count
    guard offset >= 0, range.upperBound <= length else {
      throw TrajpackError(
        .data, file: path,
        "bytes \(offset) to \(range.upperBound) lie outside the file, which has \(length)")
    }
    if copyHead(range, into: buffer) { return }
    guard let fetches = paging(range) else {
      let fetch = fetch([range])
      if let bytes = try fetch.bytes(range) { buffer.copyMemory(from: bytes) }
      withExtendedLifetime(fetch) {}
      return
    }
    do throws(TrajpackError) {
      for (page, fetch) in fetches {
        let part = range.clamped(to: pageRange(page))
        guard let bytes = try fetch.bytes(part) else { continue }
        UnsafeMutableRawBufferPointer(
          rebasing: buffer[part.lowerBound - offset..<part.upperBound - offset]
        ).copyMemory(from: bytes)
      }
    } catch {
      // The next one asks again.
      pages.withLock { $0.pages.removeAll() }
      throw error
    }
  }

  private func copyHead(_ range: Range<Int>, into buffer: UnsafeMutableRawBufferPointer) -> Bool {
    pages.withLock { pages in
      guard let head = pages.head, range.upperBound <= head.count else { return false }
      buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: head.memory.bytes[range]))
      return true
    }
  }

  private func pageRange(_ page: Int) -> Range<Int> {
    page * Self.pageBytes..<min((page + 1) * Self.pageBytes, length)
  }

  /// The pages of a range where it is there or follows what was read before; `nil` where it does not.
  private func paging(_ range: Range<Int>) -> [(page: Int, fetch: RemoteFetch)]? {
    let wanted = range.lowerBound / Self.pageBytes...(range.upperBound - 1) / Self.pageBytes
    let (found, isFirst) = pages.withLock { state -> ([(page: Int, fetch: RemoteFetch)]?, Bool) in
      state.uses += 1
      let follows =
        wanted.allSatisfy { state.pages[$0] != nil } || state.pages[wanted.lowerBound - 1] != nil
        || state.ends.contains { range.lowerBound >= $0 && range.lowerBound - $0 <= 128 << 10 }
        || range.count >= 2 * Self.pageBytes
      state.ends.append(range.upperBound)
      if state.ends.count > 16 { state.ends.removeFirst() }
      guard follows else { return (nil, false) }
      let isFirst = state.pages.isEmpty
      let last = (length - 1) / Self.pageBytes
      let end = min(max(wanted.upperBound, wanted.lowerBound + Self.pagesAhead), last)
      for page in wanted.lowerBound...end where state.pages[page] == nil {
        state.pages[page] = (fetch([pageRange(page)]), state.uses)
      }
      var out: [(page: Int, fetch: RemoteFetch)] = []
      for page in wanted {
        guard let found = state.pages[page] else { continue }
        state.pages[page]?.used = state.uses
        out.append((page, found.fetch))
      }
      let most = max(Self.mostPages, wanted.count)
      if state.pages.count > most {
        for (page, _) in state.pages.sorted(by: { $0.value.used < $1.value.used })
          .prefix(state.pages.count - most) where page > end || page < wanted.lowerBound
        {
          state.pages[page] = nil
        }
      }
      return (out, isFirst)
    }
    if isFirst { noteUse() }
    return found
  }

  /// Lets the file that was read least recently let go of its pages, where too many keep some.
  private func noteUse() {
    let old = Self.paged.withLock { files -> RemoteFile? in
      files.removeAll { $0.file == nil || $0.file === self }
      files.append(Weak(file: self))
      return files.count > Self.mostFiles ? files.removeFirst().file : nil
    }
    old?.pages.withLock { $0.pages.removeAll() }
  }
}
