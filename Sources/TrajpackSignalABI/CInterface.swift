import CTrajpack
import TrajpackFormat
import TrajpackSignal

/// Runs the body and turns its error into a code and a sentence.
func withCError(
  _ error: UnsafeMutablePointer<tp_signal_error>?, _ body: () throws(TrajpackError) -> Void
) -> Int32 {
  do {
    try body()
    return 0
  } catch let fault {
    if let error {
      withUnsafeMutableBytes(of: &error.pointee.message) { bytes in
        var last = 0
        for (i, byte) in fault.message.printable.utf8.prefix(bytes.count - 1).enumerated() {
          bytes[i] = byte
          last = i + 1
        }
        bytes[last] = 0
      }
    }
    return fault.fault.rawValue
  }
}

extension tp_signal_times {
  func times() throws(TrajpackError) -> Times {
    guard count >= 0, count < 1 << 48 else {
      throw TrajpackError(.usage, "\(count) times: give 0 or more")
    }
    let n = Int(count)
    switch form {
    case 0:
      guard let start = Rational(a_num, a_den), let rate = Rational(b_num, b_den) else {
        throw TrajpackError(
          .usage,
          "a clock that starts at \(a_num)/\(a_den) s with rate \(b_num)/\(b_den) Hz: a denominator is zero"
        )
      }
      return .regular(try RegularClock(start: start, rate: rate), count: n)
    case 1:
      guard let unit = Rational(b_num, b_den) else {
        throw TrajpackError(.usage, "ticks of \(b_num)/\(b_den) s: the denominator is zero")
      }
      let ticks = values?.assumingMemoryBound(to: Int64.self)
      return .ticks(UnsafeBufferPointer(start: ticks, count: n), unit: unit)
    case 2:
      let floats = values?.assumingMemoryBound(to: Double.self)
      return .floats(UnsafeBufferPointer(start: floats, count: n))
    default:
      throw TrajpackError(.usage, "times of form \(form): give 0, 1 or 2")
    }
  }
}

extension tp_signal_input {
  /// 0 where the product overflows, which no buffer's size agrees with.
  var entries: Int {
    let (product, overflow) = rows.multipliedReportingOverflow(by: components)
    return overflow || product < 0 ? 0 : Int(product)
  }

  func buffer<S>(_ type: S.Type) -> UnsafeBufferPointer<S> {
    UnsafeBufferPointer(start: values?.assumingMemoryBound(to: S.self), count: entries)
  }

  var mask: UnsafeBufferPointer<UInt8>? {
    observed.map { UnsafeBufferPointer(start: $0, count: entries) }
  }

  /// Calls the body with the type that the numbers have.
  func typed(
    _ single: (Float.Type) throws(TrajpackError) -> Void,
    _ double: (Double.Type) throws(TrajpackError) -> Void
  ) throws(TrajpackError) {
    switch dtype {
    case 0: try single(Float.self)
    case 1: try double(Double.self)
    default: throw TrajpackError(.usage, "element type \(dtype): give 0 (float32) or 1 (float64)")
    }
  }
}

extension tp_signal_output {
  func buffer<S>(_ type: S.Type, _ components: Int64) -> UnsafeMutableBufferPointer<S> {
    UnsafeMutableBufferPointer(
      start: values?.assumingMemoryBound(to: S.self), count: max(Int(rows &* components), 0))
  }

  func masks(_ components: Int64) -> UnsafeMutableBufferPointer<UInt8> {
    UnsafeMutableBufferPointer(start: mask, count: max(Int(rows &* components), 0))
  }
}

/// The choice that a code stands for.
func choose<Choice>(
  _ code: Int32, _ name: StaticString, _ choices: [Int32: Choice]
) throws(TrajpackError) -> Choice {
  guard let choice = choices[code] else {
    throw TrajpackError(.usage, "\(name) \(code): see trajpack_signal.h for the codes")
  }
  return choice
}

func span(_ value: Double) -> TimeSpan? { value < 0 ? nil : .units(value) }
