import CBZip2
import TrajpackCodecs
import TrajpackFormat
import TrajpackStore

extension ZarrArray {
  /// The elements of a stored chunk, in the order of C, as readers get them.
  ///
  /// - Throws: A data error where the bytes are damaged or of another size.
  func unpack(_ stored: [UInt8], _ unpacker: Decompressor) throws(TrajpackError) -> [UInt8] {
    let expected = chunkCount * storedSize
    var bytes = stored
    for (number, codec) in codecs.enumerated().reversed() {
      let size = try codec.size(of: bytes, isFirst: sizeIsKept(below: number), expected)
      bytes = try codec.unpack(bytes, size, self, unpacker)
    }
    guard bytes.count == expected else {
      throw TrajpackError(
        .data, "the chunk holds \(bytes.count) bytes where \(expected) are expected")
    }
    let part = isComplex ? storedSize / 2 : storedSize
    if isBigEndian, part > 1 { bytes.withUnsafeMutableBytes { $0.reverseElements(of: part) } }
    if let order, order != Array(chunk.indices) { bytes = straight(bytes, order) }
    if isHalf { bytes = Self.widened(bytes) }
    if type == .bool { for i in bytes.indices where bytes[i] > 1 { bytes[i] = 1 } }
    return bytes
  }

  /// Whether the codecs before one leave the number of bytes as it is.
  private func sizeIsKept(below number: Int) -> Bool {
    codecs[..<number].allSatisfy { codec in
      switch codec {
      case .shuffle, .delta: return true
      default: return false
      }
    }
  }

  /// Elements that lie with their axes in `order`, in the order of C.
  private func straight(_ bytes: [UInt8], _ order: [Int]) -> [UInt8] {
    let size = storedSize
    // Bytes from one index of an axis to the next, as they lie.
    var steps = [Int](repeating: 0, count: chunk.count)
    var step = size
    for axis in order.reversed() {
      steps[axis] = step
      step *= chunk[axis]
    }
    return bytes.strided(sizes: chunk, steps: steps, element: size)
  }

  private static func widened(_ bytes: [UInt8]) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: bytes.count * 2) { out, filled in
      for i in stride(from: 0, to: bytes.count - 1, by: 2) {
        let half = Float16(bitPattern: UInt16(bytes[i]) | UInt16(bytes[i + 1]) << 8)
        let bits = Float(half).bitPattern
        for j in 0..<4 { out[filled + j] = UInt8(truncatingIfNeeded: bits >> (8 * UInt32(j))) }
        filled += 4
      }
    }
  }
}

extension ZarrCodec {
  /// How many bytes a chunk has when this codec is undone: the size of the elements where no packer comes before it,
  /// else what the packed bytes say.
  func size(of bytes: [UInt8], isFirst: Bool, _ expected: Int) throws(TrajpackError) -> Int {
    switch self {
    case .crc32c: return max(bytes.count - 4, 0)
    case .shuffle, .delta: return bytes.count
    default: break
    }
    if isFirst { return expected }
    guard let claimed = said(bytes), claimed <= 2 * expected + 65_536 else {
      throw TrajpackError(.data, "the chunk does not say how many bytes it unpacks to")
    }
    return claimed
  }

  /// How many bytes packed ones say that they hold; `nil` where they do not say.
  private func said(_ bytes: [UInt8]) -> Int? {
    switch self {
    case .blosc: return bytes.withUnsafeBytes { Blosc.contentBytes($0) }
    case .zstd: return bytes.withUnsafeBytes { ZstdFrame.contentBytes($0) }
    case .lz4: return bytes.count >= 4 ? Int(bytes.little(0, as: UInt32.self)) : nil
    case .gzip where bytes.starts(with: [0x1F, 0x8B]) && bytes.count >= 18:
      return Int(bytes.little(bytes.count - 4, as: UInt32.self))
    default: return nil
    }
  }

