import Testing
import TrajpackFormat
import TrajpackStore
import TrajpackTestSupport

@testable import TrajpackSources

@Suite struct ArrayDamageTests {
  /// What an archive says: names, types, shapes and elements.
  private func reading(_ path: String) throws -> [String] {
    let npz = try NPZ(LocalFile(path), as: "small.npz")
    return try npz.names.map { name in
      let array = try npz.array(name)
      var bytes: [UInt8] = []
      try array.read { piece, _ in bytes += Array(piece) }
      return "\(name) \(array.header.storedName) \(array.shape) \(bytes)"
    }
  }

  private func small(deflated: Bool) -> [UInt8] {
    let x = (0..<24).map { UInt32($0 * 7919) }
    return NPYFile.zip(
      [
        ("x.npy", NPYFile.bytes("<f4", shape: [8, 3], packed(x))),
        ("flags.npy", NPYFile.bytes("|b1", shape: [8], [0, 1, 1, 0, 1, 0, 0, 1])),
      ], deflated: deflated)
  }

  @Test(arguments: [false, true]) func everyFlippedBitIsSeenOrHarmless(deflated: Bool) throws {
    let scratch = Scratch()
    let good = small(deflated: deflated)
    let expected = try reading(scratch.write("a.npz", good))
    var random = SeededGenerator(seed: 7)
    for at in good.indices {
      for mask in [UInt8(1) << UInt8.random(in: 0..<8, using: &random), 0xFF] {
        var bytes = good
        bytes[at] ^= mask
        let path = try scratch.write("a.npz", bytes)
        var found: [String]?
        let error = failure { found = try reading(path) }
        #expect(found == nil || found == expected, "byte \(at) ^ \(mask)")
        if let error {
          #expect(error.fault == .data)
          #expect(error.message.hasPrefix("small.npz: "), "\(error.message)")
        }
      }
    }
  }

  @Test(arguments: [false, true]) func everyTruncationIsSeen(deflated: Bool) throws {
    let scratch = Scratch()
    let good = small(deflated: deflated)
    for length in good.indices {
      let path = try scratch.write("a.npz", Array(good.prefix(length)))
      #expect(failure { _ = try reading(path) }?.fault == .data, "\(length)")
    }
    let array = NPYFile.bytes("<i2", shape: [5, 2], packed((0..<10).map { Int16($0) }))
    for length in array.indices {
      let path = try scratch.write("a.npy", Array(array.prefix(length)))
      #expect(failure { _ = try ArrayFile(LocalFile(path)) }?.fault == .data, "\(length)")
    }
  }

