import TrajpackFormat
import TrajpackStore

/// Sparse models of COLMAP, as text or binary: the cameras and the poses of images.
enum COLMAP: MappedFormat {
  static let format = FormatDescription(
    name: "colmap", summary: "COLMAP sparse models (images and cameras, .txt or .bin)",
    carries: "the pose, camera and name of every image; cameras as values", reads: true,
    writes: false)

  /// An image of a model; its pose leads from the world to the camera.
  struct Image: Sendable {
    var id: Int64
    /// The rotation, w first.
    var rotation: [Double]
    var translation: [Double]
    var camera: Int64
    var name: String
  }

  /// A camera of a model.
  struct Camera: Sendable {
    var id: Int64
    var model: String
    var width: Int64
    var height: Int64
    var parameters: [Double]
  }

  private static let parts = ["images", "cameras"]

  /// The folders of models, each with the ending of its files.
  private static func models(_ files: SourceFiles) -> [(
    folder: String, place: String, ending: String
  )] {
    let paths = Set(files.all.map(\.path))
    var out: [(folder: String, place: String, ending: String)] = []
    for ending in [".bin", ".txt"] {
      for file in files.all where FileSystem.name(of: file.path) == "images" + ending {
        let folder = String(file.path.dropLast("/images\(ending)".utf8.count))
        let base = file.path.contains("/") ? folder : "."
        guard paths.contains("\(folder)/cameras\(ending)"),
          !out.contains(where: { $0.folder == base })
        else { continue }
        let place = String(file.place.dropLast("images\(ending)".utf8.count))
        out.append((base, place.hasSuffix("/") ? String(place.dropLast()) : place, ending))
      }
    }
    return out
  }

  static func recognises(_ files: SourceFiles, _ options: MappingOptions) -> Bool {
    !options.isMapping && !options.isTabular && !models(files).isEmpty
  }

  static func read(
    _ files: SourceFiles, _ options: MappingOptions
  ) throws(TrajpackError) -> MappedSource {
    let models = models(files)
    guard !options.isTabular else {
      throw TrajpackError(.usage, "--from colmap takes no options of tables")
    }
    guard !models.isEmpty else {
      throw TrajpackError(
        .data,
        "\(files.sources.first ?? ""): holds no model of COLMAP, a folder with images and cameras as .txt or .bin"
      )
    }
    var source = MappedSource(recordings: [])
    var used: Set<String> = []
    for model in models {
      let path = "\(model.folder)/images\(model.ending)"
      used.formUnion([path, "\(model.folder)/cameras\(model.ending)"])
      var recording = MappedRecording(
        id: model.place.isEmpty ? "model" : model.place, path: path)
      recording.bytes = max(FileSystem.size(of: path), 1)
      recording.fingerprint = Recording.fingerprint(of: path)
      do throws(TrajpackError) {
        let images: [Image]
        let cameras: [Camera]
        if model.ending == ".bin" {
          images = try COLMAPBinary.images(path)
          cameras = try COLMAPBinary.cameras("\(model.folder)/cameras.bin")
        } else {
          images = try COLMAPText.images(path)
          cameras = try COLMAPText.cameras("\(model.folder)/cameras.txt")
        }
        try fill(&recording, images, cameras, options)
      } catch {
        guard options.skipsErrors, error.fault == .data else { throw error }
        recording.failure = error
      }
      source.recordings.append(recording)
    }
    for file in files.all where !used.contains(file.path) {
      let stem = FileSystem.name(of: file.stem)
      let isPart = ["points3D", "rigs", "frames", "project"].contains(stem) || parts.contains(stem)
      source.leftOut.append(
        LeftOut(
          path: file.place,
          why: isPart ? "is a part of a model that is not read" : "is no file of this format"))
    }
    return source
  }

