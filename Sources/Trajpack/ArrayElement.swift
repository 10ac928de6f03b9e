import TrajpackFormat

/// A Swift type that elements of arrays may have.
public protocol ArrayElement: BitwiseCopyable, Sendable {
  /// The same type as trajpack names it.
  static var elementType: ElementType { get }
}

extension Float: ArrayElement {
  /// `float32`.
  public static var elementType: ElementType { .float32 }
}
extension Double: ArrayElement {
  /// `float64`.
  public static var elementType: ElementType { .float64 }
}
extension Int8: ArrayElement {
  /// `int8`.
  public static var elementType: ElementType { .int8 }
}
extension Int16: ArrayElement {
  /// `int16`.
  public static var elementType: ElementType { .int16 }
}
extension Int32: ArrayElement {
  /// `int32`.
  public static var elementType: ElementType { .int32 }
}
extension Int64: ArrayElement {
  /// `int64`.
  public static var elementType: ElementType { .int64 }
}
extension UInt8: ArrayElement {
  /// `uint8`.
  public static var elementType: ElementType { .uint8 }
}
extension UInt16: ArrayElement {
  /// `uint16`.
  public static var elementType: ElementType { .uint16 }
}
extension UInt32: ArrayElement {
  /// `uint32`.
  public static var elementType: ElementType { .uint32 }
}
extension UInt64: ArrayElement {
  /// `uint64`.
  public static var elementType: ElementType { .uint64 }
}
extension Bool: ArrayElement {
  /// `bool`.
  public static var elementType: ElementType { .bool }
}

extension Array {
  /// An array whose `count` elements `body` writes, all of them.
  init(
    count: Int, _ body: (UnsafeMutableBufferPointer<Element>) throws(TrajpackError) -> Void
  ) throws(TrajpackError) {
    var failure: TrajpackError?
    self.init(unsafeUninitializedCapacity: count) { buffer, initialized in
      do throws(TrajpackError) {
        try body(UnsafeMutableBufferPointer(rebasing: buffer[0..<count]))
        initialized = count
      } catch {
        failure = error
      }
    }
    if let failure { throw failure }
  }
}
