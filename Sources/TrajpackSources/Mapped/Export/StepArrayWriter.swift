import TrajpackFormat
import TrajpackHDF5
import TrajpackLoader
import TrajpackStore

/// Writes arrays of an episode into an HDF5 file.
struct StepArrayWriter {
  let file: HDF5TreeWriter
  let folder: ExportFolder
  let episode: String
  let frames: EpisodeFrames

  /// What an array is in the file.
  struct Written {
    var type: ElementType
    var shape: [Int]
    /// The characters of its texts, and how long the longest is.
    var texts: (characters: Set<Character>, longest: Int)?
    /// Whether its rows are files of pictures, padded with zeros.
    var isPicture = false
  }

  /// Writes rows of an array; `nil` where it cannot be written, which is noted.
  func write(
    _ array: StepArray, rows: Range<Int>, as path: String
  ) throws(TrajpackError) -> Written? {
    guard let number = array.channel else { return try writeFrames(array, rows, path) }
    let track = array.track
    let channel = track.stream.channels[number]
    if channel.type == .bytes {
      var all: [[UInt8]] = []
      let values = try track.read(channel: number, rows: rows)
      var absent = 0
      for row in 0..<rows.count {
        let bytes = try track.bytes(values, row)
        if bytes == nil { absent += 1 }
        all.append(bytes ?? [])
      }
      if absent > 0 {
        folder.note("'\(path)': rows that were not observed are empty in the file")
      }
      if channel.kind == .packet { return try writePadded(all, path) }
      return try writeTexts(all, path)
    }
    if channel.categories != nil, channel.shape.isEmpty {
      let values = try track.read(channel: number, rows: rows)
      return try writeTexts((0..<rows.count).map { Array((values.category($0) ?? "").utf8) }, path)
    }
    var out = try file.array(path, channel.type, rows: rows.count, shape: channel.shape)
    var seen: [UInt8] = []
    var hasHoles = false
    var first = rows.lowerBound
    while first < rows.upperBound {
      let run = first..<min(first + track.runLength, rows.upperBound)
      let values = try track.read(channel: number, rows: run)
      var bytes = values.logicalBytes()
      if channel.missing == .sentinel {
        let size = channel.type.size
        for i in 0..<run.count * channel.elements {
          let isMissing = values.value(i / channel.elements, i % channel.elements) == .missing
          seen.append(isMissing ? 0 : 1)
          guard isMissing else { continue }
          hasHoles = true
          for at in i * size..<(i + 1) * size { bytes[at] = 0 }
        }
      }
      try out.append(bytes, count: run.count)
      try folder.goOn()
      first = run.upperBound
    }
    if hasHoles {
      var mask = try file.array(
        "\(path).observed", .bool, rows: rows.count, shape: channel.shape)
      try mask.append(seen, count: rows.count)
      folder.note(
        "'\(path)': values that were not observed are 0, and '\(path).observed' says which were")
    }
    return Written(type: channel.type, shape: channel.shape)
  }

  private func writeTexts(_ texts: [[UInt8]], _ path: String) throws(TrajpackError) -> Written {
    try file.texts(path, texts)
    var (characters, longest): (Set<Character>, Int) = ([], 1)
    for text in texts {
      let text = String(decoding: text, as: UTF8.self)
      characters.formUnion(text)
      longest = max(longest, text.unicodeScalars.count)
    }
    return Written(type: .bytes, shape: [], texts: (characters, longest))
  }

  private func writePadded(_ files: [[UInt8]], _ path: String) throws(TrajpackError) -> Written {
    let width = max(files.map(\.count).max() ?? 0, 1)
    var out = try file.array(path, .uint8, rows: files.count, shape: [width])
    for bytes in files {
      try out.append(bytes + [UInt8](repeating: 0, count: width - bytes.count), count: 1)
    }
    return Written(type: .uint8, shape: [width], isPicture: true)
  }

  /// Frames that are decoded together.
  private static let run = 16

  private func writeFrames(
    _ array: StepArray, _ rows: Range<Int>, _ path: String
  ) throws(TrajpackError) -> Written? {
    let frames = try frames.frames(of: array.track, episode: episode)
    guard frames.format != "native" else {
      folder.note("'\(path)' is left out: its frames are no pictures of gray or colours")
      return nil
    }
    var out = try file.array(path, frames.type, rows: rows.count, shape: frames.shape)
    var pixels = [UInt8](repeating: 0, count: frames.bytes * min(rows.count, Self.run))
    for first in stride(from: rows.lowerBound, to: rows.upperBound, by: Self.run) {
      let part = first..<min(first + Self.run, rows.upperBound)
      try pixels.withMutableBytes { (room) throws(TrajpackError) in
        try frames.read(ArraySlice(Array(part)), into: room)
      }
      try out.append(Array(pixels[..<(part.count * frames.bytes)]), count: part.count)
      try folder.goOn()
    }
    return Written(type: frames.type, shape: frames.shape)
  }
}
