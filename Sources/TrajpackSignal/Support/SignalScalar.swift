import TrajpackFormat

/// A number that a channel holds and that arithmetic may be done on: `Float` or `Double`.
///
/// Every generic function of this layer is specialised for both, so that nothing is boxed.
/// Weights are always computed in `Double` and rounded once to the channel's type.
public protocol SignalScalar: BinaryFloatingPoint, SIMDScalar, Codable, Sendable {}

extension Float: SignalScalar {}
extension Double: SignalScalar {}

/// One byte an entry of a mask: 1 where the entry is observed, 0 where it is missing.
public typealias MaskByte = UInt8

extension UnsafeBufferPointer {
  /// The first entry; an address that must not be read where there is none.
  @inline(__always) var base: UnsafePointer<Element> {
    unsafeBitCast(baseAddress, to: UnsafePointer<Element>.self)
  }

  /// Refuses a buffer that does not hold exactly `rows` times `components` entries.
  @inline(__always)
  func require(
    _ rows: Int, _ components: Int, _ name: StaticString
  ) throws(TrajpackError) -> UnsafePointer<Element> {
    try requireShape(count, rows, components, name)
    return base
  }
}

extension UnsafeMutableBufferPointer {
  /// The first entry; an address that must not be written where there is none.
  @inline(__always) var base: UnsafeMutablePointer<Element> {
    unsafeBitCast(baseAddress, to: UnsafeMutablePointer<Element>.self)
  }

  /// Refuses a buffer that does not hold exactly `rows` times `components` entries.
  @inline(__always)
  func require(
    _ rows: Int, _ components: Int, _ name: StaticString
  ) throws(TrajpackError) -> UnsafeMutablePointer<Element> {
    try requireShape(count, rows, components, name)
    return base
  }
}

func requireShape(
  _ count: Int, _ rows: Int, _ components: Int, _ name: StaticString
) throws(TrajpackError) {
  let (product, overflow) = rows.multipliedReportingOverflow(by: components)
  guard rows >= 0, components >= 1, !overflow, product == count else {
    throw TrajpackError(
      .usage,
      "the buffer '\(name)' holds \(count) entries, not \(rows) rows of \(components): give one "
        + "entry for each row and component")
  }
}

/// Memory for the length of a scope, not filled before it is written.
struct Scratch<Element: BitwiseCopyable>: ~Copyable {
  let pointer: UnsafeMutablePointer<Element>
  let count: Int

  init(_ count: Int) {
    // Aligned for the widest vector.
    pointer = UnsafeMutableRawPointer.allocate(
      byteCount: max(count, 1) * MemoryLayout<Element>.stride, alignment: 64
    ).bindMemory(to: Element.self, capacity: max(count, 1))
    self.count = count
  }

  init(_ count: Int, filledWith value: Element) {
    self.init(count)
    pointer.initialize(repeating: value, count: count)
  }

  deinit { UnsafeMutableRawPointer(pointer).deallocate() }

  @inline(__always) subscript(index: Int) -> Element {
    get { pointer[index] }
    nonmutating set { pointer[index] = newValue }
  }
}
