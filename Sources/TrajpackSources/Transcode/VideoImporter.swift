import TrajpackFormat
import TrajpackStore

/// What is known of a video before anything of it is decoded.
public struct VideoSummary: Sendable, Equatable {
  /// The stream.
  public var stream: String
  /// Pixels.
  public var width: Int
  /// Pixels.
  public var height: Int
  /// libavutil's name.
  public var pixelFormat: String
  /// Rows.
  public var frames: Int
  /// Bytes of its file.
  public var bytes: Int
}

/// An importer of recordings with videos.
public protocol VideoImporter: Importer {
  /// What is known of the videos of a recording.
  func videos(
    _ recording: Recording, _ examination: Examination
  ) throws(TrajpackError) -> [VideoSummary]

  /// The bytes of a video that is linked, of which a draft has none.
  ///
  /// - Parameter metadata: The track's.
  func linked(
    _ metadata: JSONValue, name: String
  ) throws(TrajpackError) -> TrackDraft.Bytes
}
