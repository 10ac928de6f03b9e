import TrajpackFormat
import TrajpackStore

/// NetCDF-4: HDF5 whose axes have names.
enum NetCDF4: MappedFormat {
  static let format = FormatDescription(
    name: "netcdf4", summary: "NetCDF-4 (also xarray's)",
    carries:
      "every variable, unpacked; coordinates; attributes; groups with a time of their own as recordings",
    reads: true, writes: false)

  static func recognises(_ files: SourceFiles, _ options: MappingOptions) -> Bool {
    guard !options.isMapping, let tree = files.first else { return false }
    return tree.nodes.first?["_NCProperties"] != nil
      || tree.nodes.contains {
        $0["CLASS"]?.text == "DIMENSION_SCALE" && $0["_Netcdf4Dimid"] != nil
      }
  }

  static func read(
    _ files: SourceFiles, _ options: MappingOptions
  ) throws(TrajpackError) -> MappedSource {
    try NetCDF.read(files, options)
  }
}

/// NetCDF-3, whose tree is that of NetCDF-4.
enum NetCDF3: MappedFormat {
  static let format = FormatDescription(
    name: "netcdf3", summary: "NetCDF-3: classic, 64-bit offset and 64-bit data",
    carries: "every variable, unpacked; coordinates; attributes", reads: true, writes: false)

  static func recognises(_ files: SourceFiles, _ options: MappingOptions) -> Bool {
    !options.isMapping
      && files.trees.prefix(4).contains { TreeFiles.kind(of: $0.path) == NetCDF3File.self }
  }

  static func read(
    _ files: SourceFiles, _ options: MappingOptions
  ) throws(TrajpackError) -> MappedSource {
    try NetCDF.read(files, options)
  }
}

/// The variables of NetCDF files. The axis of time counts rows; packed numbers are unpacked, and what is filled is not
/// observed. Conventions after CF 1.8.
enum NetCDF {
  /// Attributes that the library keeps for itself, or that are said in other ways.
  private static let technical: Set<String> = [
    "_NCProperties", "_Netcdf4Dimid", "_Netcdf4Coordinates", "CLASS", "NAME", "REFERENCE_LIST",
    "DIMENSION_LIST",
    "_FillValue", "missing_value", "scale_factor", "add_offset", "units", "_nc3_strict",
    "_Unsigned",
  ]

  static func read(
    _ files: SourceFiles, _ options: MappingOptions
  ) throws(TrajpackError) -> MappedSource {
    var source = MappedSource(recordings: [])
    source.recordings = try files.recordings(options) { (file, index) throws(TrajpackError) in
      let axes = try TimeAxes(index)
      let own = index.children("/").filter { $0.array != nil }
      let groups = index.children("/").filter { group in
        group.isGroup && index.children(group.path).contains { axes.times(of: $0) == $0.path }
      }
      guard own.isEmpty, !groups.isEmpty else {
        return [try recording("/", file, file.stem, index, axes, options, &source)]
      }
      return try groups.sorted { NaturalOrder.isBefore($0.name, $1.name) }.mapThrowing {
        (group) throws(TrajpackError) in
        try recording(
          group.path, file, files.prefix(file) + group.name, index, axes, options, &source)
      }
    }
    source.leftOut += files.others()
    return source
  }

  /// The paths of the dimensions of a variable; empty where one is not known. The axes that a member of a compound type
  /// has besides are "".
  fileprivate static func dimensions(_ node: TreeNode) -> [String] {
    guard let array = node.array else { return [] }
    if let list = node["DIMENSION_LIST"]?.texts, list.count <= array.shape.count {
      return list + Array(repeating: "", count: array.shape.count - list.count)
    }
    if node["CLASS"]?.text == "DIMENSION_SCALE", array.shape.count == 1 { return [node.path] }
    return []
  }

  /// Whether a dimension has no coordinate of its own.
  fileprivate static func isBare(_ node: TreeNode) -> Bool {
    node["NAME"]?.text?.hasPrefix("This is a netCDF dimension but not a netCDF variable") ?? false
  }

