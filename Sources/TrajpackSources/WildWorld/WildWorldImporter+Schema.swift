import TrajpackFormat
import TrajpackStore
import TrajpackVideo

extension WildWorldImporter {
  /// What all columns of one channel of a shard have shown.
  private struct Merged {
    var place: WildWorldColumn
    var width: Int?
    var facts = ColumnProfile()
    var texts = DistinctTexts(atMost: WildWorldExamination.maximumTexts)
    var source: String
    /// The recordings' lists in which the column is there, as `recording/slot`.
    var groups: Set<String> = []
  }

  /// A schema that fits every examined sample; see ``Importer``.
  public func schema(
    for examined: [(Recording, WildWorldExaminationResult)], _ layout: LayoutOptions
  ) throws(TrajpackError) -> Schema {
    var plans: [StreamPlan] = []
    for stream in WildWorldColumn.streams {
      let channels = try channels(of: stream, examined)
      guard !channels.isEmpty else { continue }
      plans.append(
        StreamPlan(
          Stream(name: stream, description: Self.descriptions[stream]), channels: channels,
          blobBytes: channels.contains { $0.channel.type == .bytes } ? 1 << 20 : 0))
    }
    var graphs: [String: [[Int]]] = [:]
    plans += try skeletons(examined, &graphs)
    for (stream, _) in WildWorldImporter.videoFiles {
      let videos = examined.flatMap { $0.1.seen.videos.filter { $0.stream == stream } }
      guard !videos.isEmpty else { continue }
      let bytes =
        settings.mode(of: stream) == .embed ? videos.reduce(0) { $0 + Int($1.index.byteCount) } : 0
      plans.append(
        SourceVideo.plan(
          stream, bytes: bytes, hashes: settings.hashesFrames,
          times: examined.contains { $0.1.seen.isByTime }))
    }
    var layouts: [[String]] = []
    for (_, result) in examined {
      guard let names = result.seen.columns?.map(\.name), !layouts.contains(names) else { continue }
      layouts.append(names)
    }
    return Schema(
      layingOut: plans,
      skeletons: graphs.sorted { $0.key < $1.key }.map { Skeleton(name: $0.key, edges: $0.value) },
      attributes: .record([
        "source": "wildworld",
        "layouts": .array(layouts.map { .array($0.map { .string($0) }) }),
      ]), options: layout)
  }

  private static let descriptions = [
    "state": "what is said of the frame as a whole", "camera": "the camera that took the pictures",
    "npc": "characters, the player among them; a track each, while they are there",
    "monster": "monsters; a track each, while they are there",
  ]

  private func channels(
    of stream: String, _ examined: [(Recording, WildWorldExaminationResult)]
  ) throws(TrajpackError) -> [ChannelPlan] {
    var merged: [Merged] = []
    var numbers: [String: Int] = [:]
    var groups: Set<String> = []
    for (recording, result) in examined {
      for column in result.seen.columns ?? [] where column.place.stream == stream {
        let group = "\(recording.path)/\(column.place.slot)"
        groups.insert(group)
        let number = numbers[column.place.channel] ?? merged.count
        if number == merged.count {
          numbers[column.place.channel] = number
          merged.append(Merged(place: column.place, source: recording.path))
        }
        if let width = column.width {
          if let other = merged[number].width, other != width {
            throw TrajpackError(
              .data, file: recording.path,
              "state.csv: column '\(column.name)' has \(width) numbers a cell, but "
                + "the same column of \(merged[number].source) has \(other)")
          }
          merged[number].width = width
          merged[number].source = recording.path
        }
        merged[number].facts.merge(column.facts)
        merged[number].groups.insert(group)
        merged[number].texts.merge(column.texts)
      }
    }
    return merged.map { channel($0, isPartial: $0.groups.count < groups.count) }
  }

  /// `isPartial`: some entity or recording of the shard lacks the column.
  private func channel(_ merged: Merged, isPartial: Bool) -> ChannelPlan {
    let place = merged.place
    var facts = merged.facts
    if isPartial { facts.add(.missing) }
    let width = merged.width ?? place.documented.count ?? 1
    let shape = width == 1 ? [] : [width]
    let choice = facts.choice
    if merged.facts.hasText || choice == nil {
      let meaning = place.meaning(isText: true)
      // Numbers among the text, or too many texts: each cell is kept as it stands.
      if merged.facts.hasNumbers || merged.texts.areTooMany {
        return ChannelPlan(
          Channel(name: place.channel, kind: .text, type: .bytes, description: meaning.description))
      }
      return ChannelPlan(
        Channel(
          name: place.channel, kind: .categorical, type: .int32, description: meaning.description,
          categories: merged.texts.texts, missing: isPartial ? .sentinel : .never), stored: .int32)
    }
    let meaning = place.meaning(isText: false)
    let number = choice ?? .init(type: .float64, stored: .float64, decimals: nil, missing: .nan)
    // A column without any number says nothing of its type: what the README states of it decides.
    let type: ElementType = facts.hasNumbers || meaning.isInteger ? number.type : .float64
    let decimals = facts.hasNumbers || meaning.isInteger ? number.decimals : 0
    return ChannelPlan(
      Channel(
        name: place.channel, kind: meaning.kind, type: type, shape: shape, units: meaning.units,
        description: meaning.description, conventions: meaning.conventions,
        missing: type.isFloat && number.missing == .sentinel ? .nan : number.missing,
        storage: .init(block: 0, column: 0, decimals: decimals)), stored: number.stored)
  }

  private func skeletons(
    _ examined: [(Recording, WildWorldExaminationResult)], _ graphs: inout [String: [[Int]]]
  ) throws(TrajpackError) -> [StreamPlan] {
    var joints: [String: (count: Int, source: String, graph: String?, type: ElementType)] = [:]
    for (recording, result) in examined {
      let edges = try sample(recording).edges
      for array in result.seen.arrays ?? [] {
        let stream = array.stream(edges)
        let graph = edges[array.graph]
        if let known = joints[stream] {
          guard known.count == array.joints else {
            throw TrajpackError(
              .data, file: recording.path,
              "skeleton.npz: array '\(array.key)' has \(array.joints) joints, but "
                + "the same skeleton has \(known.count) in \(known.source)")
          }
        }
        if let graph {
          guard (graphs[array.graph] ?? graph) == graph else {
            throw TrajpackError(
              .data, file: recording.path,
              "'\(array.graph)' of skeleton_edges.json differs from that of another "
                + "part; convert the parts into two datasets")
          }
          graphs[array.graph] = graph
        }
        // float64 holds what is float32 in other recordings.
        let isDouble = array.type == .float64 || joints[stream]?.type == .float64
        joints[stream] = (
          array.joints, recording.path, graph == nil ? nil : array.graph,
          isDouble ? .float64 : .float32
        )
      }
    }
    return joints.sorted { $0.key < $1.key }.map { name, known in
      StreamPlan(
        Stream(name: name, description: "joints in the world", skeleton: known.graph),
        channels: [
          ChannelPlan(
            Channel(
              name: "joints", kind: .position, type: known.type, shape: [known.count, 3],
              units: "game units",
              conventions: [.init("frame", "world"), .init("scale", "game units")], missing: .nan))
        ])
    }
  }
}
