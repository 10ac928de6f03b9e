import TrajpackFormat
import TrajpackStore

/// The boxes of an ISO base media file (mp4, mov; ISO/IEC 14496-12).
struct MovieBoxes {
  struct Box {
    var kind: String
    /// The whole box.
    var all: Range<Int>
    var body: Range<Int>
  }

  let bytes: [UInt8]

  /// The boxes that tile a part of the bytes; those that are damaged end the list.
  func boxes(_ range: Range<Int>) -> [Box] {
    var out: [Box] = []
    var at = range.lowerBound
    while range.upperBound - at >= 8 {
      let short = number(at, 4)
      let head = short == 1 ? 16 : 8
      guard range.upperBound - at >= head else { break }
      let length =
        short == 0
        ? range.upperBound - at : short == 1 ? Int(clamping: number(at + 8, 8)) : Int(short)
      guard length >= head, length <= range.upperBound - at else { break }
      out.append(
        Box(
          kind: String(decoding: bytes[at + 4..<at + 8], as: UTF8.self), all: at..<at + length,
          body: at + head..<at + length))
      at += length
    }
    return out
  }

  /// The first box at the end of a path of kinds.
  func box(_ path: [String], in range: Range<Int>) -> Box? {
    var range = range
    var found: Box?
    for kind in path {
      guard let next = boxes(range).first(where: { $0.kind == kind }) else { return nil }
      found = next
      range = next.body
    }
    return found
  }

  /// A big-endian number that lies in the bytes.
  func number(_ at: Int, _ count: Int) -> UInt64 {
    bytes[at..<at + count].reduce(0) { $0 << 8 | UInt64($1) }
  }
}

/// How the packets of a track are described in a movie file, apart from where they are and when.
struct MovieDescription: Sendable {
  /// The box `ftyp`.
  var fileType: [UInt8]
  /// The box `stsd`, of one entry.
  var samples: [UInt8]
  /// The matrix of the track, 36 bytes, and its width and height in the movie, 8 bytes.
  var geometry: [UInt8]
  /// Ticks a second.
  var timescale: UInt32

  private static let mostHeader = 256 << 20

  /// Pictures that are files of their own, in a QuickTime file.
  ///
  /// - Parameter kind: `png ` or `jpeg`.
  init(pictures kind: String, width: Int, height: Int, timescale: UInt32) {
    var type = BoxWriter()
    type.box("ftyp") { out in
      out.text("qt  ")
      out.number(UInt32(0x200))
      out.text("qt  ")
    }
    var out = BoxWriter()
    out.box("stsd", version: 0) { out in
      out.number(UInt32(1))
      out.box(kind) { out in
        out.numbers(0, 1)
        out.zeros(16)
        out.number(UInt16(width))
        out.number(UInt16(height))
        out.numbers(0x48_0000, 0x48_0000, 0)
        out.number(UInt16(1))
        out.zeros(32)
        out.numbers(0x18_FFFF)
      }
    }
    var geometry = BoxWriter()
    geometry.unity()
    geometry.numbers(UInt32(width) << 16, UInt32(height) << 16)
    (fileType, samples, self.geometry) = (type.bytes, out.bytes, geometry.bytes)
    self.timescale = timescale
  }

  /// That of a stream of a file.
  ///
  /// - Throws: A data error where the file is no movie file, or its stream has several descriptions.
  init(_ file: LocalFile, stream: Int) throws(TrajpackError) {
    func wrong(_ what: String) -> TrajpackError { TrajpackError(.data, what) }
    var type = BoxWriter()
    type.box("ftyp") { out in
      out.text("isom")
      out.number(UInt32(0x200))
    }
    var movie: [UInt8] = []
    var at = 0
    while at + 8 <= file.length {
      let head = MovieBoxes(bytes: try file.bytes(at..<min(at + 16, file.length)))
      var length = Int(head.number(0, 4))
      if length == 1, head.bytes.count == 16 { length = Int(clamping: head.number(8, 8)) }
      if length == 0 { length = file.length - at }
      guard length >= 8, length <= file.length - at else { break }
      let kind = String(decoding: head.bytes[4..<8], as: UTF8.self)
      if kind == "ftyp" || kind == "moov" {
        guard length <= Self.mostHeader else { throw wrong("its box \(kind) has \(length) bytes") }
        let box = try file.bytes(at..<at + length)
        if kind == "ftyp" { type.bytes = box } else { movie = box }
      }
      at += length
    }
    let boxes = MovieBoxes(bytes: movie)
    guard let moov = boxes.boxes(movie.indices).first else {
      throw wrong("is no mp4 file, and others cannot be cut at packets")
    }
    let tracks = boxes.boxes(moov.body).filter { $0.kind == "trak" }
    guard tracks.indices.contains(stream) else { throw wrong("its boxes are damaged") }
    let track = tracks[stream]
    guard let header = boxes.box(["tkhd"], in: track.body), header.body.count >= 84,
      let media = boxes.box(["mdia", "mdhd"], in: track.body), media.body.count >= 24,
      let table = boxes.box(["mdia", "minf", "stbl"], in: track.body),
      let samples = boxes.box(["stsd"], in: table.body), samples.body.count >= 8
    else { throw wrong("its boxes are damaged") }
    let entries = boxes.boxes(samples.body.dropFirst(8))
    guard entries.count == 1 else {
      throw wrong(
        "its codec parameters change within the file, so that it cannot be cut; encode it anew (ffmpeg -i IN OUT.mp4)"
      )
    }
    fileType = type.bytes
    self.samples = Array(movie[samples.all])
    geometry = Array(movie[header.body.upperBound - 44..<header.body.upperBound])
    let place = media.body.lowerBound + (movie[media.body.lowerBound] == 0 ? 12 : 20)
    timescale = UInt32(boxes.number(place, 4))
    guard timescale > 0 else { throw wrong("its boxes are damaged") }
  }
}
