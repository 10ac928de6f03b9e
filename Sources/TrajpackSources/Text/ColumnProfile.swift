import TrajpackFormat

/// What must be known of all numbers of a column to choose how they are stored. Facts merge.
public struct ColumnProfile: Sendable, Equatable {
  /// How a column of numbers is stored.
  public struct Choice: Sendable, Equatable {
    /// The type that readers give.
    public var type: ElementType
    /// The type that is stored.
    public var stored: ElementType
    /// Digits after the point of a decimal code.
    public var decimals: Int?
    /// How a value that was not observed is marked.
    public var missing: Channel.Missing
  }

  /// Whether a value was not observed.
  public private(set) var hasMissing = false
  /// Whether a cell was no number.
  public private(set) var hasText = false
  /// Whether any cell was a number.
  public private(set) var hasNumbers = false
  private var hasFraction = false
  private var hasNegativeZero = false
  /// Whether an integer is none of the doubles.
  private var hasInexact = false
  private var hasInfinite = false
  private var hasWide = false
  private var hasWideInteger = false
  private var isFloat32 = true
  private var decimals = 0
  private var magnitude = 0.0

  /// Of no numbers.
  public init() {}

  /// Adds a number.
  @inline(__always)
  public mutating func add(_ number: DecimalLiteral) {
    switch number.form {
    case .missing: hasMissing = true
    case .text: hasText = true
    case .infinite:
      hasNumbers = true
      hasInfinite = true
    case .wide:
      hasNumbers = true
      hasWide = true
      if number.mantissa != 0 { hasWideInteger = true }
      if Double(Float(number.wide)) != number.wide { isFloat32 = false }
    case .integer, .decimal:
      hasNumbers = true
      if number.form == .decimal {
        if number.mantissa == 0, number.isNegative {
          hasNegativeZero = true
        } else {
          hasFraction = true
        }
      }
      if number.decimals > decimals { decimals = number.decimals }
      let value = number.value
      if value.magnitude > magnitude { magnitude = value.magnitude }
      if value.magnitude >= 9_007_199_254_740_992, number.form == .integer,
        Int64(exactly: value) != number.mantissa
      {
        hasInexact = true
      }
      if isFloat32, Double(Float(value)) != value { isFloat32 = false }
    }
  }

  /// Adds what other numbers have shown.
  public mutating func merge(_ other: ColumnProfile) {
    hasMissing = hasMissing || other.hasMissing
    hasText = hasText || other.hasText
    hasNumbers = hasNumbers || other.hasNumbers
    hasFraction = hasFraction || other.hasFraction
    hasNegativeZero = hasNegativeZero || other.hasNegativeZero
    hasInexact = hasInexact || other.hasInexact
    hasInfinite = hasInfinite || other.hasInfinite
    hasWide = hasWide || other.hasWide
    hasWideInteger = hasWideInteger || other.hasWideInteger
    isFloat32 = isFloat32 && other.isFloat32
    decimals = max(decimals, other.decimals)
    magnitude = max(magnitude, other.magnitude)
  }

  /// How numbers with these facts are stored; `nil` where integers and fractions together hold more than
  /// any type does, so that the text itself must be kept.
  public var choice: Choice? {
    // The sign of a zero asks for floats, unless its column has integers that no float holds.
    let isExact = !hasInexact && !hasWideInteger
    let hasFraction = hasFraction || (hasNegativeZero && isExact)
    if hasWideInteger, !hasFraction { return nil }
    // A margin below 2^31 and 2^53 for the four special integers and the rounding of the product.
    if !hasWide, !hasFraction, !hasInfinite {
      if magnitude < 2_147_483_000 {
        return Choice(
          type: .int32, stored: .int32, decimals: nil, missing: hasMissing ? .sentinel : .never)
      }
      return Choice(
        type: .int64, stored: .int64, decimals: nil, missing: hasMissing ? .sentinel : .never)
    }
    let scaled = magnitude * (decimals <= 22 ? DecimalCode.powers[decimals] : .infinity)
    let missing: Channel.Missing = hasMissing ? .nan : .never
    if !hasWide, scaled < 2_147_483_000 {
      return Choice(type: .float64, stored: .int32, decimals: decimals, missing: missing)
    }
    if !hasFraction, hasInexact { return nil }
    if isFloat32 {
      return Choice(type: .float64, stored: .float32, decimals: nil, missing: missing)
    }
    if !hasWide, scaled < 9e15 {
      return Choice(type: .float64, stored: .int64, decimals: decimals, missing: missing)
    }
    return Choice(type: .float64, stored: .float64, decimals: nil, missing: missing)
  }

  /// Writes a number as a column of that choice stores it.
  @inline(__always)
  public static func store(
    _ number: DecimalLiteral, _ stored: ElementType, decimals: Int?, at out: UnsafeMutableRawPointer
  ) {
    switch stored {
    case .int32:
      let value: Int32
      switch number.form {
      case .missing, .text, .wide: value = .min
      case .infinite: value = .min + (number.isNegative ? 3 : 2)
      case .integer, .decimal:
        if number.mantissa == 0 {
          value = number.isNegative && number.form == .decimal ? .min + 1 : 0
        } else {
          value = Int32(truncatingIfNeeded: scale(number, decimals ?? 0))
        }
      }
      out.storeBytes(of: value.littleEndian, as: Int32.self)
    case .int64:
      let value: Int64
      switch number.form {
      case .missing, .text, .wide: value = .min
      case .infinite: value = .min + (number.isNegative ? 3 : 2)
      case .integer, .decimal:
        // An integer has no negative zero.
        value =
          number.mantissa == 0 && number.isNegative && number.form == .decimal && decimals != nil
          ? .min + 1 : scale(number, decimals ?? 0)
      }
      out.storeBytes(of: value.littleEndian, as: Int64.self)
    case .float32:
      out.storeBytes(of: Float(number.value).bitPattern.littleEndian, as: UInt32.self)
    default:
      out.storeBytes(of: number.value.bitPattern.littleEndian, as: UInt64.self)
    }
  }

  @inline(__always)
  private static func scale(_ number: DecimalLiteral, _ decimals: Int) -> Int64 {
    var value = number.mantissa
    for _ in number.decimals..<max(decimals, number.decimals) { value = value &* 10 }
    return value
  }
}
