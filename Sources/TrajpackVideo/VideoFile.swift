#if Video
  import CFFmpegShims
#endif
import TrajpackFormat

/// Indexing of video files: the demuxer runs once, when a file is taken into an archive.
///
/// The corresponding library is FFmpeg's libavformat. The file is read in flat memory: nothing but
/// the packet table grows with its length. No file but the given bytes is ever opened, whatever
/// a playlist or an external reference in them asks for.
public enum VideoFile {
  /// Indexes the video file at `path`.
  ///
  /// - Parameter onPacket: called for each packet in decode order; what it throws ends the
  ///   indexing and is thrown on.
  /// - Throws: `.data` for a file that is empty, cut, damaged, has no video stream or is no
  ///   video; `.usage` for a path that is no regular file and for a build without video;
  ///   `.machine` where reading fails. The sentence begins with `path`.
  public static func index(
    path: String, onPacket: (VideoPacket) throws(TrajpackError) -> Void = { _ in }
  ) throws(TrajpackError) -> VideoIndex {
    try index(VideoFileBytes(path: path), onPacket: onPacket)
  }

  /// Indexes the video file whose bytes `source` gives; the sentence of an error begins with
  /// `source.name`. See ``index(path:onPacket:)``.
  public static func index(
    _ source: any VideoByteSource,
    onPacket: (VideoPacket) throws(TrajpackError) -> Void = { _ in }
  ) throws(TrajpackError) -> VideoIndex {
    #if Video
      do {
        return try VideoIndexer.run(source, onPacket: onPacket)
      } catch {
        throw error.within(source.name)
      }
    #else
      throw .noVideo
    #endif
  }

  /// Whether this build can demux and decode video (the package trait `Video`).
  public static var isAvailable: Bool {
    #if Video
      true
    #else
      false
    #endif
  }
}

extension TrajpackError {
  /// What every entry point throws in a build without the trait `Video`.
  static let noVideo = TrajpackError(
    .usage, "this build of trajpack has no video: build it with the package trait Video")
}

extension VideoFile {
  /// The majors of libavcodec that this was built for and that it runs with; the latter 0 where FFmpeg
  /// is missing, both in a build without video.
  public static var libraryVersions: (built: Int, found: Int) {
    #if Video
      (Int(LIBAVCODEC_VERSION_MAJOR), FFmpeg.isThere ? Int(avcodec_version() >> 16) : 0)
    #else
      (0, 0)
    #endif
  }

  /// The library that decodes, by name and version; empty in a build without video and where FFmpeg is missing.
  public static var decoderVersion: String {
    #if Video
      guard FFmpeg.isThere else { return "" }
      let version = avcodec_version()
      return "libavcodec \(version >> 16).\(version >> 8 & 255).\(version & 255)"
    #else
      ""
    #endif
  }

  /// Bits of the first component of a pixel format, by libavutil's name; 0 where it is unknown or FFmpeg is
  /// missing.
  package static func bits(ofPixelFormat name: String) -> Int32 {
    #if Video
      FFmpeg.isThere
        ? av_pix_fmt_desc_get(av_get_pix_fmt(name))?.pointee.comp.0.depth ?? 0 : 0
    #else
      0
    #endif
  }
}

#if Video
  extension VideoOutput {
    /// Bytes of a frame of a stream; throws `.usage` where it cannot be made.
    package func frameBytes(of stream: VideoStream) throws(TrajpackError) -> Int {
      try FrameWriter.bytes(self, of: stream)
    }
  }

  extension VideoOutput.Format {
    /// What frames of a stream are unless somebody says otherwise: gray where they have nothing but brightness.
    package static func usual(of stream: VideoStream) throws(TrajpackError) -> Self {
      try FrameWriter.usual(of: stream)
    }
  }
#endif
