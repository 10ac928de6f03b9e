import Glibc
import TrajpackCodecs
import TrajpackFormat

/// The bytes of integers, little-endian.
func littleEndian<Integer: FixedWidthInteger>(_ numbers: [Integer]) -> [UInt8] {
  var out: [UInt8] = []
  out.reserveCapacity(numbers.count * MemoryLayout<Integer>.size)
  for number in numbers { withUnsafeBytes(of: number.littleEndian) { out.append(contentsOf: $0) } }
  return out
}

extension Array where Element == UInt8 {
  /// `withUnsafeBytes` with a typed error, which the standard library's cannot throw.
  package func withUnsafeBytesThrowing<Result>(
    _ body: (UnsafeRawBufferPointer) throws(TrajpackError) -> Result
  ) throws(TrajpackError) -> Result {
    let outcome: Swift.Result<Result, TrajpackError> = withUnsafeBytes { bytes in
      do throws(TrajpackError) { return .success(try body(bytes)) } catch { return .failure(error) }
    }
    return try outcome.get()
  }
}
