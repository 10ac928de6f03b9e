import TrajpackFormat

/// Bytes of a remote file that are on their way: some spans of it, each by one or more requests at once.
public final class RemoteFetch: Sendable {
  /// Bytes between two ranges that are brought along rather than asked for separately: what a request costs.
  static let widestGap = 64 << 10
  /// The most bytes of a request; longer spans take several at once.
  static let longestPart = 4 << 20

  /// Bytes that lie side by side in memory.
  struct Span: Sendable {
    let range: Range<Int>
    let memory: OwnedBuffer
    let parts: [RemotePart]
  }

  /// In the order of the file.
  let spans: [Span]

  init(spans: [Span]) { self.spans = spans }

  /// Bytes that asked-for ranges hold, as soon as they are there; `nil` where they were not asked for.
  ///
  /// They stay as long as this object.
  ///
  /// - Throws: What keeps them from coming.
  public func bytes(_ range: Range<Int>) throws(TrajpackError) -> UnsafeRawBufferPointer? {
    var (low, high) = (0, spans.count)
    while low < high {
      let middle = (low + high) / 2
      if spans[middle].range.upperBound <= range.lowerBound {
        low = middle + 1
      } else {
        high = middle
      }
    }
    // Two of them overlap where one lies on this machine.
    while low < spans.count, spans[low].range.upperBound < range.upperBound { low += 1 }
    guard low < spans.count, spans[low].range.lowerBound <= range.lowerBound else { return nil }
    let span = spans[low]
    for part in span.parts where part.range.overlaps(range) { try part.wait() }
    let first = range.lowerBound - span.range.lowerBound
    return UnsafeRawBufferPointer(rebasing: span.memory.bytes[first..<first + range.count])
  }

  /// Ranges as spans: in order, none overlapping, those close together as one.
  static func coalesce(_ ranges: [Range<Int>], gap: Int = widestGap) -> [Range<Int>] {
    var out: [Range<Int>] = []
    for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) where !range.isEmpty {
      if let last = out.last, range.lowerBound - last.upperBound <= gap {
        out[out.count - 1] = last.lowerBound..<max(last.upperBound, range.upperBound)
      } else {
        out.append(range)
      }
    }
    return out
  }
}

/// What one request brings.
final class RemotePart: @unchecked Sendable {
  // `state` and `recoveries` are changed under the lock only; `into` is filled by the client's thread before `done`.
  private enum State {
    case pending, cached, recovering, fresh, done, failed(HTTPAnswer), refused(TrajpackError)
  }

  /// Who waits for its bytes has the file.
  unowned let file: RemoteFile
  let range: Range<Int>
  private let memory: OwnedBuffer
  let into: UnsafeMutableRawBufferPointer
  private let lock = ConditionLock()
  private var state = State.pending
  private var recoveries = 0
  /// How it was asked for last.
  var request = RemoteFile.Request()

  init(_ file: RemoteFile, _ range: Range<Int>, _ memory: OwnedBuffer, at first: Int) {
    self.file = file
    self.range = range
    self.memory = memory
    into = UnsafeMutableRawBufferPointer(rebasing: memory.bytes[first..<first + range.count])
  }

  /// Notes that the bytes are on this machine.
  func takeFromCache() { set(.cached) }

  /// Notes why it cannot even be asked for.
  func refuse(_ error: TrajpackError) { set(.refused(error)) }

  /// Takes the answer of the server.
  func take(_ answer: HTTPAnswer) {
    set(!file.accepts(answer, range) ? .failed(answer) : file.cache == nil ? .done : .fresh)
  }

  private func set(_ state: State) {
    lock.locked {
      self.state = state
      lock.wakeAll()
    }
  }

  /// Waits for the bytes. Where credentials or a redirect have expired, the first who waits has them again.
  func wait() throws(TrajpackError) {
    lock.lock()
    while true {
      switch state {
      case .pending, .recovering:
        do throws(TrajpackError) { try lock.waitForServer() } catch {
          lock.unlock()
          throw error
        }
      case .fresh:
        state = .recovering
        lock.unlock()
        file.cache?.write(range, UnsafeRawBufferPointer(into))
        set(.done)
        lock.lock()
      case .cached:
        state = .recovering
        lock.unlock()
        if file.cache?.read(range, into: into) == true {
          set(.done)
        } else {
          set(.pending)
          file.send([self])
        }
        lock.lock()
      case .done:
        lock.unlock()
        return
      case .refused(let error):
        lock.unlock()
        throw error
      case .failed(let answer):
        recoveries += 1
        let mayRecover = recoveries <= 3
        state = .recovering
        lock.unlock()
        if mayRecover, file.recover(from: answer, request) {
          set(.pending)
          file.send([self])
        } else {
          set(
            .refused(
              file.error(answer, request, "bytes \(range.lowerBound) to \(range.upperBound)")))
        }
        lock.lock()
      }
    }
  }
}
