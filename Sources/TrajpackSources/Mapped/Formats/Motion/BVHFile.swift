import Synchronization
import TrajpackFormat
import TrajpackStore

/// A BVH file: a hierarchy of joints, and a row of channels a frame.
final class BVHFile: Sendable {
  struct Joint: Sendable {
    var name: String
    /// The joint above it; -1 for the root.
    var parent: Int
    var offset: [Double]
    /// The channels as they come in a row, as `Zrotation`; none at an end site.
    var channels: [String] = []
    /// The first of them in a row.
    var first = 0
    var isEnd = false
  }

  let path: String
  let joints: [Joint]
  /// Channels of a row.
  let width: Int
  let frames: Int
  /// The time of a frame as the file has it.
  let frameTime: String
  private let motion: Int
  private let line: Int
  private let numbers = Mutex<[Double]?>(nil)

  private static let most = 1 << 30
  private static let mostHead = 16 << 20

  static func recognises(_ path: String) -> Bool {
    guard let file = try? LocalFile(path), let first = try? file.bytes(0..<min(file.length, 4096))
    else { return false }
    let text = String(decoding: first, as: UTF8.self).drop { $0.isWhitespace || $0 == "\u{FEFF}" }
    return text.uppercased().hasPrefix("HIERARCHY")
  }

  /// Reads the hierarchy; the rows are read when they are asked for.
  ///
  /// - Throws: A data error where it is damaged.
  init(_ path: String) throws(TrajpackError) {
    self.path = path
    let file = try LocalFile(path)
    var head = BVHHead()
    try TextLines.forEach(file) { (number, at, line) throws(TrajpackError) in
      guard at <= Self.mostHead else {
        throw TrajpackError(.data, "has no 'MOTION' within its first 16 MiB")
      }
      return try head.take(TextLines.text(line), number, behind: at + line.count)
    }
    guard let motion = head.motion, let frames = head.frames, let time = head.frameTime else {
      throw TrajpackError(
        .data, "ends before 'MOTION', 'Frames:' and 'Frame Time:'; it was cut, or is no BVH file")
    }
    guard !head.joints.isEmpty, head.open.isEmpty else {
      throw TrajpackError(.data, "has a hierarchy whose braces do not close, or no ROOT")
    }
    guard frames > 0 else { throw TrajpackError(.data, "has no frames ('Frames: \(frames)')") }
    (joints, width, self.frames, frameTime) = (head.joints, head.width, frames, time)
    (self.motion, line) = (motion, head.line)
    guard width > 0, frames <= Self.most / max(width, 1) else {
      throw TrajpackError(.data, "has no channels, or more than \(Self.most) numbers")
    }
    guard frames * width <= file.length else {
      throw TrajpackError(
        .data,
        "says 'Frames: \(frames)' of \(width) channels, which its \(file.length) bytes cannot hold; it was cut"
      )
    }
  }

  /// All rows, one after the other.
  func rows() throws(TrajpackError) -> [Double] {
    try numbers.withLock { (known) throws(TrajpackError) in
      if let known { return known }
      let file = try LocalFile(path)
      var out: [Double] = []
      out.reserveCapacity(frames * width)
      try TextLines.forEach(file, from: motion) { (number, _, line) throws(TrajpackError) in
        for field in line.split(whereSeparator: { $0 == 32 || $0 == 9 }) {
          let text = String(decoding: field, as: UTF8.self)
          guard let value = Double(text) else {
            throw TrajpackError(
              .data,
              "line \(self.line + number - 1) has '\(String(text.prefix(40)).printable)', which is no number",
              at: ErrorPlace(line: self.line + number - 1))
          }
          out.append(value)
          guard out.count <= frames * width else {
            throw TrajpackError(
              .data,
              "has more than the \(frames) rows of \(width) channels that 'Frames:' says, from line \(self.line + number - 1) on"
            )
          }
        }
        return true
      }
      guard out.count == frames * width else {
        throw TrajpackError(
          .data,
          "has \(out.count / width) rows of \(width) channels where 'Frames:' says \(frames); it was cut"
        )
      }
      known = out
      return out
    }
  }

  /// Forgets the rows, so that many files do not fill memory.
  func forget() { numbers.withLock { $0 = nil } }
}

