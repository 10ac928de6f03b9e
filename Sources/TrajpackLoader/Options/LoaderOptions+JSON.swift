import TrajpackFormat
import TrajpackSignal

extension LoaderOptions {
  /// Reads the options from JSON text.
  ///
  /// - Throws: A usage error naming the member that is wrong, and what it may be.
  public init(json text: String) throws(TrajpackError) {
    let value: JSONValue
    do throws(TrajpackError) {
      value = try JSONValue(parsing: text)
    } catch {
      throw TrajpackError(.usage, "the options are no JSON: \(error.message)")
    }
    guard let members = value.members else {
      throw TrajpackError(.usage, "the options must be an object, like {\"length\": 64}")
    }
    json = value
    for member in members where member.value != .null {
      do throws(TrajpackError) {
        try set(member.name, OptionReader(name: member.name, value: member.value))
      } catch {
        throw error.at(ErrorPlace(option: member.name))
      }
    }
    try checkClips()
    if length == nil, duration == nil { length = 1 }
    guard length == nil || duration == nil else {
      throw TrajpackError(.usage, "'length' and 'duration' say the same: give one of them")
    }
    if windowWeights != nil, shuffle != .global {
      throw TrajpackError(
        .usage, "'window_weights' draws windows at random: leave 'shuffle' out, or at \"global\"")
    }
    try checkReplacement()
    guard rank < world else {
      throw TrajpackError(.usage, "'rank' is \(rank), which must be below 'world', \(world)")
    }
  }

  private func checkReplacement() throws(TrajpackError) {
    guard let replacement else { return }
    guard replacement || windowWeights == nil else {
      throw TrajpackError(
        .usage,
        "'window_weights' draws windows with replacement: leave 'replacement' out, or true")
    }
    guard !replacement || shuffle == .global else {
      throw TrajpackError(
        .usage, "'replacement' draws windows at random: leave 'shuffle' out, or at \"global\"")
    }
  }

  private mutating func set(_ name: String, _ option: OptionReader) throws(TrajpackError) {
    switch name {
    case "channels":
      channels = try option.list { (o) throws(TrajpackError) in
        if let kind = o.value["kind"] {
          return .kind(try OptionReader(name: name, value: kind).choice())
        }
        return .pattern(Pattern(try o.text()))
      }
      isAll = false
    case "exclude": exclude = try option.patterns()
    case "length": length = try option.integer(1...Self.limit)
    case "duration": duration = try option.positive()
    case "stride": stride = try option.integer(1...Self.limit)
    case "past": past = try option.integer(0...Self.limit)
    case "future": future = try option.integer(0...Self.limit)
    case "offsets":
      offsets = try option.rules { (o) throws(TrajpackError) in
        try o.list { (o) throws(TrajpackError) in try o.offset() }
      }
    case "plan": plan = try Plan(json: option.value)
    case "reference": reference = try option.text()
    case "rate": rate = try option.positive()
    case "align": align = try option.rules { (o) throws(TrajpackError) in try o.choice() }
    case "edge": edge = try option.choice()
    case "entities":
      entities = try option.rules { (o) throws(TrajpackError) in try o.integer(1...65536) }
    case "tolerance": tolerance = try option.span()
    case "hold": hold = try option.rules { (o) throws(TrajpackError) in try o.choice() }
    case "max_staleness":
      staleness = try option.rules { (o) throws(TrajpackError) in try o.positive() }
    case "dtype": type = try option.types()
    case "normalize": normalize = try option.normalizations()
    case "normalize_split": normalizeSplit = try option.text()
    case "features":
      for member in try option.object() {
        let reader = OptionReader(name: "features.\(member.name)", value: member.value)
        features.append((member.name, try reader.patterns()))
      }
    case "fill": fill = try option.rules { (o) throws(TrajpackError) in try o.fill() }
    case "masks": try setMasks(option)
    case "time": time = try option.truth()
    case "meta": meta = try option.truth()
    case "size": size = try option.rules { (o) throws(TrajpackError) in try o.frameSize() }
    case "pixels": pixels = try option.rules { (o) throws(TrajpackError) in try o.choice() }
    case "layout": layout = try option.rules { (o) throws(TrajpackError) in try o.choice() }
    case "crop": crop = try option.rules { (o) throws(TrajpackError) in try o.frameCrop() }
    case "flip":
      flip = try option.number()
      guard (0...1).contains(flip) else { throw option.wrong("a probability, 0 to 1") }
    case "flip_world":
      guard option.value.members != nil else { throw option.wrong("an object of patterns") }
      flipWorld = try option.rules { (o) throws(TrajpackError) in
        o.value.double != nil
          ? [try o.finite()] : try o.list { (o) throws(TrajpackError) in try o.finite() }
      }
    case "pixels_of":
      guard option.value.members != nil else { throw option.wrong("an object of patterns") }
      pixelsOf = try option.rules { (o) throws(TrajpackError) in try o.text() }
    case "depth": depth = try option.depths()
    case "frame_cache": frameCache = try option.integer(0...1 << 50)
    case "values": values = try option.texts()
    default: try setOrder(name, option)
    }
  }

