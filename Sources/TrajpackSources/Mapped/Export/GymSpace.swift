import TrajpackFormat

/// A space of Gymnasium as Minari writes it: of an array, or of named parts.
struct GymSpace {
  private var own: StepArrayWriter.Written?
  private var parts: [(name: String, space: GymSpace)] = []

  /// Whether some arrays are files of pictures.
  var hasPictures: Bool { own?.isPicture == true || parts.contains { $0.space.hasPictures } }

  /// Takes an array in, which lies at `group` or below it.
  mutating func add(_ array: StepArrayWriter.Written, below group: String) {
    add(String(array.place.dropFirst(group.utf8.count + 1)), array)
  }

  /// Takes an array in, whose path is `key`; empty for the space itself.
  private mutating func add(_ key: String, _ array: StepArrayWriter.Written) {
    guard !key.isEmpty else {
      if let old = own?.texts, let new = array.texts {
        own?.texts = (old.characters.union(new.characters), max(old.longest, new.longest))
      } else if own == nil {
        own = array
      }
      return
    }
    let first = key.prefix { $0 != "/" }
    let rest = String(key.dropFirst(first.count + 1))
    if let place = parts.firstIndex(where: { $0.name == first }) {
      parts[place].space.add(rest, array)
    } else {
      var space = GymSpace()
      space.add(rest, array)
      parts.append((String(first), space))
    }
  }

  var json: JSONValue {
    guard let own else {
      let numbered = parts.enumerated().allSatisfy { $0.element.name == "_index_\($0.offset)" }
      return numbered && !parts.isEmpty
        ? .record(["type": "Tuple", "subspaces": .array(parts.map(\.space.json))])
        : .record([
          "type": "Dict", "subspaces": .object(parts.map { .init($0.name, $0.space.json) }),
        ])
    }
    if let texts = own.texts {
      return .record([
        "type": "Text", "max_length": .int(Int64(texts.longest)), "min_length": 0,
        "charset": .string(String(texts.characters.sorted())),
      ])
    }
    if own.isPicture {
      // The size of a picture stands in its file; minari looks only at the type, and that it is large.
      return Self.box(.uint8, [64, 64, 3])
    }
    return Self.box(own.type, own.shape)
  }

  private static func box(_ type: ElementType, _ shape: [Int]) -> JSONValue {
    let (low, high): (JSONValue, JSONValue)
    if let range = type.range {
      (low, high) = (
        .int(Int64(clamping: range.lowerBound)), .int(Int64(clamping: range.upperBound))
      )
    } else {
      // JSON has no infinity.
      let most =
        type == .float32
        ? Double(Float.greatestFiniteMagnitude) : Double.greatestFiniteMagnitude
      (low, high) = (.double(-most), .double(most))
    }
    func spread(_ value: JSONValue, _ axes: ArraySlice<Int>) -> JSONValue {
      guard let first = axes.first else { return value }
      return .array([JSONValue](repeating: spread(value, axes.dropFirst()), count: first))
    }
    return .record([
      "type": "Box", "dtype": .string(type.rawValue),
      "shape": .array(shape.map { .int(Int64($0)) }), "low": spread(low, shape[...]),
      "high": spread(high, shape[...]),
    ])
  }
}
