import TrajpackFormat

/// A track that comes whole, such as a video, rather than row by row.
public protocol WholeTrack: Sendable {
  /// Rows.
  var count: Int { get }
  /// Bytes of its part of the stream's blob.
  var bytes: Int { get }

  /// The track, laid out for a shard.
  ///
  /// - Parameter stream: Its stream, by the number in `layout`.
  func draft(stream: Int, in layout: Schema, clock: Clock) throws(TrajpackError) -> TrackDraft
}

extension StreamPlan {
  /// Whether a row is a frame of a video.
  var isVideo: Bool { stream.attributes["video"]?.bool ?? false }

  /// What is wrong with the channels of a stream of videos.
  var videoFault: String? {
    let needed: [(String, ElementType)] = [
      ("packet", .bytes), ("pts", .int64), ("dts", .int64), ("duration", .int64),
      ("keyframe", .uint8),
    ]
    let found = channels.map(\.channel)
    let isWhole = needed.allSatisfy { name, type in
      found.contains { $0.name == name && $0.type == type && $0.shape.isEmpty }
    }
    let isTimed = found.contains {
      $0.name == "time" && ($0.type == .int64 || $0.type == .float64) && $0.shape.isEmpty
    }
    guard isWhole, found.count == needed.count + (isTimed ? 1 : 0) else {
      return
        "is of videos, so its channels are packet (bytes), pts, dts, duration (int64), keyframe (uint8) and, where "
        + "it has explicit times, time"
    }
    return nil
  }
}
