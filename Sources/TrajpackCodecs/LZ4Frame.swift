import CLZ4
import TrajpackFormat

/// Data in the frame format of LZ4, in memory.
public enum LZ4Frame {
  /// Decompresses one frame so that it fills `destination` exactly.
  ///
  /// - Throws: A data error where the bytes are damaged or of another size.
  public static func decompress(
    _ source: UnsafeRawBufferPointer, into destination: UnsafeMutableRawBufferPointer
  ) throws(TrajpackError) {
    var context: OpaquePointer?
    guard LZ4F_isError(LZ4F_createDecompressionContext(&context, UInt32(LZ4F_VERSION))) == 0 else {
      throw TrajpackError(.machine, "there is no memory for lz4")
    }
    defer { LZ4F_freeDecompressionContext(context) }
    var (read, written) = (0, 0)
    while true {
      var (input, output) = (source.count - read, destination.count - written)
      let hint = LZ4F_decompress(
        context, destination.baseAddress.map { $0 + written }, &output,
        source.baseAddress.map { $0 + read }, &input, nil)
      guard LZ4F_isError(hint) == 0 else {
        throw TrajpackError(
          .data, "the lz4 data is damaged (\(String(cString: LZ4F_getErrorName(hint))))")
      }
      read += input
      written += output
      if hint == 0 { break }
      guard input > 0 || output > 0 else {
        throw TrajpackError(
          .data,
          written == destination.count
            ? "the lz4 data holds more than the \(written) bytes that are expected"
            : "the lz4 data ends before its end mark")
      }
    }
    guard written == destination.count, read == source.count else {
      throw TrajpackError(
        .data, "the lz4 data holds \(written) bytes where \(destination.count) are expected")
    }
  }
}