  private static func recording(
    _ base: String, _ file: SourceFiles.File, _ id: String, _ index: TreeIndex,
    _ axes: TimeAxes, _ options: MappingOptions,
    _ source: inout MappedSource
  ) throws(TrajpackError) -> MappedRecording {
    var recording = MappedRecording(file, id: id)
    var facts = TreeFacts()
    if let root = index["/"] { facts.add(root, skipping: technical) }
    if base != "/", let group = index[base] { facts.add(group, skipping: technical) }
    let prefix = base == "/" ? 1 : base.utf8.count + 1
    var streams: [MappedStream] = []
    func leave(_ node: TreeNode, _ why: String) {
      source.leftOut.append(
        LeftOut(path: "\(FileSystem.name(of: file.path)):\(node.path)", why: why))
    }
    for node in index.below(base) where options.takes(node.path) && !isBare(node) {
      guard let array = node.array else {
        if case .unread(let why) = node.content { leave(node, why) }
        continue
      }
      let place = String(node.path.dropFirst(prefix))
      let dims = dimensions(node)
      guard array.isRead, array.type != nil || array.shape.count <= 1 else {
        if case .unread(let why) = array.form {
          leave(node, why)
        } else {
          leave(node, "has several texts a row")
        }
        continue
      }
      for (name, value) in node.attributes where !technical.contains(name) {
        if let json = value.json { facts.add("\(place)/\(name)", json) }
      }
      let rows = axes.rows(of: node)
      if axes.times(of: node) == node.path { continue }  // the times themselves
      var part = TreePart(index.tree, node)
      guard let rows, let axis = dims.firstIndex(of: rows) else {
        try constant(node, array, place, &part, options, &facts, &streams)
        continue
      }
      if array.count == 0 {
        leave(node, "has no elements (\(array.text))")
        continue
      }
      part = TreePart(index.tree, node, time: axis)
      part.scaling = scaling(node, array)
      var item = TreeLayout.Item(node: node, place: place, part: part)
      item.units = node["units"]?.text
      item.description = node["long_name"]?.text
      let others = dims.enumerated().filter { $0.offset != axis && !$0.element.isEmpty }.map {
        String($0.element.pathComponents.last ?? "")
      }
      if !others.isEmpty {
        item.conventions.append(.init("axes", .string(others.joined(separator: ", "))))
      }
      let width = part.rowShape.reduce(part.type.size, *)
      let name = String(rows.dropFirst(rows.hasPrefix(base) ? prefix : 1))
      let stream = width >= 4096 ? place : name
      let channel = MappedChannel(
        TreeLayout.channel(width >= 4096 ? node.name : place, item, options), .tree(part))
      if let i = streams.firstIndex(where: { $0.name == stream }) {
        streams[i].channels.append(channel)
      } else {
        streams.append(
          try self.stream(stream, part.count, channel, axes.times(of: node), index, options))
      }
    }
    recording.values = facts.values
    recording.streams = streams + facts.streams
    guard !recording.streams.isEmpty else {
      throw TrajpackError(
        .data, file: file.path, "has no variable along an axis of time; map it with --axes")
    }
    return recording
  }

  private static func stream(
    _ name: String, _ count: Int, _ channel: MappedChannel, _ times: String?, _ index: TreeIndex,
    _ options: MappingOptions
  ) throws(TrajpackError) -> MappedStream {
    guard let times, let scale = index[times], let array = scale.array, array.type != nil else {
      return MappedStream(
        name: name, count: count, time: MappedStream.time(rate: options.rate), channels: [channel])
    }
    let axis = TreePart(index.tree, scale)
    let units = scale["units"]?.text ?? ""
    let word = String(units.split(separator: " ").first ?? "")
    let short = ["seconds": "s", "second": "s", "sec": "s", "secs": "s", "s": "s"]
    var stream = MappedStream(
      name: name, count: count,
      time: .array(
        .tree(axis), axis.type, tick: .one,
        unit: options.timeUnit ?? short[word] ?? (word.isEmpty ? "time" : word)),
      channels: [channel])
    // What the times count from: calendars are not turned into another.
    if !units.isEmpty { stream.attributes.append(.init("time_units", .string(units))) }
    if let calendar = scale["calendar"]?.text {
      stream.attributes.append(.init("calendar", .string(calendar)))
    }
    return stream
  }

  private static func constant(
    _ node: TreeNode, _ array: TreeArray, _ place: String, _ part: inout TreePart,
    _ options: MappingOptions,
    _ facts: inout TreeFacts, _ streams: inout [MappedStream]
  ) throws(TrajpackError) {
    if array.count <= 1024 {
      if array.type != nil, let scaling = scaling(node, array) {
        part.scaling = scaling
        if let json = try part.value(shape: array.shape).json { facts.add(place, json) }
      } else if let json = try part.tree.value(node).json {
        facts.add(place, json)
      }
      return
    }
    part.scaling = scaling(node, array)
    let name = String(place.pathComponents.last ?? "")
    let channel = Channel(
      name: name, kind: array.type == nil ? .text : .scalar, type: part.type,
      shape: array.type == nil ? [] : array.shape,
      units: node["units"]?.text, missing: part.type.isFloat ? .nan : .never)
    streams.append(
      MappedStream(
        name: place, count: array.type == nil ? array.count : 1, time: MappedStream.steps,
        channels: [MappedChannel(channel, .tree(part))], attributes: [.init("constant", true)]))
  }

