import TrajpackFormat
@testable import TrajpackSources
@testable import TrajpackStore

let messageTargets: [FuzzTarget] = [
  FuzzTarget("mcap") { (input) throws(TrajpackError) in
    let path = Scratch.file("x.mcap", input)
    var file = MCAPFile(try LocalFile(path), checks: false)
    _ = try? file.read(
      channel: { (_, _) throws(TrajpackError) in }, message: { (_) throws(TrajpackError) in })
    try convert(MCAPImporter([path], MappingOptions()))
  },

  FuzzTarget("sqlite") { (input) throws(TrajpackError) in
    let path = Scratch.file("x.db3", input)
    _ = try? ROSBagDatabase(try LocalFile(path)).read(
      channel: { (_, _) throws(TrajpackError) in }, message: { (_) throws(TrajpackError) in })
    try convert(MCAPImporter([path], MappingOptions()))
  },

  // A definition and a message, by the first byte: ROS 2, ROS 1, IDL.
  FuzzTarget("cdr") { (input) throws(TrajpackError) in
    guard let kind = input.first else { return }
    let (definition, message) = UnsafeBufferPointer(rebasing: input.dropFirst()).halves
    let text = String(decoding: definition, as: UTF8.self)
    let types =
      kind % 3 == 2
      ? try StructTypes.idl(text, "a/msg/B")
      : try StructTypes.ros(text, "a/msg/B", isROS1: kind % 3 == 1)
    try decode(message, by: try CDRDecoder(types, "a/msg/B", isROS1: kind % 3 == 1))
  },

  // A descriptor set and a message of the type a.B.
  FuzzTarget("protobuf") { (input) throws(TrajpackError) in
    let (definition, message) = input.halves
    try decode(message, by: try ProtobufDecoder(Array(definition), "a.B"))
  },

  FuzzTarget("json-message") { (input) throws(TrajpackError) in
    let decoder = JSONMessageDecoder("a")
    for line in input.split(separator: UInt8(ascii: "\n")) {
      try decode(Array(line)[...], by: decoder)
    }
  },
]

/// Decodes a message twice, as messages follow each other, and profiles its fields.
private func decode(
  _ message: ArraySlice<UInt8>, by decoder: some MessageDecoder
) throws(TrajpackError) {
  let row = MessageRow(decoder.type.fields.count)
  var profiles = decoder.type.fields.map { FieldProfile($0) }
  // Memory of its own, where a look beyond its end is found.
  let own = Array(message)
  for _ in 0..<2 {
    row.clear()
    var failure: TrajpackError?
    own.withUnsafeBytes { bytes in
      do throws(TrajpackError) { try decoder.decode(bytes, into: row) } catch { failure = error }
    }
    if let failure { throw failure }
    while profiles.count < decoder.type.fields.count {
      profiles.append(FieldProfile(decoder.type.fields[profiles.count]))
    }
    for i in profiles.indices where i < row.count {
      profiles[i].observe(row.values[i], of: .init(i, of: decoder.type.fields[i]))
    }
  }
}
