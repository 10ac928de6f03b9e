import TrajpackFormat

/// A stretch of an episode by name: where it begins, how long it lasts, and at which rate its rows are
/// taken.
///
/// A clip of `rows` rows at a rate has the instants `start + k / rate`, k from 0 to rows − 1. Without a rate
/// it takes the rows of the episode itself.
public struct Clip: Sendable, Equatable {
  /// Where a clip begins.
  public enum Start: Sendable, Equatable {
    /// A time of the episode's clock, in its unit.
    case time(Rational)
    /// A row of the reference stream, counted from 0.
    case row(Int)
  }

  /// How long a clip is.
  public enum Extent: Sendable, Equatable {
    case rows(Int)
    case seconds(Rational)
  }

  /// The id, unique in its list.
  public var id: String
  /// The id of the episode.
  public var episode: String
  /// Where it begins.
  public var start: Start
  /// How long it is.
  public var extent: Extent
  /// Rows a unit of time; `nil` for the rows that were recorded.
  public var rate: Rational?
  /// The unit of `start` and `rate`; `nil` for seconds.
  public var unit: String?
  /// What sort of clip it is, such as its main action.
  public var label: String?
  /// The number of its dataset in a mixture; `nil` for the one that has the episode.
  public var dataset: Int?
  /// Where it stands in its source, for errors: `line 4`.
  public var place: String

  /// The most rows of a clip.
  public static let mostRows = 1 << 24

  /// A clip; its id is `EPISODE@START` where none is given.
  public init(
    id: String? = nil, episode: String, start: Start, extent: Extent, rate: Rational? = nil,
    unit: String? = nil, label: String? = nil, dataset: Int? = nil, place: String = ""
  ) {
    self.episode = episode
    self.start = start
    self.extent = extent
    self.rate = rate
    self.unit = unit
    self.label = label
    self.dataset = dataset
    self.place = place
    switch start {
    case .time(let time): self.id = id ?? "\(episode)@\(ClipNumber.text(time))"
    case .row(let row): self.id = id ?? "\(episode)@row\(row)"
    }
  }

  /// The clip as an object of `schemas/clips.schema.json`.
  public var json: JSONValue {
    var (time, row): (JSONValue?, JSONValue?)
    switch start {
    case .time(let at): time = ClipNumber.json(at)
    case .row(let at): row = .int(Int64(at))
    }
    var (rows, seconds): (JSONValue?, JSONValue?)
    switch extent {
    case .rows(let count): rows = .int(Int64(count))
    case .seconds(let length): seconds = ClipNumber.json(length)
    }
    return .record([
      "id": .string(id), "episode": .string(episode), "start": time, "start_row": row,
      "rows": rows, "seconds": seconds, "rate": rate.map { ClipNumber.exact($0) },
      "unit": unit.map { .string($0) }, "label": label.map { .string($0) },
      "dataset": dataset.map { .int(Int64($0)) },
    ])
  }
}

/// Numbers of clips: exact fractions, written so that any reader of decimals gets the same float and
/// ``number(_:)`` the same fraction.
public enum ClipNumber {
  /// The number that a text says: a fraction (`10/3`), a decimal of up to 9 places exactly, or else the simplest
  /// fraction that is the same float; `nil` where it is none.
  public static func number(_ text: String) -> Rational? {
    guard !text.isEmpty, text.utf8.count <= 64,
      text.utf8.allSatisfy({ $0 < 0x3a && $0 > 0x2a && $0 != 0x2c || $0 == 0x65 || $0 == 0x45 })
    else { return nil }
    let places =
      text.utf8.reversed().firstIndex(of: UInt8(ascii: "."))
      .map { text.utf8.distance(from: $0.base, to: text.utf8.endIndex) } ?? 0
    if places <= 9, let exact = Rational(decimal: text) { return exact }
    return Double(text).flatMap { Rational(nearest: $0) }
  }

  /// The number that a JSON value says: a number, or a text as ``number(_:)-(String)`` takes it.
  public static func number(_ value: JSONValue) -> Rational? {
    switch value {
    case .int(let number): return Rational(number)
    case .double(let number): return number.isFinite ? Self.number(number.description) : nil
    case .string(let text): return Self.number(text)
    default: return nil
    }
  }

  /// The shortest decimal that ``number(_:)`` reads as the same fraction, or the fraction itself.
  public static func text(_ number: Rational) -> String {
    if number.denominator == 1 { return String(number.numerator) }
    let text = number.value.description
    return Self.number(text) == number ? text : number.description
  }

  /// A rate as JSON: a number where a decimal of up to 9 places is exact, else the text of the fraction.
  static func exact(_ number: Rational) -> JSONValue {
    if number.denominator == 1 { return .int(number.numerator) }
    let text = number.value.description
    return Rational(decimal: text) == number && text.utf8.count <= 10
      ? .double(number.value) : .string(number.description)
  }

  /// The same as JSON: a number where that is exact, else a text.
  static func json(_ number: Rational) -> JSONValue {
    if number.denominator == 1 { return .int(number.numerator) }
    let value = JSONValue.double(number.value)
    return Self.number(value) == number ? value : .string(number.description)
  }
}
