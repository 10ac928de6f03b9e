import CZlib
import TrajpackFormat
import TrajpackStore

/// The bytes that a range of a file inflates to; the corresponding C function is `inflate`.
final class InflateStream: ByteStream {
  /// How the compressed bytes are framed.
  enum Framing: Sendable {
    /// A bare deflate stream (RFC 1951), as in zip archives.
    case raw
    /// One gzip member after another (RFC 1952), each with its checksum and size.
    case gzip
    /// A zlib stream (RFC 1950), with its checksum.
    case zlib

    /// The bits of the window, and the framing, as zlib takes them.
    fileprivate var windowBits: Int32 {
      switch self {
      case .raw: return -15
      case .gzip: return 31
      case .zlib: return 15
      }
    }
  }

  /// Bytes of input that are read at once.
  private static let inputBytes = 64 << 10

  private let file: LocalFile
  private let range: Range<Int>
  private let origin: ByteOrigin
  private let framing: Framing
  // zlib keeps the address of its state, so it must not move.
  private let state: UnsafeMutablePointer<z_stream>
  private let input = ByteBuffer(inputBytes)
  private var next: Int
  private var produced = 0
  private(set) var isFinished = false

  /// Inflates the bytes `range` of `file`, which lie in it.
  init(
    _ file: LocalFile, _ range: Range<Int>, _ framing: Framing, _ origin: ByteOrigin
  ) throws(TrajpackError) {
    self.file = file
    self.range = range
    self.origin = origin
    self.framing = framing
    next = range.lowerBound
    state = .allocate(capacity: 1)
    state.initialize(to: z_stream())
    // `inflateInit2` is a macro of this function.
    let status = inflateInit2_(
      state, framing.windowBits, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
    guard status == Z_OK else {
      throw TrajpackError(.machine, "no memory for zlib (error \(status))")
    }
  }

  deinit {
    inflateEnd(state)
    state.deinitialize(count: 1)
    state.deallocate()
  }

  /// The byte of the file that is looked at next.
  var position: Int { next - Int(state.pointee.avail_in) }

  /// Compressed bytes that have not been used.
  var unused: Int { range.upperBound - position }

  func read(into buffer: UnsafeMutableRawBufferPointer) throws(TrajpackError) -> Int {
    var done = 0
    while done < buffer.count, !isFinished {
      if state.pointee.avail_in == 0, next < range.upperBound { try refill() }
      let wanted = min(buffer.count - done, Int(UInt32.max))
      state.pointee.next_out = (buffer.baseAddress.unsafelyUnwrapped + done)
        .assumingMemoryBound(to: UInt8.self)
      state.pointee.avail_out = UInt32(wanted)
      let status = inflate(state, Z_NO_FLUSH)
      done += wanted - Int(state.pointee.avail_out)
      produced += wanted - Int(state.pointee.avail_out)
      guard produced < ZipArchive.suspectSize || produced / ZipArchive.suspectRatio <= range.count
      else {
        throw origin.wrong(
          "inflates to more than \(produced) bytes from \(range.count), which no recording does")
      }
      switch status {
      case Z_OK: continue
      case Z_STREAM_END: try endMember()
      case Z_BUF_ERROR where unused > 0: continue
      case Z_BUF_ERROR:
        throw origin.wrong(
          "the compressed bytes end at byte \(position), in the middle; the file was cut short, "
            + "fetch it again")
      case Z_MEM_ERROR: throw TrajpackError(.machine, "no memory to inflate")
      default:
        let why = state.pointee.msg.map { String(cString: $0) } ?? "zlib error \(status)"
        throw origin.wrong(
          "the compressed bytes are damaged near byte \(position) (\(why)); fetch the file again")
      }
    }
    return done
  }

  private func refill() throws(TrajpackError) {
    let count = min(Self.inputBytes, range.upperBound - next)
    try file.read(at: next, into: UnsafeMutableRawBufferPointer(rebasing: input.bytes[..<count]))
    next += count
    state.pointee.next_in = input.bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
    state.pointee.avail_in = UInt32(count)
  }

  /// A gzip file may have several members: the next begins where this one ends.
  private func endMember() throws(TrajpackError) {
    guard framing == .gzip, unused > 0 else {
      isFinished = true
      return
    }
    guard inflateReset(state) == Z_OK else {
      throw TrajpackError(.machine, "zlib cannot begin again")
    }
  }
}