  @Test func headersOfStrangers() throws {
    let scratch = Scratch()
    func refused(_ header: String, version: UInt8 = 1, _ names: String..., count: Int = 96) throws {
      let path = try scratch.write(
        "a.npy", NPYFile.bytes(header: header, version: version, Array(repeating: 0, count: count)))
      let message =
        failure { _ = try ArrayFile(LocalFile(path), as: "a.npy") }?.message ?? "accepted"
      for name in names { #expect(message.contains(name), "\(header): \(message)") }
    }
    func header(_ descr: String, _ shape: String) -> String {
      "{'descr': \(descr), 'fortran_order': False, 'shape': \(shape), }"
    }
    try refused(header("'<f8'", "(1099511627776,)"), "claims", "96 bytes")
    try refused(header("'<f8'", "(4294967296, 4294967296)"), "claims", "96 bytes")
    try refused(header("'<f8'", "(0, 4294967296, 4294967296)"), "claims")
    try refused(header("'<f8'", "(-4, 3)"), "header", "axis")
    try refused(header("'<f8'", "(99999999999999999999, 3)"), "header", "axis")
    try refused(header("'<f8'", "(4)"), "header")
    try refused(header("'|O'", "(2,)"), "pickle")
    try refused(header("'<U5'", "(2,)"), "text")
    try refused(header("'<c16'", "(6,)"), "complex")
    try refused(header("'<M8[ns]'", "(12,)"), "dates")
    try refused(header("'<f16'", "(6,)"), "'<f16'")
    try refused(header("'|f8'", "(12,)"), "'|f8'")
    try refused(header("[('x', '<f8')]", "(12,)"), "fields")
    try refused(header("'<f8'", "(12,)").replacing("False", with: "exit"), "True or False")
    try refused(header("'<f8'", "(12,)") + " + 1", "nothing more")
    try refused("{'descr': '<f8', 'shape': (12,)}", "fortran_order")
    try refused("{'descr': '<f8', 'descr': '<f8', 'shape': (12,)}", "once")
    try refused("", "'{'")
    try refused(header("'<f8'", "(12,)"), version: 4, "4.0")
    try refused(header("'<f8'", "(11,)"), "8 bytes behind")
    try refused(header("'|b1'", "(96,)"), "accepted")
    try refused(
      header("'<f8'", "(\(Array(repeating: "1", count: 65).joined(separator: ", ")))"), "axes",
      count: 8)
    for shape in ["(12L,)", "(3, 4)", "(3,4,)", "( 12 , )", "()"] {
      try refused(header("\"<f8\"", shape), version: 3, "accepted", count: shape == "()" ? 8 : 96)
    }
    let path = try scratch.write("a.npy", NPYFile.bytes("|b1", shape: [3], [0, 1, 2]))
    #expect(
      failure { try ArrayFile(LocalFile(path)).read { _, _ in } }?.message.contains("element 2")
        == true)
  }

  @Test func archivesOfStrangers() throws {
    let scratch = Scratch()
    let zeros = [UInt8](repeating: 0, count: 1 << 20)
    func refused(_ bytes: [UInt8], _ names: String...) throws {
      let path = try scratch.write("a.npz", bytes)
      let message = failure { _ = try reading(path) }?.message ?? "accepted"
      for name in names { #expect(message.contains(name), "\(message)") }
    }
    func patched(_ bytes: [UInt8], _ old: [UInt8], _ new: [UInt8]) -> [UInt8] {
      var bytes = bytes
      for at in 0...bytes.count - old.count where bytes[at..<at + old.count].elementsEqual(old) {
        bytes.replaceSubrange(at..<at + old.count, with: new)
      }
      return bytes
    }
    let array = NPYFile.bytes("|u1", shape: [1 << 20], zeros)
    let good = NPYFile.zip([("x.npy", array)], deflated: true, zip64: false)
    try refused(good, "accepted")
    // Both the header and the directory claim another size: less, more, and beyond deflate.
    let size = NPYFile.little(UInt32(array.count))
    try refused(patched(good, size, NPYFile.little(UInt32(1000))), "'x.npy'", "claims")
    let more = patched(good, size, NPYFile.little(UInt32(array.count + 1)))
    try refused(more, "'x.npy'", "behind its array")
    let member = try ZipArchive(LocalFile(scratch.write("b.npz", more))).member(named: "x.npy")
    #expect(failure { try member?.read { _ in } }?.message.contains("ends after") == true)
    var random = SeededGenerator(seed: 1)
    let dense = random.bytes(3 << 20)
    try refused(
      patched(
        NPYFile.zip([("x.npy", dense)], deflated: true, zip64: false),
        NPYFile.little(UInt32(dense.count)), NPYFile.little(UInt32(2 << 30))), "'x.npy'",
      "no recording")
    try refused(patched(good, size, NPYFile.little(UInt32(2 << 30))), "'x.npy'", "deflate cannot")
    try refused(NPYFile.zip([("x.txt", [1, 2])], deflated: false), "'x.txt'", "no numpy array")
    try refused(
      NPYFile.zip([("x.npy", array), ("x.npy", array)], deflated: true), "'x.npy'", "twice")
    try refused(NPYFile.zip([("x\n.npy", array)], deflated: true), "no text")
    try refused(Array("this is not a zip archive\n".utf8), "no zip archive")
    try refused([], "empty")
    try refused(good + [0], "cut short")
  }
}
