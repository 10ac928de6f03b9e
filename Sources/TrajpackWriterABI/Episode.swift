import CTrajpack
import Glibc
import TrajpackCInterface
import TrajpackFormat
import TrajpackSources
import TrajpackStore

/// An episode that is being recorded, with its writer.
private final class HeldEpisode {
  let writer: DatasetAppender
  let recorder: EpisodeRecorder
  var isDone = false

  init(_ writer: DatasetAppender, _ recorder: EpisodeRecorder) {
    self.writer = writer
    self.recorder = recorder
  }
}

private func held(_ episode: OpaquePointer?) throws(TrajpackError) -> HeldEpisode {
  try CInterface.object(episode, HeldEpisode.self, "episode")
}

/// `trajpack_write.h` says what it does.
@c @implementation
public func tpw_episode_begin(
  _ writer: OpaquePointer?, _ json: UnsafePointer<CChar>?,
  _ episode: UnsafeMutablePointer<OpaquePointer?>?, _ error: UnsafeMutablePointer<tp_error>?
) -> Int32 {
  CInterface.run(error) { () throws(TrajpackError) in
    let out = try CInterface.need(episode, "episode")
    let document = try JSONValue(parsing: try CInterface.string(json, "json"))
    let writer = try made(writer)
    let recorder = try writer.begin(
      id: document["id"]?.string ?? "", split: document["split"]?.string ?? "",
      metadata: document["metadata"] ?? .object([]))
    out.pointee = CInterface.handle(HeldEpisode(writer, recorder))
    return TP_OK
  }
}

/// `trajpack_write.h` says what it does.
@c @implementation
public func tpw_episode_track(
  _ episode: OpaquePointer?, _ json: UnsafePointer<CChar>?, _ track: UnsafeMutablePointer<Int64>?,
  _ error: UnsafeMutablePointer<tp_error>?
) -> Int32 {
  CInterface.run(error) { () throws(TrajpackError) in
    let out = try CInterface.need(track, "track")
    let reader = JSONReader(
      try JSONValue(parsing: try CInterface.string(json, "json")), at: "a track")
    var entity: Entity?
    if reader.value["entity"] != nil {
      let member = try reader.member("entity")
      entity = Entity(
        kind: try member.text("kind"), index: try member.integer("index"),
        type: try member.integer("type"))
    }
    out.pointee = Int64(
      try held(episode).recorder.begin(
        stream: try reader.text("stream"), entity: entity, clock: try clock(reader.member("clock")),
        metadata: reader.value["metadata"] ?? .object([])))
    return TP_OK
  }
}

private func clock(_ reader: JSONReader) throws(TrajpackError) -> Clock {
  func rational(_ name: String) throws(TrajpackError) -> Rational {
    let text = try reader.text(name)
    guard let number = Rational(decimal: text) else {
      throw TrajpackError(
        .usage, "a clock's \(name) is '\(text)', which is no number that 64 bits hold exactly")
    }
    return number
  }
  switch try reader.text("type") {
  case "regular": return .regular(start: try rational("start"), rate: try rational("rate"))
  case "ticks": return .ticks(try rational("tick"))
  case "float64": return .float64
  case let other:
    throw TrajpackError(.usage, "a clock is regular, ticks or float64, not '\(other)'")
  }
}

/// `trajpack_write.h` says what it does.
@c @implementation
public func tpw_episode_rows(
  _ episode: OpaquePointer?, _ track: Int64, _ count: Int64,
  _ columns: UnsafePointer<tpw_column>?, _ columnCount: Int,
  _ error: UnsafeMutablePointer<tp_error>?
) -> Int32 {
  CInterface.run(error) { () throws(TrajpackError) in
    let columns = UnsafeBufferPointer(
      start: try CInterface.need(columns, "columns"), count: max(columnCount, 0))
    try held(episode).recorder.append(
      track: Int(track), count: Int(count),
      columns: columns.map { column in
        EpisodeRecorder.Column(
          values: UnsafeRawBufferPointer(start: column.values, count: column.bytes),
          text: UnsafeRawBufferPointer(start: column.text, count: column.text_bytes))
      })
    return TP_OK
  }
}

