/// The one error of trajpack: whose fault it is, and one sentence that says what is wrong, where,
/// and what to do about it.
///
/// An error is handled once: it is made where the fault is seen, completed with the place where
/// that is known (``within(_:)``), and printed or raised at the border.
public struct TrajpackError: Error, Sendable, Equatable, CustomStringConvertible {
  /// Whose fault it is. The raw value is the exit code of the command line.
  public enum Fault: Int32, Sendable {
    /// The data that was read is damaged, inconsistent, or breaks a rule.
    case data = 1
    /// The caller asked for something that cannot be done.
    case usage = 2
    /// The machine refused: disk full, no permission, no such device.
    case machine = 3
  }

  /// Whose fault it is.
  public let fault: Fault
  /// What is wrong, where, and what to do: one sentence.
  public let message: String

  /// An error with its sentence.
  public init(_ fault: Fault, _ message: String) {
    self.fault = fault
    self.message = message
  }

  /// The same error, with the place it happened in put in front: `shard-000001.h5: …`.
  public func within(_ place: String) -> TrajpackError {
    TrajpackError(fault, "\(place): \(message)")
  }

  /// The text that people read.
  public var description: String { message }
}

/// Runs `body`, naming `place` in front of the sentence of any error it throws.
@inlinable
public func within<Result>(
  _ place: @autoclosure () -> String, _ body: () throws(TrajpackError) -> Result
) throws(TrajpackError) -> Result {
  do {
    return try body()
  } catch {
    throw error.within(place())
  }
}

extension Sequence {
  /// `map` with a typed error.
  package func mapThrowing<Result>(
    _ transform: (Element) throws(TrajpackError) -> Result
  ) throws(TrajpackError) -> [Result] {
    var out: [Result] = []
    for element in self { out.append(try transform(element)) }
    return out
  }
}
