#if Video
  import TrajpackFormat

  /// What our own walk over a container's outermost structure found.
  ///
  /// libavformat reads many a cut file without an error, so the sizes that the container states are
  /// compared with the bytes that are there.
  struct ContainerStructure {
    /// What could not be proved, a sentence each.
    var notes: [String] = []
    /// How many frames the first video track's blocks hold, where the walk counted them.
    var videoFrames: Int?

    /// What to do with a film whose parts lie otherwise than they are shown.
    static let asOneFilm =
      "write it as one film, without loss, with 'ffmpeg -i IN -c:v libx264 -qp 0 OUT.mp4'"

    /// The codecs for which libavformat gives one packet a frame of a Matroska block.
    static let oneFrameABlock: Set<String> = ["h264", "hevc", "vp8", "vp9", "av1", "ffv1", "mjpeg"]

    /// Walks the container that the first bytes announce. Throws `.data` where it is cut.
    static func check(_ source: any VideoByteSource) throws(TrajpackError) -> ContainerStructure {
      var bytes = ByteWindow(source)
      let head = try bytes.take(at: 0, 12)
      if head.starts(with: [0x1A, 0x45, 0xDF, 0xA3]) {
        return try MatroskaWalk.check(&bytes)
      }
      if head.starts(with: Array("RIFF".utf8)) {
        return try RIFFWalk.check(&bytes)
      }
      if BoxWalk.recognizes(head) {
        return try BoxWalk.check(&bytes)
      }
      return ContainerStructure(
        notes: ["this kind of container states no length, so a cut at its end can go unnoticed"])
    }
  }

  /// A small buffered window over a byte source, for reading headers here and there.
  struct ByteWindow {
    let source: any VideoByteSource
    private var bytes = [UInt8](repeating: 0, count: 1 << 12)
    private var start: Int64 = 0
    private var filled = 0

    init(_ source: any VideoByteSource) { self.source = source }

    /// The length of the source.
    var end: Int64 { source.byteCount }

    /// The `count` bytes (at most 4,096) at `offset`, fewer at the end of the source.
    mutating func take(at offset: Int64, _ count: Int) throws(TrajpackError) -> ArraySlice<UInt8> {
      guard offset >= 0, offset < end else { return [] }
      let wanted = Int(min(Int64(min(count, bytes.count)), end - offset))
      if offset < start || offset + Int64(wanted) > start + Int64(filled) {
        filled = try source.fill(&bytes, count: bytes.count, at: offset)
        start = offset
      }
      let first = Int(offset - start)
      return bytes[first..<min(first + wanted, filled)]
    }

    /// The big-endian number of `count` bytes (at most 8) at `offset`; nil where the source ends.
    mutating func number(at offset: Int64, _ count: Int) throws(TrajpackError) -> UInt64? {
      let slice = try take(at: offset, count)
      guard slice.count == count else { return nil }
      return slice.reduce(0) { $0 << 8 | UInt64($1) }
    }
  }
#endif
