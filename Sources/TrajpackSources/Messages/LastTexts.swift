import Glibc

/// The texts of the last row of a cell, and what they stand for.
final class LastTexts {
  private var bytes: [UInt8] = []
  private var lengths: [UInt8] = []
  private var isSet = false
  var code: Int32 = 0
  var places: [Int] = []

  func has(_ values: MessageRow.Values) -> Bool {
    isSet && Self.equal(bytes, values.data.bytes) && Self.equal(lengths, values.lengths.bytes)
  }

  func set(_ values: MessageRow.Values) {
    bytes = Array(values.data.bytes)
    lengths = Array(values.lengths.bytes)
    isSet = true
  }

  static func equal(_ one: [UInt8], _ other: UnsafeRawBufferPointer) -> Bool {
    guard one.count == other.count else { return false }
    guard let base = other.baseAddress, !one.isEmpty else { return true }
    return one.withUnsafeBytes {
      memcmp($0.baseAddress.unsafelyUnwrapped, base, other.count) == 0
    }
  }
}