  fileprivate static func scaling(_ node: TreeNode, _ array: TreeArray) -> TreePart.Scaling? {
    let (scale, offset) = (node["scale_factor"]?.number, node["add_offset"]?.number)
    // NetCDF-4 has unsigned types, and files that were NetCDF-3 once say it as these do.
    let isUnsigned =
      node["_Unsigned"]?.text?.lowercased() == "true"
      && [.int8, .int16, .int32].contains(array.type)
    let width = Double(sign: .plus, exponent: 8 * (array.type?.size ?? 1), significand: 1)
    let missing = ["_FillValue", "missing_value"].flatMap { node[$0]?.numbers ?? [] }
      .filter { !$0.isNaN }.map { isUnsigned && $0 < 0 ? $0 + width : $0 }
    guard array.type != nil, scale != nil || offset != nil || !missing.isEmpty || isUnsigned else {
      return nil
    }
    return TreePart.Scaling(
      isUnsigned: isUnsigned, scale: scale ?? 1, offset: offset ?? 0, missing: missing)
  }
}

/// Which dimensions of a NetCDF file count rows, and the variables that hold their times.
private struct TimeAxes {
  /// The paths of variables, by those of dimensions.
  private var coordinates: [String: String] = [:]
  /// Times of dimensions whose own coordinate is not a time: `time(obs)`, as CF has observations one after the other.
  private var auxiliary: [String: String] = [:]
  /// Dimensions named `time` or `t` that have no coordinate variable.
  private var bare: Set<String> = []

  /// - Throws: A data error where the times of an auxiliary coordinate cannot be read.
  init(_ index: TreeIndex) throws(TrajpackError) {
    var others: [String: [TreeNode]] = [:]
    for node in index.below("/") where node.array != nil && !NetCDF.isBare(node) {
      let dimensions = NetCDF.dimensions(node)
      for path in dimensions where !path.isEmpty {
        if path != node.path { others[path, default: []].append(node) }
        if let scale = index[path], !NetCDF.isBare(scale) {
          if Self.isTime(scale) || Self.isNamed(path) { coordinates[path] = path }
        } else if Self.isNamed(path) {
          bare.insert(path)
        }
      }
    }
    for (path, nodes) in others where coordinates[path] == nil {
      var times: [TreeNode] = []
      for node in nodes where NetCDF.dimensions(node).count == 1 && Self.isTime(node) {
        if try Self.rises(node, index) { times.append(node) }
      }
      // Of several, such as the beginning and the end, the one that is named so. What no other variable lies along are
      // moments, and no times of rows.
      guard let first = times.first, nodes.count > 1 else { continue }
      auxiliary[path] = (times.first { Self.isNamed($0.path) } ?? first).path
    }
  }

  /// The dimension of a variable that counts its rows.
  func rows(of node: TreeNode) -> String? {
    let dimensions = NetCDF.dimensions(node)
    return dimensions.first { coordinates[$0] != nil || bare.contains($0) }
      ?? dimensions.first { auxiliary[$0].map(Self.isNamed) ?? false }
      ?? dimensions.first { auxiliary[$0] != nil }
  }

  /// The variable that holds the times of a variable's rows.
  func times(of node: TreeNode) -> String? {
    rows(of: node).flatMap { coordinates[$0] ?? auxiliary[$0] }
  }

  /// Whether the numbers of a variable are times of rows: none is missing, and none lies before the one before.
  private static func rises(_ node: TreeNode, _ index: TreeIndex) throws(TrajpackError) -> Bool {
    guard let array = node.array, array.isRead, let type = array.type, array.count <= 1 << 24 else {
      return false
    }
    let scaling = NetCDF.scaling(node, array)
    guard scaling.map({ $0.scale == 1 && $0.offset == 0 && !$0.isUnsigned }) ?? true else {
      return false
    }
    var last = -Double.infinity
    var isRising = true
    try index.tree.read(node, [0..<array.count]) { (bytes) throws(TrajpackError) in
      for i in 0..<bytes.count / type.size {
        let time = StoredNumber(bytes, i, type).double
        isRising = isRising && time >= last && !(scaling?.missing.contains(time) ?? false)
        last = time
      }
    }
    return isRising
  }

  /// Whether a variable counts units since a date, or says that it is the time.
  private static func isTime(_ node: TreeNode) -> Bool {
    node["units"]?.text?.contains(" since ") ?? false || node["standard_name"]?.text == "time"
      || node["axis"]?.text == "T"
  }

  private static func isNamed(_ path: String) -> Bool {
    ["time", "t"].contains((path.pathComponents.last ?? "").lowercased())
  }
}
