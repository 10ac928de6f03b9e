import TrajpackFormat
import TrajpackStore

/// What the first bytes of a picture file say.
struct PictureHead: Sendable, Equatable {
  enum Kind: String, Sendable { case png = "PNG", jpeg = "JPEG" }

  var kind: Kind
  var width: Int
  var height: Int
  /// What its samples are: bits and colour type (PNG), or the sampling of each component (JPEG).
  var form: [UInt8]

  /// `nil` where they are of no PNG and no JPEG file of a size that can be decoded.
  init?(_ bytes: some RandomAccessCollection<UInt8>) {
    let bytes = Array(bytes.prefix(1 << 20))
    func number(_ at: Int, _ count: Int) -> Int {
      bytes[at..<at + count].reduce(0) { $0 << 8 | Int($1) }
    }
    if bytes.count >= 26, bytes.starts(with: [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]) {
      (kind, width, height) = (.png, number(16, 4), number(20, 4))
      form = Array(bytes[24..<26])
    } else if bytes.starts(with: [0xFF, 0xD8, 0xFF]) {
      var at = 2
      var size: (Int, Int)?
      var sampling: [UInt8] = []
      // Segments up to the frame header (ISO/IEC 10918-1, B.2.2); C4, C8 and CC are none.
      while size == nil, bytes.count - at >= 10 {
        let marker = bytes[at + 1]
        guard bytes[at] == 0xFF else { return nil }
        if marker == 0xFF {
          at += 1
        } else if 0xC0...0xCF ~= marker, ![0xC4, 0xC8, 0xCC].contains(marker) {
          size = (number(at + 7, 2), number(at + 5, 2))
          // Of each component: its id, how it is sampled, its table (B.2.2).
          let components = stride(from: at + 11, to: bytes.count, by: 3).prefix(Int(bytes[at + 9]))
          sampling = components.map { bytes[$0] }
        } else {
          at += 2 + max(number(at + 2, 2), 2)
        }
      }
      guard let size else { return nil }
      (kind, width, height, form) = (.jpeg, size.0, size.1, sampling)
    } else {
      return nil
    }
    guard 1...1 << 15 ~= width, 1...1 << 15 ~= height else { return nil }
  }

  /// Whether pictures are of one kind and size.
  func isLike(_ other: PictureHead) -> Bool {
    kind == other.kind && width == other.width && height == other.height
  }

  /// libavcodec's name of the codec.
  var codec: String { kind == .png ? "png" : "mjpeg" }

  var description: String { "\(kind.rawValue) of \(width) × \(height)" }
}

/// Pictures of one kind and size, a file a row, as a movie file.
enum PictureMovie {
  /// - Parameter remedy: What to do where they cannot be one.
  /// - Throws: A data error that names the row.
  static func file(
    _ pictures: [[UInt8]?], rate: Rational, name: String, remedy: String
  ) throws(TrajpackError) -> MovieFile {
    try file(rate: rate, name: name, remedy: remedy) { (add) throws(TrajpackError) in
      for picture in pictures { try add(picture ?? []) }
    }
  }

  /// Pictures that `each` gives one after the other; none of them stays in memory.
  static func file(
    rate: Rational, name: String, remedy: String,
    _ each: (([UInt8]) throws(TrajpackError) -> Void) throws(TrajpackError) -> Void
  ) throws(TrajpackError) -> MovieFile {
    let spool = RowSpool()
    var track = try PictureTrack(rate: rate, remedy: remedy)
    var row = 0
    try each { (picture) throws(TrajpackError) in
      try track.add(PictureHead(picture), picture.count, "row \(row)")
      try spool.append(picture)
      row += 1
    }
    return try track.movie(.spool(spool, 0..<track.bytes), name: name)
  }

  /// Picture files, a frame each, read where they lie.
  static func file(
    _ files: PictureFiles, rate: Rational, name: String
  ) throws(TrajpackError) -> MovieFile {
    var track = try PictureTrack(
      rate: rate, remedy: "mend it, or leave the pictures out with --video drop")
    for number in files.paths.indices {
      let (head, size) = try files.head(number)
      try track.add(head, size, FileSystem.name(of: files.paths[number]))
    }
    return try track.movie(.made(files), name: name)
  }
}

/// Pictures of one kind and size as the track of a movie file, while they are added.
private struct PictureTrack {
  private let timescale: UInt32
  private let step: UInt32
  private let remedy: String
  private var head: PictureHead?
  private var samples: [MovieFile.Sample] = []
  private var offsets: [Int] = []
  /// Of all pictures so far.
  private(set) var bytes = 0

  init(rate: Rational, remedy: String) throws(TrajpackError) {
    guard let timescale = UInt32(exactly: rate.numerator),
      let step = UInt32(exactly: rate.denominator)
    else { throw TrajpackError(.data, "\(rate) frames a second are no rate of a video; \(remedy)") }
    (self.timescale, self.step, self.remedy) = (timescale, step, remedy)
  }

  /// - Parameters:
  ///   - own: What the picture says; `nil` where it is none.
  ///   - place: What the picture is called in errors.
  mutating func add(_ own: PictureHead?, _ size: Int, _ place: String) throws(TrajpackError) {
    guard let own else {
      throw TrajpackError(
        .data, "\(place) has no PNG and no JPEG file, and others have; \(remedy)")
    }
    guard head.map({ $0.isLike(own) }) ?? true else {
      throw TrajpackError(
        .data,
        "\(place) is a \(own.description), and those before are \(head?.description ?? ""); \(remedy)"
      )
    }
    head = own
    let time = Int64(samples.count) * Int64(step)
    samples.append(.init(size: size, dts: time, pts: time, isKey: true))
    offsets.append(bytes)
    bytes += size
  }

  func movie(_ source: TrackDraft.Bytes, name: String) throws(TrajpackError) -> MovieFile {
    guard let head else { throw TrajpackError(.data, "there are no pictures") }
    return MovieFile(
      MovieDescription(
        pictures: head.kind == .png ? "png " : "jpeg", width: head.width, height: head.height,
        timescale: timescale), samples, offsets: offsets, in: source,
      shown: 0..<Int64(samples.count) * Int64(step), name: name)
  }
}