/// What the lines above the rows say.
private struct BVHHead {
  var joints: [BVHFile.Joint] = []
  /// The joints whose braces are open, innermost last.
  var open: [Int] = []
  var width = 0
  var frames: Int?
  var frameTime: String?
  /// The first byte behind the line of the frame time, and that line's number.
  var motion: Int?
  var line = 0
  private var isMotion = false
  private var pending: Int?
  private var names: Set<String> = []

  private func wrong(_ number: Int, _ what: String) -> TrajpackError {
    TrajpackError(.data, "line \(number) \(what)", at: ErrorPlace(line: number))
  }

  /// Takes in a line; `false` behind the last of the head.
  mutating func take(_ text: String, _ number: Int, behind: Int) throws(TrajpackError) -> Bool {
    var words = text.split(whereSeparator: \.isWhitespace).map { String($0) }[...]
    if number == 1, let first = words.first, first.hasPrefix("\u{FEFF}") {
      words[words.startIndex] = String(first.dropFirst())
    }
    while let word = words.first {
      words.removeFirst()
      switch word.uppercased() {
      case "HIERARCHY": continue
      case "{":
        guard let joint = pending else { throw wrong(number, "has a brace behind no joint") }
        open.append(joint)
        pending = nil
      case "}":
        guard open.popLast() != nil else { throw wrong(number, "closes a brace that is not open") }
      case "ROOT", "JOINT", "END":
        try begin(word.uppercased(), words.joined(separator: " "), number)
        // A brace may stand in the same line.
        words = words.last == "{" ? ["{"] : []
      case "OFFSET":
        let numbers = words.prefix(3).compactMap { Double($0) }
        guard let joint = open.last, numbers.count == 3 else {
          throw wrong(number, "has an OFFSET that is no three numbers of a joint")
        }
        joints[joint].offset = numbers
        words = words.dropFirst(3)
      case "CHANNELS":
        guard let joint = open.last, let count = words.first.flatMap({ Int($0) }), count >= 0,
          words.count > count
        else { throw wrong(number, "has CHANNELS whose count is not that of its names") }
        let own = Array(words.dropFirst().prefix(count))
        for name in own where !Self.known.contains(name.lowercased()) {
          throw wrong(
            number,
            "has the channel '\(name.printable)', which is no position or rotation of an axis")
        }
        (joints[joint].channels, joints[joint].first) = (own, width)
        width += count
        words = words.dropFirst(1 + count)
      case "MOTION":
        isMotion = true
        words = []
      case "FRAMES:" where isMotion, "FRAMES" where isMotion:
        frames = words.last.flatMap { Int($0) }
        if frames == nil { throw wrong(number, "has no whole number behind 'Frames:'") }
        words = []
      case "FRAME" where isMotion:
        guard let time = words.last, let seconds = Double(time), seconds > 0, seconds.isFinite
        else {
          throw wrong(number, "has no time above zero behind 'Frame Time:'")
        }
        (frameTime, motion, line) = (time, behind, number)
        return false
      default: throw wrong(number, "has '\(word.printable)', which no BVH file has there")
      }
    }
    return true
  }

  private static let known = Set(
    ["x", "y", "z"].flatMap { ["\($0)position", "\($0)rotation"] })

  private mutating func begin(_ word: String, _ rest: String, _ number: Int) throws(TrajpackError) {
    guard open.count < 256, joints.count < 4096 else {
      throw wrong(number, "is of more than 4,096 joints, or 256 deep")
    }
    guard (word == "ROOT") == open.isEmpty else {
      throw wrong(
        number, word == "ROOT" ? "has a ROOT within a joint" : "has a joint outside of a ROOT")
    }
    guard word != "ROOT" || joints.isEmpty else {
      throw wrong(number, "has a second ROOT; files of several skeletons are not read")
    }
    let isEnd = word == "END"
    let text = rest.hasSuffix("{") ? String(rest.dropLast()) : rest
    var name =
      isEnd ? "\(open.last.map { joints[$0].name } ?? "")_end" : String(text.trimmingSpaces)
    name = name.replacing("/", with: "_")
    if name.isEmpty { throw wrong(number, "has a joint without a name") }
    let base = name
    var copy = 2
    while !names.insert(name).inserted {
      name = "\(base)_\(copy)"
      copy += 1
    }
    pending = joints.count
    joints.append(
      BVHFile.Joint(name: name, parent: open.last ?? -1, offset: [0, 0, 0], isEnd: isEnd))
  }
}
