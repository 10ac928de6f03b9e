import TrajpackFormat
import TrajpackStore

/// AMASS motions: archives of numpy arrays with the poses of a body of SMPL's family, a frame a row.
enum AMASS: MappedFormat {
  static let format = FormatDescription(
    name: "amass", summary: "AMASS motions (SMPL, SMPL+H, SMPL-X; .npz)",
    carries:
      "poses, translations and every other array of frames at the frame rate; shape and gender as values",
    reads: true, writes: false)

  private static let endings = [".npz"]
  private static let rates = ["mocap_framerate", "mocap_frame_rate", "mocap_frame_rates", "fps"]

  private static func isOwn(_ path: String) -> Bool {
    guard NPZTree.recognises(path), let file = try? LocalFile(path),
      let archive = try? NPZ(file, keepsOthers: true)
    else { return false }
    let names = Set(archive.names)
    let hasPose = names.contains("poses") || names.isSuperset(of: ["root_orient", "pose_body"])
    return hasPose && names.contains("trans")
      && (names.contains("betas") || names.contains("gender"))
  }

  static func recognises(_ files: SourceFiles, _ options: MappingOptions) -> Bool {
    !options.isMapping && files.named(endings).prefix(64).contains { isOwn($0.path) }
  }

  static func read(
    _ files: SourceFiles, _ options: MappingOptions
  ) throws(TrajpackError) -> MappedSource {
    let own = files.files(endings, where: isOwn)
    return try files.each(of: own, "amass", options) { (file, source) throws(TrajpackError) in
      [try recording(file, options, &source)]
    }
  }

  private static func recording(
    _ file: SourceFiles.File, _ options: MappingOptions, _ source: inout MappedSource
  ) throws(TrajpackError) -> MappedRecording {
    let tree = try NPZTree(file.path)
    let archive = try NPZ(LocalFile(file.path), keepsOthers: true)
    let index = TreeIndex(tree)
    var recording = MappedRecording(file, id: file.stem)
    guard let frames = (index.array("poses") ?? index.array("root_orient"))?.shape.first, frames > 0
    else {
      throw TrajpackError(.data, file: file.path, "has no frames in its poses")
    }
    var rate = options.rate
    for name in rates where rate == nil {
      guard let node = index[name], node.array?.count == 1, node.array?.type != nil else {
        continue
      }
      let number = try tree.value(node).number ?? 0
      // A rate such as 59.94 is meant as it is written.
      rate = Rational(decimal: "\(number)")
      guard number > 0, rate != nil else {
        throw TrajpackError(
          .data, file: file.path, "has the frame rate \(number) in '\(name)', which is none")
      }
    }
    if rate == nil {
      source.remarks.append(
        "\(file.place): has no frame rate (\(rates[0])), so frames are counted in steps; --rate gives one"
      )
    }
    var channels: [MappedChannel] = []
    for node in index.below("/") {
      let name = node.name(below: "/")
      guard options.takes(node.path) else { continue }
      if case .text(let text) = try archive.content(name) {
        let texts = try archive.texts(name, text, 0..<min(text.count, 1024))
        if texts.count == 1, text.count == 1 {
          recording.values.append(.init(name, .string(plain(texts[0]))))
        } else {
          recording.metadata.append(.init(name, .array(texts.map { .string(plain($0)) })))
        }
        continue
      }
      guard let array = node.array, let type = array.type else {
        var why = "is no array of numbers"
        if case .unread(let reason)? = node.array?.form { why = reason }
        source.leftOut.append(LeftOut(path: "\(file.place):\(name)", why: why))
        continue
      }
      if array.shape.first == frames, array.shape.count >= 1, !["betas"].contains(name) {
        channels.append(channel(name, TreePart(tree, node), type, options))
      } else if array.count <= 1024, let json = try tree.value(node).json {
        recording.values.append(.init(name, json))
      } else {
        source.leftOut.append(
          LeftOut(
            path: "\(file.place):\(name)",
            why: "has \(array.shape) elements, and the motion \(frames) frames"))
      }
    }
    for name in ["trans"] where !channels.contains(where: { $0.channel.name == name }) {
      throw TrajpackError(
        .data, file: file.path,
        "'\(name)' has \(index.array(name)?.shape.first ?? 0) rows, and the poses have \(frames)")
    }
    recording.streams = [
      MappedStream(
        name: "motion", count: frames, time: MappedStream.time(rate: rate), channels: channels)
    ]
    return recording
  }

  private static func plain(_ text: String) -> String {
    // str() of bytes, as numpy makes it of b'female'.
    text.hasPrefix("b'") && text.hasSuffix("'") ? String(text.dropFirst(2).dropLast()) : text
  }

  private static func channel(
    _ name: String, _ part: TreePart, _ type: ElementType, _ options: MappingOptions
  ) -> MappedChannel {
    let isPose = name == "poses" || name == "root_orient" || name.hasPrefix("pose_")
    var channel = Channel(
      name: name,
      kind: options.kinds[name] ?? (name == "trans" && type.isFloat ? .position : .scalar),
      type: type, shape: part.rowShape,
      units: options.units[name] ?? (name == "trans" ? "m" : isPose ? "rad" : nil),
      missing: type.isFloat ? .nan : .never)
    if isPose {
      channel.conventions = [
        .init("rotation", "axis-angle, three numbers a joint, joint-to-parent"),
        .init("joints", "in the order of the SMPL family's kinematic tree"),
      ]
    }
    if name == "trans" { channel.conventions = [.init("frame", "world")] }
    return MappedChannel(channel, .tree(part))
  }
}
