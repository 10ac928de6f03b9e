import TrajpackFormat

extension ZarrArray {
  /// Reads `zarr.json` of version 3.
  init(v3 json: JSONValue) throws(Unread) {
    shape = try Self.sizes(json["shape"], "shape")
    guard json["chunk_grid"]?["name"]?.string == "regular" else {
      throw Unread(
        why:
          "its chunks lie in a grid '\(json["chunk_grid"]?["name"]?.string ?? "")', which is not read"
      )
    }
    chunk = try Self.sizes(json["chunk_grid"]?["configuration"]?["chunk_shape"], "chunk_shape")
    guard (json["storage_transformers"]?.array ?? []).isEmpty else {
      throw Unread(why: "has storage transformers, which are not read")
    }
    try read(type: json["data_type"])
    let encoding = json["chunk_key_encoding"]
    switch encoding?["name"]?.string {
    case "default": (keyPrefix, separator) = ("c/", "/")
    case "v2": (keyPrefix, separator) = ("", ".")
    case let other: throw Unread(why: "its keys are encoded as '\(other ?? "")', which is not read")
    }
    if let given = encoding?["configuration"]?["separator"]?.string {
      guard given == "." || given == "/" else {
        throw Unread(why: "its separator '\(given)' is neither a point nor a slash")
      }
      separator = given
      if !keyPrefix.isEmpty { keyPrefix = "c" + given }
    }
    try read(json["codecs"]?.array ?? [])
    try check()
    fill = try Self.fill(json["fill_value"], self)
    let names = (json["codecs"]?.array ?? []).compactMap { $0["name"]?.string }
    let packers = names.filter { $0 != "bytes" }
    storage =
      "chunks \(chunk), \(packers.isEmpty ? "not packed" : packers.joined(separator: ", ")), Zarr 3"
  }

  private mutating func read(type json: JSONValue?) throws(Unread) {
    let types: [String: ElementType] = [
      "bool": .bool, "int8": .int8, "int16": .int16, "int32": .int32, "int64": .int64,
      "uint8": .uint8, "uint16": .uint16, "uint32": .uint32, "uint64": .uint64,
      "float16": .float32, "float32": .float32, "float64": .float64, "complex64": .float32,
      "complex128": .float64, "complex_float32": .float32, "complex_float64": .float64,
    ]
    let name = json?.string ?? json?["name"]?.string ?? ""
    if name == "numpy.datetime64" || name == "numpy.timedelta64" {
      let unit = json?["configuration"]?["unit"]?.string ?? ""
      let scale = json?["configuration"]?["scale_factor"]?.int ?? 1
      let letter = name == "numpy.datetime64" ? "M8" : "m8"
      guard let dates = NPYDates("\(letter)[\(scale == 1 ? "" : String(scale))\(unit)]") else {
        throw Unread(why: "its dates are of the unit '\(unit)', which is not read")
      }
      guard dates.months == nil else {
        throw Unread(why: "its dates count months, which is not read")
      }
      (type, self.dates) = (.int64, dates)
      return
    }
    guard let known = types[name] else {
      throw Unread(why: "is of the type '\(name)', which is not read")
    }
    (type, isHalf, isComplex) = (known, name == "float16", name.hasPrefix("complex"))
  }

  /// The codecs of chunks: transpositions, then what makes bytes of elements, then what packs them.
  private mutating func read(_ list: [JSONValue]) throws(Unread) {
    var hasBytes = false
    for item in list {
      let name = item["name"]?.string ?? item.string ?? ""
      let settings = item["configuration"]
      switch name {
      case "transpose":
        guard !hasBytes else { throw Unread(why: "its codecs transpose bytes") }
        try transpose(settings?["order"])
      case "bytes", "endian":
        hasBytes = true
        isBigEndian = settings?["endian"]?.string == "big"
      case "sharding_indexed":
        guard order == nil, shard == nil, !hasBytes else {
          throw Unread(why: "its shards are transposed or lie in shards, which is not read")
        }
        try sharding(settings)
        hasBytes = true
      default:
        guard hasBytes, let codec = Self.packer(name, settings) else {
          throw Unread(why: "is packed by '\(name)', which trajpack does not unpack")
        }
        guard list.first?["name"]?.string != "sharding_indexed" else {
          throw Unread(why: "its shards are packed as wholes by '\(name)', which is not read")
        }
        codecs.append(codec)
      }
    }
    guard hasBytes else { throw Unread(why: "its codecs make no bytes of elements") }
  }

  private static func packer(_ name: String, _ settings: JSONValue?) -> ZarrCodec? {
    switch name.hasPrefix("numcodecs.") ? String(name.dropFirst("numcodecs.".count)) : name {
    case "blosc": return .blosc
    case "zstd": return .zstd
    case "gzip", "zlib": return .gzip
    case "lz4": return .lz4
    case "bz2": return .bz2
    case "crc32c": return .crc32c
    case "shuffle": return .shuffle(settings?["elementsize"]?.int ?? 4)
    default: return nil
    }
  }

  private mutating func transpose(_ json: JSONValue?) throws(Unread) {
    let axes: [Int]
    switch json?.string {
    case "C": axes = Array(shape.indices)
    case "F": axes = shape.indices.reversed()
    default: axes = json?.array?.compactMap(\.int) ?? []
    }
    guard axes.sorted() == Array(shape.indices) else {
      throw Unread(why: "its transposition does not name each axis once")
    }
    // The second transposition permutes the axes that the first has made.
    order = order.map { first in axes.map { first[$0] } } ?? axes
  }

  private mutating func sharding(_ json: JSONValue?) throws(Unread) {
    let inner = try Self.sizes(json?["chunk_shape"], "chunk_shape")
    guard inner.count == chunk.count,
      zip(inner, chunk).allSatisfy({ $0 > 0 && $1 > 0 && $1 % $0 == 0 })
    else {
      throw Unread(why: "its shards \(chunk) are no multiples of its chunks \(inner)")
    }
    var shard = ZarrShard(counts: zip(chunk, inner).map { $1 == 0 ? 0 : $0 / $1 })
    var entries = 1
    for count in shard.counts {
      let (product, overflow) = entries.multipliedReportingOverflow(by: count)
      guard !overflow, product <= 1 << 24 else {
        throw Unread(why: "its shards have more than 16,777,216 chunks, which is not read")
      }
      entries = product
    }
    shard.isIndexAtEnd = json?["index_location"]?.string != "start"
    for item in json?["index_codecs"]?.array ?? [] {
      switch item["name"]?.string {
      case "bytes": shard.isIndexBigEndian = item["configuration"]?["endian"]?.string == "big"
      case "crc32c": shard.hasChecksum = true
      case let other:
        throw Unread(
          why: "the table of its shards is packed by '\(other ?? "")', which is not read")
      }
    }
    chunk = inner
    self.shard = shard
    try read(json?["codecs"]?.array ?? [])
  }
}
