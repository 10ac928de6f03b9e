import TrajpackFormat
import TrajpackStore

/// An EDF or BDF file as a tree of its signals, in physical units, and the annotations of it.
final class EDFFile: TreeFile {
  static let title = "EDF and BDF"
  static let endings = [".edf", ".bdf", ".rec"]

  let path: String
  let nodes: [TreeNode]
  let header: EDFHeader
  private let file: LocalFile
  private let numbers: [String: Int]

  static func recognises(_ path: String) -> Bool {
    guard let file = try? LocalFile(path), let first = try? file.bytes(0..<min(file.length, 256))
    else { return false }
    return EDFHeader.recognises(first)
  }

  init(_ path: String) throws(TrajpackError) {
    self.path = path
    file = try LocalFile(path)
    let header = try EDFHeader(file)
    self.header = header
    var numbers: [String: Int] = [:]
    var nodes = [TreeNode(path: "/", content: .group)]
    for (number, signal) in header.signals.enumerated() where !signal.isAnnotations {
      numbers["/" + signal.name] = number
      var array = TreeArray(form: .numbers(.float64), shape: [signal.samples * header.records])
      array.storage =
        "int\(8 * header.width), \(signal.samples) a record"
        + (signal.units.isEmpty ? "" : ", \(signal.units)")
      nodes.append(TreeNode(path: "/" + signal.name, content: .array(array)))
    }
    (self.nodes, self.numbers) = (nodes, numbers)
  }

  func read(
    _ node: TreeNode, _ part: [Range<Int>],
    _ body: (UnsafeRawBufferPointer) throws(TrajpackError) -> Void
  ) throws(TrajpackError) {
    guard let number = numbers[node.path], let wanted = part.first, !wanted.isEmpty else { return }
    let signal = header.signals[number]
    let window = FileWindow(file)
    let raw = ByteBuffer(signal.samples * header.width)
    let out = ByteBuffer(signal.samples * 8)
    for record in wanted.lowerBound / signal.samples...(wanted.upperBound - 1) / signal.samples {
      try window.read(
        at: header.length + record * header.recordBytes + signal.offset,
        into: UnsafeMutableRawBufferPointer(
          rebasing: raw.bytes[..<(signal.samples * header.width)]),
        isNear: header.recordBytes <= 64 << 10)
      let first = max(wanted.lowerBound - record * signal.samples, 0)
      let end = min(wanted.upperBound - record * signal.samples, signal.samples)
      for i in first..<end {
        let value = signal.scale * (signal.shift + Double(sample(raw.bytes, i)))
        out.bytes.storeBytes(
          of: value.bitPattern.littleEndian, toByteOffset: (i - first) * 8, as: UInt64.self)
      }
      try body(UnsafeRawBufferPointer(rebasing: out.bytes[..<((end - first) * 8)]))
    }
  }

  private func sample(_ bytes: UnsafeMutableRawBufferPointer, _ i: Int) -> Int32 {
    if header.width == 2 {
      return Int32(Int16(littleEndian: bytes.loadUnaligned(fromByteOffset: 2 * i, as: Int16.self)))
    }
    let value = Int32(bytes[3 * i]) | Int32(bytes[3 * i + 1]) << 8 | Int32(bytes[3 * i + 2]) << 16
    return (value << 8) >> 8
  }

  func readTexts(
    _ node: TreeNode, _ part: [Range<Int>], _ body: ([UInt8]) throws(TrajpackError) -> Void
  ) throws(TrajpackError) {
    throw TrajpackError(.data, file: path, "\(node.path): is no text")
  }

  /// Something that was noted at a moment.
  struct Annotation: Sendable {
    /// Seconds since the start that the header says.
    var onset: Double
    /// Seconds; NaN where none is said.
    var duration: Double
    var text: String
  }

  /// The annotations in the order of their moments, and the seconds at which records begin; those are empty in files
  /// without annotations.
  func annotations() throws(TrajpackError) -> (all: [Annotation], onsets: [Rational]) {
    let signals = header.signals.filter(\.isAnnotations)
    var all: [Annotation] = []
    var onsets: [Rational] = []
    guard !signals.isEmpty else { return ([], []) }
    let window = FileWindow(file)
    for record in 0..<header.records {
      for (number, signal) in signals.enumerated() {
        let place = header.length + record * header.recordBytes + signal.offset
        let count = signal.samples * header.width
        let buffer = ByteBuffer(max(count, 1))
        let some = UnsafeMutableRawBufferPointer(rebasing: buffer.bytes[..<count])
        try window.read(at: place, into: some)
        var isFirst = number == 0
        for list in some.split(separator: 0) {
          let own = try Self.list(Array(list), record, path)
          if isFirst {
            onsets.append(own.onset)
            isFirst = false
          }
          for text in own.texts {
            all.append(
              Annotation(onset: own.onset.value, duration: own.duration, text: text))
          }
        }
        guard !isFirst else {
          throw TrajpackError(
            .data, file: path,
            "record \(record) does not say when it begins, as files with annotations do; it is damaged"
          )
        }
      }
    }
    let order = all.indices.sorted { (all[$0].onset, $0) < (all[$1].onset, $1) }
    return (order.map { all[$0] }, onsets)
  }

  /// A list of annotations of one moment: onset, perhaps byte 21 and the duration, then byte 20 behind each text.
  private static func list(
    _ bytes: [UInt8], _ record: Int, _ path: String
  ) throws(TrajpackError) -> (onset: Rational, duration: Double, texts: [String]) {
    let parts = bytes.split(separator: 20, omittingEmptySubsequences: false)
    let times = parts[0].split(separator: 21, maxSplits: 1, omittingEmptySubsequences: false)
    func decimal(_ bytes: some Sequence<UInt8>) -> Rational? {
      var text = String(decoding: Array(bytes), as: UTF8.self)
      guard let sign = text.first, sign == "+" || sign == "-" || sign.isNumber else { return nil }
      if sign == "+" { text.removeFirst() }
      return Rational(decimal: text) ?? Double(text).flatMap { Rational(nearest: $0) }
    }
    guard parts.count > 1, let onset = decimal(times[0]) else {
      throw TrajpackError(
        .data, file: path,
        "record \(record) has an annotation without a time ('\(String(decoding: bytes.prefix(40), as: UTF8.self).printable)'); it is damaged"
      )
    }
    let duration = times.count > 1 ? decimal(times[1])?.value ?? .nan : .nan
    // Without text and duration it only says when the record begins; with one it is an annotation without text.
    let texts = parts.dropFirst().dropLast(parts.last?.isEmpty == true ? 1 : 0)
      .filter { !$0.isEmpty || duration > 0 }.map { String(decoding: $0, as: UTF8.self) }
    return (onset, duration, texts)
  }
}
