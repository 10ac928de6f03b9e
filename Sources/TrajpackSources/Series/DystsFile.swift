import TrajpackFormat
import TrajpackStore

/// Trajectories of systems in JSON, plain or gzip: `{system: {time: […], values: [[…], …]}}`, as
/// dysts (Gilpin 2021) keeps its reference trajectories.
struct DystsFile: Sendable {
  /// One system.
  struct System: Sendable {
    /// Its name.
    var name: String
    /// Where its value lies in the document.
    var range: Range<Int>
    /// Rows.
    var rows = 0
    /// Numbers of a row; `nil` where rows are plain numbers.
    var width: Int?
    /// Its times; `nil` where it has none.
    var time: ClockDetector?
    /// What else is said of it.
    var others: [JSONValue.Member] = []
    /// The bytes of those in the document.
    var otherBytes = 0
  }

  /// The most systems of a document.
  static let mostSystems = 1 << 16
  /// The most bytes of a document, besides times and values, that are kept as metadata: as values in memory they
  /// take some seventy times as much.
  static let mostOtherBytes = 1 << 20

  private let path: String
  private let isCompressed: Bool
  /// The systems, in the order of the document.
  private(set) var systems: [System] = []

  /// Reads a file once: its grammar, shapes and times.
  ///
  /// - Throws: A data error naming the system or the byte that is wrong.
  init(_ file: LocalFile, isCompressed: Bool) throws(TrajpackError) {
    path = file.path
    self.isCompressed = isCompressed
    var json = JSONTokenizer(try Self.stream(file, isCompressed))
    guard try json.token() == UInt8(ascii: "{") else {
      throw TrajpackError(
        .data,
        "is JSON, and no file of systems, {name: {\"time\": [...], \"values\": [[...], ...]}}; see 'trajpack formats'"
      )
    }
    var systems: [System] = []
    var otherBytes = 0
    try json.object { (json, name) throws(TrajpackError) in
      _ = try json.token()
      let start = json.position
      guard systems.count < Self.mostSystems else {
        throw TrajpackError(
          .data, "the JSON has more than \(Self.mostSystems) systems; cut it into several files")
      }
      var system = System(name: name, range: start..<start)
      try Self.read(&json, &system, time: { _ in }, values: { _ in })
      otherBytes += system.otherBytes
      try Self.checkOthers(otherBytes)
      system.range = start..<json.position
      systems.append(system)
    }
    guard try json.token() == nil else {
      throw json.wrong("the end of the text after the document")
    }
    guard !systems.isEmpty else { throw TrajpackError(.data, "the JSON names no system") }
    self.systems = systems
  }

  /// The bytes of the document.
  private static func stream(
    _ file: LocalFile, _ isCompressed: Bool
  ) throws(TrajpackError) -> any ByteStream {
    let whole = 0..<file.length
    if isCompressed { return try InflateStream(file, whole, .gzip, ByteOrigin(name: "")) }
    return FileStream(file, whole)
  }

  /// The bytes of a system. gzip has no way to begin in the middle, so its document is kept
  /// inflated while its systems are read.
  private func stream(
    of system: System, _ cache: InflatedCache
  ) throws(TrajpackError) -> any ByteStream {
    guard isCompressed else {
      let file = try cache.watch.file(path, times: 2)
      return FileStream(file, system.range.clamped(to: 0..<file.length))
    }
    let spool = try cache.spool(path, "") { () throws(TrajpackError) in
      let spool = RowSpool()
      try Self.stream(cache.watch.file(path, times: 2), true).forEachPiece {
        (bytes) throws(TrajpackError) in
        try spool.append(bytes)
      }
      return spool
    }
    return SpoolStream(spool, system.range.clamped(to: 0..<spool.count))
  }

