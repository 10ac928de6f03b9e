import TrajpackFormat
import TrajpackLoader
import TrajpackStore
import TrajpackValidate

extension Validate {
  /// What `--frames` asks for: decodes every frame of the videos of the episodes that are looked at.
  func frameCheck(_ counters: ProgressCounters) -> FrameLook? {
    guard frames else { return nil }
    let media = media
    return FrameLook { (dataset, shards, takes) throws(TrajpackError) in
      let data = try OpenDataset(dataset, shards)
      if let folder = media.folder {
        try data.media.set(folder, allowsOutside: media.allowsOutside)
      }
      var videos: [FrameLook.Video] = []
      for track in FrameVerification.tracks(of: data) {
        let (shard, number) = try data.track(track)
        let id = shard.index.id(ofEpisode: shard.index.numbers(ofTrack: number).episode)
        guard takes(id) else { continue }
        videos.append(
          FrameLook.Video(episode: id, key: "frames \(shard.name) \(number)") {
            () throws(TrajpackError) in
            guard !Interrupt.isRequested else { return nil }
            var look = VideoLook(shard, number)
            try look.decode(data, track) { Interrupt.isRequested }
            return try look.findings()
          })
      }
      return videos
    } took: {
      counters.begin($0)
      counters.advance(bytes: 0, items: 1)
    }
  }
}

/// What the decoded frames of one video tell.
private struct VideoLook {
  private let shard: Shard
  private let track: Int
  private let reader: TrackReader
  private let isDepth: Bool
  /// The first frames that do not decode, and how many.
  private var broken: [(frame: Int, why: String)] = []
  private var brokenCount = 0
  /// How much each picture differs from the one before.
  private var changes: [Double] = []
  /// Of depth: in hundredths, how much of a picture is none; and some distances, in metres.
  private var missing: [(frame: Int, percent: Int)] = []
  private var distances: [Double] = []
  private var isStopped = false

  /// Pictures that are compared with each other have so many rows and columns.
  private static let (height, width) = (36, 64)
  private static let pieceBytes = 16 << 20
  private static let mostPixels = 256
  private static let mostDistances = 1 << 15

  init(_ shard: Shard, _ track: Int) {
    (self.shard, self.track) = (shard, track)
    reader = TrackReader(shard, track: track, reader: BlockReader(shard, cache: 1 << 20))
    isDepth = reader.stream.isDepth
  }

  private var episode: String { shard.index.id(ofEpisode: reader.track.episode) }

