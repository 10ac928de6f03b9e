import TrajpackFormat

/// What depth is asked for as: distances in a unit, and how samples are to be read where the dataset does not say it.
package struct DepthRequest: Sendable, Equatable {
  /// The unit of distances; `nil` for the encoding's own.
  package var units: String?
  /// What counts instead of what the dataset says.
  package var encoding: DepthEncoding?

  /// Distances as the dataset's encoding gives them, unless something else is said.
  package init(units: String? = nil, encoding: DepthEncoding? = nil) {
    (self.units, self.encoding) = (units, encoding)
  }

  /// The encoding that counts, and what its distances are multiplied by.
  ///
  /// - Parameter said: What the dataset says.
  /// - Throws: A usage error where the encoding or the unit is not known.
  package func resolve(
    _ said: DepthEncoding?, _ place: String
  ) throws(TrajpackError) -> (encoding: DepthEncoding, factor: Double, units: String?) {
    guard let encoding = encoding ?? said, encoding.form != .unknown else {
      throw DepthEncoding.unsaid(place)
    }
    guard let units = units ?? encoding.units else { return (encoding, 1, nil) }
    return (encoding, try encoding.factor(to: units, place), units)
  }
}

extension DepthRequest {
  /// Reads the JSON of an option: a unit, or an object: an encoding, whose `units` are those of the result, too, unless `to`
  /// names others.
  package init(_ option: String, _ value: JSONValue) throws(TrajpackError) {
    let reader = OptionReader(name: option, value: value)
    if let units = value.string {
      guard !units.isEmpty else { throw reader.wrong("a unit, such as 'm', or an encoding") }
      self.init(units: units)
      return
    }
    guard value.members != nil else {
      throw reader.wrong(
        "a unit, such as 'm', or an encoding, {\"encoding\": \"linear\", \"scale\": 0.001, \"units\": \"m\"}"
      )
    }
    var encoding = value
    encoding.set("to", nil)
    if let to = value["to"], to.string == nil {
      throw reader.wrong("an encoding whose 'to' is a unit")
    }
    self.init(
      units: value["to"]?.string,
      encoding: try DepthEncoding(encoding, at: "option '\(option)'", .usage))
  }
}

extension TrajpackFormat.Stream {
  /// Whether its pictures are depth: it says so, or its name does.
  package var isDepth: Bool {
    attributes[DepthEncoding.member] != nil || channels.contains { $0.kind == .depth }
      || name.split(separator: "/").contains { $0.lowercased().hasPrefix("depth") }
  }
}

extension LoaderOptions {
  /// What frames of a stream are asked for as.
  func depth(ofFrames stream: TrajpackFormat.Stream) -> DepthRequest? {
    let frame = FrameSelection.channelName
    if let rule = depth.rules.first(where: {
      $0.pattern.matches(stream: stream.name, channel: frame)
    }) {
      return rule.value
    }
    return stream.isDepth ? depth.otherwise : nil
  }

  /// What a channel of depth is asked for as.
  func depth(of stream: String, _ channel: Channel) -> DepthRequest? {
    if let rule = depth.rules.first(where: {
      $0.pattern.matches(stream: stream, channel: channel.name)
    }) {
      return rule.value
    }
    return channel.kind == .depth ? depth.otherwise : nil
  }
}

/// How the numbers of a channel become distances.
package struct DepthConversion: Sendable {
  private var encoding: DepthEncoding
  private var factor: Double
  private var bits: Int

  /// - Throws: A usage error where the encoding or the unit is not known, or the channel has no numbers.
  package init(
    _ request: DepthRequest, _ channel: Channel, _ place: String
  ) throws(TrajpackError) {
    guard channel.type != .bytes, channel.type != .bool else {
      throw TrajpackError(
        .usage, option: "depth", "\(place) is \(channel.type.rawValue), which is no depth")
    }
    (encoding, factor, _) = try request.resolve(try channel.depthEncoding(), place)
    switch channel.type {
    case .uint8, .uint16, .uint32, .uint64: bits = channel.type.size * 8
    case .int8, .int16, .int32, .int64: bits = channel.type.size * 8 - 1
    default: bits = 0
    }
  }

  /// Turns numbers into distances, in place.
  package func apply(_ x: UnsafeMutablePointer<Double>, count: Int) {
    encoding.distances(
      UnsafeMutableBufferPointer(start: x, count: count), bits: bits, factor: factor)
  }
}

extension VideoFacts {
  /// Bits of a sample of the first plane, by the name of its pixel format.
  var bits: Int {
    var name = pixelFormat[...]
    for end in ["le", "be"] where name.hasSuffix(end) { name = name.dropLast(2) }
    if name.hasPrefix("gray") { return Int(name.dropFirst(4)) ?? 8 }
    guard let at = name.lastIndex(of: "p") else { return 8 }
    return Int(name[name.index(after: at)...]) ?? 8
  }
}

/// Turns decoded samples into distances, in the place where they lie.
struct DepthTable: Sendable {
  /// The distance of each sample.
  let distances: [Float]

  /// - Throws: A usage error where the encoding or the unit is not known.
  init(
    _ request: DepthRequest, _ said: DepthEncoding?, bits: Int, _ place: String
  ) throws(TrajpackError) {
    let (encoding, factor, _) = try request.resolve(said, place)
    distances = encoding.table(bits: min(max(bits, 1), 16), factor: factor)
  }

  /// Turns `count` samples of 1 or 2 bytes at the start of `memory` into as many floats; a sample of more bits than the
  /// table has entries is no depth.
  func expand(_ memory: UnsafeMutableRawPointer, count: Int, sampleBytes: Int) {
    distances.withUnsafeBufferPointer { table in
      let out = memory.assumingMemoryBound(to: Float.self)
      // From the last to the first, because a float takes more room than its sample.
      var i = count - 1
      if sampleBytes == 1, table.count == 256 {
        let samples = memory.assumingMemoryBound(to: UInt8.self)
        while i >= 0 {
          out[i] = table[Int(samples[i])]
          i -= 1
        }
        return
      }
      while i >= 0 {
        let sample =
          sampleBytes == 1
          ? Int(memory.load(fromByteOffset: i, as: UInt8.self))
          : Int(memory.loadUnaligned(fromByteOffset: 2 * i, as: UInt16.self))
        out[i] = sample < table.count ? table[sample] : .nan
        i -= 1
      }
    }
  }
}

extension Layout {
  /// Looks whether what is asked for as distances can be such in every shard.
  ///
  /// - Throws: A usage error where it is not known what the numbers mean, or nothing is depth.
  func checkDepth(_ schemas: [Schema], _ options: LoaderOptions) throws(TrajpackError) {
    let asked = channels.filter { $0.depth != nil }
    if options.depth.otherwise != nil, asked.isEmpty {
      throw TrajpackError(
        .usage, option: "depth",
        "no selected channel is depth; name a video or channel of depth in 'channels', or which one is by "
          + "{pattern: unit}")
    }
    for channel in asked where !channel.isFrames {
      guard let request = channel.depth else { continue }
      for stream in schemas.flatMap(\.streams) where stream.name == channel.stream {
        guard let own = stream.channels.first(where: { $0.name == channel.channel.name }) else {
          continue
        }
        _ = try DepthConversion(request, own, "channel '\(channel.path)'")
      }
    }
  }
}
