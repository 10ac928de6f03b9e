import TrajpackFormat

/// A value that one recording has.
public enum EpisodeValue: Sendable, Equatable {
  /// It has none.
  case missing
  case number(Double)
  case integer(Int64)
  /// A text, or the name of a category.
  case text(String)
  case numbers([Double])
  case integers([Int64])

  /// The value as a double; `nil` where it is none.
  public var double: Double? {
    switch self {
    case .number(let x): return x
    case .integer(let n): return Double(n)
    default: return nil
    }
  }

  /// The value as its column has it: integers of a column of numbers are numbers, all else of a column of texts
  /// is text.
  public func cast(to field: ValueField) -> EpisodeValue {
    switch (field.type, self) {
    case (_, .missing): return .missing
    case (.number, .integer(let n)): return .number(Double(n))
    case (.array, .integers(let all)) where field.element == .float64:
      return .numbers(all.map(Double.init))
    case (.text, .text), (.category, .text): return self
    case (.text, _), (.category, _): return .text(plainText)
    default: return self
    }
  }

  /// The value as a person writes it; arrays as JSON.
  public var plainText: String {
    switch self {
    case .missing: return ""
    case .number(let x): return x.description
    case .integer(let n): return String(n)
    case .text(let text): return text
    case .numbers(let all): return "[" + all.map(\.description).joined(separator: ", ") + "]"
    case .integers(let all): return "[" + all.map(String.init).joined(separator: ", ") + "]"
    }
  }

  // MARK: JSON

  /// The value in JSON: a number (`"Infinity"` where JSON has none), a text, a flat list of an array's elements
  /// in C order; null where it is missing.
  public var json: JSONValue {
    switch self {
    case .missing: return .null
    case .number(let x): return Self.json(x)
    case .integer(let n): return .int(n)
    case .text(let text): return .string(text)
    case .numbers(let all): return .array(all.map(Self.json))
    case .integers(let all): return .array(all.map { .int($0) })
    }
  }

  private static func json(_ x: Double) -> JSONValue {
    if x.isFinite { return .double(x) }
    return .string(x.isNaN ? "NaN" : x < 0 ? "-Infinity" : "Infinity")
  }

  private static func double(_ json: JSONValue) -> Double? {
    switch json {
    case .string("NaN"): return .nan
    case .string("Infinity"): return .infinity
    case .string("-Infinity"): return -.infinity
    default: return json.double
    }
  }

  /// Reads a value of a field. A number that is NaN is missing.
  ///
  /// - Throws: A data error where it is of another type.
  public init(_ reader: JSONReader, _ field: ValueField) throws(TrajpackError) {
    let json = reader.value
    if json == .null {
      self = .missing
      return
    }
    switch field.type {
    case .number:
      guard let x = Self.double(json) else { throw reader.wrong("a number or null") }
      self = x.isNaN ? .missing : .number(x)
    case .integer:
      guard let n = json.int else { throw reader.wrong("an integer or null") }
      self = .integer(Int64(n))
    case .text:
      guard let text = json.string else { throw reader.wrong("text or null") }
      self = .text(text)
    case .category:
      guard let text = json.string, field.categories.contains(text) else {
        throw reader.wrong("one of the categories of '\(field.name)', or null")
      }
      self = .text(text)
    case .array:
      guard let elements = json.array, elements.count == field.elements else {
        throw reader.wrong("\(field.elements) numbers, or null")
      }
      if field.element == .int64 {
        var all: [Int64] = []
        for element in elements {
          guard let n = element.int else { throw reader.wrong("integers") }
          all.append(Int64(n))
        }
        self = .integers(all)
      } else {
        var all: [Double] = []
        for element in elements {
          guard let x = Self.double(element) else { throw reader.wrong("numbers") }
          all.append(x)
        }
        self = .numbers(all)
      }
    }
  }
}

extension EpisodeValue {
  /// The value that plain JSON is, and a field of its type: numbers, texts, truth values (as 0 and 1) and nested
  /// lists of numbers of one shape; `nil` for all else. NaN is missing. Whole numbers beyond Int64 are the nearest doubles.
  public static func plain(
    _ json: JSONValue, named name: String
  ) -> (field: ValueField, value: EpisodeValue)? {
    switch json {
    case .int(let n): return (ValueField(name, .integer), .integer(n))
    case .uint(let n): return (ValueField(name, .number), .number(Double(n)))
    case .double(let x): return (ValueField(name, .number), x.isNaN ? .missing : .number(x))
    case .bool(let truth): return (ValueField(name, .integer), .integer(truth ? 1 : 0))
    case .string(let text): return (ValueField(name, .text), .text(text))
    case .array:
      var shape: [Int] = []
      var at = json
      while let elements = at.array {
        guard let first = elements.first, shape.count < Schema.maximumRank else { return nil }
        shape.append(elements.count)
        at = first
      }
      var flat: [JSONValue] = []
      guard shape.allSatisfy({ $0 <= ValueField.maximumElements }),
        shape.reduce(1, { $0 > ValueField.maximumElements ? $0 : $0 * $1 })
          <= ValueField.maximumElements, flatten(json, shape[...], into: &flat)
      else { return nil }
      let whole = flat.compactMap(\.int)
      let isWhole = whole.count == flat.count
      let field = ValueField(
        name, .array, element: isWhole ? .int64 : .float64, shape: shape)
      return (
        field,
        isWhole ? .integers(whole.map(Int64.init)) : .numbers(flat.map { double($0) ?? .nan })
      )
    case .null, .object: return nil
    }
  }

  private static func flatten(
    _ json: JSONValue, _ shape: ArraySlice<Int>, into flat: inout [JSONValue]
  ) -> Bool {
    guard let size = shape.first else {
      flat.append(json)
      return double(json) != nil
    }
    guard let elements = json.array, elements.count == size else { return false }
    return elements.allSatisfy { flatten($0, shape.dropFirst(), into: &flat) }
  }

  /// What an importer or a writer notes with the type of numpy: `{"dtype": "float32", "value": 1.5}`, the bits of
  /// float64 numbers that JSON cannot say as `"0x…"`; `nil` for all else.
  static func constant(
    _ json: JSONValue, named name: String
  ) -> (field: ValueField, value: EpisodeValue)? {
    guard let dtype = json["dtype"]?.string, let value = json["value"] else { return nil }
    let isFloat = dtype.hasPrefix("float")
    func numbers(_ value: JSONValue) -> JSONValue {
      switch value {
      case .array(let elements): return .array(elements.map(numbers))
      case .string(let text):
        guard text.hasPrefix("0x"), let bits = UInt64(text.dropFirst(2), radix: 16) else {
          return value
        }
        return .double(Double(bitPattern: bits))
      case .int(let n): return .double(Double(n))
      case .uint(let n): return .double(Double(n))
      default: return value
      }
    }
    return plain(isFloat ? numbers(value) : value, named: name)
  }
}