  private mutating func setMasks(_ option: OptionReader) throws(TrajpackError) {
    if let all = option.value.bool {
      (observed, present, padding) = (all, all, all)
      return
    }
    let names = try option.list { (o) throws(TrajpackError) in try o.text() }
    for name in names where !["observed", "present", "padding"].contains(name) {
      throw option.wrong("true, false, or a list of 'observed', 'present', 'padding'")
    }
    observed = names.contains("observed")
    present = names.contains("present")
    padding = names.contains("padding")
  }

  private mutating func setOrder(_ name: String, _ option: OptionReader) throws(TrajpackError) {
    switch name {
    case "clips": clips = try option.clips()
    case "split": splits = try option.texts()
    case "scheme": scheme = try option.text()
    case "fold": fold = try option.integer(0...1 << 20)
    case "episodes": episodes = try option.patterns()
    case "where":
      for member in try option.object() {
        conditions.append((member.name, try option.condition(member)))
      }
    case "windows_where": windowTest = try option.windowTest()
    case "window_weights":
      windowWeights = option.value == true ? .given : .question(try option.windowNumber())
    case "cache_dir": cacheFolder = try option.text()
    case "shuffle":
      switch option.value {
      case .bool(let isOn): shuffle = isOn ? .global : .none
      case "global": shuffle = .global
      case "none": shuffle = .none
      case "block": shuffle = .block(windows: blockWindows, count: blockCount)
      default: throw option.wrong("'global', 'block' or 'none'")
      }
      applyBlocks()
    case "block_windows":
      blockWindows = try option.integer(1...Self.limit)
      applyBlocks()
    case "block_count":
      blockCount = try option.integer(1...Self.limit)
      applyBlocks()
    case "seed": seed = UInt64(bitPattern: Int64(try option.integer(Int.min...Int.max)))
    case "epoch": epoch = UInt64(try option.integer(0...1 << 40))
    case "batch": batch = try option.integer(1...Self.limit)
    case "drop_last": dropLast = try option.truth()
    case "rank": rank = try option.integer(0...1 << 20)
    case "world": world = try option.integer(1...1 << 20)
    case "weights":
      weights = try option.list { (o) throws(TrajpackError) in
        let weight = try o.number()
        guard weight > 0, weight.isFinite else { throw o.wrong("positive numbers") }
        return weight
      }
    case "replacement": replacement = try option.truth()
    case "epoch_windows": epochWindows = UInt64(try option.integer(1...1 << 50))
    case "threads": threads = try option.integer(0...1024)
    case "prefetch": prefetch = try option.integer(1...1024)
    case "cache": cache = try option.integer(0...1 << 50)
    case "verify": verify = try option.choice()
    case "mmap": mapsFiles = try option.truth()
    case "on_error":
      switch try option.text() {
      case "raise": skipsErrors = false
      case "skip": skipsErrors = true
      default: throw option.wrong("'raise' or 'skip'")
      }
    default:
      throw TrajpackError(
        .usage, "there is no option '\(name)'\(Suggestion.text(for: name, among: Self.names))",
        at: ErrorPlace(option: name))
    }
  }

  private mutating func applyBlocks() {
    if case .block = shuffle { shuffle = .block(windows: blockWindows, count: blockCount) }
  }

  /// The members that the object may have.
  static let names = [
    "channels", "exclude", "length", "duration", "stride", "past", "future", "offsets", "plan",
    "reference",
    "rate", "align", "tolerance", "hold", "max_staleness", "edge", "entities", "dtype", "normalize",
    "normalize_split", "features",
    "fill",
    "masks", "time", "meta", "size", "pixels", "layout", "crop", "flip", "flip_world",
    "pixels_of", "depth", "frame_cache", "values", "clips", "split",
    "scheme", "fold", "episodes", "where", "windows_where",
    "window_weights", "cache_dir", "shuffle", "block_windows", "block_count",
    "seed",
    "epoch", "batch", "drop_last", "rank", "world", "weights", "epoch_windows", "replacement",
    "threads",
    "prefetch",
    "cache", "verify", "mmap", "on_error",
  ]
}
