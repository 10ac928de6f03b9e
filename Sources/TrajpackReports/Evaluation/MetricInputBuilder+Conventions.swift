import TrajpackFormat

/// Options that follow from what the archive says of its channels. What it does not say is not guessed.
extension MetricInputBuilder {
  /// The options that conventions, clocks and pictures decide, where the request does not set them.
  ///
  /// - Throws: A usage error where a convention is unknown.
  func derived(
    _ chosen: [String: [Entry]], _ frames: ReferenceFrames
  ) throws(TrajpackError) -> [(name: String, value: String)] {
    var out: [(name: String, value: String)] = []
    if let entry = (chosen["truth_rotation"] ?? chosen["camera_rotation"])?.first,
      let channel = truth.channel(entry)
    {
      if channel.shape == [4] {
        try add(
          "quaternion_order", "order", entry, channel, ["xyzw": "xyzw", "wxyz": "wxyz"], &out)
      }
      try add(
        "pose", "pose", entry, channel,
        ["camera-to-world": "camera_to_world", "world-to-camera": "world_to_camera"], &out)
      try add(
        "camera_axes", "axes", entry, channel, ["opengl": "opengl", "opencv": "opencv"], &out)
    }
    try addAxes(chosen["truth_rotation"]?.first, &out)
    if let entry = chosen["intrinsics"]?.first, let channel = truth.channel(entry) {
      // Who maps a channel that says nothing has read what the input takes.
      let said = channel.convention("order")
      guard said == "fx fy cx cy" || (said == nil && plan.maps["intrinsics"] != nil) else {
        throw TrajpackError(
          .usage,
          "'\(entry.path)' \(said.map { "says '\($0)'" } ?? "does not say") for the convention 'order', where "
            + "'fx fy cx cy' is needed to project anything; it is not guessed: say that it is so with "
            + "--map intrinsics=\(entry.path)")
      }
      if let (width, height) = picture {
        for name in ["true", "track", "grid"] {
          out += [("\(name)_width", "\(width)"), ("\(name)_height", "\(height)")]
        }
      }
    }
    if picture == nil, let width = plan.setting("true_width"),
      let height = plan.setting("true_height")
    {
      for name in ["track", "grid"] {
        out += [("\(name)_width", width), ("\(name)_height", height)]
      }
    }
    if request.preset == "tapvid", plan.binding.evaluator == "keypoints.tap_vid",
      plan.setting("scale_x") == nil || plan.setting("scale_y") == nil
    {
      guard let (width, height) = picture else {
        throw TrajpackError(
          .usage,
          "--preset tapvid: episode '\(truth.id)' has no video that says how large the picture is; say what brings it "
            + "to 256 × 256 with --set scale_x=… --set scale_y=…")
      }
      out += [("scale_x", "\(256 / Double(width))"), ("scale_y", "\(256 / Double(height))")]
    }
    if let entry = (chosen["joints"] ?? chosen["truth"])?.first,
      let up = truth.channel(entry)?.convention("up"),
      let axis = ["x": "0", "y": "1", "z": "2"][up.lowercased()]
    {
      out.append(("up", axis))
    }
    if let rate = frames.rate, rate > 0 {
      let unit = truth.tracks.first { $0.track.stream.name == frames.stream }?.track.stream.timeUnit
      if unit == "s" { out.append(("rate", "\(rate)")) }
      out.append(("time_step", "\(1 / rate)"))
    }
    return out
  }

  /// The camera's own axes of both sides, for metrics that turn the one into the other. Predictions in files say
  /// nothing of theirs, which are the truth's then.
  private func addAxes(
    _ entry: Entry?, _ out: inout [(name: String, value: String)]
  ) throws(TrajpackError) {
    guard plan.evaluator.settings.contains(where: { $0.name == "estimate_axes" }), let entry,
      let channel = truth.channel(entry)
    else { return }
    if Self.axes(of: channel) != nil || plan.setting("estimate_axes") != nil {
      try add(
        "truth_axes", "axes", entry, channel, ["opengl": "opengl", "opencv": "opencv"], &out)
    }
    if plan.maps["estimate_rotation"] == nil, case .recording(let recording) = predictions,
      let own = recording.channel(entry), let said = Self.axes(of: own)
    {
      if let set = plan.setting("estimate_axes"), set != said {
        throw TrajpackError(
          .usage,
          "\(plan.binding.evaluator): the predictions of episode '\(truth.id)' say '\(said)' for the convention 'axes' "
            + "of '\(entry.path)', so --set estimate_axes=\(set) would misread them; leave it out")
      }
      if said != Self.axes(of: channel) { out.append(("estimate_axes", said)) }
    }
  }

  /// The axes of a camera that a channel says it has; nil where they are unknown.
  static func axes(of channel: Channel) -> String? {
    channel.convention("axes").map { $0.lowercased() }.flatMap {
      ["opengl", "opencv"].contains($0) ? $0 : nil
    }
  }

  private func add(
    _ option: String, _ convention: String, _ entry: Entry, _ channel: Channel,
    _ known: [String: String], _ out: inout [(name: String, value: String)]
  ) throws(TrajpackError) {
    guard let setting = plan.evaluator.settings.first(where: { $0.name == option }) else { return }
    if let set = plan.setting(option) {
      if let said = channel.convention(convention), let value = known[said.lowercased()],
        value != set
      {
        throw TrajpackError(
          .usage,
          "\(plan.binding.evaluator): episode '\(truth.id)': '\(entry.path)' says '\(said)' for the "
            + "convention '\(convention)', so --set \(option)=\(set) would misread it; leave it out"
        )
      }
      return
    }
    guard let said = channel.convention(convention), let value = known[said.lowercased()] else {
      let what = channel.convention(convention).map { "says '\($0)'" } ?? "does not say"
      throw TrajpackError(
        .usage,
        "\(plan.binding.evaluator): '\(entry.path)' \(what) for the convention '\(convention)' (known: "
          + "\(known.keys.sorted().joined(separator: ", "))); it is not guessed: say what it is with "
          + "--set \(setting.name)=\(known.values.sorted().joined(separator: "|"))")
    }
    out.append((option, value))
  }

  /// Width and height of the recording's pictures: of the stream rgb, or of the only video.
  private var picture: (Int, Int)? {
    let sizes = truth.tracks.compactMap { item -> (stream: String, width: Int, height: Int)? in
      guard let json = try? JSONValue(parsing: item.track.track.metadata),
        let width = json["width"]?.int, let height = json["height"]?.int, width > 0, height > 0
      else { return nil }
      return (item.track.stream.name, width, height)
    }
    let chosen = sizes.first { $0.stream == "rgb" } ?? (sizes.count == 1 ? sizes.first : nil)
    return chosen.map { ($0.width, $0.height) }
  }
}
