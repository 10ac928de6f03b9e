import CBZip2
import CLZMA
import TrajpackFormat
import TrajpackStore

/// Reads a file piece by piece as the input of a decoder.
private struct PackedInput {
  let file: LocalFile
  let buffer = ByteBuffer(64 << 10)
  private(set) var next = 0

  init(_ file: LocalFile) { self.file = file }

  var isAtEnd: Bool { next == file.length }

  /// Fills the buffer; says how far.
  mutating func refill() throws(TrajpackError) -> Int {
    let count = min(buffer.bytes.count, file.length - next)
    try file.read(
      at: next, into: UnsafeMutableRawBufferPointer(rebasing: buffer.bytes[..<count]))
    next += count
    return count
  }
}

extension ByteOrigin {
  /// Refuses what unpacks to more than a recording does.
  fileprivate func checkSize(_ produced: Int, of packed: Int) throws(TrajpackError) {
    // bzip2 and xz pack rows that are all the same far better than deflate.
    guard produced < 4 << 30 || produced / 10_000 <= packed else {
      throw wrong("unpacks to more than \(produced) bytes from \(packed), which no recording does")
    }
  }

  fileprivate func cutShort(_ byte: Int) -> TrajpackError {
    wrong(
      "the compressed bytes end at byte \(byte), in the middle; the file was cut short, fetch it again"
    )
  }

  fileprivate func damaged(_ byte: Int, _ status: Int) -> TrajpackError {
    wrong(
      "the compressed bytes are damaged near byte \(byte) (error \(status)); fetch the file again")
  }
}

/// The bytes that a file of bzip2 unpacks to, one stream after another.
final class BZip2Stream: ByteStream {
  private var input: PackedInput
  private let origin: ByteOrigin
  private let state: UnsafeMutablePointer<bz_stream>
  private var produced = 0
  private var isFinished = false

  init(_ file: LocalFile, _ origin: ByteOrigin) throws(TrajpackError) {
    input = PackedInput(file)
    self.origin = origin
    state = .allocate(capacity: 1)
    state.initialize(to: bz_stream())
    try begin()
  }

  deinit {
    BZ2_bzDecompressEnd(state)
    state.deallocate()
  }

  private func begin() throws(TrajpackError) {
    guard BZ2_bzDecompressInit(state, 0, 0) == BZ_OK else {
      throw TrajpackError(.machine, "no memory to unpack")
    }
  }

  func read(into buffer: UnsafeMutableRawBufferPointer) throws(TrajpackError) -> Int {
    var done = 0
    while done < buffer.count, !isFinished {
      if state.pointee.avail_in == 0 {
        if input.isAtEnd { throw origin.cutShort(input.next) }
        state.pointee.avail_in = UInt32(try input.refill())
        state.pointee.next_in = input.buffer.bytes.baseAddress?.assumingMemoryBound(to: CChar.self)
      }
      let wanted = min(buffer.count - done, Int(UInt32.max))
      state.pointee.next_out = (buffer.baseAddress.unsafelyUnwrapped + done)
        .assumingMemoryBound(to: CChar.self)
      state.pointee.avail_out = UInt32(wanted)
      let status = BZ2_bzDecompress(state)
      done += wanted - Int(state.pointee.avail_out)
      produced += wanted - Int(state.pointee.avail_out)
      try origin.checkSize(produced, of: input.file.length)
      if status == BZ_STREAM_END {
        try endStream()
      } else if status == BZ_MEM_ERROR {
        throw TrajpackError(.machine, "no memory to unpack")
      } else if status != BZ_OK {
        throw origin.damaged(input.next - Int(state.pointee.avail_in), Int(status))
      }
    }
    return done
  }

  private func endStream() throws(TrajpackError) {
    let (rest, next) = (state.pointee.avail_in, state.pointee.next_in)
    guard rest > 0 || !input.isAtEnd else {
      isFinished = true
      return
    }
    BZ2_bzDecompressEnd(state)
    state.initialize(to: bz_stream())
    (state.pointee.avail_in, state.pointee.next_in) = (rest, next)
    try begin()
  }
}

/// The bytes that a file of xz unpacks to, one stream after another.
final class XZStream: ByteStream {
  private var input: PackedInput
  private let origin: ByteOrigin
  private let state: UnsafeMutablePointer<lzma_stream>
  private var produced = 0
  private var isFinished = false

  /// The most memory that a stream may ask for.
  private static let memory: UInt64 = 256 << 20

  init(_ file: LocalFile, _ origin: ByteOrigin) throws(TrajpackError) {
    input = PackedInput(file)
    self.origin = origin
    state = .allocate(capacity: 1)
    state.initialize(to: lzma_stream())
    // LZMA_CONCATENATED and LZMA_TELL_UNSUPPORTED_CHECK.
    guard lzma_stream_decoder(state, Self.memory, 0x08 | 0x02) == LZMA_OK else {
      throw TrajpackError(.machine, "no memory to unpack")
    }
  }

  deinit {
    lzma_end(state)
    state.deallocate()
  }

  func read(into buffer: UnsafeMutableRawBufferPointer) throws(TrajpackError) -> Int {
    var done = 0
    while done < buffer.count, !isFinished {
      if state.pointee.avail_in == 0, !input.isAtEnd {
        state.pointee.avail_in = try input.refill()
        state.pointee.next_in = UnsafePointer(
          input.buffer.bytes.baseAddress?.assumingMemoryBound(to: UInt8.self))
      }
      let wanted = buffer.count - done
      state.pointee.next_out = (buffer.baseAddress.unsafelyUnwrapped + done)
        .assumingMemoryBound(to: UInt8.self)
      state.pointee.avail_out = wanted
      let status = lzma_code(state, input.isAtEnd ? LZMA_FINISH : LZMA_RUN)
      done += wanted - state.pointee.avail_out
      produced += wanted - state.pointee.avail_out
      try origin.checkSize(produced, of: input.file.length)
      switch status {
      case LZMA_OK: continue
      case LZMA_STREAM_END: isFinished = true
      case LZMA_BUF_ERROR: throw origin.cutShort(input.next)
      case LZMA_MEM_ERROR, LZMA_MEMLIMIT_ERROR:
        throw TrajpackError(.machine, "the file asks for more memory than is given to unpack it")
      default: throw origin.damaged(input.next - state.pointee.avail_in, Int(status.rawValue))
      }
    }
    return done
  }
}
