import TrajpackFormat

/// A column of a table that is written.
struct ParquetOutputColumn: Sendable {
  /// What a row of it is.
  enum Form: Sendable, Equatable {
    /// Numbers of a shape; lists of lists, and one number where the shape is empty.
    case numbers(ElementType, [Int])
    /// The same, of which some may be null.
    case nullable(ElementType, [Int])
    /// Text, or none.
    case text
    /// Bytes, or none.
    case binary
    /// A list of texts.
    case texts
    /// A struct of `bytes` and `path`, as pictures are in Hugging Face's datasets; `path` is absent.
    case picture
  }

  var name: String
  var form: Form
}

/// A node of a Parquet schema.
struct ParquetNode {
  /// 0 for required, 1 for optional, 2 for repeated.
  var repetition = 0
  var name: String
  var children = 0
  /// Parquet's number of the stored type; `nil` of a group.
  var physical: Int?
  /// Parquet's number of the converted type.
  var converted: Int?
}

/// A leaf: what a column chunk holds.
struct ParquetLeaf {
  var path: [String]
  var physical: Int
  var definition: Int
  var repetition: Int
}

extension ParquetOutputColumn {
  /// Parquet's stored type and converted type of numbers: int32 holds those that are shorter.
  static func physical(_ type: ElementType) -> (stored: Int, converted: Int?) {
    switch type {
    case .bool: (0, nil)
    case .float32: (4, nil)
    case .float64: (5, nil)
    case .uint8: (1, 11)
    case .uint16: (1, 12)
    case .uint32: (1, 13)
    case .uint64: (2, 14)
    case .int8: (1, 15)
    case .int16: (1, 16)
    case .int32: (1, nil)
    case .int64: (2, nil)
    case .bytes: (6, nil)
    }
  }

  /// The nodes, in the order of the file.
  var nodes: [ParquetNode] {
    func leaf(_ name: String, _ repetition: Int = 0, text: Bool = true) -> ParquetNode {
      ParquetNode(repetition: repetition, name: name, physical: 6, converted: text ? 0 : nil)
    }
    switch form {
    case .text: return [leaf(name, 1)]
    case .binary: return [leaf(name, 1, text: false)]
    case .picture:
      return [ParquetNode(name: name, children: 2), leaf("bytes", 1, text: false), leaf("path", 1)]
    case .texts:
      return [
        ParquetNode(name: name, children: 1, converted: 3),
        ParquetNode(repetition: 2, name: "list", children: 1), leaf("element"),
      ]
    case .numbers(let type, let shape), .nullable(let type, let shape):
      let (stored, converted) = Self.physical(type)
      var nodes: [ParquetNode] = []
      for level in 0..<shape.count {
        nodes.append(
          ParquetNode(name: level == 0 ? name : "element", children: 1, converted: 3))
        nodes.append(ParquetNode(repetition: 2, name: "list", children: 1))
      }
      nodes.append(
        ParquetNode(
          repetition: isNullable ? 1 : 0, name: shape.isEmpty ? name : "element",
          physical: stored, converted: converted))
      return nodes
    }
  }

  private var isNullable: Bool {
    if case .nullable = form { true } else { false }
  }

  /// The leaves, in the order of the file.
  var leaves: [ParquetLeaf] {
    switch form {
    case .text, .binary:
      return [ParquetLeaf(path: [name], physical: 6, definition: 1, repetition: 0)]
    case .picture:
      return ["bytes", "path"].map {
        ParquetLeaf(path: [name, $0], physical: 6, definition: 1, repetition: 0)
      }
    case .texts:
      return [
        ParquetLeaf(
          path: [name, "list", "element"], physical: 6, definition: 1, repetition: 1)
      ]
    case .numbers(let type, let shape), .nullable(let type, let shape):
      return [
        ParquetLeaf(
          path: [name] + shape.flatMap { _ in ["list", "element"] },
          physical: Self.physical(type).stored, definition: shape.count + (isNullable ? 1 : 0),
          repetition: shape.count)
      ]
    }
  }
}

/// The rows of a column in a row group.
enum ParquetOutputRows: Sendable {
  /// Packed, little-endian, as the elements of the column's type.
  case numbers([UInt8])
  /// The same, and whether each element is there.
  case masked([UInt8], [Bool])
  /// Texts or bytes, one a row.
  case bytes([[UInt8]?])
  case lists([[String]])
}
