import TrajpackFormat

/// A column of a WildWorld `state.csv`: where its values belong, by its name.
///
/// `npc.list.2.hp` is the channel `hp` of the entity `npc` 2; `camera.pos` the channel `pos` of the
/// camera; everything else, documented or not, a channel of the stream `state`.
struct WildWorldColumn: Sendable, Equatable {
  /// The stream: `camera`, `npc`, `monster` or `state`.
  var stream: String
  /// The entity's index in its list; -1 for the episode's own streams.
  var slot: Int
  /// The name of the channel in its stream.
  var channel: String

  /// The streams, in the order in which they are written.
  static let streams = ["state", "camera", "npc", "monster"]

  init(_ name: String) {
    let parts = name.split(separator: ".", omittingEmptySubsequences: false)
    if parts.count >= 4, parts[0] == "npc" || parts[0] == "monster", parts[1] == "list",
      let slot = Int(parts[2]), slot >= 0, slot < 1 << 20
    {
      stream = String(parts[0])
      self.slot = slot
      channel = parts[3...].joined(separator: ".")
    } else if parts.count >= 2, parts[0] == "camera" {
      (stream, slot, channel) = ("camera", -1, parts[1...].joined(separator: "."))
    } else {
      (stream, slot, channel) = ("state", -1, name)
    }
  }

  /// What the data set's README states of a channel.
  struct Meaning: Sendable {
    var kind: Kind
    var units: String?
    var description: String?
    var conventions: [JSONValue.Member] = []
    var isInteger = false
  }

  /// What the README of the data set states of this channel; for others, what the values show.
  func meaning(isText: Bool) -> Meaning {
    if isText {
      return Meaning(
        kind: .categorical,
        description: channel == "cond" ? "conditions, several at once possible" : nil)
    }
    switch (stream, channel) {
    case ("camera", "K"):
      return Meaning(
        kind: .intrinsics, units: "px", description: "focal lengths and principal point",
        conventions: [.init("order", "fx fy cx cy")])
    case ("camera", "pos"):
      return Meaning(
        kind: .position, units: "game units", description: "camera centre in the world",
        conventions: [.init("frame", "world"), .init("scale", "game units")])
    case ("camera", "rot"):
      return Meaning(
        kind: .quaternion, description: "camera rotation",
        conventions: [
          .init("order", "xyzw"), .init("pose", "camera-to-world"), .init("axes", "OpenGL"),
        ])
    case (_, "pos") where slot >= 0:
      return Meaning(
        kind: .position, units: "game units",
        conventions: [.init("frame", "world"), .init("scale", "game units")])
    case (_, "rot") where slot >= 0:
      return Meaning(
        kind: .quaternion,
        conventions: [.init("order", "xyzw"), .init("pose", "body-to-world")])
    case (_, "type_id"), (_, "member_id"), (_, "weapon_id"), (_, "motion_bank_id"),
      (_, "motion_id"):
      return Meaning(kind: .label, isInteger: true)
    case (_, "motion_frame"):
      return Meaning(kind: .label, description: "frame of the animation; restarts with each motion")
    case ("state", "npc.count"), ("state", "npc.tracking"), ("state", "monster.count"):
      return Meaning(kind: .label, isInteger: true)
    default:
      return Meaning(kind: .scalar)
    }
  }

  /// How many numbers the README says a cell holds, and that in words; `nil` where it states nothing.
  var documented: (count: Int?, words: String?) {
    switch (stream, channel) {
    case ("camera", "K"), ("camera", "rot"): return (4, "a tuple of 4 numbers")
    case ("camera", "pos"): return (3, "a tuple of 3 numbers")
    case (_, "rot") where slot >= 0: return (4, "a tuple of 4 numbers")
    case (_, "pos") where slot >= 0: return (3, "a tuple of 3 numbers")
    case (_, let channel) where slot >= 0 && Self.numbers.contains(channel): return (1, "a number")
    case ("state", "npc.count"), ("state", "npc.tracking"), ("state", "monster.count"):
      return (1, "a number")
    default: return (nil, nil)
    }
  }

