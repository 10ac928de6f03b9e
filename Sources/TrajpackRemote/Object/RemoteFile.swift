import Synchronization
import TrajpackFormat

/// An object on a server, read by ranges of its bytes, by any thread. It must stay what it was when it was opened.
public final class RemoteFile: Sendable {
  /// Where it is, without secrets.
  public let path: String
  /// Its bytes.
  public let length: Int
  let location: RemoteLocation
  /// What the server says that identifies its content; empty where it says nothing.
  let tag: String
  /// What identifies its content; empty where the server says nothing.
  public var identity: String { tag }
  /// When it was written last, in seconds since 1970; 0 where the server does not say.
  public let modified: Double
  let state: ForkSafe<State>
  /// Where its bytes are kept; `nil` for nowhere.
  let cache: CachedObject?
  let pages = Mutex(Pages())

  /// How it is reached now.
  struct State: Sendable {
    /// Where a redirect led, without secrets of the first place; `nil` for no redirect, or an expired one.
    var resolved: String?
    /// Whether redirects were seen.
    var redirects = false
  }

  /// How a request was made.
  struct Request: Sendable {
    var usesResolved = false
    var identity = ""
    var region: String?
  }

  /// What is asked for when a file is opened: a header, and all of a small file.
  private static let headBytes = 64 << 10

  /// Opens a remote file by asking for its first bytes: 1 request.
  ///
  /// - Throws: A usage error where it does not exist or access is denied; a machine error where it cannot be reached.
  public convenience init(_ path: String) throws(TrajpackError) {
    try self.init(RemoteLocation(path))
  }

  init(_ location: RemoteLocation) throws(TrajpackError) {
    let memory = OwnedBuffer(count: Self.headBytes)
    var opening = Opening(location, memory)
    let answer = try opening.answer()
    self.location = location
    path = location.description
    (length, tag) = (opening.length, answer.identityTag)
    modified = HTTPDate.seconds(answer.headers["last-modified"]) ?? 0
    state = ForkSafe(opening.state)
    cache = try RemoteCache.shared()?.object(path, tag: tag, length: length)
    pages.withLock { $0.head = (memory, min(answer.received, length)) }
  }

  /// Lets go what was brought to open it.
  public func releaseHead() { pages.withLock { $0.head = nil } }

  /// Begins to bring ranges of bytes, which must lie in the file.
  public func fetch(_ ranges: [Range<Int>]) -> RemoteFetch {
    var parts: [RemotePart] = []
    guard let cache else {
      let spans = RemoteFetch.coalesce(ranges).map { span($0, &parts) }
      send(parts)
      return RemoteFetch(spans: spans)
    }
    // What is on this machine is read when it is wanted, by the thread that wants it.
    let blocks = ranges.filter { !$0.isEmpty }.map(cache.blocks)
    let missing = RemoteFetch.coalesce(blocks.filter { !cache.has($0) })
    var spans = missing.map { span($0, &parts) }
    send(parts)
    let present = RemoteFetch.coalesce(blocks.filter(cache.has), gap: 0).filter { range in
      !missing.contains { $0.lowerBound <= range.lowerBound && range.upperBound <= $0.upperBound }
    }
    var kept: [RemotePart] = []
    spans += present.map { span($0, &kept) }
    for part in kept { part.takeFromCache() }
    return RemoteFetch(spans: spans.sorted { $0.range.lowerBound < $1.range.lowerBound })
  }

  /// Whether this machine keeps all bytes of a range.
  public func keeps(_ range: Range<Int>) -> Bool { cache?.has(range) ?? false }

  /// Fills `buffer` from byte `offset` on with what this machine keeps, compared with nothing: for those who know what the
  /// bytes must be, and ``forget(_:)`` them where they are others. False where this machine does not keep all of them.
  public func peek(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) -> Bool {
    cache?.peek(offset..<offset + buffer.count, into: buffer) ?? false
  }

  /// Lets go what this machine keeps of a range, so that it is asked for again.
  public func forget(_ range: Range<Int>) { cache?.forget(range) }

  private func span(_ range: Range<Int>, _ parts: inout [RemotePart]) -> RemoteFetch.Span {
    let memory = OwnedBuffer(count: range.count)
    let own = stride(from: 0, to: range.count, by: RemoteFetch.longestPart).map { first in
      let end = min(first + RemoteFetch.longestPart, range.count)
      return RemotePart(
        self, range.lowerBound + first..<range.lowerBound + end, memory, at: first)
    }
    parts += own
    return RemoteFetch.Span(range: range, memory: memory, parts: own)
  }
}

/// The first request of a file, whose length nobody knows yet.
private struct Opening: ~Copyable {
  let location: RemoteLocation
  let memory: OwnedBuffer
  var state = RemoteFile.State()
  var length = 0

  init(_ location: RemoteLocation, _ memory: OwnedBuffer) {
    (self.location, self.memory) = (location, memory)
  }

  mutating func answer() throws(TrajpackError) -> HTTPAnswer {
    var recoveries = 0
    while true {
      let endpoint = try Endpoint(location)
      let exchange = HTTPExchange(endpoint.url, into: memory.bytes)
      exchange.keeping = memory
      endpoint.apply(to: exchange)
      exchange.headers.append("Range: bytes=0-\(memory.bytes.count - 1)")
      let room = memory.bytes.count
      exchange.judge = { answer in
        if Self.length(answer, room: room) != nil { return .done }
        return answer.mayPass || answer.code == 0 && answer.status == 206 ? .again : .failed
      }
      let answer = try HTTPClient.shared().answer(to: exchange)
      if let length = Self.length(answer, room: room) {
        self.length = length
        if answer.url != endpoint.url, endpoint.followsRedirects {
          (state.resolved, state.redirects) = (answer.url, true)
        }
        return answer
      }
      let request = RemoteFile.Request(
        usesResolved: false, identity: endpoint.identity, region: endpoint.region)
      recoveries += 1
      guard recoveries <= 3, RemoteFile.recover(from: answer, request, location, &state) else {
        throw RemoteFile.error(answer, request, location, "its first bytes")
      }
    }
  }

  /// The length of the file; `nil` where the answer does not say it.
  private static func length(_ answer: HTTPAnswer, room: Int) -> Int? {
    guard answer.code == 0, answer.headers["content-encoding"] == nil else { return nil }
    if answer.status == 206, let range = ContentRange(answer), range.first == 0,
      answer.received == range.end, range.end == min(range.total, room)
    {
      return range.total
    }
    // A server without ranges has sent a small file whole; of an empty file there is no range.
    if answer.status == 200 { return answer.received }
    if answer.status == 416 { return 0 }
    return nil
  }
}

/// The header `Content-Range: bytes 0-99/1000`.
struct ContentRange {
  let first, end, total: Int

  init?(_ answer: HTTPAnswer) {
    guard let text = answer.headers["content-range"], text.hasPrefix("bytes ") else { return nil }
    let numbers = text.dropFirst(6).split(whereSeparator: { $0 == "-" || $0 == "/" }).map {
      Int($0.trimmed)
    }
    guard numbers.count == 3, let first = numbers[0], let last = numbers[1], let total = numbers[2],
      first >= 0, last >= first, last < total
    else { return nil }
    (self.first, end, self.total) = (first, last + 1, total)
  }
}

extension HTTPAnswer {
  /// What identifies the content: the ETag, else the time of the last change.
  var identityTag: String { headers["etag"] ?? headers["last-modified"] ?? "" }
}
