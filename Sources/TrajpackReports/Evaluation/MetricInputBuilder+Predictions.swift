import TrajpackFormat
import TrajpackLoader

extension MetricInputBuilder {
  /// The predictions that an input is, and what they are called; nil where there are none.
  func predicted(
    _ input: MetricBinding.Input, _ chosen: [String: [Entry]], _ arrays: [String: Numbers],
    _ frames: ReferenceFrames, _ windows: [Range<Int>]
  ) throws(TrajpackError) -> (Predicted, String)? {
    let mirrored = input.mirrors.flatMap { chosen[$0] ?? chosen[input.name] }
    let target = input.mirrors.flatMap { arrays[$0]?.shape }
    switch predictions {
    case .recording(let recording):
      var entries = mirrored ?? []
      if let text = plan.maps[input.name], input.mirrors != input.name {
        entries = []
        for part in text.split(separator: ",") {
          let found = recording.entries.filter {
            $0.matches(Pattern(String(part)))
              && (input.content == .depth
                ? $0.isFrames || recording.channel($0)?.kind == .depth : !$0.isFrames)
          }
          guard !found.isEmpty else {
            throw TrajpackError(
              .usage,
              "--map \(input.name): the predictions of episode '\(truth.id)' have no channel '\(part)'"
                + Suggestion.text(for: String(part), among: recording.entries.map(\.path)))
          }
          entries += found
        }
      } else if input.mirrors == nil {
        return nil
      }
      let there = Set(recording.entries)
      guard !entries.isEmpty, entries.allSatisfy(there.contains) else { return nil }
      if recording === truth, entries == chosen[input.name], let known = arrays[input.name] {
        let covered = [Bool](repeating: true, count: frames.count)
        return (.frames(known, covered: covered), describe(entries))
      }
      if plan.maps[input.name] == nil { try agree(entries, recording) }
      var parts: [Numbers] = []
      var covered = [Bool](repeating: true, count: frames.count)
      var surplus = 0
      let read = try recording.read(entries, on: frames)
      for (place, entry) in entries.enumerated() {
        let (numbers, own) = read[place]
        parts.append(numbers)
        // Frames on which the truth has no row need no prediction.
        let partner = mirrored.flatMap { $0.count == entries.count ? $0[place] : nil }
        if let partner {
          surplus = max(surplus, try outside(recording, entry, frames, than: partner))
        }
        let needed = try needs(partner.map { [$0] } ?? [], frames)
        for frame in covered.indices where needed[frame] && !own[frame] { covered[frame] = false }
      }
      return (
        .frames(Self.combined(parts, input.content), covered: covered, surplus: surplus),
        describe(entries)
      )
    case .arrays(let files):
      if let text = plan.maps[input.name], input.mirrors != input.name {
        let names = text.split(separator: ",").map(String.init)
        var parts: [Predicted] = []
        for name in names {
          guard let array = try files.array(name) else {
            throw TrajpackError(
              .usage,
              "--map \(input.name): \(files.origin) has no array '\(name)' for episode '\(truth.id)'"
                + Suggestion.text(for: name, among: files.names))
          }
          let pose = try Self.pose(array, input)
          parts.append(
            try fitted(
              pose.array, name, names.count == 1 ? pose.target ?? target : nil, frames, windows,
              files))
        }
        return try joined(parts, input, names)
      }
      for name in [input.name] + input.aliases {
        if let array = try files.array(name) {
          let pose = try Self.pose(array, input)
          return (
            try fitted(pose.array, name, pose.target ?? target, frames, windows, files), name
          )
        }
      }
      guard let mirrored, !mirrored.isEmpty else { return nil }
      var parts: [Predicted] = []
      for entry in mirrored {
        guard let channel = truth.channel(entry) else { return nil }
        let shape = [frames.count] + channel.shape
        if let runs = try self.runs(entry, files, frames, shape) {
          parts.append(runs)
        } else if let array = try files.array(entry.path) {
          let pose = try Self.pose(array, input)
          parts.append(
            try fitted(
              pose.array, entry.path, mirrored.count == 1 ? pose.target ?? shape : shape, frames,
              windows, files))
        } else {
          return nil
        }
      }
      return try joined(parts, input, mirrored.map(\.path))
    }
  }