  private static let numbers: Set<String> = [
    "type_id", "member_id", "weapon_id", "motion_bank_id", "motion_id", "motion_frame", "hp",
    "max_hp",
    "red_hp", "sp", "max_sp", "atk", "wp_atk", "attr", "wp_attr", "crit_rate", "crit_atk_rate",
    "def",
    "resist_fire", "resist_water", "resist_ice", "resist_elec", "resist_dragon",
  ]
}

/// A cell of a WildWorld `state.csv`: a number, a tuple of numbers, or text.
enum WildWorldCell {
  /// The number of a cell; `None`, which Python writes for nothing, is missing.
  @inline(__always)
  static func number(_ bytes: UnsafeBufferPointer<UInt8>) -> DecimalLiteral {
    let number = DecimalLiteral(bytes)
    guard number.form == .text, bytes.elementsEqual("None".utf8) else { return number }
    return .missing
  }

  /// Whether a text stands in cells of an entity that is not there.
  static func isAbsent(_ text: String) -> Bool { ["", "none", "nan", "None"].contains(text) }

  /// Calls `each` for every number of a cell; says how many there were, 0 for a cell that is no tuple.
  ///
  /// A tuple is one cell that holds `(1.0, nan, 3.0)`, as a list of Python `[1.0, 3.0]`, or as an array of
  /// numpy `[1. 3.]`; its elements may be written as numpy 2 does, `np.float64(1.0)`.
  @inline(__always)
  static func tuple(
    _ bytes: UnsafeBufferPointer<UInt8>, _ each: (Int, DecimalLiteral) -> Void
  ) -> Int {
    guard bytes.count >= 2, bytes[0] == UInt8(ascii: "("),
      bytes[bytes.count - 1] == UInt8(ascii: ")")
    else { return list(bytes, each) }
    var count = 0
    var start = 1
    for at in 1..<bytes.count where bytes[at] == UInt8(ascii: ",") || at == bytes.count - 1 {
      // A comma before the closing parenthesis, as Python writes a tuple of one, adds no element.
      if at == bytes.count - 1, count > 0,
        bytes[start..<at].allSatisfy({ $0 == 0x20 })
      {
        break
      }
      each(count, element(UnsafeBufferPointer(rebasing: bytes[start..<at])))
      count += 1
      start = at + 1
    }
    return count
  }

  /// The numbers of a cell in brackets.
  @inline(never)
  private static func list(
    _ bytes: UnsafeBufferPointer<UInt8>, _ each: (Int, DecimalLiteral) -> Void
  ) -> Int {
    guard bytes.count >= 2, bytes[0] == UInt8(ascii: "["),
      bytes[bytes.count - 1] == UInt8(ascii: "]")
    else { return 0 }
    let inner = bytes[1..<bytes.count - 1]
    let isList = inner.contains(UInt8(ascii: ","))
    let parts = inner.split { byte in
      isList ? byte == UInt8(ascii: ",") : byte == 0x20 || byte == 0x09 || byte == 0x0A
    }
    let numbers = parts.map { element(UnsafeBufferPointer(rebasing: $0)) }
    // A list of words, such as conditions, is text.
    if numbers.contains(where: { $0.form == .text }) { return 0 }
    for (i, number) in numbers.enumerated() { each(i, number) }
    return numbers.count
  }

  /// A number of a tuple.
  @inline(__always)
  private static func element(_ bytes: UnsafeBufferPointer<UInt8>) -> DecimalLiteral {
    let number = number(bytes)
    return number.form == .text ? wrapped(bytes) : number
  }

  /// A number as the `repr` of numpy 2 has it.
  @inline(never)
  private static func wrapped(_ bytes: UnsafeBufferPointer<UInt8>) -> DecimalLiteral {
    let text = bytes.drop { $0 == 0x20 }
    if text.elementsEqual("None".utf8) { return .missing }
    guard text.starts(with: "np.".utf8), text.last == UInt8(ascii: ")"),
      let open = text.firstIndex(of: UInt8(ascii: "("))
    else { return .text }
    return DecimalLiteral(UnsafeBufferPointer(rebasing: text[open + 1..<text.endIndex - 1]))
  }
}
