import TrajpackCodecs
import TrajpackFormat

/// Whose rows a track has. Random numbers depend on it and on row numbers alone, so that a recipe gives
/// the same in any order, on any thread, and for a window as for the whole track.
public struct PlanKey: Sendable, Hashable {
  /// The id of the episode.
  public let episode: String
  /// The name of the stream.
  public let stream: String
  /// The entity as `kind/index`; `nil` for rows of the episode itself.
  public let entity: String?
  /// How many tracks of the same stream and entity come before it in the episode.
  public let run: Int
  /// The epoch of a loader that rows are made for; 0 for a dataset that is written.
  public var epoch: UInt64

  /// A track's key.
  public init(episode: String, stream: String, entity: String?, run: Int, epoch: UInt64 = 0) {
    self.epoch = epoch
    self.episode = episode
    self.stream = stream
    self.entity = entity
    self.run = run
  }

  /// The second word of a key of ``CounterRandom``: the first 8 bytes, little-endian, of the SHA-256 of
  /// `episode`, `stream`, `entity` (empty for none), `run` and `channel` (empty for all) with a zero byte
  /// after each; and of the epoch likewise, where draws are of an epoch and it is not the first.
  func word(channel: String, _ draw: MaskStep.Draw) -> UInt64 {
    var text = "\(episode)\0\(stream)\0\(entity ?? "")\0\(run)\0\(channel)\0"
    if draw == .epoch, epoch > 0 { text += "\(epoch)\0" }
    let digest = Array(text.utf8).withUnsafeBytes { SHA256.of($0) }
    return UInt64(digest.prefix(16), radix: 16)?.byteSwapped ?? 0
  }

  /// The track as errors and reports say it.
  public var place: String {
    "episode '\(episode)', stream '\(stream)'" + (entity.map { ", \($0)" } ?? "")
  }
}

/// The rows of a channel in memory.
public struct PlanColumn: Sendable, Equatable {
  /// The elements, row by row.
  public enum Values: Sendable, Equatable {
    case float32([Float])
    case float64([Double])
    /// Elements that no step computes with: packed, little-endian, `rowBytes` a row. A row of a channel
    /// of bytes is the place of its bytes: 16 bytes, or how many there are, all of one size.
    case opaque([UInt8], rowBytes: Int)
  }

  /// What the elements are; its storage says nothing.
  public var channel: Channel
  /// The elements.
  public var values: Values
  /// One byte an element, 1 where it was observed; `nil` where all were (but NaN).
  public var observed: [MaskByte]?

  /// A column.
  public init(channel: Channel, values: Values, observed: [MaskByte]? = nil) {
    self.channel = channel
    self.values = values
    self.observed = observed
  }

  /// Elements of a row that a mask has bytes for.
  var width: Int { channel.type == .bytes ? 1 : channel.elements }

  /// Elements that were not observed.
  public var missing: Int {
    var count = 0
    switch values {
    case .float32(let x):
      for i in x.indices where x[i].isNaN || observed?[i] == 0 { count += 1 }
    case .float64(let x):
      for i in x.indices where x[i].isNaN || observed?[i] == 0 { count += 1 }
    case .opaque: for byte in observed ?? [] where byte == 0 { count += 1 }
    }
    return count
  }
}

/// Rows of a track: its clock and its columns.
public struct PlanTrack: Sendable, Equatable {
  /// When the rows happened.
  public var clock: PlanClock
  /// The channels but the times, which are the clock.
  public var columns: [PlanColumn]
  /// What was done to each channel, in words: which filter ran.
  public var notes: [String]

  /// A track.
  public init(clock: PlanClock, columns: [PlanColumn], notes: [String] = []) {
    self.clock = clock
    self.columns = columns
    self.notes = notes
  }

  /// The rows of those numbers (in the whole track) that are here.
  public func trimmed(to rows: Range<Int>) -> PlanTrack {
    let inside = rows.clamped(to: clock.rows)
    let own = inside.lowerBound - clock.first..<inside.upperBound - clock.first
    return kept(own)
  }

  /// A run of rows, counted from the first that is here.
  func kept(_ own: Range<Int>) -> PlanTrack {
    if own == 0..<clock.count { return self }
    return PlanTrack(
      clock: clock.slice(own), columns: columns.map { $0.rows(Array(own)) }, notes: notes)
  }
}

extension PlanColumn {
  /// Rows by number; -1 is a row without any observed element.
  func rows(_ indices: [Int]) -> PlanColumn {
    let width = width
    func gathered<T>(_ x: [T], _ size: Int, _ nothing: T) -> [T] {
      var out: [T] = []
      out.reserveCapacity(indices.count * size)
      for row in indices {
        if row < 0 {
          out.append(contentsOf: repeatElement(nothing, count: size))
        } else {
          out.append(contentsOf: x[row * size..<(row + 1) * size])
        }
      }
      return out
    }
    var result = self
    switch values {
    case .float32(let x): result.values = .float32(gathered(x, width, .nan))
    case .float64(let x): result.values = .float64(gathered(x, width, .nan))
    case .opaque(let bytes, let size):
      result.values = .opaque(gathered(bytes, size, 0), rowBytes: size)
    }
    if let observed {
      result.observed = gathered(observed, width, 0)
    } else if indices.contains(where: { $0 < 0 }) {
      result.observed = indices.flatMap { repeatElement($0 < 0 ? 0 : 1, count: width) }
    }
    return result
  }

  /// Whole numbers as floating-point ones: `float32` where that is exact for every value of the type. What was
  /// not observed is NaN, and there is no mask, so that rows may be made of it that no mask fits.
  func asFloats() -> PlanColumn {
    guard case .opaque(let bytes, _) = values, channel.type != .bytes else {
      var result = self
      result.markMissing()
      return result
    }
    var result = self
    result.channel.type = PlanColumn.floatType(channel.type)
    result.channel.missing = .nan
    result.channel.categories = nil
    let count = bytes.count / max(channel.type.size, 1)
    var x = [Double](repeating: 0, count: count)
    bytes.withUnsafeBytes { raw in
      guard let from = raw.baseAddress else { return }
      ElementReading(type: channel.type, decimals: nil, missing: .never).doubles(
        from, count: count, stride: channel.type.size, into: &x)
    }
    if let observed { for i in 0..<count where observed[i] == 0 { x[i] = .nan } }
    result.observed = nil
    result.values = result.channel.type == .float32 ? .float32(x.map { Float($0) }) : .float64(x)
    return result
  }

  static func floatType(_ type: ElementType) -> ElementType {
    switch type {
    case .float32, .int8, .uint8, .int16, .uint16, .bool: .float32
    default: .float64
    }
  }

  /// The elements as doubles.
  package func doubles() -> [Double] {
    switch asFloats().values {
    case .float32(let x): x.map { Double($0) }
    case .float64(let x): x
    case .opaque: []
    }
  }
}
