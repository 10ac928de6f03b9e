import Glibc
import TrajpackFormat
import TrajpackLoader
import TrajpackSources
import TrajpackStore

/// Windows of a dataset as training gets them: read by the loader, then taken apart again for people.
struct WindowReading {
  /// One channel of a window, of one entity where the stream has some.
  struct Column {
    /// `stream/channel`.
    var path: String
    /// The place among the entities of the window; `nil` where the stream has none.
    var slot: Int?
    var units: String?
    var shape: [Int]
    var type: ElementType
    /// The names of its numbers, where the channel has categories.
    var categories: [String]?
    /// The elements of each row; `nil` where the row pads or the entity is absent.
    var rows: [[ChannelValues.Value]?]

    /// What a line calls it.
    var label: String { slot.map { "\(path) #\($0)" } ?? path }
  }

  /// One window.
  struct Window {
    var number: UInt64
    var episode: String
    /// The first row, on the reference clock.
    var first: Int
    var times: [Double]
    /// The times as numbers, where they have more digits than a double holds.
    var exactTimes: [String?]
    /// The times as dates, where the source of the reference stream wrote dates.
    var dates: [String?]
    /// Tracks of the reference stream in the episode. Rows are those of one of them: where the stream has
    /// entities, of the longest.
    var referenceTracks: Int
    /// Which rows lie outside the recording.
    var padding: [Bool]
    var columns: [Column]
  }

  let opened: OpenDataset
  let loader: Loader
  private let outputs: [String: Output]
  /// The names of the categories of each channel that has some.
  private let categories: [String: [String]]

  /// A reading of windows that the loader's options describe.
  init(_ dataset: String, _ options: KeyValuePairs<String, JSONValue?>) throws(TrajpackError) {
    opened = try OpenDataset(dataset)
    let loader = try Loader(
      [opened], try LoaderOptions(json: JSONValue.record(options).text()))
    self.loader = loader
    outputs = Dictionary(loader.outputs.map { ($0.name, $0) }) { first, _ in first }
    categories = Self.categories(opened)
  }

  /// The categories of all channels; none for a channel whose shards name them differently, since the loader
  /// gives the numbers of each shard.
  private static func categories(_ opened: OpenDataset) -> [String: [String]] {
    var out: [String: [String]] = [:]
    var differ: Set<String> = []
    for shard in opened.shards {
      for stream in shard.schema.streams {
        for channel in stream.channels {
          guard let names = channel.categories else { continue }
          let path = "\(stream.name)/\(channel.name)"
          if let before = out.updateValue(names, forKey: path), before != names {
            differ.insert(path)
          }
        }
      }
    }
    return out.filter { !differ.contains($0.key) }
  }

  /// Windows by their places in the order.
  func windows(_ places: Range<Int>) throws(TrajpackError) -> [Window] {
    var windows: [Window] = []
    var memory: UnsafeMutableRawPointer?
    guard posix_memalign(&memory, 64, max(loader.batchBytes, 64)) == 0, let memory else {
      throw TrajpackError(
        .machine, "there is no memory for \(loader.batchBytes) bytes of windows; ask for fewer")
    }
    defer { free(memory) }
    let buffer = UnsafeMutableRawBufferPointer(start: memory, count: loader.batchBytes)
    for place in places {
      memset(memory, 0, loader.batchBytes)
      let number = loader.order.window(epoch: 0, position: UInt64(place)).window
      try loader.read(dataset: 0, windows: [number], into: buffer)
      windows.append(try window(number, UnsafeRawBufferPointer(buffer)))
    }
    return windows
  }

  private func window(
    _ number: UInt64, _ bytes: UnsafeRawBufferPointer
  ) throws(TrajpackError) -> Window {
    let (episode, track, row) = try loader.locate(dataset: 0, window: number)
    let (shard, local, firstTrack) = try opened.episode(episode)
    func flags(_ name: String) -> (Int) -> Bool? {
      let output = outputs[name]
      return { i in output.map { bytes[$0.offset + i] != 0 } }
    }
    let length = loader.length
    let reference = TrackReader(shard, track: track - firstTrack, reader: BlockReader(shard))
    var columns: [Column] = []
    for output in loader.outputs where output.role == .values {
      columns += Self.columns(
        output, categories[output.name], bytes, observed: flags("observed:\(output.name)"),
        present: flags("present:\(output.stream)"), padding: flags("padding:\(output.stream)"))
    }
    let rows = max(row, 0)..<max(min(row + length, reference.count), row, 0)
    let clock = TrackTimes(reference)
    let times = try reference.times(rows)
    let (dates, exact) = (try clock.dates(rows), try clock.exactNumbers(rows))
    let found = shard.index.episode(local)
    return Window(
      number: number, episode: found.id, first: row,
      times: (row..<row + length).map { rows.contains($0) ? times[$0 - rows.lowerBound] : .nan },
      exactTimes: (row..<row + length).map {
        rows.contains($0) ? exact[$0 - rows.lowerBound] : nil
      },
      dates: (row..<row + length).map { rows.contains($0) ? dates?[$0 - rows.lowerBound] : nil },
      referenceTracks: found.tracks.count { number in
        shard.schema.streams[shard.index.track(number).stream].name == loader.reference
      },
      padding: (row..<row + length).map { !rows.contains($0) }, columns: columns)
  }