  private static func fill(
    _ recording: inout MappedRecording, _ images: [Image], _ cameras: [Camera],
    _ options: MappingOptions
  ) throws(TrajpackError) {
    guard !images.isEmpty else {
      throw TrajpackError(.data, "\(recording.path): has no image with a pose")
    }
    let known = Set(cameras.map(\.id))
    if let image = images.first(where: { !known.contains($0.camera) }) {
      throw TrajpackError(
        .data,
        "\(recording.path): image \(image.id) ('\(image.name.printable)') is of camera \(image.camera), which the cameras have not"
      )
    }
    for camera in cameras {
      recording.values += [
        .init("camera/\(camera.id)/model", .string(camera.model)),
        .init("camera/\(camera.id)/width", .int(camera.width)),
        .init("camera/\(camera.id)/height", .int(camera.height)),
        .init("camera/\(camera.id)/params", .array(camera.parameters.map { .double($0) })),
      ]
    }
    // Ids have no order; names of images have.
    let own = images.sorted { NaturalOrder.isBefore($0.name, $1.name) }
    let names = own.map { Array($0.name.utf8) }
    let convention = [("pose", "world-to-camera"), ("axes", "OpenCV")]
    func label(_ name: String, _ values: [Int64]) -> MappedChannel {
      MappedChannel(Channel(name: name, kind: .label, type: .int64), .integers(values))
    }
    recording.streams = [
      MappedStream(
        name: "images", count: own.count, time: MappedStream.time(rate: options.rate),
        channels: [
          .doubles(
            "rotation", .quaternion, [4], own.flatMap(\.rotation), [("order", "wxyz")] + convention),
          .doubles("translation", .position, [3], own.flatMap(\.translation), convention),
          label("image_id", own.map(\.id)), label("camera_id", own.map(\.camera)),
          MappedChannel(
            Channel(name: "name", kind: .text, type: .bytes),
            .texts { () throws(TrajpackError) in names }),
        ])
    ]
  }
}

/// The text form of a model.
private enum COLMAPText {
  private static func lines(_ path: String) throws(TrajpackError) -> [(
    number: Int, text: Substring
  )] {
    let file = try LocalFile(path)
    guard file.length <= 512 << 20 else {
      throw TrajpackError(.data, "\(path): is longer than 512 MiB; save the model as binary")
    }
    let text = String(decoding: try file.bytes(0..<file.length), as: UTF8.self)
    var out: [(number: Int, text: Substring)] = []
    for (number, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
      .enumerated()
    where !line.hasPrefix("#") {
      out.append((number + 1, line))
    }
    while let last = out.last, last.text.allSatisfy(\.isWhitespace) { out.removeLast() }
    return out
  }

  private static func wrong(_ path: String, _ line: Int, _ what: String) -> TrajpackError {
    TrajpackError(.data, "\(path): line \(line) \(what)")
  }

  static func cameras(_ path: String) throws(TrajpackError) -> [COLMAP.Camera] {
    var out: [COLMAP.Camera] = []
    for line in try lines(path) {
      let parts = line.text.split(separator: " ")
      guard parts.count > 4, let id = Int64(parts[0]), let width = Int64(parts[2]),
        let height = Int64(parts[3])
      else { throw wrong(path, line.number, "is no camera (CAMERA_ID MODEL WIDTH HEIGHT PARAMS)") }
      let numbers = parts[4...].compactMap { Double($0) }
      guard numbers.count == parts.count - 4 else {
        throw wrong(path, line.number, "has a parameter that is no number")
      }
      out.append(
        .init(id: id, model: String(parts[1]), width: width, height: height, parameters: numbers))
    }
    return out
  }

  static func images(_ path: String) throws(TrajpackError) -> [COLMAP.Image] {
    let all = try lines(path)
    var out: [COLMAP.Image] = []
    // Behind each image stands a line of its points, which may be empty.
    for i in stride(from: 0, to: all.count, by: 2) {
      let line = all[i]
      let parts = line.text.split(separator: " ", maxSplits: 9)
      let numbers = parts.dropFirst().prefix(7).compactMap { Double($0) }
      guard parts.count == 10, let id = Int64(parts[0]), numbers.count == 7,
        let camera = Int64(parts[8])
      else {
        throw wrong(
          path, line.number,
          "is no image (IMAGE_ID QW QX QY QZ TX TY TZ CAMERA_ID NAME, then a line of points)")
      }
      out.append(
        .init(
          id: id, rotation: Array(numbers[0..<4]), translation: Array(numbers[4..<7]),
          camera: camera, name: String(parts[9])))
    }
    return out
  }
}

/// The binary form of a model.
private enum COLMAPBinary {
  /// The models of cameras by their numbers, and how many parameters each has.
  private static let models: [(name: String, parameters: Int)] = [
    ("SIMPLE_PINHOLE", 3), ("PINHOLE", 4), ("SIMPLE_RADIAL", 4), ("RADIAL", 5), ("OPENCV", 8),
    ("OPENCV_FISHEYE", 8), ("FULL_OPENCV", 12), ("FOV", 5), ("SIMPLE_RADIAL_FISHEYE", 4),
    ("RADIAL_FISHEYE", 5), ("THIN_PRISM_FISHEYE", 12), ("RAD_TAN_THIN_PRISM_FISHEYE", 16),
  ]

