/// Arithmetic on numbers that come from a file or a caller, which must never trap.
extension FixedWidthInteger {
  /// The sum; `nil` where it does not fit the type.
  @inlinable
  public func adding(_ other: Self) -> Self? {
    let (sum, overflow) = addingReportingOverflow(other)
    return overflow ? nil : sum
  }

  /// The difference; `nil` where it does not fit the type.
  @inlinable
  public func subtracting(_ other: Self) -> Self? {
    let (difference, overflow) = subtractingReportingOverflow(other)
    return overflow ? nil : difference
  }

  /// The product; `nil` where it does not fit the type.
  @inlinable
  public func multiplied(by other: Self) -> Self? {
    let (product, overflow) = multipliedReportingOverflow(by: other)
    return overflow ? nil : product
  }

  /// A floating-point number cut to a whole one: the nearest end of the type where it lies beyond, 0 for NaN.
  @inlinable
  public init(clamping number: Double) {
    if number.isNaN {
      self = 0
    } else {
      self = Self(exactly: number.rounded(.towardZero)) ?? (number < 0 ? .min : .max)
    }
  }
}
