import TrajpackFormat
import TrajpackStore
import TrajpackVideo

/// A movie file (mp4, mov) of one track, put together around packets that lie elsewhere; only its head is in memory.
///
/// The same packets give the same bytes. An edit list shows the frames that are asked for and hides those that are there
/// because others need them.
final class MovieFile: MadeBytes, VideoByteSource {
  /// A packet, in the order of decoding; times are in ticks.
  struct Sample: Sendable {
    var size: Int
    var dts: Int64
    var pts: Int64
    var isKey: Bool
  }

  /// Bytes of the source that follow one another, and where they begin in the file.
  private struct Piece {
    var start: Int
    var source: Int
    var count: Int
  }

  let name: String
  private let head: [UInt8]
  private let pieces: [Piece]
  private let source: TrackDraft.Bytes
  private let length: Int

  /// - Parameters:
  ///   - samples: In the order of decoding; those that are shown begin at the time `first` and end before `end`.
  ///   - offsets: Where each begins in the source.
  init(
    _ description: MovieDescription, _ samples: [Sample], offsets: [Int],
    in source: TrackDraft.Bytes,
    shown: Range<Int64>, name: String
  ) {
    self.name = name
    self.source = source
    let size = samples.reduce(0) { $0 + $1.size }
    // The head has the same length wherever the samples begin.
    let length = Self.head(description, samples, shown, size: size, at: 0).count
    head = Self.head(description, samples, shown, size: size, at: length)
    self.length = length + size
    var pieces: [Piece] = []
    var at = length
    for (sample, offset) in zip(samples, offsets) {
      if let last = pieces.last, last.source + last.count == offset {
        pieces[pieces.count - 1].count += sample.size
      } else {
        pieces.append(Piece(start: at, source: offset, count: sample.size))
      }
      at += sample.size
    }
    self.pieces = pieces
  }

  var count: Int { length }
  var byteCount: Int64 { Int64(length) }

  func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(TrajpackError) {
    var done = 0
    if offset < head.count {
      done = min(head.count - offset, buffer.count)
      head.withUnsafeBytes { buffer.copyMemory(from: .init(rebasing: $0[offset..<offset + done])) }
    }
    var (low, high) = (0, pieces.count)
    while low < high {
      let middle = (low + high) / 2
      if pieces[middle].start + pieces[middle].count <= offset + done {
        low = middle + 1
      } else {
        high = middle
      }
    }
    while done < buffer.count, low < pieces.count {
      let piece = pieces[low]
      let skipped = offset + done - piece.start
      let some = min(piece.count - skipped, buffer.count - done)
      try source.read(
        at: piece.source + skipped,
        into: UnsafeMutableRawBufferPointer(rebasing: buffer[done..<done + some]))
      done += some
      low += 1
    }
  }

  func read(
    at offset: Int64, into buffer: UnsafeMutableRawBufferPointer
  ) throws(TrajpackError) -> Int {
    guard offset < byteCount else { return 0 }
    let some = min(buffer.count, Int(byteCount - offset))
    try read(at: Int(offset), into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<some]))
    return some
  }
}

// MARK: The head

/// The bytes of boxes, big-endian.
struct BoxWriter {
  var bytes: [UInt8] = []

  mutating func number<T: FixedWidthInteger>(_ number: T) {
    withUnsafeBytes(of: number.bigEndian) { bytes.append(contentsOf: $0) }
  }

  mutating func numbers(_ numbers: UInt32...) { for number in numbers { self.number(number) } }

  mutating func zeros(_ count: Int) { bytes.append(contentsOf: repeatElement(0, count: count)) }

  mutating func text(_ text: String) { bytes.append(contentsOf: text.utf8) }

  /// A box of what `body` writes.
  mutating func box(_ kind: String, _ body: (inout BoxWriter) -> Void) {
    let start = bytes.count
    number(UInt32(0))
    text(kind)
    body(&self)
    withUnsafeBytes(of: UInt32(bytes.count - start).bigEndian) {
      bytes.replaceSubrange(start..<start + 4, with: $0)
    }
  }

  /// A box with a version and flags.
  mutating func box(
    _ kind: String, version: UInt32, flags: UInt32 = 0, _ body: (inout BoxWriter) -> Void
  ) {
    box(kind) {
      $0.number(version << 24 | flags)
      body(&$0)
    }
  }

