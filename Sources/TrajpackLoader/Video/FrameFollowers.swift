import TrajpackFormat

extension Layout {
  /// Finds the channels whose values follow what is done to pictures: intrinsics and pixels when they are cut, scaled or
  /// mirrored, and what `flip_world` names.
  ///
  /// - Throws: A usage error where it is not clear which pictures pixels are of, where a channel cannot follow, or where a
  ///   mirrored window would hold something that says left from right.
  mutating func follow(
    _ selection: FrameSelection, _ options: LoaderOptions
  ) throws(TrajpackError) {
    // Frames of videos, and arrays of pixels.
    let frames = channels.indices.filter { channels[$0].isPicture }
    try check(options, hasFrames: !frames.isEmpty)
    guard !frames.isEmpty else { return }
    let geometries = frames.map {
      channels[$0].picture?.geometry ?? selection.streams[channels[$0].stream]?.geometry
    }
    guard geometries.contains(where: { $0?.isChanged == true }) || options.flip > 0 else { return }
    if options.flip > 0 { try checkMirrored() }
    for i in channels.indices where !channels[i].isPicture {
      if let target = try target(i, frames, geometries, options) {
        guard channels[i].type.isFloat else {
          throw TrajpackError(
            .usage, option: "dtype",
            "'\(channels[i].path)' is pixels of pictures that are cut, scaled or mirrored, which \(channels[i].type) "
              + "cannot hold: give it a float type by 'dtype'")
        }
        channels[i].following = .pixels(of: target, try form(i))
      } else if options.flip > 0 {
        try mirror(i, frames, geometries, options)
      }
    }
  }

  private func check(_ options: LoaderOptions, hasFrames: Bool) throws(TrajpackError) {
    let given = [
      ("flip", options.flip > 0), ("flip_world", !options.flipWorld.rules.isEmpty),
      ("pixels_of", !options.pixelsOf.rules.isEmpty),
    ]
    for (name, isGiven) in given where isGiven && !hasFrames {
      throw TrajpackError(
        .usage,
        "option '\(name)' is for windows with pictures: frames of a video, or arrays of pixels; name one in 'channels', or "
          + "leave it out", at: ErrorPlace(option: name))
    }
    for (name, patterns) in [
      ("flip_world", options.flipWorld.rules.map(\.pattern)),
      ("pixels_of", options.pixelsOf.rules.map(\.pattern)),
    ] {
      for pattern in patterns
      where !channels.contains(where: {
        !$0.isPicture && pattern.matches(stream: $0.stream, channel: $0.channel.name)
      }) {
        throw TrajpackError(
          .usage, option: name,
          "no selected channel matches '\(pattern.text)'"
            + Suggestion.text(
              for: pattern.text, among: channels.filter { !$0.isPicture }.map(\.path)))
      }
    }
  }

  /// The frames whose pixels a channel holds; nil where it holds none.
  private func target(
    _ i: Int, _ frames: [Int], _ geometries: [PictureGeometry?], _ options: LoaderOptions
  ) throws(TrajpackError) -> Int? {
    let channel = channels[i].channel
    if let name = options.pixelsOf.value(stream: channels[i].stream, channel: channel.name) {
      let found =
        frames.first { channels[$0].path == name } ?? frames.first { channels[$0].stream == name }
      guard let found else {
        throw TrajpackError(
          .usage, option: "pixels_of",
          "'\(channels[i].path)' is to be pixels of '\(name)', of which the window has no frames"
            + Suggestion.text(for: name, among: frames.map { channels[$0].path }))
      }
      return found
    }
    let isPixels = ["px", "pixel", "pixels"].contains(channel.units ?? "")
    guard
      channel.kind == .intrinsics
        || channel.kind == .position && isPixels && channel.shape.last == 2
    else { return nil }
    if geometries.allSatisfy({ $0 != nil && $0 == geometries[0] }) { return frames[0] }
    throw TrajpackError(
      .usage, option: "pixels_of",
      "'\(channels[i].path)' follows pictures that are cut, scaled or mirrored, and "
        + frames.map { "'\(channels[$0].path)'" }.joined(separator: " and ")
        + " are so each in its own way: say whose pixels it holds by "
        + "pixels_of={\"\(channels[i].path)\": \"\(channels[frames[0]].path)\"}")
  }

