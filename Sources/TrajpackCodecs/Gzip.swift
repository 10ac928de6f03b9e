import CZlib
import TrajpackFormat

/// Data of gzip (RFC 1952) or zlib (RFC 1950) in memory.
public enum Gzip {
  /// Decompresses `source` so that it fills `destination` exactly.
  ///
  /// - Throws: A data error where the bytes are damaged or of another size.
  public static func decompress(
    _ source: UnsafeRawBufferPointer, into destination: UnsafeMutableRawBufferPointer
  ) throws(TrajpackError) {
    guard source.count <= Int(UInt32.max), destination.count <= Int(UInt32.max) else {
      throw TrajpackError(.data, "the gzip data is longer than 4 GiB")
    }
    var state = z_stream()
    // 32 more bits of the window have zlib tell gzip from zlib by the header.
    guard inflateInit2_(&state, 47, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
      throw TrajpackError(.machine, "there is no memory for zlib")
    }
    defer { inflateEnd(&state) }
    state.next_in = UnsafeMutablePointer(
      mutating: source.baseAddress?.assumingMemoryBound(to: UInt8.self))
    state.avail_in = UInt32(source.count)
    state.next_out = destination.baseAddress?.assumingMemoryBound(to: UInt8.self)
    state.avail_out = UInt32(destination.count)
    let status = inflate(&state, Z_FINISH)
    guard status == Z_STREAM_END else {
      throw TrajpackError(.data, "the gzip data is damaged (zlib error \(status))")
    }
    guard state.avail_out == 0 else {
      let found = destination.count - Int(state.avail_out)
      throw TrajpackError(
        .data, "the gzip data holds \(found) bytes where \(destination.count) are expected")
    }
  }
}
