import TrajpackFormat
import TrajpackHDF5
import TrajpackLoader
import TrajpackStore

/// Places in a file, so that no array lies at that of another.
struct ArrayPlaces {
  private var arrays: Set<String> = []
  private var groups: Set<String> = []

  /// A place that is asked for, or one beside it where another array lies.
  mutating func take(_ place: String) -> String {
    let parts = place.pathComponents.filter { !$0.isEmpty }
    var path = ""
    for (depth, part) in parts.enumerated() {
      let isLast = depth == parts.count - 1
      let above = path.isEmpty ? "" : path + "/"
      path = above + part
      var number = 2
      while arrays.contains(path) || (isLast && groups.contains(path)) {
        path = "\(above)\(part)_\(number)"
        number += 1
      }
      if isLast { arrays.insert(path) } else { groups.insert(path) }
    }
    return path
  }
}

/// Writes arrays of an episode into an HDF5 file.
struct StepArrayWriter {
  let file: HDF5TreeWriter
  let folder: ExportFolder
  let episode: String
  let frames: EpisodeFrames
  /// The group of the episode.
  let group: String
  private var places = ArrayPlaces()

  init(
    _ file: HDF5TreeWriter, _ folder: ExportFolder, _ frames: EpisodeFrames, episode: String,
    group: String
  ) {
    (self.file, self.folder, self.frames) = (file, folder, frames)
    (self.episode, self.group) = (episode, group)
  }

  /// What an array is in the file.
  struct Written {
    /// Where it lies below the group of its episode.
    var place: String
    var type: ElementType
    var shape: [Int]
    /// The characters of its texts, and how long the longest is.
    var texts: (characters: Set<Character>, longest: Int)?
    /// Whether its rows are files of pictures, padded with zeros.
    var isPicture = false
  }

  /// Writes rows of an array at a place below the group; `nil` where it cannot be written, which is noted.
  mutating func write(
    _ array: StepArray, rows: Range<Int>, as wanted: String
  ) throws(TrajpackError) -> Written? {
    guard let number = array.channel else { return try writeFrames(array, rows, wanted) }
    let track = array.track
    let channel = track.stream.channels[number]
    let path = take(wanted, array)
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
    var out = try self.array(path, channel.type, rows: rows.count, shape: channel.shape)
    // Always there where values may be absent, so that all episodes have the same arrays.
    let observed = channel.missing == .sentinel ? places.take("\(path).observed") : nil
    var seen: [UInt8] = []
    var first = rows.lowerBound
    while first < rows.upperBound {
      let run = first..<min(first + track.runLength, rows.upperBound)
      let values = try track.read(channel: number, rows: run)
      var bytes = values.logicalBytes()
      if observed != nil {
        let size = channel.type.size
        for i in 0..<run.count * channel.elements {
          let isMissing = values.value(i / channel.elements, i % channel.elements) == .missing
          seen.append(isMissing ? 0 : 1)
          guard isMissing else { continue }
          for at in i * size..<(i + 1) * size { bytes[at] = 0 }
        }
      }
      try out.append(bytes, count: run.count)
      try folder.goOn()
      first = run.upperBound
    }
    if let observed {
      var mask = try self.array(observed, .bool, rows: rows.count, shape: channel.shape)
      try mask.append(seen, count: rows.count)
      folder.note(
        "'\(path)': values that were not observed are 0, and '\(observed)' says which were")
    }
    return Written(place: path, type: channel.type, shape: channel.shape)
  }

  /// Makes an array that the format asks for and the episode does not have.
  mutating func make(
    _ place: String, _ type: ElementType, rows: Int
  ) throws(TrajpackError) -> HDF5TreeWriter.Rows {
    try array(places.take(place), type, rows: rows, shape: [])
  }

  private mutating func take(_ wanted: String, _ array: StepArray) -> String {
    let place = places.take(wanted)
    if place != wanted {
      folder.note("'\(array.path)' is written as '\(place)', as another array is '\(wanted)'")
    }
    return place
  }

  private func array(
    _ place: String, _ type: ElementType, rows: Int, shape: [Int]
  ) throws(TrajpackError) -> HDF5TreeWriter.Rows {
    try file.array("\(group)/\(place)", type, rows: rows, shape: shape)
  }

  private func writeTexts(_ texts: [[UInt8]], _ path: String) throws(TrajpackError) -> Written {
    try file.texts("\(group)/\(path)", texts)
    var (characters, longest): (Set<Character>, Int) = ([], 1)
    for text in texts {
      let text = String(decoding: text, as: UTF8.self)
      characters.formUnion(text)
      longest = max(longest, text.unicodeScalars.count)
    }
    return Written(place: path, type: .bytes, shape: [], texts: (characters, longest))
  }

  private func writePadded(_ files: [[UInt8]], _ path: String) throws(TrajpackError) -> Written {
    let width = max(files.map(\.count).max() ?? 0, 1)
    var out = try array(path, .uint8, rows: files.count, shape: [width])
    for bytes in files {
      try out.append(bytes + [UInt8](repeating: 0, count: width - bytes.count), count: 1)
    }
    return Written(place: path, type: .uint8, shape: [width], isPicture: true)
  }

  /// Frames that are decoded together.
  private static let run = 16

  private mutating func writeFrames(
    _ array: StepArray, _ rows: Range<Int>, _ wanted: String
  ) throws(TrajpackError) -> Written? {
    let frames = try frames.frames(of: array.track, episode: episode)
    guard frames.format != "native" else {
      folder.note("'\(wanted)' is left out: its frames are no pictures of gray or colours")
      return nil
    }
    let path = take(wanted, array)
    var out = try self.array(path, frames.type, rows: rows.count, shape: frames.shape)
    var pixels = [UInt8](repeating: 0, count: frames.bytes * min(rows.count, Self.run))
    for first in stride(from: rows.lowerBound, to: rows.upperBound, by: Self.run) {
      let part = first..<min(first + Self.run, rows.upperBound)
      try pixels.withMutableBytes { (room) throws(TrajpackError) in
        try frames.read(ArraySlice(Array(part)), into: room)
      }
      try out.append(Array(pixels[..<(part.count * frames.bytes)]), count: part.count)
      try folder.goOn()
    }
    return Written(place: path, type: frames.type, shape: frames.shape)
  }
}