  private func form(_ i: Int) throws(TrajpackError) -> PixelForm {
    let channel = channels[i].channel
    if channel.kind == .intrinsics {
      if channel.shape == [3, 3] { return .matrix }
      let order = channel.conventions.first { $0.name == "order" }?.value
      if channel.shape == [4], order == "fx fy cx cy" { return .four }
    } else if channel.shape.last == 2 {
      return .points
    }
    throw TrajpackError(
      .usage, option: "channels",
      "'\(channels[i].path)' cannot follow pictures that are cut, scaled or mirrored: intrinsics must be [4] of the order "
        + "'fx fy cx cy' or [3, 3], and points must end in 2: leave it out of 'channels'")
  }

  /// - Throws: A usage error where what is named as a picture has numbers that a mirrored world has otherwise.
  private func checkMirrored() throws(TrajpackError) {
    for channel in channels where channel.picture != nil && channel.channel.kind.hasSides {
      throw TrajpackError(
        .usage, option: "flip",
        "'\(channel.path)' (\(channel.channel.kind.rawValue)) is named as a picture, whose places would be mirrored and "
          + "whose numbers would not: leave it out of 'channels'")
    }
  }

  /// The picture that a channel is as large as, though nothing says that it is one.
  private func twin(
    of channel: Channel, _ frames: [Int], _ geometries: [PictureGeometry?]
  ) -> Int? {
    let sides = zip(channel.shape, channel.shape.dropFirst()).map { ($0, $1) }
    return zip(frames, geometries).first { _, geometry in
      guard let size = geometry else { return false }
      return sides.contains {
        $0 == (size.height, size.width) || $0 == (size.outHeight, size.outWidth)
      }
    }?.0
  }

  private mutating func mirror(
    _ i: Int, _ frames: [Int], _ geometries: [PictureGeometry?], _ options: LoaderOptions
  ) throws(TrajpackError) {
    let (stream, channel) = (channels[i].stream, channels[i].channel)
    let twin = twin(of: channel, frames, geometries)
    if let factors = options.flipWorld.value(stream: stream, channel: channel.name) {
      guard channel.elements % factors.count == 0 else {
        throw TrajpackError(
          .usage, option: "flip_world",
          "'\(channels[i].path)' has \(counted(channel.elements, "number")) a row, which "
            + "\(counted(factors.count, "factor")) do not divide")
      }
      guard factors.contains(where: { $0 != 1 }) else { return }
      guard twin == nil else {
        throw TrajpackError(
          .usage, option: "flip_world",
          "a row of '\(channels[i].path)' is \(channel.shape), as large as the pictures of "
            + "'\(channels[twin ?? 0].path)', and would be multiplied without being mirrored: give the factor 1 to keep it as "
            + "it is, or leave it out of 'channels'")
      }
      guard channels[i].type.isFloat else {
        throw TrajpackError(
          .usage, option: "flip_world",
          "'\(channels[i].path)' is \(channels[i].type), which is not multiplied: give it a float "
            + "type by 'dtype', or the factor 1 to keep it")
      }
      channels[i].following = .mirrored(factors)
      return
    }
    if channel.kind == .image || channel.kind == .depth {
      throw TrajpackError(
        .usage, option: "flip",
        "a row of '\(channels[i].path)' is \(channel.shape), which is no picture that could be mirrored: "
          + "leave it out of 'channels', or say by flip_world={\"\(channels[i].path)\": [1]} that it stays"
      )
    }
    let isAction = "\(stream)/\(channel.name)".lowercased().split(separator: "/").contains {
      $0.hasPrefix("action") || $0.hasSuffix("action") || $0.hasSuffix("actions")
    }
    if let twin, !isAction, !channel.kind.hasSides {
      let named = PixelArray(shape: channel.shape).map {
        "name it in layout={\"\(channels[i].path)\": \"\($0.isPlanar ? "TCHW" : "THWC")\"} to have it mirrored, too, "
      }
      throw TrajpackError(
        .usage, option: "flip",
        "a row of '\(channels[i].path)' is \(channel.shape), as large as the pictures of '\(channels[twin].path)', and it "
          + "is not known to be a picture that is mirrored with them: \(named ?? "")"
          + "say by flip_world={\"\(channels[i].path)\": [1]} that it stays, or leave it out of 'channels'"
      )
    }
    guard isAction || channel.kind.hasSides else { return }
    throw TrajpackError(
      .usage, option: "flip",
      "'\(channels[i].path)' (\(isAction ? "actions" : channel.kind.rawValue)) tells left from right, and "
        + "would contradict mirrored pictures: say by flip_world={\"\(channels[i].path)\": [factors]} what its numbers "
        + "are multiplied by (1 keeps them), or leave it out of 'channels'")
  }
}

extension Kind {
  /// Whether its numbers tell left from right.
  fileprivate var hasSides: Bool {
    switch self {
    case .position, .direction, .quaternion, .angle, .matrix: true
    default: false
    }
  }
}