/// `trajpack_write.h` says what it does.
@c @implementation
public func tpw_episode_video(
  _ episode: OpaquePointer?, _ json: UnsafePointer<CChar>?, _ packets: UnsafePointer<tpw_column>?,
  _ packetCount: Int64, _ times: UnsafeRawPointer?, _ timeCount: Int64,
  _ rows: UnsafeMutablePointer<Int64>?, _ error: UnsafeMutablePointer<tp_error>?
) -> Int32 {
  CInterface.run(error) { () throws(TrajpackError) in
    let out = try CInterface.need(rows, "rows")
    let reader = JSONReader(
      try JSONValue(parsing: try CInterface.string(json, "json")), at: "a video")
    let recorder = try held(episode).recorder
    let stream = try reader.text("stream")
    _ = try recorder.videoStream(stream)
    let clock = try clock(reader.member("clock"))
    let rate = clock.rate ?? .one
    var own: [Int64]?
    if let times, !clock.isRegular {
      own = (0..<Int(max(timeCount, 0))).map {
        times.loadUnaligned(fromByteOffset: 8 * $0, as: Int64.self)
      }
      try checkOrder(own ?? [], clock, stream)
    }
    let video: RecordedVideo
    if reader.value["file"] != nil {
      video = try RecordedVideo(
        stream: stream, path: try reader.text("file"), times: own, rate: rate)
    } else {
      let column = try CInterface.need(packets, "packets").pointee
      video = try RecordedVideo(
        stream: stream, packets: try pieces(column, Int(max(packetCount, 0))), times: own,
        rate: rate)
    }
    try recorder.add(video, stream: stream, clock: clock)
    out.pointee = Int64(video.count)
    return TP_OK
  }
}

/// Refuses times that go back or are no numbers.
private func checkOrder(
  _ times: [Int64], _ clock: Clock, _ stream: String
) throws(TrajpackError) {
  var last = -Double.infinity
  for (row, bits) in times.enumerated() {
    let time =
      clock == .float64
      ? Double(bitPattern: UInt64(bitPattern: bits)) : Double(bits) * clock.timeScale
    guard time.isFinite, time >= last else {
      throw TrajpackError(
        .usage,
        "stream '\(stream)', frame \(row): the time \(time) is "
          + (time.isFinite ? "earlier than that of the frame before, \(last)" : "not finite"))
    }
    last = time
  }
}

/// The bytes of each pair of offset and length.
private func pieces(_ column: tpw_column, _ count: Int) throws(TrajpackError) -> [[UInt8]] {
  let pairs = UnsafeRawBufferPointer(start: column.values, count: column.bytes)
  let text = UnsafeRawBufferPointer(start: column.text, count: column.text_bytes)
  guard count <= pairs.count / 16 else {
    throw TrajpackError(.usage, "\(count) packets, and places of \(pairs.count / 16)")
  }
  var pieces: [[UInt8]] = []
  for number in 0..<count {
    let offset = pairs.loadUnaligned(fromByteOffset: 16 * number, as: Int64.self)
    let length = pairs.loadUnaligned(fromByteOffset: 16 * number + 8, as: Int64.self)
    guard offset >= 0, length >= 0, offset <= text.count, length <= Int64(text.count) - offset
    else {
      throw TrajpackError(.usage, "packet \(number) lies outside the bytes that were given")
    }
    pieces.append([UInt8](text[Int(offset)..<Int(offset + length)]))
  }
  return pieces
}

/// `trajpack_write.h` says what it does.
@c @implementation
public func tpw_episode_commit(
  _ episode: OpaquePointer?, _ error: UnsafeMutablePointer<tp_error>?
) -> Int32 {
  CInterface.run(error) { () throws(TrajpackError) in
    let episode = try held(episode)
    guard !episode.isDone else {
      throw TrajpackError(.usage, "episode '\(episode.recorder.id)' has been committed")
    }
    try episode.writer.commit(episode.recorder)
    episode.isDone = true
    return TP_OK
  }
}

/// `trajpack_write.h` says what it does.
@c @implementation
public func tpw_episode_free(_ episode: OpaquePointer?) {
  guard episode != nil, let held = try? held(episode) else { return }
  if !held.isDone { held.writer.abandon(held.recorder) }
  CInterface.free(episode, as: HeldEpisode.self)
}
