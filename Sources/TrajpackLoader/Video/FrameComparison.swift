import CVideoTable
import Glibc
import TrajpackFormat
import TrajpackStore

/// Compares the frames of two video tracks, whatever each is stored as.
public struct FrameComparison {
  private let media: (MediaFolder, MediaFolder)

  /// - Parameter media: Where linked videos of each side are.
  public init(_ left: MediaFolder, _ right: MediaFolder) { media = (left, right) }

  /// The first difference in a sentence; `nil` where all frames are equal, sample by sample.
  ///
  /// - Throws: What decoding throws.
  public func difference(
    _ left: TrackReader, _ right: TrackReader
  ) throws(TrajpackError) -> String? {
    let source = FrameSource(frameBytes: 0)
    let a = try source.video(left.shard, VideoKey(shard: 0, track: left.number), media: media.0)
    let b = try source.video(right.shard, VideoKey(shard: 1, track: right.number), media: media.1)
    guard a.frames == b.frames else { return "has \(a.frames) and \(b.frames) frames" }
    // Stored samples are brightness; else the decoders' planes are compared.
    var output = tpv_output()
    if a.facts.stored == nil, b.facts.stored == nil {
      output.format = Int32(bitPattern: TPV_NATIVE.rawValue)
    }
    let (x, y) = (
      try a.facts.layout(output, name: a.name), try b.facts.layout(output, name: b.name)
    )
    let isAlike =
      (x.bytes, x.output.format, x.output.width, x.output.height)
      == (y.bytes, y.output.format, y.output.width, y.output.height)
    let isNative = output.format != 0
    guard isAlike, !isNative || a.facts.pixelFormat == b.facts.pixelFormat else {
      return
        "frames are \(a.facts.width) × \(a.facts.height) \(a.facts.pixelFormat) and \(b.facts.width) × "
        + "\(b.facts.height) \(b.facts.pixelFormat)"
    }
    let bytes = Int(x.bytes)
    let piece = min(max((16 << 20) / max(bytes, 1), 1), 32)
    let (mine, theirs) = (ByteBuffer(piece * bytes), ByteBuffer(piece * bytes))
    guard let from = mine.bytes.baseAddress, let other = theirs.bytes.baseAddress else {
      return nil
    }
    for first in stride(from: 0, to: a.frames, by: piece) {
      let count = min(piece, a.frames - first)
      func frames(_ memory: UnsafeMutableRawPointer) -> [tpv_frame] {
        (0..<count).map { number in
          var frame = tpv_frame()
          frame.frame = Int64(first + number)
          frame.memory = memory + number * bytes
          return frame
        }
      }
      try source.decode(a, frames(from), as: x.output, threads: 2, goesOn: true)
      try source.decode(b, frames(other), as: y.output, threads: 2, goesOn: true)
      for number in 0..<count {
        let range = number * bytes..<(number + 1) * bytes
        guard memcmp(from + range.lowerBound, other + range.lowerBound, bytes) != 0 else {
          continue
        }
        let at = zip(mine.bytes[range], theirs.bytes[range]).enumerated().first {
          $1.0 != $1.1
        }
        let place = at.map { ", byte \($0.offset): \($0.element.0) and \($0.element.1)" } ?? ""
        return "frame \(first + number) differs\(place)"
      }
    }
    return nil
  }
}