  private struct Reader {
    let file: LocalFile
    let window: FileWindow
    var at = 0

    init(_ path: String) throws(TrajpackError) {
      file = try LocalFile(path)
      window = FileWindow(file)
    }

    mutating func bytes(_ count: Int) throws(TrajpackError) -> [UInt8] {
      guard count <= file.length - at else {
        throw TrajpackError(
          .data,
          "\(file.path): ends at byte \(file.length), in the middle of a record; it was cut short or is damaged"
        )
      }
      let buffer = ByteBuffer(max(count, 1))
      let some = UnsafeMutableRawBufferPointer(rebasing: buffer.bytes[..<count])
      try window.read(at: at, into: some)
      at += count
      return Array(some)
    }

    mutating func long() throws(TrajpackError) -> Int64 { try bytes(8).little(0, as: Int64.self) }
    mutating func word() throws(TrajpackError) -> Int64 {
      Int64(try bytes(4).little(0, as: UInt32.self))
    }
    mutating func doubles(_ count: Int) throws(TrajpackError) -> [Double] {
      let bytes = try bytes(8 * count)
      return (0..<count).map { Double(bitPattern: bytes.little(8 * $0, as: UInt64.self)) }
    }

    /// The number of records, of which each has at least so many bytes.
    mutating func count(of size: Int) throws(TrajpackError) -> Int {
      let count = try long()
      guard count >= 0, count <= Int64((file.length - at) / size) else {
        throw TrajpackError(
          .data,
          "\(file.path): claims \(count) records, for which it is too short; it was cut short or is damaged"
        )
      }
      return Int(count)
    }
  }

  static func cameras(_ path: String) throws(TrajpackError) -> [COLMAP.Camera] {
    var reader = try Reader(path)
    var out: [COLMAP.Camera] = []
    for _ in 0..<(try reader.count(of: 24)) {
      let (id, model) = (try reader.word(), try reader.word())
      guard model < models.count else {
        throw TrajpackError(
          .data,
          "\(path): camera \(id) is of model \(model), which is not known; save the model as text")
      }
      let known = models[Int(model)]
      out.append(
        .init(
          id: id, model: known.name, width: try reader.long(), height: try reader.long(),
          parameters: try reader.doubles(known.parameters)))
    }
    return out
  }

  static func images(_ path: String) throws(TrajpackError) -> [COLMAP.Image] {
    var reader = try Reader(path)
    var out: [COLMAP.Image] = []
    for _ in 0..<(try reader.count(of: 73)) {
      let id = try reader.word()
      let (rotation, translation) = (try reader.doubles(4), try reader.doubles(3))
      let camera = try reader.word()
      var name: [UInt8] = []
      while let byte = try reader.bytes(1).first, byte != 0 {
        name.append(byte)
        guard name.count <= 4096 else {
          throw TrajpackError(.data, "\(path): image \(id) has a name without end; it is damaged")
        }
      }
      let points = try reader.count(of: 24)
      reader.at += 24 * points
      out.append(
        .init(
          id: id, rotation: rotation, translation: translation, camera: camera,
          name: String(decoding: name, as: UTF8.self)))
    }
    return out
  }
}
