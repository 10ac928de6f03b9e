import TrajpackFormat

/// Random access to the frames of an indexed video.
///
/// Frames are numbered in presentation order, from 0. A decoder is owned by one thread: it is no
/// `Sendable`; make one for each thread, they share the index and the source. It keeps its place,
/// so frames that are read in order are decoded once each; a jump goes to the nearest keyframe
/// that lies before the frame in decode and in presentation order. Payloads are read by the packet
/// table; where that has no offsets, the demuxer is used.
///
/// A damaged picture is an error, never a concealed picture. The rotation is not applied.
///
/// The corresponding libraries are FFmpeg's libavcodec and libswscale.
public final class VideoDecoder {
  /// The index that numbers the frames.
  public let index: VideoIndex
  /// Which packet each frame comes from.
  public let order: VideoOrder
  #if Video
    private let core: DecoderCore
    private let writer = FrameWriter()
  #endif

  /// A decoder of the video in `source`, which `index` describes.
  ///
  /// - Parameter threads: how many threads the codec may use (at least 1). One is best where a
  ///   loader decodes several videos at once.
  /// - Throws: `.usage` for a codec this machine has no decoder for, for packets without pts and
  ///   for a build without video; `.data` for an index that contradicts itself.
  public init(index: VideoIndex, source: any VideoByteSource, threads: Int = 1)
    throws(TrajpackError)
  {
    #if Video
      do {
        order = try VideoOrder(index.packets)
        self.index = index
        core = try DecoderCore(index, order, source, threads: threads)
      } catch {
        throw error.within(source.name)
      }
    #else
      throw .noVideo
    #endif
  }

  /// Indexes the file at `path` and makes a decoder of it.
  public convenience init(path: String, threads: Int = 1) throws(TrajpackError) {
    let source = try VideoFileBytes(path: path)
    try self.init(index: VideoFile.index(source), source: source, threads: threads)
  }

  /// How many frames the video has.
  public var frameCount: Int { order.frameCount }

  /// How many packets were decoded so far: what random access costs beyond the frames asked for.
  public var packetsDecoded: Int {
    #if Video
      core.packetsSent
    #else
      0
    #endif
  }

  /// Bytes of one frame in `output`. Throws `.usage` where the output cannot be made.
  public func frameBytes(_ output: VideoOutput) throws(TrajpackError) -> Int {
    #if Video
      return try FrameWriter.bytes(output, of: index.stream)
    #else
      throw .noVideo
    #endif
  }

  /// Decodes `frames`, in any order and with repetitions, into `buffer`: frame `frames[k]` begins
  /// at byte `k * frameStride`.
  ///
  /// - Parameter frameStride: bytes from one frame to the next; nil for ``frameBytes(_:)``.
  /// - Throws: `.usage` for a frame that does not exist, a buffer that is too small or an output
  ///   that cannot be made; `.data` for a damaged packet, which it names with its byte and pts.
  ///   The decoder stays usable.
  public func decode(
    frames: [Int], as output: VideoOutput, into buffer: UnsafeMutableRawBufferPointer,
    frameStride: Int? = nil
  ) throws(TrajpackError) {
    #if Video
      do throws(TrajpackError) {
        let bytes = try FrameWriter.bytes(output, of: index.stream)
        let stride = frameStride ?? bytes
        let (last, overflow) = max(frames.count - 1, 0).multipliedReportingOverflow(by: stride)
        guard stride >= bytes, !overflow, frames.isEmpty || buffer.count - bytes >= last else {
          throw TrajpackError(
            .usage,
            "\(frames.count) frames of \(bytes) bytes, \(stride) apart, do not fit into "
              + "\(buffer.count) bytes")
        }
        let slots = frames.indices.sorted { frames[$0] < frames[$1] }
        var next = slots[...]
        var wanted: [Int] = []
        for slot in slots where wanted.last != frames[slot] { wanted.append(frames[slot]) }
        try core.decode(wanted) { (frame, picture) throws(TrajpackError) in
          while let slot = next.first, frames[slot] == frame {
            next.removeFirst()
            let room = UnsafeMutableRawBufferPointer(
              rebasing: buffer[slot * stride..<slot * stride + bytes])
            try writer.write(picture, index.stream, output, into: room)
          }
        }
      } catch {
        throw error.within(core.name)
      }
    #else
      throw .noVideo
    #endif
  }
}
