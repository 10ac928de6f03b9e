import Testing
import TrajpackFormat
import TrajpackStore
import TrajpackTestSupport

@testable import TrajpackSources

@Suite struct ArrayTests {
  private func read(_ array: ArrayFile, leadingAxes: Int = 1) throws -> [UInt8] {
    var out: [UInt8] = []
    try array.read(leadingAxes: leadingAxes) { (bytes, rows) in out += Array(bytes) }
    return out
  }

  private func doubles(_ bytes: [UInt8]) -> [Double] {
    stride(from: 0, to: bytes.count, by: 8).map {
      Double(bitPattern: bytes.little($0, as: UInt64.self))
    }
  }

  @Test func fixturesOfOneSeriesAgreeInEveryForm() throws {
    func open(_ name: String) throws -> ArrayFile {
      try ArrayFile(LocalFile(fixture("series/\(name)")))
    }
    let plain = try open("lorenz_float64.npy")
    #expect(plain.shape == [200, 3])
    #expect(plain.type == .float64)
    let series = try read(plain)
    #expect(series.count == 200 * 3 * 8)
    #expect(Array(doubles(series).prefix(3)) == [1, 1, 20])
    for (name, rows) in [
      ("fortran_float64.npy", 50), ("big_endian_float64.npy", 50), ("version2.npy", 10),
    ] {
      let other = try open(name)
      #expect(other.shape == [rows, 3])
      #expect(try read(other) == Array(series.prefix(rows * 24)), "\(name)")
    }
    let half = try open("float16.npy")
    #expect(half.type == .float32)
    #expect(half.header.storedName == "float16")
    let halves = try read(half)
    for (i, value) in doubles(Array(series.prefix(40 * 24))).enumerated() {
      #expect(Float(bitPattern: halves.little(4 * i, as: UInt32.self)) == Float(Float16(value)))
    }
    #expect(try open("empty.npy").shape == [0, 3])
    #expect(try read(try open("empty.npy")) == [])
    #expect(try open("one_channel.npy").shape == [100])
    #expect(try open("flags_bool.npy").type == .bool)
    #expect(try open("big_endian_int16.npy").type == .int16)
    #expect(failure { _ = try open("objects.npy") }?.message.contains("pickle") == true)
  }

  @Test func archivesOfNumpyOpen() throws {
    let several = try NPZ(LocalFile(fixture("series/several.npz")))
    #expect(several.names == ["states", "actions", "rewards", "flags"])
    let series = try read(ArrayFile(LocalFile(fixture("series/lorenz_float64.npy"))))
    #expect(try read(several.array("states")) == Array(series.prefix(80 * 24)))
    #expect(try several.array("actions").type == .int32)
    #expect(try several.array("flags").shape == [80])
    let stored = try NPZ(LocalFile(fixture("series/stored.npz")))
    #expect(try read(stored.array("states")) == Array(series.prefix(40 * 24)))
    #expect(doubles(try read(stored.array("time"))).last == 39 * 0.02)
    #expect(failure { _ = try stored.array("nothing") }?.message.contains("'nothing'") == true)
    for sample in ["000001", "000002", "000003"] {
      let path = fixture("wildworld/data_part1/\(sample)/skeleton.npz")
      let skeleton = try NPZ(LocalFile(path))
      #expect(!skeleton.names.isEmpty)
      for name in skeleton.names {
        let array = try skeleton.array(name)
        #expect(array.shape.count == 3 && array.shape[2] == 3)
        let spool = try array.spool()
        #expect(spool.count == array.header.count * array.type.size)
      }
    }
  }

  @Test func halvesWidenAsTheProcessorDoes() {
    for bits in UInt16.min...UInt16.max {
      let half = Float16(bitPattern: bits)
      let ours = NPYElements.widened(bits)
      if half.isNaN {
        #expect(Float(bitPattern: ours).isNaN)
        #expect(ours >> 31 == bits >> 15)
        #expect(UInt16(ours >> 13 & 0x3FF) == bits & 0x3FF)
      } else {
        #expect(Float(half).bitPattern == ours)
      }
    }
  }

  @Test(arguments: 0..<40) func everyOrderGivesTheSameElements(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let scratch = Scratch()
    let shape = (0..<Int.random(in: 1...4, using: &random)).map { _ in
      Int.random(in: 1...(seed % 4 == 0 ? 40 : 9), using: &random)
    }
    let count = shape.reduce(1, *)
    let values = (0..<count).map { _ in random.next() }
    // The element at a C index lies at the Fortran place.
    var fortran = [UInt64](repeating: 0, count: count)
    var order = FortranOrder(shape)
    for value in values { fortran[order.next()] = value }
    let expected = packed(values)
    let files: [(String, [UInt8])] = [
      ("<i8", NPYFile.bytes("<i8", shape: shape, expected)),
      (">u8", NPYFile.bytes(">u8", shape: shape, packed(values.map(\.byteSwapped)))),
      ("F", NPYFile.bytes("<f8", fortran: true, shape: shape, packed(fortran))),
      (">F", NPYFile.bytes(">f8", fortran: true, shape: shape, packed(fortran.map(\.byteSwapped)))),
    ]
    for (name, bytes) in files {
      let path = try scratch.write("a.npy", bytes)
      let zip = try scratch.write(
        "a.npz", NPYFile.zip([("a.npy", bytes)], deflated: seed % 2 == 0, zip64: seed % 3 > 0))
      for array in [try ArrayFile(LocalFile(path)), try NPZ(LocalFile(zip)).array("a")] {
        #expect(array.shape == shape)
        for axes in 1...shape.count {
          var rows = 0
          var out: [UInt8] = []
          try array.read(leadingAxes: axes) { bytes, count in
            #expect(bytes.count % count == 0)
            rows += count
            out += Array(bytes)
          }
          #expect(out == expected, "\(name) \(shape) \(axes)")
          #expect(rows == shape.prefix(axes).reduce(1, *))
        }
      }
    }
  }

  @Test func fortranLargerThanItsPiecesIsTurned() throws {
    let scratch = Scratch()
    let (rows, columns) = (700_000, 3)
    let values = (0..<columns).flatMap { c in (0..<rows).map { Int32($0 * 4 + c) } }
    let path = try scratch.write(
      "a.npy", NPYFile.bytes("<i4", fortran: true, shape: [rows, columns], packed(values)))
    var next = 0
    try ArrayFile(LocalFile(path)).read { bytes, count in
      for i in 0..<count * columns {
        let value = bytes.loadUnaligned(fromByteOffset: 4 * i, as: Int32.self)
        if value != Int32((next + i) / columns * 4 + (next + i) % columns) {
          Issue.record("element \(next + i) is \(value)")
          return
        }
      }
      next += count * columns
    }
    #expect(next == rows * columns)
  }
}
