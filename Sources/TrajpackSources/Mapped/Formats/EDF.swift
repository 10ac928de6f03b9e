import TrajpackFormat
import TrajpackStore

/// EDF, EDF+, BDF and BDF+: a file is a recording, and the signals of one rate are a stream.
enum EDF: MappedFormat {
  static let format = FormatDescription(
    name: "edf", summary: "EDF, EDF+, BDF and BDF+ recordings",
    carries: "every signal in its units at its own rate, gaps of EDF+D, annotations as texts",
    reads: true, writes: false)

  static func recognises(_ files: SourceFiles, _ options: MappingOptions) -> Bool {
    !options.isMapping
      && files.trees.prefix(4).contains { TreeFiles.kind(of: $0.path) == EDFFile.self }
  }

  static func read(
    _ files: SourceFiles, _ options: MappingOptions
  ) throws(TrajpackError) -> MappedSource {
    var source = MappedSource(recordings: [])
    let own = files.trees.filter { TreeFiles.kind(of: $0.path) == EDFFile.self }
    var gaps: Set<String> = []
    source.recordings = try files.recordings(options, of: own) {
      (file, index) throws(TrajpackError) in
      guard let tree = index.tree as? EDFFile else { return [] }
      return [try recording(tree, file, options, &source, &gaps)]
    }
    // Where one recording has gaps, all have times of their own, for they share a layout.
    if !gaps.isEmpty {
      for i in source.recordings.indices {
        for j in source.recordings[i].streams.indices {
          spell(&source.recordings[i].streams[j])
        }
      }
    }
    source.leftOut += files.others()
    for file in files.trees where !own.contains(where: { $0.path == file.path }) {
      source.leftOut.append(LeftOut(path: file.place, why: "is no file of this format"))
    }
    return source
  }

  private static func recording(
    _ tree: EDFFile, _ file: SourceFiles.File, _ options: MappingOptions,
    _ source: inout MappedSource, _ gaps: inout Set<String>
  ) throws(TrajpackError) -> MappedRecording {
    let header = tree.header
    let (annotations, onsets) = try tree.annotations()
    var recording = MappedRecording(file, id: file.stem)
    for (name, text) in [
      ("start_time", header.start), ("patient", header.patient), ("recording", header.recording),
    ] where !text.isEmpty {
      recording.values.append(.init(name, .string(text)))
    }
    if header.rest > 0 {
      source.remarks.append(
        "\(file.place): \(header.rest) bytes behind its last record are not read")
    }
    let hasGaps = try checked(onsets, header, file, &source)
    if hasGaps { gaps.insert(file.path) }
    for (number, signal) in header.signals.enumerated() where !signal.isAnnotations {
      let node = tree.nodes.first { $0.path == "/" + signal.name }
      guard let node, let count = node.array?.count, count > 0 else {
        source.leftOut.append(
          LeftOut(path: "\(file.place):\(signal.name)", why: "has no samples"))
        continue
      }
      guard options.takes(node.path) else { continue }
      if signal.isRaw {
        source.remarks.append(
          "\(file.place): signal \(number + 1) ('\(signal.name)') has no physical range; its numbers are those of the recorder"
        )
      }
      let scaled = Int64(signal.samples).multipliedReportingOverflow(
        by: header.duration.denominator)
      guard !scaled.overflow, let rate = Rational(scaled.partialValue, header.duration.numerator)
      else {
        throw TrajpackError(
          .data, "\(file.path): its records last \(header.duration) s, which gives no rate")
      }
      let item = TreeLayout.Item(node: node, place: signal.name, part: TreePart(tree, node))
      var channel = TreeLayout.channel(signal.name, item, options)
      if channel.units == nil, !signal.units.isEmpty, !signal.isRaw { channel.units = signal.units }
      for (name, text) in [("transducer", signal.transducer), ("prefilter", signal.prefilter)]
        + signal.ranges
      where !text.isEmpty {
        channel.conventions.append(.init(name, .string(text)))
      }
      let name = "signals_\(said(rate))hz"
      let made = MappedChannel(channel, .tree(item.part))
      if let i = recording.streams.firstIndex(where: { $0.name == name }) {
        recording.streams[i].channels.append(made)
      } else {
        let time: MappedStream.Time =
          hasGaps
          ? times(count, rate, signal.samples, onsets)
          : .regular(.regular(start: onsets.first ?? .zero, rate: rate), unit: "s")
        recording.streams.append(
          MappedStream(name: name, count: count, time: time, channels: [made]))
      }
    }
    if !annotations.isEmpty { recording.streams.append(stream(of: annotations)) }
    guard !recording.streams.isEmpty else {
      throw TrajpackError(.data, "\(file.path): has neither samples nor annotations")
    }
    return recording
  }

