import TrajpackFormat

extension AppendSchema {
  /// The most bytes of a name.
  static let longestName = 200

  /// Whether a name can be one: printable text that is not too long.
  static func isName(_ name: String) -> Bool {
    !name.isEmpty && name.utf8.count <= longestName
      && name.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7F }
  }

  /// Checks all that is not the types' to say.
  func validate() throws(TrajpackError) {
    var streams: Set<String> = []
    var paths: Set<String> = []
    for plan in plans {
      let name = plan.stream.name
      guard Self.isName(name), name.isRelativeDescendant else {
        throw Self.refused(
          "\(String(reflecting: name)) cannot be the name of a stream; use printable text of at most "
            + "\(Self.longestName) bytes with no empty part between slashes")
      }
      guard streams.insert(name).inserted else {
        throw Self.refused("stream '\(name)' comes twice; name each once")
      }
      guard !plan.channels.isEmpty else {
        throw Self.refused("stream '\(name)' has no channels; leave it out or give it one")
      }
      if let skeleton = plan.stream.skeleton, !skeletons.contains(where: { $0.name == skeleton }) {
        throw Self.refused("stream '\(name)' names the skeleton '\(skeleton)', which is not given")
      }
      if plan.isVideo, let fault = plan.videoFault {
        throw Self.refused("stream '\(name)' \(fault)")
      }
      let isVideo = plan.isVideo
      for plan in plan.channels {
        guard Self.isName(plan.channel.name) else {
          throw Self.refused(
            "\(String(reflecting: plan.channel.name)) of stream '\(name)' cannot be the name of a channel; use printable "
              + "text of at most \(Self.longestName) bytes")
        }
        let path = "\(name)/\(plan.channel.name)"
        guard paths.insert(path).inserted else {
          throw Self.refused("channel '\(path)' comes twice; name each once")
        }
        if !isVideo, let fault = Self.fault(of: plan.channel) {
          throw Self.refused("channel '\(path)' \(fault)")
        }
      }
    }
    // In the file a stream is a folder and a channel may be a dataset: no name can be both.
    let blocks = layout(LayoutOptions()).blocks
    for block in blocks {
      for name in streams where "/streams/\(name)/".hasPrefix(block.path + "/") {
        throw Self.refused(
          "stream '\(name)' would lie where \(block.path) does, a channel's rows; name it otherwise"
        )
      }
    }
  }

  private static func refused(_ what: String) -> TrajpackError { TrajpackError(.usage, what) }

  private static func fault(of channel: Channel) -> String? {
    let (kind, type, shape) = (channel.kind, channel.type, channel.shape)
    guard shape.count <= Schema.maximumRank, shape.allSatisfy({ $0 >= 1 }) else {
      return
        "has rows of shape \(shape); give at most \(Schema.maximumRank) dimensions, each at least 1"
    }
    var bytes = max(type.size, 1)
    for dimension in shape {
      guard dimension <= Schema.maximumChunkBytes / bytes else {
        return
          "has rows of shape \(shape), more than the \(Schema.maximumChunkBytes) bytes of a row"
      }
      bytes *= dimension
    }
    guard (type == .bytes) == (kind == .text) else {
      return type == .bytes
        ? "is of bytes, so its kind is text, not \(kind.rawValue)"
        : "is of kind text, so its dtype is bytes"
    }
    if kind == .text {
      guard shape.isEmpty else { return "is of kind text, so a row is one text, not \(shape)" }
      guard channel.missing == .never else { return "is text, which cannot be missing" }
    }
    let fits: Bool =
      switch kind {
      case .packet: false
      case .quaternion, .intrinsics: shape.last == 4
      case .matrix, .image, .depth: shape.count >= 2
      default: true
      }
    guard fits else {
      return "has rows of shape \(shape), which cannot be of kind \(kind.rawValue)"
    }
    switch channel.missing {
    case .sentinel where type != .int32 && type != .int64:
      return
        "may be missing, and \(type.rawValue) has no missing value; use int32, int64 or a float"
    case .nan where !type.isFloat:
      return "may be missing as NaN, which \(type.rawValue) has not; use a float"
    default: break
    }
    if let names = channel.categories {
      guard !type.isFloat, type != .bytes, type != .bool else {
        return "has categories, so its dtype is an integer, not \(type.rawValue)"
      }
      guard Set(names).count == names.count else { return "has a category twice" }
    }
    return nil
  }
}
