import TrajpackFormat
import TrajpackStore

/// Predictions as JSON lines: `{"episode": "000001", "arrays": {"camera/pos": [[0, 1, 2], …]}}`; null is no
/// number. Lines of one episode add arrays to it.
enum PredictionLines {
  /// The longest file: a line is held as a whole.
  static let most = 1 << 31

  static func read(
    _ file: LocalFile
  ) throws(TrajpackError) -> [(id: String, arrays: PredictedArrays)] {
    var found: [(id: String, arrays: [(String, Numbers)])] = []
    try forEachLine(file) { (json, place) throws(TrajpackError) in
      let reader = JSONReader(json, at: place)
      let id = try reader.text("episode")
      let members = try reader.object("arrays").members ?? []
      let at = found.firstIndex { $0.id == id } ?? found.count
      if at == found.count { found.append((id, [])) }
      for member in members {
        guard !found[at].arrays.contains(where: { $0.0 == member.name }) else {
          throw TrajpackError(.data, "\(place): episode '\(id)' has '\(member.name)' twice")
        }
        found[at].arrays.append(
          (member.name, try Numbers(json: member.value, at: "\(place).arrays.\(member.name)")))
      }
    }
    guard !found.isEmpty else { throw TrajpackError(.data, file: file.path, "holds no line") }
    return found.map { id, arrays in
      (
        id,
        PredictedArrays(
          file.path,
          arrays.map { name, numbers in
            (name, { () throws(TrajpackError) in numbers } as () throws(TrajpackError) -> Numbers)
          })
      )
    }
  }

  /// The values of the lines of a file of JSON lines, with the place to say in errors.
  static func forEachLine(
    _ file: LocalFile, _ body: (JSONValue, String) throws(TrajpackError) -> Void
  ) throws(TrajpackError) {
    guard file.length <= most else {
      throw TrajpackError(.usage, file: file.path, "is too long; split it by episode")
    }
    let bytes = try file.bytes(0..<file.length)
    var number = 0
    for line in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
      number += 1
      if line.allSatisfy({ $0 == 0x20 || $0 == 0x0D || $0 == 0x09 }) { continue }
      let place = "\(file.path), line \(number)"
      let value = try within(
        place, file: file.path, line: number, startingAt: line.startIndex
      ) { () throws(TrajpackError) in
        try JSONValue(parsing: Array(line))
      }
      try body(value, place)
    }
  }
}

extension Numbers {
  /// Nested lists of numbers; null is NaN.
  ///
  /// - Throws: A data error where a list is ragged or holds something else.
  convenience init(json: JSONValue, at place: String) throws(TrajpackError) {
    var shape: [Int] = []
    var level = json
    while case .array(let elements) = level {
      shape.append(elements.count)
      guard let first = elements.first else { break }
      level = first
    }
    var numbers: [Double] = []
    try Self.flatten(json, shape[...], &numbers, place)
    self.init(shape: shape, numbers)
  }

  private static func flatten(
    _ json: JSONValue, _ shape: ArraySlice<Int>, _ out: inout [Double], _ place: String
  ) throws(TrajpackError) {
    guard let length = shape.first else {
      if case .null = json { return out.append(.nan) }
      if let truth = json.bool { return out.append(truth ? 1 : 0) }
      guard let number = json.double else {
        throw TrajpackError(.data, "\(place): holds something that is no number")
      }
      return out.append(number)
    }
    guard case .array(let elements) = json, elements.count == length else {
      throw TrajpackError(.data, "\(place): its lists differ in length; they must form an array")
    }
    for element in elements { try flatten(element, shape.dropFirst(), &out, place) }
  }
}
