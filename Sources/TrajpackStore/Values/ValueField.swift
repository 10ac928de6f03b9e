import TrajpackFormat

/// What a value of a recording is.
public enum ValueType: String, Sendable, CaseIterable {
  /// A float64.
  case number
  /// An int64.
  case integer
  /// One of some names.
  case category
  /// A text of any length.
  case text
  /// Numbers of one shape.
  case array
}

/// A value that the recordings of a dataset have: its name, type and units.
public struct ValueField: Sendable, Equatable {
  /// The most elements of an array. A value is held in memory for every recording; what is larger is a stream.
  public static let maximumElements = 1 << 16
  /// The most bytes of a name.
  public static let maximumName = 255

  /// The name.
  public var name: String
  /// The type.
  public var type: ValueType
  /// The type of an array's elements: float64 or int64.
  public var element: ElementType
  /// The shape of an array; empty for all other types.
  public var shape: [Int]
  /// The units.
  public var units: String?
  /// What it is, in words.
  public var description: String?
  /// The names of a category; codes count from 0 in this order.
  public var categories: [String]

  /// A value.
  public init(
    _ name: String, _ type: ValueType, element: ElementType = .float64, shape: [Int] = [],
    units: String? = nil, description: String? = nil, categories: [String] = []
  ) {
    self.name = name
    self.type = type
    self.element = element
    self.shape = shape
    self.units = units
    self.description = description
    self.categories = categories
  }

  /// Elements of one value.
  public var elements: Int { shape.reduce(1, *) }

  /// What `info` calls the type: `number`, `int64 [2, 3]`.
  public var typeText: String {
    type == .array ? "\(element.rawValue) \(shape)" : type.rawValue
  }

  /// The JSON of the field without any value; see `schemas/values.schema.json`.
  public var json: JSONValue {
    .record([
      "name": .string(name), "type": .string(type.rawValue),
      "element": type == .array ? .string(element.rawValue) : nil,
      "shape": type == .array ? .array(shape.map { .int(Int64($0)) }) : nil,
      "units": units.map { .string($0) }, "description": description.map { .string($0) },
      "categories": type == .category ? .array(categories.map { .string($0) }) : nil,
    ])
  }

  /// Reads a field.
  ///
  /// - Throws: A data error naming the member that is wrong.
  public init(_ reader: JSONReader) throws(TrajpackError) {
    name = try reader.text("name")
    guard Self.isName(name) else { throw try reader.member("name").wrong("a name") }
    type = try reader.choice("type") { ValueType(rawValue: $0) }
    units = try reader.optionalText("units")
    description = try reader.optionalText("description")
    (element, shape, categories) = (.float64, [], [])
    switch type {
    case .array:
      element = try reader.choice("element") { name in
        ElementType(rawValue: name).flatMap { [.float64, .int64].contains($0) ? $0 : nil }
      }
      shape = try reader.integers("shape")
      var total = 1
      for size in shape where total <= Self.maximumElements {
        guard size > 0, size <= Self.maximumElements else {
          throw try reader.member("shape").wrong("sizes from 1 to \(Self.maximumElements)")
        }
        total *= size
      }
      guard !shape.isEmpty, shape.count <= Schema.maximumRank, total <= Self.maximumElements else {
        throw try reader.member("shape").wrong("at most \(Self.maximumElements) elements")
      }
    case .category:
      categories = try reader.list("categories") { (r) throws(TrajpackError) in try r.text() }
      guard Set(categories).count == categories.count else {
        throw try reader.member("categories").wrong("different names")
      }
    case .number, .integer, .text: break
    }
  }

  /// Whether a text may be the name of a value.
  public static func isName(_ name: String) -> Bool {
    !name.isEmpty && name.utf8.count <= maximumName
      && name.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7F }
  }

  /// The field that holds the values of both; text where they are of different kinds.
  public func joined(_ other: ValueField) -> ValueField {
    var out = self
    out.units = units ?? other.units
    out.description = description ?? other.description
    switch (type, other.type) {
    case (.category, .category):
      let known = Set(categories)
      out.categories += other.categories.filter { !known.contains($0) }
    case (.number, .integer): break
    case (.integer, .number): out.type = .number
    case (.array, .array) where shape == other.shape:
      if other.element == .float64 { out.element = .float64 }
    case let (a, b) where a == b && a != .array: break
    default: (out.type, out.shape, out.categories) = (.text, [], [])
    }
    return out
  }
}
