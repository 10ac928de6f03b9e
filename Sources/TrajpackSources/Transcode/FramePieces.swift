import TrajpackFormat
import TrajpackStore

/// Samples of frames that are made some frames at a time, in memory of 8 MiB or of one frame, and read at any byte.
struct FramePieces {
  private let frameBytes: Int
  private let frameCount: Int
  private let perPiece: Int
  private let room: ByteBuffer
  /// The frames in `room`.
  private var held = 0..<0

  init(frameBytes: Int, count: Int) {
    (self.frameBytes, frameCount) = (frameBytes, count)
    perPiece = min(max((8 << 20) / max(frameBytes, 1), 1), 32)
    room = ByteBuffer(perPiece * frameBytes)
  }

  /// Bytes of all frames.
  var count: Int { frameCount * frameBytes }

  /// Copies the bytes from `offset` on.
  ///
  /// - Parameter make: Makes the samples of frames, one behind the other.
  mutating func read(
    at offset: Int, into buffer: UnsafeMutableRawBufferPointer,
    make: (_ frames: Range<Int>, _ samples: UnsafeMutableRawBufferPointer) throws(TrajpackError) ->
      Void
  ) throws(TrajpackError) {
    var done = 0
    while done < buffer.count {
      let at = offset + done
      let frame = at / frameBytes
      if !held.contains(frame) {
        held = 0..<0
        let piece = frame..<min(frame + perPiece, frameCount)
        try make(
          piece, UnsafeMutableRawBufferPointer(rebasing: room.bytes[..<(piece.count * frameBytes)]))
        held = piece
      }
      let from = at - held.lowerBound * frameBytes
      let part = min(buffer.count - done, held.count * frameBytes - from)
      UnsafeMutableRawBufferPointer(rebasing: buffer[done..<done + part]).copyMemory(
        from: UnsafeRawBufferPointer(rebasing: room.bytes[from..<from + part]))
      done += part
    }
  }
}
