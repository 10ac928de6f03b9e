import TrajpackFormat
import TrajpackStore

/// The header of an EDF, EDF+, BDF or BDF+ file. Layout after Kemp and others, "A simple format for exchange of digitized
/// polygraphic recordings" (1992), "European data format 'plus'" (2003), and BioSemi's "Which file format does BioSemi use".
struct EDFHeader: Sendable {
  /// A signal.
  struct Signal: Sendable {
    /// What it is called, unique in the file.
    var name = ""
    var transducer = ""
    var units = ""
    var prefilter = ""
    /// Samples of it in a record.
    var samples = 0
    /// The byte of a record at which they begin.
    var offset = 0
    /// The ranges that the header says, as text.
    var ranges: [(name: String, text: String)] = []
    /// A number of the file stands for scale × (number + offset).
    var scale = 1.0
    var shift = 0.0
    /// Whether the header says no range, so that numbers are not scaled.
    var isRaw = false
    var isAnnotations = false
  }

  let patient: String
  let recording: String
  /// The date and time of the start: `2024-03-01T09:30:15`; empty where the header has none.
  let start: String
  /// Whether it is of the form with annotations and times of records.
  let isPlus: Bool
  /// Whether records need not follow each other.
  let isDiscontinuous: Bool
  /// Bytes of a sample: 2, or 3 of BDF.
  let width: Int
  let length: Int
  let signals: [Signal]
  let recordBytes: Int
  let records: Int
  /// Seconds of a record.
  let duration: Rational
  /// Bytes behind the last record.
  let rest: Int

  /// Whether a file begins as one: its version, and a date where the header has that of the start.
  static func recognises(_ first: [UInt8]) -> Bool {
    guard first.count >= 256 else { return false }
    let isEDF = first.starts(with: "0       ".utf8)
    guard isEDF || first.starts(with: [0xFF] + Array("BIOSEMI".utf8)) else { return false }
    return first[170] == first[173] && !(0x30...0x39).contains(first[170])
      && first[168..<176].count(where: { (0x30...0x39).contains($0) || $0 == 0x20 }) == 6
  }

  init(_ file: LocalFile) throws(TrajpackError) {
    let origin = ByteOrigin(name: file.path)
    let head = try file.bytes(0..<min(file.length, 256))
    guard head.count == 256 else { throw origin.wrong("ends in its header; it was cut short") }
    func text(_ range: Range<Int>) -> String { Self.text(head[range]) }
    func whole(_ range: Range<Int>, _ what: String, _ bounds: ClosedRange<Int>)
      throws(TrajpackError) -> Int
    {
      guard let value = Int(text(range)), bounds.contains(value) else {
        throw origin.wrong(
          "its header has '\(text(range).printable)' as \(what), at byte \(range.lowerBound); it is damaged"
        )
      }
      return value
    }
    width = head[0] == 0xFF ? 3 : 2
    (patient, recording) = (text(8..<88), text(88..<168))
    start = Self.start(date: text(168..<176), time: text(176..<184), recording)
    let reserved = text(192..<236)
    isPlus = reserved.hasPrefix("EDF+") || reserved.hasPrefix("BDF+")
    isDiscontinuous = reserved.hasPrefix("EDF+D") || reserved.hasPrefix("BDF+D")
    let count = try whole(252..<256, "the number of signals", 1...9999)
    length = 256 * (count + 1)
    guard try whole(184..<192, "its length", 0...1 << 30) == length, length <= file.length else {
      throw origin.wrong(
        "its header claims \(text(184..<192)) bytes, where \(count) signals need \(length) of \(file.length); it is damaged or was cut short"
      )
    }
    signals = try Self.signals(try file.bytes(256..<length), count, width, isPlus, origin)
    let bytes = width
    recordBytes = signals.reduce(0) { $0 + $1.samples * bytes }
    guard recordBytes > 0 else { throw origin.wrong("its records have no samples") }
    let seconds = text(244..<252)
    guard
      let duration = Rational(decimal: seconds)
        ?? Double(seconds).flatMap({ Rational(nearest: $0) }),
      duration.numerator >= 0
    else {
      throw origin.wrong(
        "its header has '\(text(244..<252).printable)' as the seconds of a record, at byte 244; it is damaged"
      )
    }
    self.duration = duration
    let claimed = try whole(236..<244, "the number of records", -1...99_999_999)
    let there = (file.length - length) / recordBytes
    // While it is written, a file does not say how many records it has.
    records = claimed < 0 ? there : claimed
    guard records <= there else {
      throw origin.wrong(
        "claims \(records) records of \(recordBytes) bytes, and holds \(there); it was cut short, fetch it again"
      )
    }
    rest = file.length - length - records * recordBytes
    guard duration.numerator > 0 || signals.allSatisfy(\.isAnnotations) else {
      throw origin.wrong("its records have no duration, so its samples have no rate")
    }
  }

