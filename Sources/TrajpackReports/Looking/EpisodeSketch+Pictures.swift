import TrajpackCodecs
import TrajpackFormat
import TrajpackLoader
import TrajpackStore

extension EpisodeSketch {
  /// A strip of frames of each video, with the skeletons that are seen in them.
  mutating func strips(
    _ data: OpenDataset, _ scene: Scene, _ budget: PageBudget, _ colours: EntityColours,
    _ folder: String?, _ episode: Int, _ tracks: [Track]
  ) throws(TrajpackError) -> [JSONValue] {
    guard budget.frames > 0 else { return [] }
    var out: [JSONValue] = []
    for (n, video) in scene.videos.enumerated() {
      let chosen = try Self.frames(of: video, budget, tracks)
      let width = min(budget.width, video.width)
      let height = max(width * video.height / video.width, 1)
      // A picture of such a shape would take more than its share.
      guard height <= 4 * width, !chosen.isEmpty else { continue }
      let pixels: [UInt8]
      do throws(TrajpackError) {
        pixels = try Self.strip(data, video, chosen, width, height)
      } catch {
        becomeBlind(error.message)
        continue
      }
      let file = JPEG.file(
        pixels, width: width * chosen.count, height: height, quality: budget.quality)
      var source = ""
      if let folder {
        let name = "\(episode)-\(n).jpg"
        add(picture: name, file)
        source = "\(folder)/\(name)"
      } else {
        source = "data:image/jpeg;base64,\(Base64.text(file))"
      }
      out.append(
        .record([
          "name": .string(video.name.printable), "w": .int(Int64(width)),
          "h": .int(Int64(height)), "src": .string(source),
          "frames": .array(chosen.map { .int(Int64($0)) }),
          "times": .array(
            chosen.map { .double(video.clock.time(ofRow: $0) ?? from) }),
          "bones": video.isDepth
            ? nil : .array(chosen.map { Self.bones(scene, video, $0, colours) }),
        ]))
    }
    return out
  }

  /// Frames that are evenly spread, or the keyframes nearest to them.
  private static func frames(
    of video: Scene.Video, _ budget: PageBudget, _ tracks: [Track]
  ) throws(TrajpackError) -> [Int] {
    let count = min(budget.frames, video.frames)
    let wanted = (0..<count).map { (2 * $0 + 1) * video.frames / (2 * count) }
    guard budget.keyframesOnly, let track = tracks.first(where: { $0.number == video.track }),
      let channel = track.reader.stream.channel(named: "keyframe")
    else { return wanted }
    var keys: [Int] = []
    try track.reader.forEachRun { (rows) throws(TrajpackError) in
      let values = try track.reader.read(channel: channel, rows: rows)
      keys += rows.filter { values.value($0 - rows.lowerBound, 0) == .int(1) }
    }
    guard !keys.isEmpty else { return wanted }
    var out: [Int] = []
    for frame in wanted {
      let nearest = keys.min { abs($0 - frame) < abs($1 - frame) } ?? frame
      if out.last != nearest { out.append(nearest) }
    }
    return out
  }

  /// Frames side by side, as RGB.
  private static func strip(
    _ data: OpenDataset, _ video: Scene.Video, _ chosen: [Int], _ width: Int, _ height: Int
  ) throws(TrajpackError) -> [UInt8] {
    let pictures = try ScenePictures(data, video, width: width, height: height)
    let values = try pictures.values(chosen)
    let ramp = pictures.isGray ? DepthRamp(values) : nil
    var out = [UInt8](repeating: 0, count: 3 * width * height * chosen.count)
    for n in chosen.indices {
      for y in 0..<height {
        for x in 0..<width {
          let from = (n * height + y) * width + x
          let to = 3 * ((y * chosen.count + n) * width + x)
          if let ramp {
            let value = values[from]
            let colour =
              video.isDepth ? ramp.colour(value) : SIMD3(repeating: ramp.gray(value))
            (out[to], out[to + 1], out[to + 2]) = (colour.x, colour.y, colour.z)
          } else {
            for c in 0..<3 { out[to + c] = UInt8(values[3 * from + c]) }
          }
        }
      }
    }
    return out
  }

  /// Of each skeleton its colour and its bones: four numbers a bone, thousandths of the picture's width.
  private static func bones(
    _ scene: Scene, _ video: Scene.Video, _ frame: Int, _ colours: EntityColours
  ) -> JSONValue {
    let unit = 1000 / Double(video.width)
    return .array(
      scene.bones(video, frame: frame).map { entity, lines in
        // Bones that begin far outside are cut by the page.
        let numbers = lines.flatMap { [$0.from.x, $0.from.y, $0.to.x, $0.to.y] }.map {
          JSONValue.int(Int64(min(max(($0 * unit).rounded(), -20_000), 20_000)))
        }
        return .array([
          .int(Int64(entity.map { colours[$0] } ?? EntityColours.none)), .array(numbers),
        ])
      })
  }
}