  /// Opens the video as what can be looked at: distances in metres, or small pictures, gray or of colours; as it is stored where
  /// it can be neither. Of depth
  /// colours come last: planes without a name can be read as colours, too.
  private func open(_ data: OpenDataset, _ track: Int) throws(TrajpackError) -> TrackFrames {
    let gray = #"{"format": "gray8", "size": [\#(Self.height), \#(Self.width)]}"#
    let colours = #"{"format": "rgb24", "size": [\#(Self.height), \#(Self.width)]}"#
    let native = #"{"format": "native"}"#
    let options = isDepth ? [#"{"depth": "m"}"#, native, colours] : [gray, colours, native]
    for form in options.dropLast() {
      do throws(TrajpackError) { return try TrackFrames(data, track: track, options: form) } catch {
        // What cannot be made of it is no fault of the data.
        guard error.fault == .usage else { throw error }
      }
    }
    return try TrackFrames(data, track: track, options: options[options.count - 1])
  }

  mutating func decode(
    _ data: OpenDataset, _ track: Int, isStopped: () -> Bool
  ) throws(TrajpackError) {
    let frames: TrackFrames
    do throws(TrajpackError) { frames = try open(data, track) } catch {
      guard error.fault == .data else { throw error }
      note(0, error, count: reader.count)
      return
    }
    let piece = max(1, min(64, Self.pieceBytes / max(frames.bytes, 1)))
    // The last picture of the piece before lies before the first of the next.
    var room = [UInt8](repeating: 0, count: (piece + 1) * frames.bytes)
    var at = 0
    var isKnown = false
    while at < frames.count {
      if isStopped() {
        self.isStopped = true
        return
      }
      let some = at..<min(at + piece, frames.count)
      if let error = Self.read(frames, some, into: &room, at: 1) {
        guard error.fault == .data else { throw error }
        for frame in some {
          let error = Self.read(frames, frame..<frame + 1, into: &room, at: 1)
          if let error {
            guard error.fault == .data else { throw error }
            note(frame, error, count: 1)
          }
          take(frames, frame, 1, room, isWhole: error == nil, after: isKnown)
          isKnown = error == nil
          Self.keepLast(&room, 1, frames.bytes)
        }
      } else {
        for n in some.indices {
          let place = n - some.lowerBound + 1
          take(frames, n, place, room, isWhole: true, after: isKnown)
          isKnown = true
        }
        Self.keepLast(&room, some.count, frames.bytes)
      }
      at = some.upperBound
    }
  }

  private static func keepLast(_ room: inout [UInt8], _ place: Int, _ bytes: Int) {
    room.withUnsafeMutableBytes {
      guard let base = $0.baseAddress else { return }
      base.copyMemory(from: base + place * bytes, byteCount: bytes)
    }
  }

  private static func read(
    _ frames: TrackFrames, _ some: Range<Int>, into room: inout [UInt8], at place: Int
  ) -> TrajpackError? {
    room.withUnsafeMutableBytes { bytes in
      do throws(TrajpackError) {
        try frames.read(
          some, into: UnsafeMutableRawBufferPointer(rebasing: bytes[(place * frames.bytes)...]))
        return nil
      } catch { return error }
    }
  }

  private mutating func note(_ frame: Int, _ error: TrajpackError, count: Int) {
    brokenCount += count
    if broken.count < 3 { broken.append((frame, error.message)) }
  }

  /// Takes a frame, which is at a place of the room; `after` says whether the one before it is there.
  private mutating func take(
    _ frames: TrackFrames, _ frame: Int, _ place: Int, _ room: [UInt8], isWhole: Bool,
    after isKnown: Bool
  ) {
    if frames.format == "depth" {
      guard isWhole else { return }
      let count = frames.bytes / 4
      let pixels = min(count, Self.mostPixels)
      let every = max(frames.count * pixels / Self.mostDistances, 1)
      var none = 0
      room.withUnsafeBytes { raw in
        for n in 0..<pixels {
          let pixel = (n * count + count / 2) / pixels
          let value = raw.loadUnaligned(
            fromByteOffset: place * frames.bytes + 4 * pixel, as: Float.self)
          guard value.isFinite, value > 0 else {
            none += 1
            continue
          }
          if n % every == 0 { distances.append(Double(value)) }
        }
      }
      missing.append((frame, 100 * none / max(pixels, 1)))
    } else if frames.format != "native" {
      guard isWhole, isKnown else { return changes.append(.nan) }
      var sum = 0
      room.withUnsafeBytes { raw in
        for i in 0..<frames.bytes {
          sum += abs(
            Int(raw[place * frames.bytes + i]) - Int(raw[(place - 1) * frames.bytes + i]))
        }
      }
      changes.append(Double(sum) / Double(max(frames.bytes, 1)))
    }
  }

  /// What was found; `nil` where the user stopped it before its end.
  func findings() throws(TrajpackError) -> [FrameFinding]? {
    guard !isStopped else { return nil }
    var out: [FrameFinding] = []
    for item in broken.prefix(1) {
      out.append(
        finding(
          "time.frames", "frames do not decode", count: brokenCount,
          rows: item.frame..<item.frame + 1,
          [Double(reader.count - brokenCount), Double(reader.count)],
          "\(reader.count - brokenCount) of \(reader.count) frames decode; the first that does not: \(item.why)"
        ))
    }
    if !missing.isEmpty { depth(&out) }
    // Number 0 is of the first picture, which none is before.
    if changes.count > 1, let motion = try known(),
      let shift = VideoMotion.shift(
        pictures: Array(changes.dropFirst()), motion: motion.steps)
    {
      let later = shift.rows > 0 ? "later" : "earlier"
      out.append(
        finding(
          "time.video-shift", "pictures come \(later) than '\(motion.stream)' moves (rows)",
          rows: nil, [Double(abs(shift.rows))],
          "correlation \((shift.correlation * 100).rounded() / 100) at this shift, "
            + "\((shift.unshifted * 100).rounded() / 100) without it"))
    }
    return out
  }

  /// The motion of the camera, where it is whole: what is damaged of it is found by the rules that read rows.
  private func known() throws(TrajpackError) -> (steps: [Double], stream: String)? {
    do throws(TrajpackError) { return try motion() } catch {
      guard error.fault == .data else { throw error }
      return nil
    }
  }

  private func depth(_ out: inout [FrameFinding]) {
    let middle = missing.map(\.percent).sorted()[missing.count / 2]
    let empty = missing.filter { $0.percent >= 95 }
    if middle <= 50, let first = empty.first {
      out.append(
        finding(
          "geometry.depth-missing", "pictures without depth among others (percent that is none)",
          count: empty.count, rows: first.frame..<first.frame + 1, [Double(first.percent)], nil))
    }
    guard !distances.isEmpty else { return }
    let median = distances.sorted()[distances.count / 2]
    guard median > 500 || median < 0.002 else { return }
    out.append(
      finding(
        "geometry.depth-range",
        median > 500 ? "half of the depth is beyond 500 m" : "half of the depth is within 2 mm",
        rows: nil, [median], "a median of \(median) m by its units"))
  }

  private func finding(
    _ rule: String, _ what: String, count: Int = 1, rows: Range<Int>?, _ values: [Double],
    _ note: String?
  ) -> FrameFinding {
    let entity = reader.track.entity.map { "\($0.kind) \($0.index)" }
    return FrameFinding(
      rule: rule, what, stream: reader.stream.name, count: count,
      Place(
        shard: shard.name, video: episode, entity: entity, rows: rows, values: values, note: note))
  }

  /// How far the camera of the video moves from row to row: of the streams with the same clock one with a pose, else one
  /// with a camera's intrinsics, else the first that has a position; and that stream's name.
  private func motion() throws(TrajpackError) -> (steps: [Double], stream: String)? {
    guard case .regular(let start, let rate) = reader.track.clock else { return nil }
    var best: (rank: Int, track: TrackReader, place: Int, turn: Int?)?
    for number in shard.index.tracks(ofEpisode: reader.track.episode) {
      let other = TrackReader(shard, track: number, reader: BlockReader(shard, cache: 1 << 20))
      guard case .regular(start, rate) = other.track.clock, other.track.entity == nil,
        other.count <= 1 << 20
      else { continue }
      let channels = other.stream.channels
      let pose = channels.firstIndex {
        $0.kind == .matrix && $0.convention("pose") != nil
          && ($0.shape == [3, 4] || $0.shape == [4, 4])
      }
      let place = channels.firstIndex { $0.kind == .position && $0.shape == [3] }
      let turn = channels.firstIndex { $0.kind == .quaternion && $0.shape == [4] }
      guard let chosen = pose ?? place else { continue }
      let rank = pose != nil ? 2 : channels.contains { $0.kind == .intrinsics } ? 1 : 0
      if let best, best.rank >= rank { continue }
      best = (rank, other, chosen, pose == nil ? turn : nil)
    }
    guard let best else { return nil }
    let isPose = best.rank == 2
    func values(_ channel: Int) throws(TrajpackError) -> [Double] {
      try best.track.read(channel: channel, rows: 0..<best.track.count).doubles()
    }
    let places = try values(best.place)
    let width = best.track.stream.channels[best.place].elements
    let moves = Self.steps(places, width, isPose ? [3, 7, 11] : [0, 1, 2])
    var turns: [Double] = []
    if isPose { turns = Self.steps(places, width, [0, 1, 2, 4, 5, 6, 8, 9, 10]) }
    if let turn = best.turn {
      let quaternions = try values(turn)
      // A rotation has two quaternions.
      turns = zip(
        Self.steps(quaternions, 4, Array(0..<4)),
        Self.steps(quaternions, 4, Array(0..<4), sign: -1)
      ).map { min($0, $1) }
    }
    return (Self.together(moves, turns), best.track.stream.name)
  }

  /// How far some elements move from row to row.
  private static func steps(
    _ values: [Double], _ width: Int, _ elements: [Int], sign: Double = 1
  ) -> [Double] {
    stride(from: width, to: values.count, by: width).map { row in
      elements.reduce(0.0) {
        let step = values[row + $1] - sign * values[row - width + $1]
        return $0 + step * step
      }.squareRoot()
    }
  }

  /// Moves and turns, each by its own spread, so that neither drowns the other.
  private static func together(_ moves: [Double], _ turns: [Double]) -> [Double] {
    guard !turns.isEmpty else { return moves }
    func spread(_ steps: [Double]) -> Double {
      let known = steps.filter(\.isFinite).sorted()
      return known.isEmpty ? 0 : known[known.count * 3 / 4]
    }
    let (a, b) = (spread(moves), spread(turns))
    return zip(moves, turns).map { (a > 0 ? $0 / a : 0) + (b > 0 ? $1 / b : 0) }
  }
}