  /// The matrix that changes nothing.
  mutating func unity() { numbers(0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x4000_0000) }
}

extension MovieFile {
  private static func head(
    _ description: MovieDescription, _ samples: [Sample], _ shown: Range<Int64>, size: Int,
    at start: Int
  ) -> [UInt8] {
    let first = samples.first?.dts ?? 0
    let duration = shown.upperBound - shown.lowerBound
    var durations = zip(samples.dropFirst(), samples).map { UInt32(clamping: $0.dts - $1.dts) }
    let last = samples.last.map { UInt32(clamping: max(shown.upperBound - $0.pts, 1)) } ?? 1
    durations.append(durations.last ?? last)
    var out = BoxWriter(bytes: description.fileType)
    out.box("moov") { out in
      out.box("mvhd", version: 1) { out in
        // Times of creation and change are unknown.
        out.zeros(16)
        out.number(description.timescale)
        out.number(duration)
        out.numbers(0x10000, 0x0100_0000, 0, 0)
        out.unity()
        out.zeros(24)
        out.number(UInt32(2))
      }
      out.box("trak") { out in
        out.box("tkhd", version: 1, flags: 3) { out in
          out.zeros(16)
          out.numbers(1, 0)
          out.number(duration)
          out.zeros(16)
          out.bytes += description.geometry
        }
        out.box("edts") { out in
          out.box("elst", version: 1) { out in
            out.number(UInt32(1))
            out.number(duration)
            out.number(shown.lowerBound - first)
            out.number(UInt32(0x10000))
          }
        }
        out.box("mdia") { out in
          out.box("mdhd", version: 1) { out in
            out.zeros(16)
            out.number(description.timescale)
            out.number(durations.reduce(Int64(0)) { $0 + Int64($1) })
            out.numbers(0x55C4_0000)
          }
          out.box("hdlr", version: 0) { out in
            out.zeros(4)
            out.text("vide")
            out.zeros(12)
            out.text("VideoHandler\0")
          }
          out.box("minf") { out in
            out.box("vmhd", version: 0, flags: 1) { $0.zeros(8) }
            out.box("dinf") { out in
              out.box("dref", version: 0) { out in
                out.number(UInt32(1))
                out.box("url ", version: 0, flags: 1) { _ in }
              }
            }
            out.box("stbl") { out in
              out.bytes += description.samples
              table(&out, samples, durations, at: start)
            }
          }
        }
      }
    }
    // The length of what follows, in 64 bits.
    out.number(UInt32(1))
    out.text("mdat")
    out.number(UInt64(size + 16))
    return out.bytes
  }

  /// The boxes that say when samples are, and where.
  private static func table(
    _ out: inout BoxWriter, _ samples: [Sample], _ durations: [UInt32], at start: Int
  ) {
    func runs(_ out: inout BoxWriter, _ values: [UInt32]) {
      var runs: [(count: UInt32, value: UInt32)] = []
      for value in values {
        if runs.last?.value == value {
          runs[runs.count - 1].count += 1
        } else {
          runs.append((1, value))
        }
      }
      out.number(UInt32(runs.count))
      for run in runs { out.numbers(run.count, run.value) }
    }
    out.box("stts", version: 0) { runs(&$0, durations) }
    let shifts = samples.map { UInt32(bitPattern: Int32(clamping: $0.pts - $0.dts)) }
    if shifts.contains(where: { $0 != 0 }) { out.box("ctts", version: 1) { runs(&$0, shifts) } }
    if !samples.allSatisfy(\.isKey) {
      let keys = samples.indices.filter { samples[$0].isKey }
      out.box("stss", version: 0) { out in
        out.number(UInt32(keys.count))
        for key in keys { out.number(UInt32(key + 1)) }
      }
    }
    out.box("stsc", version: 0) { $0.numbers(1, 1, UInt32(samples.count), 1) }
    out.box("stsz", version: 0) { out in
      out.numbers(0, UInt32(samples.count))
      for sample in samples { out.number(UInt32(sample.size)) }
    }
    out.box("co64", version: 0) { out in
      out.number(UInt32(1))
      out.number(UInt64(start))
    }
  }
}
