import TrajpackFormat
import TrajpackStore

/// What the first bytes of a picture file say.
struct PictureHead: Sendable, Equatable {
  enum Kind: String, Sendable { case png = "PNG", jpeg = "JPEG" }

  var kind: Kind
  var width: Int
  var height: Int

  /// `nil` where they are of no PNG and no JPEG file of a size that can be decoded.
  init?(_ bytes: some RandomAccessCollection<UInt8>) {
    let bytes = Array(bytes.prefix(1 << 20))
    func number(_ at: Int, _ count: Int) -> Int {
      bytes[at..<at + count].reduce(0) { $0 << 8 | Int($1) }
    }
    if bytes.count >= 24, bytes.starts(with: [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]) {
      (kind, width, height) = (.png, number(16, 4), number(20, 4))
    } else if bytes.starts(with: [0xFF, 0xD8, 0xFF]) {
      var at = 2
      var size: (Int, Int)?
      // Segments up to the frame header (ISO/IEC 10918-1, B.2.2); C4, C8 and CC are none.
      while size == nil, bytes.count - at >= 9 {
        let marker = bytes[at + 1]
        guard bytes[at] == 0xFF else { return nil }
        if marker == 0xFF {
          at += 1
        } else if 0xC0...0xCF ~= marker, ![0xC4, 0xC8, 0xCC].contains(marker) {
          size = (number(at + 7, 2), number(at + 5, 2))
        } else {
          at += 2 + max(number(at + 2, 2), 2)
        }
      }
      guard let size else { return nil }
      (kind, width, height) = (.jpeg, size.0, size.1)
    } else {
      return nil
    }
    guard 1...1 << 15 ~= width, 1...1 << 15 ~= height else { return nil }
  }

  var description: String { "\(kind.rawValue) of \(width) × \(height)" }
}

/// Pictures of one kind and size, a file a row, as a movie file.
enum PictureMovie {
  /// - Parameter remedy: What to do where they cannot be one.
  /// - Throws: A data error that names the row.
  static func file(
    _ pictures: [[UInt8]?], rate: Rational, name: String, remedy: String
  ) throws(TrajpackError) -> MovieFile {
    let spool = RowSpool()
    var head: PictureHead?
    var samples: [MovieFile.Sample] = []
    var offsets: [Int] = []
    var at = 0
    guard let timescale = UInt32(exactly: rate.numerator),
      let step = UInt32(exactly: rate.denominator)
    else { throw TrajpackError(.data, "\(rate) frames a second are no rate of a video; \(remedy)") }
    for (row, picture) in pictures.enumerated() {
      guard let picture, let own = PictureHead(picture) else {
        throw TrajpackError(
          .data,
          "row \(row) has no PNG and no JPEG file, and others have; \(remedy)")
      }
      guard head == nil || head == own else {
        throw TrajpackError(
          .data,
          "row \(row) is a \(own.description), and those before are \(head?.description ?? ""); \(remedy)"
        )
      }
      head = own
      let time = Int64(row) * Int64(step)
      samples.append(.init(size: picture.count, dts: time, pts: time, isKey: true))
      offsets.append(at)
      try spool.append(picture)
      at += picture.count
    }
    guard let head else { throw TrajpackError(.data, "there are no pictures") }
    let description = MovieDescription(
      pictures: head.kind == .png ? "png " : "jpeg", width: head.width, height: head.height,
      timescale: timescale)
    return MovieFile(
      description, samples, offsets: offsets, in: .spool(spool, 0..<at),
      shown: 0..<Int64(pictures.count) * Int64(step), name: name)
  }
}