  private static func text(_ bytes: some Sequence<UInt8>) -> String {
    var all = Array(bytes)
    while let last = all.last, last == 0x20 || last == 0 { all.removeLast() }
    let rest = all.drop { $0 == 0x20 }
    if let text = String(validating: rest, as: UTF8.self) { return text }
    return String(String.UnicodeScalarView(rest.map { UnicodeScalar($0) }))
  }

  /// The date has two digits of the year, which count from 1985; that of the form with annotations has four elsewhere.
  private static func start(date: String, time: String, _ recording: String) -> String {
    let parts = date.split { !$0.isNumber }.compactMap { Int($0) }
    let clock = time.split { !$0.isNumber }.compactMap { Int($0) }
    guard parts.count == 3, clock.count == 3, (1...31).contains(parts[0]),
      (1...12).contains(parts[1])
    else { return "" }
    var year = parts[2] < 85 ? 2000 + parts[2] : 1900 + parts[2]
    let words = recording.split(separator: " ")
    if words.count > 1, words[0] == "Startdate", let said = words[1].split(separator: "-").last,
      said.count == 4, let long = Int(said)
    {
      year = long
    }
    func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
    return "\(year)-\(two(parts[1]))-\(two(parts[0]))T"
      + clock.map { two($0) }.joined(separator: ":")
  }

  private static func signals(
    _ bytes: [UInt8], _ count: Int, _ width: Int, _ isPlus: Bool, _ origin: ByteOrigin
  ) throws(TrajpackError) -> [Signal] {
    var at = 0
    func column(_ width: Int) -> [String] {
      defer { at += width * count }
      return (0..<count).map { text(bytes[(at + $0 * width)..<(at + ($0 + 1) * width)]) }
    }
    let (labels, transducers, units) = (column(16), column(80), column(8))
    let ranges = ["physical_minimum", "physical_maximum", "digital_minimum", "digital_maximum"].map
    {
      ($0, column(8))
    }
    let (prefilters, samples) = (column(80), column(8))
    var signals: [Signal] = []
    var names: Set<String> = []
    var offset = 0
    for i in 0..<count {
      var signal = Signal(transducer: transducers[i], units: units[i], prefilter: prefilters[i])
      guard let own = Int(samples[i]), (0...1 << 24).contains(own) else {
        throw origin.wrong(
          "signal \(i + 1) ('\(labels[i].printable)') has '\(samples[i].printable)' samples a record; the header is damaged"
        )
      }
      (signal.samples, signal.offset) = (own, offset)
      offset += own * width
      signal.isAnnotations =
        isPlus && (labels[i] == "EDF Annotations" || labels[i] == "BDF Annotations")
      signal.ranges = ranges.map { ($0.0, $0.1[i]) }
      if !signal.isAnnotations { try scale(&signal, labels[i], i, origin) }
      let label = labels[i].replacing("/", with: "_").replacing("\0", with: "")
      signal.name = label.isEmpty ? "signal \(i + 1)" : label
      var number = 2
      while !names.insert(signal.name).inserted {
        signal.name = "\(label.isEmpty ? "signal" : label) \(number)"
        number += 1
      }
      signals.append(signal)
    }
    return signals
  }

  /// A number of the file is on the digital range what the value is on the physical one, computed as EDFlib does.
  private static func scale(
    _ signal: inout Signal, _ label: String, _ number: Int, _ origin: ByteOrigin
  ) throws(TrajpackError) {
    let values = signal.ranges.map { Double($0.text) }
    guard let low = values[0], let high = values[1], let least = values[2], let most = values[3],
      low.isFinite, high.isFinite, least.isFinite, most.isFinite
    else {
      throw origin.wrong(
        "signal \(number + 1) ('\(label.printable)') has a range that is no number; the header is damaged"
      )
    }
    guard low != high, least != most else {
      signal.isRaw = true
      return
    }
    signal.scale = (high - low) / (most - least)
    signal.shift = high / signal.scale - most
  }
}
