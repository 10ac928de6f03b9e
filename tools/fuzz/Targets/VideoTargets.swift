import TrajpackFormat
@testable import TrajpackSources
@testable import TrajpackStore
@testable import TrajpackVideo

let videoTargets: [FuzzTarget] = [
  // A container, as it is taken into an archive: FFmpeg's demuxers, which are not instrumented, under our checks.
  FuzzTarget("container") { (input) throws(TrajpackError) in
    _ = try VideoFile.index(InputBytes(bytes: Array(input)))
  },

  // Movie boxes by our own reader, and heads of pictures.
  FuzzTarget("boxes") { (input) throws(TrajpackError) in
    _ = PictureHead(Array(input))
    _ = try MovieDescription(try LocalFile(Scratch.file("x", input)), stream: 0)
  },

  // Changes of the packet table of a sound video: a column, a packet, a number; then frames are decoded by that table.
  FuzzTarget("packet-index") { (input) throws(TrajpackError) in
    var index = SoundVideo.shared.index
    var at = 0
    while at + 11 <= input.count {
      let packet = Int(input[at + 1]) % max(index.packets.count, 1)
      guard packet < index.packets.pts.count else { break }
      let number = (0..<8).reduce(Int64(0)) { $0 << 8 | Int64(input[at + 2 + $1]) }
      switch input[at] % 9 {
      case 0: index.packets.pts[packet] = number
      case 1: index.packets.dts[packet] = number
      case 2: index.packets.size[packet] = Int32(truncatingIfNeeded: number)
      case 3: index.packets.offset[packet] = number
      case 4:
        let flags = UInt8(truncatingIfNeeded: number)
        index.packets.flags[packet] = VideoPacketFlags(rawValue: flags)
      case 5: index.packets.duration[packet] = number
      case 6: index.byteCount = number
      case 7: index.streamNumber = Int(number % 4)
      default: _ = index.packets.pts.popLast()
      }
      at += 11
    }
    let decoder = try VideoDecoder(index: index, source: SoundVideo.shared.source)
    let output = VideoOutput(.rgb24)
    let bytes = try decoder.frameBytes(output)
    guard bytes <= 1 << 22, decoder.frameCount > 0 else { return }
    var room = [UInt8](repeating: 0, count: bytes)
    for frame in [0, decoder.frameCount - 1] {
      var failure: TrajpackError?
      room.withUnsafeMutableBytes { room in
        do throws(TrajpackError) {
          try decoder.decode(frames: [frame], as: output, into: room)
        } catch { failure = error }
      }
      if let failure { throw failure }
    }
  },
]

/// Bytes of an input as a video's.
private struct InputBytes: VideoByteSource {
  var bytes: [UInt8]
  var name: String { "input" }
  var byteCount: Int64 { Int64(bytes.count) }

  func read(
    at offset: Int64, into buffer: UnsafeMutableRawBufferPointer
  ) throws(TrajpackError) -> Int {
    guard offset >= 0, offset < byteCount else { return 0 }
    let count = min(buffer.count, bytes.count - Int(offset))
    buffer.copyBytes(from: bytes[Int(offset)..<Int(offset) + count])
    return count
  }
}

/// The first seed of the target `container`.
private struct SoundVideo: Sendable {
  let index: VideoIndex
  let source: InputBytes

  static let shared: SoundVideo = {
    let path = Scratch.corpus + "/container/seed-0"
    guard let file = try? LocalFile(path), let bytes = try? file.bytes(0..<file.length),
      let index = try? VideoFile.index(InputBytes(bytes: bytes))
    else { fatalError("\(path) is no video") }
    return SoundVideo(index: index, source: InputBytes(bytes: bytes))
  }()
}