  /// Rotations may be matrices, whatever the truth's are, and whole poses `[F, 4, 4]` or `[F, 3, 4]` hold both a
  /// rotation and a position; with the shape that the frames then have.
  private static func pose(
    _ array: Numbers, _ input: MetricBinding.Input
  ) throws(TrajpackError) -> (array: Numbers, target: [Int]?) {
    let isRotation = input.content == .cameraRotation
    guard isRotation || input.content == .cameraPosition, array.shape.count == 3 else {
      return (array, nil)
    }
    let row = Array(array.shape.dropFirst())
    if row == [3, 3], isRotation { return (array, array.shape) }
    guard row == [4, 4] || row == [3, 4] else { return (array, nil) }
    let shape = isRotation ? [array.rows, 3, 3] : [array.rows, 3]
    let out = Numbers(shape: shape)
    for frame in 0..<array.rows {
      for r in 0..<3 {
        let from = frame * array.width + 4 * r
        if isRotation {
          for c in 0..<3 { out.values[frame * 9 + 3 * r + c] = array.values[from + c] }
        } else {
          out.values[frame * 3 + r] = array.values[from + 3]
        }
      }
    }
    out.present = array.present
    return (out, shape)
  }

  /// Parts side by side, all by frame or all by window.
  private func joined(
    _ parts: [Predicted], _ input: MetricBinding.Input, _ names: [String]
  ) throws(TrajpackError) -> (Predicted, String) {
    var whole: [Numbers] = []
    var cut: [[Numbers]] = []
    var covered: [Bool] = []
    var surplus = 0
    for part in parts {
      switch part {
      case .frames(let numbers, let own, let more):
        surplus = max(surplus, more)
        whole.append(numbers)
        covered = covered.isEmpty ? own : zip(covered, own).map { $0 && $1 }
      case .windows(let windows): cut.append(windows)
      }
    }
    let source = names.joined(separator: ", ")
    if cut.isEmpty {
      return (
        .frames(Self.combined(whole, input.content), covered: covered, surplus: surplus), source
      )
    }
    guard whole.isEmpty, let count = cut.first?.count else {
      throw TrajpackError(
        .usage,
        "episode '\(truth.id)': of \(source), some are by window and some by frame; give all in one way"
      )
    }
    return (
      .windows((0..<count).map { n in Self.combined(cut.map { $0[n] }, input.content) }), source
    )
  }

  /// An array as rows of the frames, or of the windows, in the shape of the truth's rows.
  ///
  /// - Throws: A usage error where its shape fits neither, or it is longer than the episode.
  private func fitted(
    _ array: Numbers, _ name: String, _ target: [Int]?, _ frames: ReferenceFrames,
    _ windows: [Range<Int>],
    _ files: PredictedArrays
  ) throws(TrajpackError) -> Predicted {
    func refuse(_ wanted: String) -> TrajpackError {
      TrajpackError(
        .usage, file: files.origin,
        "'\(name)' of episode '\(truth.id)' has shape \(array.shape), but \(wanted)"
      )
    }
    guard !array.shape.isEmpty else { throw refuse("an array by frame is needed") }
    let row = target.map { Array($0.dropFirst()) }
    let width = row?.reduce(1, *)
    if let window = request.window, array.shape.count >= 2, array.shape[0] == windows.count,
      [window.length, window.past + window.length].contains(array.shape[1]),
      width.map({ $0 * array.shape[1] == array.width }) ?? true, array.shape[0] != frames.count
    {
      if let absent = array.present?.firstIndex(of: false) {
        throw refuse("window \(absent) is not there; give predictions by frame, or all windows")
      }
      let inner = row ?? Array(array.shape.dropFirst(2))
      let given = array.shape[1]
      return .windows(
        windows.indices.map { number in
          array.rows(number..<number + 1).reshaped([given] + inner)
            .rows(given - window.length..<given)
        })
    }
    if let row, let width {
      guard array.width == width else {
        throw refuse(
          "the truth's frames hold \(row.isEmpty ? "one number" : "\(row)")"
            + (request.window.map {
              ", or by window [\(windows.count), \($0.past + $0.length)] and that"
            } ?? ""))
      }
    }
    guard array.rows <= frames.count || request.isPartial else {
      throw refuse(
        "the episode has \(frames.count) frames of '\(frames.stream)'; --partial leaves out what is more"
      )
    }
    let shape = row ?? Array(array.shape.dropFirst())
    let count = min(array.rows, frames.count)
    let whole = [frames.count] + shape
    let isWhole = count == frames.count && array.rows == count
    let out = isWhole ? array.reshaped(whole) : Numbers(shape: whole)
    if !isWhole { out.values.copy(count * array.width, of: array.values, from: 0, to: 0) }
    let present = array.present
    return .frames(
      out, covered: (0..<frames.count).map { $0 < count && present?[$0] ?? true },
      surplus: array.rows - count)
  }

