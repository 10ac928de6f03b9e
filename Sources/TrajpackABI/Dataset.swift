import CTrajpack
import Glibc
import TrajpackCInterface
import TrajpackFormat
import TrajpackLoader
import TrajpackStore

func lazy(
  _ dataset: OpaquePointer?, _ name: String = "dataset"
) throws(TrajpackError) -> LazyDataset {
  try CInterface.object(dataset, LazyDataset.self, name)
}

/// With all of its shards.
private func opened(_ dataset: OpaquePointer?) throws(TrajpackError) -> OpenDataset {
  try lazy(dataset).whole()
}

/// `trajpack.h` says what it does.
@c @implementation
public func tp_dataset_open(
  _ path: UnsafePointer<CChar>?, _ dataset: UnsafeMutablePointer<OpaquePointer?>?,
  _ error: UnsafeMutablePointer<tp_error>?
) -> Int32 {
  CInterface.run(error) { () throws(TrajpackError) in
    let out = try CInterface.need(dataset, "dataset")
    out.pointee = CInterface.handle(try LazyDataset(try CInterface.string(path, "path")))
    return TP_OK
  }
}

/// `trajpack.h` says what it does.
@c @implementation
public func tp_dataset_free(_ dataset: OpaquePointer?) {
  CInterface.free(dataset, as: LazyDataset.self)
}

/// `trajpack.h` says what it does.
@c @implementation
public func tp_dataset_outline(
  _ dataset: OpaquePointer?, _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?,
  _ error: UnsafeMutablePointer<tp_error>?
) -> Int32 {
  CInterface.document(json, "json", error) { () throws(TrajpackError) in
    try lazy(dataset).outline
  }
}

/// `trajpack.h` says what it does.
@c @implementation
public func tp_dataset_describe(
  _ dataset: OpaquePointer?, _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?,
  _ error: UnsafeMutablePointer<tp_error>?
) -> Int32 {
  CInterface.document(json, "json", error) { () throws(TrajpackError) in
    try opened(dataset).description
  }
}

/// `trajpack.h` says what it does.
@c @implementation
public func tp_dataset_episodes(
  _ dataset: OpaquePointer?, _ first: Int64, _ count: Int64,
  _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?,
  _ error: UnsafeMutablePointer<tp_error>?
) -> Int32 {
  CInterface.document(json, "json", error) { () throws(TrajpackError) in
    let opened = try lazy(dataset)
    guard first >= 0, count >= 0, first <= opened.episodeCount,
      count <= Int64(opened.episodeCount) - first
    else {
      throw TrajpackError(
        .usage,
        "\(counted(count, "episode")) from \(first) on \(count == 1 ? "is" : "are") asked for; the dataset has "
          + "\(opened.episodeCount)")
    }
    return try opened.episodes(Int(first)..<Int(first + count))
  }
}

/// `trajpack.h` says what it does.
@c @implementation
public func tp_dataset_find_episode(
  _ dataset: OpaquePointer?, _ id: UnsafePointer<CChar>?, _ episode: UnsafeMutablePointer<Int64>?,
  _ error: UnsafeMutablePointer<tp_error>?
) -> Int32 {
  CInterface.run(error) { () throws(TrajpackError) in
    let out = try CInterface.need(episode, "episode")
    out.pointee = Int64(try lazy(dataset).episode(id: try CInterface.string(id, "id")))
    return TP_OK
  }
}

/// `trajpack.h` says what it does.
@c @implementation
public func tp_dataset_episode(
  _ dataset: OpaquePointer?, _ episode: Int64,
  _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?,
  _ error: UnsafeMutablePointer<tp_error>?
) -> Int32 {
  CInterface.document(json, "json", error) { () throws(TrajpackError) in
    try lazy(dataset).holding(episode: Int(episode)).describe(episode: Int(episode))
  }
}

/// `trajpack.h` says what it does.
@c @implementation
public func tp_dataset_streams(
  _ dataset: OpaquePointer?, _ episode: Int64,
  _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?,
  _ error: UnsafeMutablePointer<tp_error>?
) -> Int32 {
  CInterface.document(json, "json", error) { () throws(TrajpackError) in
    try lazy(dataset).streams(ofEpisode: Int(episode))
  }
}

/// `trajpack.h` says what it does.
@c @implementation
public func tp_dataset_values(
  _ dataset: OpaquePointer?, _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?,
  _ error: UnsafeMutablePointer<tp_error>?
) -> Int32 {
  CInterface.document(json, "json", error) { () throws(TrajpackError) in
    let table = try opened(dataset).values()
    return JSONValue.record(["values": ValueAnnotations(ids: [], table: table).json["values"]])
  }
}

/// `trajpack.h` says what it does.
@c @implementation
public func tp_dataset_statistics(
  _ dataset: OpaquePointer?, _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?,
  _ error: UnsafeMutablePointer<tp_error>?
) -> Int32 {
  CInterface.document(json, "json", error) { () throws(TrajpackError) in
    var statistics = DatasetStatistics()
    for shard in try opened(dataset).shards { try statistics.add(shard) }
    return statistics.json
  }
}