  private static func columns(
    _ output: Output, _ categories: [String]?, _ bytes: UnsafeRawBufferPointer,
    observed: (Int) -> Bool?,
    present: (Int) -> Bool?, padding: (Int) -> Bool?
  ) -> [Column] {
    let slots = max(output.entities, 1)
    let shape = Array(output.shape.dropFirst(output.entities > 0 ? 3 : 2))
    let elements = shape.reduce(1, *)
    return (0..<slots).compactMap { slot in
      let rows = (0..<output.shape[1]).map { t -> [ChannelValues.Value]? in
        let at = t * slots + slot
        if padding(t) == true || (output.entities > 0 && present(at) == false) { return nil }
        return (0..<elements).map { e in
          observed(at * elements + e) == false
            ? .missing : value(bytes, output, at * elements + e)
        }
      }
      // An entity that is in no row of the window is no line.
      if output.entities > 0, rows.allSatisfy({ $0 == nil }) { return nil }
      return Column(
        path: output.name, slot: output.entities > 0 ? slot : nil, units: output.units,
        shape: shape, type: output.type, categories: categories, rows: rows)
    }
  }

  private static func value(
    _ bytes: UnsafeRawBufferPointer, _ output: Output, _ i: Int
  ) -> ChannelValues.Value {
    let values = UnsafeRawBufferPointer(rebasing: bytes[output.offset...])
    return .init(StoredNumber(values, i, output.type), output.type)
  }

  /// The windows as JSON: what is missing, absent or padding is null.
  func document(_ windows: [Window]) -> JSONValue {
    .record([
      "dataset": .string(opened.dataset.path), "reference": .string(loader.reference),
      "length": .int(Int64(loader.length)),
      "windows": .array(
        windows.map { window in
          .record([
            "window": .int(Int64(window.number)), "episode": .string(window.episode),
            "first_row": .int(Int64(window.first)),
            "times": .array(zip(window.times, window.exactTimes).map(Self.json)),
            "exact_times": window.exactTimes.contains { $0 != nil }
              ? .array(window.exactTimes.map { $0.map { .string($0) } ?? .null }) : nil,
            "dates": window.dates.contains { $0 != nil }
              ? .array(window.dates.map { $0.map { .string($0) } ?? .null }) : nil,
            "padding": .array(window.padding.map { .bool($0) }),
            "channels": .array(
              window.columns.map { column in
                .record([
                  "channel": .string(column.path),
                  "entity": column.slot.map { .int(Int64($0)) },
                  "type": .string(column.type.rawValue),
                  "shape": .array(column.shape.map { .int(Int64($0)) }),
                  "units": column.units.map { .string($0) },
                  "categories": column.categories.map { .array($0.map { .string($0) }) },
                  "rows": .array(
                    column.rows.map { row in row.map { .array($0.map(\.json)) } ?? .null }),
                ])
              }),
          ])
        }),
    ])
  }

  private static func json(_ value: Double, _ exact: String?) -> JSONValue {
    if let whole = exact.flatMap({ Int64($0) }) { return .int(whole) }
    return value.isFinite ? .double(value) : .null
  }
}

extension ChannelValues.Value {
  /// The number; NaN where there is none.
  var number: Double {
    switch self {
    case .missing: return .nan
    case .int(let n): return Double(n)
    case .uint(let n): return Double(n)
    case .double(let n): return n
    case .float(let n): return Double(n)
    }
  }

  /// The number as JSON has it; null where there is none, or it is not finite.
  var json: JSONValue {
    switch self {
    case .int(let n): return .int(n)
    case .float(let n) where n.isFinite:
      // The shortest text of the single-precision number, not that of its double.
      return .double(Double(n.description) ?? Double(n))
    default: return number.isFinite ? .double(number) : .null
    }
  }
}
