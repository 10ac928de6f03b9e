import TrajpackFormat
import TrajpackVideo

/// A byte source in memory, that gives at most `most` bytes a read.
struct MemoryBytes: VideoByteSource {
  var name: String
  var bytes: [UInt8]
  var most = Int.max

  var byteCount: Int64 { Int64(bytes.count) }

  func read(at offset: Int64, into buffer: UnsafeMutableRawBufferPointer) throws(TrajpackError)
    -> Int
  {
    guard offset < byteCount else { return 0 }
    let count = min(buffer.count, bytes.count - Int(offset), most)
    buffer.copyBytes(from: bytes[Int(offset)..<Int(offset) + count])
    return count
  }
}

/// A byte source that fails from a byte on.
struct FailingBytes: VideoByteSource {
  var inner: MemoryBytes
  var from: Int64

  var name: String { inner.name }
  var byteCount: Int64 { inner.byteCount }

  func read(at offset: Int64, into buffer: UnsafeMutableRawBufferPointer) throws(TrajpackError)
    -> Int
  {
    guard offset + Int64(buffer.count) <= from else { throw TrajpackError(.machine, "disk gone") }
    return try inner.read(at: offset, into: buffer)
  }
}

/// Decodes into an array.
func decode(
  _ decoder: VideoDecoder, _ frames: [Int], _ output: VideoOutput, _ room: inout [UInt8]
) throws {
  try room.withUnsafeMutableBytes { try decoder.decode(frames: frames, as: output, into: $0) }
}