  /// Whether records do not follow each other. What the header says of it is not relied on.
  private static func checked(
    _ onsets: [Rational], _ header: EDFHeader, _ file: SourceFiles.File,
    _ source: inout MappedSource
  ) throws(TrajpackError) -> Bool {
    guard let first = onsets.first, header.duration.numerator > 0 else { return false }
    let step = header.duration.value
    var last = first.value - step
    var hasGaps = header.isDiscontinuous
    var jump: Int?
    for (record, onset) in onsets.enumerated() {
      guard onset.value >= last + step * (1 - 1e-6) else {
        throw TrajpackError(
          .data,
          "\(file.path): record \(record) begins at \(onset.value) s, before the one before it ends; it is damaged"
        )
      }
      last = onset.value
      if abs(onset.value - (first.value + Double(record) * step)) > step / 2 {
        if jump == nil { jump = record }
        hasGaps = true
      }
    }
    if let jump, !header.isDiscontinuous {
      source.remarks.append(
        "\(file.place): calls itself continuous, and its record \(jump) begins at \(onsets[jump].value) s; the times of records are taken"
      )
    }
    return hasGaps
  }

  /// A rate as the name of a stream says it.
  private static func said(_ rate: Rational) -> String {
    let thousandths = (rate.value * 1000).rounded()
    guard rate.denominator > 1, Rational(Int64(thousandths), 1000) == rate else {
      return rate.description.replacing("/", with: "_")
    }
    return "\(rate.value)"
  }

  /// The times of rows: those of their records, and the rate within one.
  private static func times(
    _ count: Int, _ rate: Rational, _ samples: Int, _ onsets: [Rational]
  ) -> MappedStream.Time {
    .array(
      .made { () throws(TrajpackError) in
        var out: [UInt8] = []
        out.reserveCapacity(count * 8)
        for row in 0..<count {
          let onset = onsets[min(row / samples, onsets.count - 1)]
          // One division of whole numbers, which is rounded once.
          let numerator =
            Int128(onset.numerator) * Int128(rate.numerator)
            + Int128(row % samples) * Int128(rate.denominator) * Int128(onset.denominator)
          let time = Double(numerator) / Double(Int128(onset.denominator) * Int128(rate.numerator))
          withUnsafeBytes(of: time.bitPattern.littleEndian) { out.append(contentsOf: $0) }
        }
        return out
      }, .float64, tick: .one, unit: "s")
  }

  /// Times of rows in place of a clock.
  private static func spell(_ stream: inout MappedStream) {
    guard case .regular(.regular(let start, let rate), let unit) = stream.time else { return }
    guard
      case .array(let rows, let type, let tick, _) = times(
        stream.count, rate, stream.count, [start])
    else { return }
    stream.time = .array(rows, type, tick: tick, unit: unit)
  }

  private static func stream(of annotations: [EDFFile.Annotation]) -> MappedStream {
    func doubles(_ values: [Double]) -> RowSource {
      .made { () throws(TrajpackError) in
        values.flatMap { value in withUnsafeBytes(of: value.bitPattern.littleEndian) { Array($0) } }
      }
    }
    let texts = annotations.map { Array($0.text.utf8) }
    return MappedStream(
      name: "annotations", count: annotations.count,
      time: .array(doubles(annotations.map(\.onset)), .float64, tick: .one, unit: "s"),
      channels: [
        MappedChannel(
          Channel(name: "text", kind: .text, type: .bytes),
          .texts { () throws(TrajpackError) in texts }),
        MappedChannel(
          Channel(
            name: "duration", kind: .scalar, type: .float64, units: "s", missing: .nan),
          doubles(annotations.map(\.duration))),
      ])
  }
}
