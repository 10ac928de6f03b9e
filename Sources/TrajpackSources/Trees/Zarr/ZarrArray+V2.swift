import TrajpackFormat

extension ZarrArray {
  /// Reads `.zarray` of version 2.
  init(v2 json: JSONValue) throws(Unread) {
    guard json["zarr_format"]?.int == 2 else {
      throw Unread(
        why:
          "is of Zarr format \(json["zarr_format"]?.text() ?? "that it does not say"); 2 and 3 are read"
      )
    }
    shape = try Self.sizes(json["shape"], "shape")
    chunk = try Self.sizes(json["chunks"], "chunks")
    guard let descr = json["dtype"]?.string else {
      throw Unread(why: "is of records or of no type, which is not read")
    }
    try read(numpy: descr, json["filters"])
    for filter in json["filters"]?.array ?? [] { codecs.append(try Self.codec(v2: filter)) }
    if let packer = json["compressor"], packer != .null {
      codecs.append(try Self.codec(v2: packer))
    }
    switch json["order"]?.string ?? "C" {
    case "C": break
    case "F": order = Array(shape.indices.reversed())
    case let other: throw Unread(why: "its order '\(other)' is neither C nor F")
    }
    separator = json["dimension_separator"]?.string ?? "."
    guard separator == "." || separator == "/" else {
      throw Unread(why: "its separator '\(separator)' is neither a point nor a slash")
    }
    try check()
    fill = try Self.fill(json["fill_value"], self)
    storage = "chunks \(chunk), \(Self.said(json["compressor"])), Zarr 2"
  }

  static func sizes(_ json: JSONValue?, _ name: String) throws(Unread) -> [Int] {
    let sizes = json?.array?.map { $0.int ?? -1 }
    guard let sizes, sizes.allSatisfy({ $0 >= 0 }) else {
      throw Unread(why: "its metadata has no '\(name)' of whole numbers")
    }
    return sizes
  }

  private static func said(_ packer: JSONValue?) -> String {
    guard let id = packer?["id"]?.string else { return "not packed" }
    return packer?["cname"]?.string.map { "\(id) \($0)" } ?? id
  }

  private mutating func read(numpy descr: String, _ filters: JSONValue?) throws(Unread) {
    let code = String(descr.dropFirst())
    isBigEndian = descr.hasPrefix(">")
    if let dates = NPYDates(code) {
      guard dates.months == nil else {
        throw Unread(why: "its dates count months, which is not read")
      }
      (type, self.dates) = (.int64, dates)
      return
    }
    let types: [String: ElementType] = [
      "b1": .bool, "i1": .int8, "i2": .int16, "i4": .int32, "i8": .int64, "u1": .uint8,
      "u2": .uint16, "u4": .uint32, "u8": .uint64, "f2": .float32, "f4": .float32,
      "f8": .float64, "c8": .float32, "c16": .float64,
    ]
    guard let known = types[code] else {
      let isText = filters?.array?.contains { $0["id"]?.string?.hasPrefix("vlen-") ?? false }
      throw Unread(
        why: isText == true || "USO".contains(code.first ?? " ")
          ? "is text or objects ('\(descr)'), which is not read"
          : "is of the type '\(descr)', which is not read")
    }
    (type, isHalf, isComplex) = (known, code == "f2", code.hasPrefix("c"))
  }

  private static func codec(v2 json: JSONValue) throws(Unread) -> ZarrCodec {
    let id = json["id"]?.string ?? "something without a name"
    switch id {
    case "blosc": return .blosc
    case "zstd": return .zstd
    case "gzip", "zlib": return .gzip
    case "lz4": return .lz4
    case "bz2": return .bz2
    case "crc32c": return .crc32c
    case "shuffle": return .shuffle(json["elementsize"]?.int ?? 4)
    case "delta":
      guard json["dtype"]?.string == json["astype"]?.string || json["astype"] == nil else { break }
      return .delta
    default: break
    }
    throw Unread(why: "is packed by '\(id)', which trajpack does not unpack")
  }
}