/// `trajpack.h` says what it does.
@c @implementation
public func tp_dataset_measure(
  _ dataset: OpaquePointer?, _ options: UnsafePointer<CChar>?,
  _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?,
  _ error: UnsafeMutablePointer<tp_error>?
) -> Int32 {
  CInterface.document(json, "json", error) { () throws(TrajpackError) in
    let request = try StatisticsRequest(json: try CInterface.string(options, "options"))
    let opened = try opened(dataset)
    let measured = try SubsetMeasurement(opened, request)
    if request.saves, !measured.isSaved { try measured.save(in: opened.dataset.path) }
    return measured.json
  }
}

/// `trajpack.h` says what it does.
@c @implementation
public func tp_dataset_side_file(
  _ dataset: OpaquePointer?, _ role: UnsafePointer<CChar>?, _ name: UnsafePointer<CChar>?,
  _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?,
  _ error: UnsafeMutablePointer<tp_error>?
) -> Int32 {
  CInterface.document(json, "json", error) { () throws(TrajpackError) in
    let role = try CInterface.string(role, "role")
    guard let role = SideFile.Role(rawValue: role) else {
      throw TrajpackError(
        .usage,
        "there is no role '\(role)' of side files"
          + Suggestion.text(for: role, among: SideFile.Role.allCases.map(\.rawValue)))
    }
    let name = try name.map { (name) throws(TrajpackError) in try CInterface.string(name, "name") }
    return try opened(dataset).dataset.content(role, called: name)
  }
}

/// `trajpack.h` says what it does.
@c @implementation
public func tp_dataset_split(
  _ dataset: OpaquePointer?, _ options: UnsafePointer<CChar>?,
  _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?,
  _ error: UnsafeMutablePointer<tp_error>?
) -> Int32 {
  CInterface.document(json, "json", error) { () throws(TrajpackError) in
    let request = try SplitRequest(json: try CInterface.string(options, "options"))
    return try request.run(on: try opened(dataset).dataset.path)
  }
}

/// `trajpack.h` says what it does.
@c @implementation
public func tp_dataset_read(
  _ dataset: OpaquePointer?, _ track: Int64, _ channel: UnsafePointer<CChar>?, _ first: Int64,
  _ count: Int64, _ dtype: UnsafePointer<CChar>?, _ memory: UnsafeMutableRawPointer?, _ bytes: Int,
  _ observed: UnsafeMutablePointer<UInt8>?, _ observed_bytes: Int,
  _ error: UnsafeMutablePointer<tp_error>?
) -> Int32 {
  CInterface.run(error) { () throws(TrajpackError) in
    let rows = try TrackRows(
      try lazy(dataset).holding(track: Int(track)), track: Int(track),
      channel: try CInterface.string(channel, "channel"),
      first: Int(first), count: Int(count))
    var type: ElementType?
    if let dtype {
      let name = try CInterface.string(dtype, "dtype")
      guard let found = ElementType(rawValue: name), found != .bytes else {
        throw TrajpackError(
          .usage,
          "there is no dtype '\(name)'; there are "
            + ElementType.allCases.filter { $0 != .bytes }.map(\.rawValue).joined(separator: ", "))
      }
      type = found
    }
    try rows.read(
      as: type, into: UnsafeMutableRawBufferPointer(start: memory, count: max(bytes, 0)),
      observed: observed.map {
        UnsafeMutableBufferPointer(start: $0, count: max(observed_bytes, 0))
      })
    return TP_OK
  }
}

/// `trajpack.h` says what it does.
@c @implementation
public func tp_dataset_times(
  _ dataset: OpaquePointer?, _ track: Int64, _ first: Int64, _ count: Int64,
  _ times: UnsafeMutablePointer<Double>?, _ error: UnsafeMutablePointer<tp_error>?
) -> Int32 {
  CInterface.run(error) { () throws(TrajpackError) in
    let out = try CInterface.need(times, "times")
    try TrackRows.times(
      try lazy(dataset).holding(track: Int(track)), track: Int(track), first: Int(first),
      count: Int(count), into: out)
    return TP_OK
  }
}

/// `trajpack.h` says what it does.
@c @implementation
public func tp_dataset_read_bytes(
  _ dataset: OpaquePointer?, _ track: Int64, _ channel: UnsafePointer<CChar>?, _ first: Int64,
  _ count: Int64, _ bytes: UnsafeMutablePointer<UnsafeMutablePointer<UInt8>?>?,
  _ offsets: UnsafeMutablePointer<Int64>?, _ observed: UnsafeMutablePointer<UInt8>?,
  _ error: UnsafeMutablePointer<tp_error>?
) -> Int32 {
  CInterface.run(error) { () throws(TrajpackError) in
    let out = try CInterface.need(bytes, "bytes")
    let offsets = try CInterface.need(offsets, "offsets")
    let rows = try TrackRows(
      try lazy(dataset).holding(track: Int(track)), track: Int(track),
      channel: try CInterface.string(channel, "channel"),
      first: Int(first), count: Int(count))
    let all = try rows.bytes()
    var joined: [UInt8] = []
    offsets[0] = 0
    for (row, value) in all.enumerated() {
      joined += value ?? []
      offsets[row + 1] = Int64(joined.count)
      observed?[row] = value == nil ? 0 : 1
    }
    guard let memory = malloc(max(joined.count, 1)) else {
      throw TrajpackError(.machine, "there is no memory for \(joined.count) bytes")
    }
    joined.withUnsafeBytes {
      if let from = $0.baseAddress { memory.copyMemory(from: from, byteCount: joined.count) }
    }
    out.pointee = memory.assumingMemoryBound(to: UInt8.self)
    return TP_OK
  }
}
