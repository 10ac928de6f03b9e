import TrajpackFormat
import TrajpackSignal
import TrajpackStore

extension LoaderOptions {
  /// The option 'clips'.
  enum ClipChoice: Sendable {
    /// A list that was given, or read from a file.
    case list(ClipList)
    /// A list that is saved in the dataset under that name.
    case saved(String)
  }

  /// Refuses what says otherwise than clips do, and takes a list out of the options as they are described.
  mutating func checkClips() throws(TrajpackError) {
    guard let clips else { return }
    for name in ["length", "duration", "stride", "rate"] {
      guard let value = json[name], value != .null else { continue }
      throw TrajpackError(
        .usage,
        "'clips' say where windows begin, how long they are and at which rate: leave '\(name)' out")
    }
    for rule in align.rules.map(\.value) + [align.otherwise ?? .auto] where rule == .native {
      throw TrajpackError(
        .usage,
        "'align' is \"native\", but rows of clips lie at the instants of the clip: leave it out, or take another "
          + "rule")
    }
    guard case .list(let list) = clips, let members = json.members else { return }
    json = .object(
      members.map { member in
        member.name == "clips"
          ? .init(
            "clips", .record(["digest": .string(list.digest), "source": .string(list.source)]))
          : member
      })
  }
}

extension OptionReader {
  /// A list of clips, the path of a file of them, or the name of a saved one.
  func clips() throws(TrajpackError) -> LoaderOptions.ClipChoice {
    guard let text = value.string else {
      return .list(try ClipList(json: value, source: "option '\(name)'"))
    }
    guard ClipList.isPath(text) else { return .saved(text) }
    return .list(
      try within("option '\(name)'") { () throws(TrajpackError) in try ClipList(file: text) })
  }
}

extension Loader {
  /// The clips that windows are; `nil` without the option.
  ///
  /// - Throws: A usage error for clips that do not fit the datasets.
  static func clips(
    _ datasets: [OpenDataset], _ views: [[ShardView]], _ options: LoaderOptions,
    reference: String, _ selections: [SplitSelection?],
    _ filters: [EpisodeFilter]
  ) throws(TrajpackError) -> PlacedClips? {
    guard let choice = options.clips else { return nil }
    let list = try list(choice, datasets)
    let placer = ClipPlacer(
      list: list, reference: reference, rounding: StampRounding(options.tolerance),
      past: options.past, future: options.future)
    var placed = try placer.place(datasets, views) { (d, s, episode) throws(TrajpackError) in
      if let selection = selections[d], !selection.keeps(episode, shard: s) { return false }
      return try filters[d].keeps(views[d][s].index, episode)
    }
    for d in placed.indices {
      guard let selection = selections[d] else { continue }
      placed[d] = placed[d].compactMap { within(selection, $0, edge: options.edge) }
    }
    let keepsAll = filters.allSatisfy(\.keepsAll) && selections.allSatisfy { $0 == nil }
    for (dataset, clips) in zip(datasets, placed) where clips.isEmpty {
      throw TrajpackError(
        .usage, file: dataset.dataset.path,
        "none of \(counted(list.clips.count, "clip")) of \(list.source) is "
          + (keepsAll
            ? "of this dataset" : "left of this dataset by 'split', 'episodes' and 'where'"))
    }
    let clips = PlacedClips(list: list, datasets: placed, digest: list.digest)
    guard clips.longest == clips.shortest || options.edge == .pad else {
      throw TrajpackError(
        .usage, file: list.source,
        "clips have \(clips.shortest) to \(clips.longest) rows, and all windows of a batch have as "
          + "many: set 'edge' to 'pad', so that shorter ones end in padding")
    }
    return clips
  }

  /// A clip that a split selects: its rows, and those of the window after it, lie in one span, and those before it
  /// in what may be seen. Of clips that lie across a border nothing is given.
  private static func within(
    _ selection: SplitSelection, _ clip: PlacedClip, edge: LoaderOptions.Edge
  ) -> PlacedClip? {
    guard case .spans(let spans) = selection.part(ofEpisode: clip.episode, shard: clip.shard)
    else { return clip }
    for number in spans {
      let span = selection.spans[number]
      if let from = span.from, clip.start < from { continue }
      if let to = span.to, !(clip.high < to) { continue }
      if edge == .drop, let seen = span.seenFrom, clip.low < seen { continue }
      var clip = clip
      clip.span = number
      return clip
    }
    return nil
  }

  private static func list(
    _ choice: LoaderOptions.ClipChoice, _ datasets: [OpenDataset]
  ) throws(TrajpackError) -> ClipList {
    switch choice {
    case .list(let list): return list
    case .saved(let name): return try savedClips(name, datasets)
    }
  }

  /// Refuses windows that reach beyond the recording.
  static func check(
    _ clips: PlacedClips, _ rule: WindowRule
  ) throws(TrajpackError) {
    guard rule.edge == .drop else { return }
    var faults = ClipFaults(clips.list.source)
    for clip in clips.datasets.joined() {
      let reach = rule.reach(clip.rate.map { .regular(start: .zero, rate: $0) } ?? .float64)
      let (low, high) = (clip.anchor + reach.lowerBound, clip.anchor + reach.upperBound)
      guard low < 0 || high >= clip.clockRows else { continue }
      let given = clips.list.clips[clip.number]
      faults.add(
        "\(given.place): with 'past', 'future' and 'offsets' the window of clip '\(given.id)' reaches "
          + (low < 0
            ? "\(counted(-low, "row")) before the first row"
            : "\(counted(high - clip.clockRows + 1, "row")) past the last row")
          + " of its recording; set 'edge' to 'pad', or leave the clip out")
    }
    try faults.check()
  }
}

extension Loader {
  /// A list of clips that is saved in datasets: in a mixture that of each under the same name.
  ///
  /// - Throws: A usage error where a dataset has none of that name; a data error where its file is damaged.
  static func savedClips(
    _ name: String, _ datasets: [OpenDataset]
  ) throws(TrajpackError) -> ClipList {
    var clips: [Clip] = []
    for (number, one) in datasets.enumerated() {
      for var clip in try ClipList(saved: name, in: one.dataset).clips {
        if datasets.count > 1 { clip.dataset = number }
        clips.append(clip)
      }
    }
    return try ClipList(clips, source: "clips '\(name)'")
  }
}