  /// Undoes the codec.
  func unpack(
    _ bytes: [UInt8], _ size: Int, _ array: ZarrArray, _ unpacker: Decompressor
  ) throws(TrajpackError) -> [UInt8] {
    switch self {
    case .crc32c:
      guard bytes.count >= 4 else { throw TrajpackError(.data, "the chunk is cut short") }
      let sum = bytes.withUnsafeBytes {
        CRC32C.of(UnsafeRawBufferPointer(rebasing: $0[..<($0.count - 4)]))
      }
      guard sum == bytes.little(bytes.count - 4, as: UInt32.self) else {
        throw TrajpackError(.data, "the chunk does not match its checksum")
      }
      return Array(bytes.dropLast(4))
    case .shuffle(let width):
      guard width > 0, bytes.count % width == 0 else {
        throw TrajpackError(.data, "the chunk is not of whole elements of \(width) bytes")
      }
      return try Self.filled(bytes.count) { (out) throws(TrajpackError) in
        bytes.withUnsafeBytes {
          guard let to = out.baseAddress else { return }
          Shuffle.undo(
            $0, elementSize: width, elements: 0..<(bytes.count / width), columns: 0..<width,
            into: to, stride: width)
        }
      }
    case .delta: return try array.summed(bytes)
    default: break
    }
    // What cannot be is told before memory is taken for it.
    let claimed = said(bytes) ?? size
    guard claimed == size, size / 60_000 <= bytes.count else {
      throw TrajpackError(
        .data, "the chunk of \(bytes.count) bytes holds \(claimed) where \(size) are expected")
    }
    return try Self.filled(size) { (out) throws(TrajpackError) in
      try bytes.withUnsafeBufferPointer { (buffer) throws(TrajpackError) in
        let source = UnsafeRawBufferPointer(buffer)
        switch self {
        case .blosc: try Blosc.decompress(source, into: out)
        case .zstd: try unpacker.decompress(source, .zstd, into: out)
        case .gzip: try Gzip.decompress(source, into: out)
        case .lz4:
          try LZ4Block.decompress(
            UnsafeRawBufferPointer(rebasing: source.dropFirst(4)), into: out)
        case .bz2: try Self.unpackBZ2(source, into: out)
        case .crc32c, .shuffle, .delta: break
        }
      }
    }
  }

  private static func filled(
    _ count: Int, _ body: (UnsafeMutableRawBufferPointer) throws(TrajpackError) -> Void
  ) throws(TrajpackError) -> [UInt8] {
    var out = [UInt8](repeating: 0, count: count)
    try out.withUnsafeMutableBufferPointer { (buffer) throws(TrajpackError) in
      try body(UnsafeMutableRawBufferPointer(buffer))
    }
    return out
  }

  private static func unpackBZ2(
    _ source: UnsafeRawBufferPointer, into out: UnsafeMutableRawBufferPointer
  ) throws(TrajpackError) {
    var count = UInt32(clamping: out.count)
    let status = BZ2_bzBuffToBuffDecompress(
      out.baseAddress?.assumingMemoryBound(to: CChar.self), &count,
      UnsafeMutablePointer(mutating: source.baseAddress?.assumingMemoryBound(to: CChar.self)),
      UInt32(clamping: source.count), 0, 0)
    guard status == BZ_OK, Int(count) == out.count else {
      throw TrajpackError(.data, "the bz2 data is damaged or of another size (error \(status))")
    }
  }
}

extension ZarrArray {
  /// The running sums of differences.
  func summed(_ bytes: [UInt8]) throws(TrajpackError) -> [UInt8] {
    guard !isHalf, !isBigEndian, !isComplex, type != .bool else {
      throw TrajpackError(.data, "its differences are of a type whose sums are not taken")
    }
    func sums<Number: FixedWidthInteger>(_: Number.Type) -> [UInt8] {
      var (out, sum) = ([UInt8](), Number.zero)
      out.reserveCapacity(bytes.count)
      for i in 0..<bytes.count / type.size {
        sum &+= bytes.little(i * type.size, as: Number.self)
        withUnsafeBytes(of: sum.littleEndian) { out.append(contentsOf: $0) }
      }
      return out
    }
    switch type {
    case .float32:
      var (out, sum) = ([UInt8](), Float.zero)
      for i in 0..<bytes.count / 4 {
        let step = Float(bitPattern: bytes.little(i * 4, as: UInt32.self))
        sum = i == 0 ? step : sum + step
        withUnsafeBytes(of: sum.bitPattern.littleEndian) { out.append(contentsOf: $0) }
      }
      return out
    case .float64:
      var (out, sum) = ([UInt8](), Double.zero)
      for i in 0..<bytes.count / 8 {
        let step = Double(bitPattern: bytes.little(i * 8, as: UInt64.self))
        sum = i == 0 ? step : sum + step
        withUnsafeBytes(of: sum.bitPattern.littleEndian) { out.append(contentsOf: $0) }
      }
      return out
    default: break
    }
    switch type.size {
    case 1: return sums(UInt8.self)
    case 2: return sums(UInt16.self)
    case 4: return sums(UInt32.self)
    default: return sums(UInt64.self)
    }
  }
}