  /// The times and values of a system.
  func rows(
    of system: System, _ cache: InflatedCache
  ) throws(TrajpackError) -> (time: ChannelRows, values: ChannelRows) {
    var (time, values) = (SpoolWriter(), SpoolWriter())
    var json = JSONTokenizer(try stream(of: system, cache), at: system.range.lowerBound)
    var again = System(name: system.name, range: system.range)
    try Self.read(&json, &again) { (value) throws(TrajpackError) in
      try time.append(value)
    } values: { (value) throws(TrajpackError) in
      try values.append(value)
    }
    guard again.rows == system.rows, again.width == system.width else {
      throw TrajpackError(.data, "the file has changed while it was converted; run again")
    }
    try time.flush()
    try values.flush()
    return (ChannelRows(spool: time.spool), ChannelRows(spool: values.spool))
  }

  private static func checkOthers(_ bytes: Int) throws(TrajpackError) {
    guard bytes <= mostOtherBytes else {
      throw TrajpackError(
        .data,
        "the JSON holds more than \(mostOtherBytes) bytes besides 'time' and 'values'; leave out what is no "
          + "description of the systems")
    }
  }

  /// Reads the value of a system.
  private static func read(
    _ json: inout JSONTokenizer, _ system: inout System,
    time: (Double) throws(TrajpackError) -> Void,
    values: (Double) throws(TrajpackError) -> Void
  ) throws(TrajpackError) {
    let name = TableForm.shown(system.name)
    guard try json.token() == UInt8(ascii: "{") else {
      throw TrajpackError(
        .data,
        "is JSON, and no file of systems: its '\(name)' is no object with 'time' and 'values'; see 'trajpack formats'"
      )
    }
    var hasValues = false
    try json.object { (json, member) throws(TrajpackError) in
      switch member {
      case "time":
        var times = ClockDetector()
        try json.array { (json) throws(TrajpackError) in
          let value = try json.double()
          guard times.add(value) else {
            throw TrajpackError(
              .data,
              "system '\(name)': time \(times.count) (from 0) is \(value), which lies before the "
                + "one before or is no time")
          }
          try time(value)
        }
        system.time = times
      case "values":
        hasValues = true
        try json.array { (json) throws(TrajpackError) in
          guard try json.token() == UInt8(ascii: "[") else {
            guard system.width == nil else {
              throw json.wrong("a row of \(system.width ?? 0) numbers")
            }
            try values(json.double())
            system.rows += 1
            return
          }
          var count = 0
          try json.array { (json) throws(TrajpackError) in
            try values(json.double())
            count += 1
          }
          guard count > 0, system.rows == 0 || count == system.width,
            count <= Schema.maximumChunkBytes / 8
          else {
            throw TrajpackError(
              .data,
              "system '\(name)': row \(system.rows) (from 0) has \(count) numbers where "
                + "\(system.width ?? 1) are expected")
          }
          system.width = count
          system.rows += 1
        }
      default:
        let start = json.position
        system.others.append(.init(member, try json.value()))
        system.otherBytes += json.position - start + member.utf8.count
        try checkOthers(system.otherBytes)
      }
    }
    guard hasValues, system.rows > 0 else {
      throw TrajpackError(.data, "system '\(name)' has no 'values'")
    }
    if let times = system.time, times.count != system.rows {
      throw TrajpackError(
        .data, "system '\(name)' has \(times.count) times and \(system.rows) rows of values")
    }
  }
}

/// A range of a spool.
final class SpoolStream: ByteStream {
  private let spool: RowSpool
  private var range: Range<Int>

  /// The bytes `range` of `spool`, which lie in it.
  init(_ spool: RowSpool, _ range: Range<Int>) {
    self.spool = spool
    self.range = range
  }

  func read(into buffer: UnsafeMutableRawBufferPointer) throws(TrajpackError) -> Int {
    let count = min(buffer.count, range.count)
    try spool.read(
      at: range.lowerBound, into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<count]))
    range = range.lowerBound + count..<range.upperBound
    return count
  }
}