  /// An entity's rows as `trajpack export` writes them: an array a track, `…`, `…#2`. Nil where the
  /// arrays are not of that form.
  private func runs(
    _ entry: Entry, _ files: PredictedArrays, _ frames: ReferenceFrames, _ shape: [Int]
  ) throws(TrajpackError) -> Predicted? {
    let places = try truth.runs(entry, on: frames)
    guard places.count != 1 || places[0].count != frames.count else { return nil }
    let out = Numbers(shape: shape)
    var covered = try needs([entry], frames).map { !$0 }
    for (run, rows) in places.enumerated() {
      let name = run == 0 ? entry.path : "\(entry.label)#\(run + 1)/\(entry.channel)"
      guard let array = try files.array(name), array.rows == rows.count, array.width == out.width
      else { return nil }
      for (row, frame) in rows.enumerated() where frame >= 0 {
        covered[frame] = covered[frame] || array.present?[row] ?? true
        for index in 0..<out.width {
          out.values[frame * out.width + index] = array.values[row * out.width + index]
        }
      }
    }
    return .frames(out, covered: covered)
  }

  /// The frames of which the truth has rows.
  private func needs(_ entries: [Entry], _ frames: ReferenceFrames) throws(TrajpackError) -> [Bool]
  {
    var needed = [Bool](repeating: entries.isEmpty, count: frames.count)
    for entry in entries {
      for rows in try truth.runs(entry, on: frames) {
        for frame in rows where frame >= 0 { needed[frame] = true }
      }
    }
    return needed
  }

  /// Refuses channels whose numbers mean something else than the truth's.
  private func agree(_ entries: [Entry], _ recording: ArchiveEpisode) throws(TrajpackError) {
    for entry in entries {
      guard let own = truth.channel(entry), let other = recording.channel(entry) else { continue }
      func refuse(_ what: String, _ a: String, _ b: String) -> TrajpackError {
        TrajpackError(
          .usage,
          "episode '\(truth.id)': \(what) of '\(entry.path)' is \(a) in the truth and \(b) in the "
            + "predictions; convert the predictions")
      }
      guard own.shape == other.shape else {
        throw refuse("the shape", "\(own.shape)", "\(other.shape)")
      }
      if let a = own.units, let b = other.units, a != b {
        throw refuse("the unit", "'\(a)'", "'\(b)'")
      }
      for convention in own.conventions {
        guard let a = convention.value.string, let b = other.convention(convention.name) else {
          continue
        }
        // Two known sets of axes are turned into each other.
        if convention.name == "axes", Self.axes(of: own) != nil, Self.axes(of: other) != nil,
          plan.evaluator.settings.contains(where: { $0.name == "estimate_axes" })
        {
          continue
        }
        if a != b { throw refuse("the convention '\(convention.name)'", "'\(a)'", "'\(b)'") }
      }
    }
  }
}
