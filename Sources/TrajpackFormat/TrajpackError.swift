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

  /// The parts, in one object, so that functions that throw stay cheap: an error is one word.
  private final class Parts: Sendable {
    let fault: Fault
    let message: String
    let place: ErrorPlace

    init(_ fault: Fault, _ message: String, _ place: ErrorPlace) {
      (self.fault, self.message, self.place) = (fault, message, place)
    }
  }

  private let parts: Parts

  /// Whose fault it is.
  public var fault: Fault { parts.fault }
  /// What is wrong, where, and what to do: one sentence.
  public var message: String { parts.message }
  /// Where it is, for programs; the sentence says it, too.
  public var place: ErrorPlace { parts.place }

  /// An error with its sentence.
  public init(_ fault: Fault, _ message: String) {
    parts = Parts(fault, message, ErrorPlace())
  }

  /// An error with its sentence, and the place that the sentence names.
  public init(_ fault: Fault, _ message: String, at place: ErrorPlace) {
    parts = Parts(fault, message, place)
  }

  /// An error of a file: its name comes before the sentence, and is its place.
  public init(_ fault: Fault, file: String, _ message: String) {
    parts = Parts(fault, "\(file): \(message)", ErrorPlace(file: file))
  }

  /// An error of a file, with what the sentence says of the place in it.
  public init(_ fault: Fault, file: String, _ message: String, at place: ErrorPlace) {
    parts = Parts(fault, "\(file): \(message)", place.completed(by: ErrorPlace(file: file)))
  }

  /// An error of an option: its name comes before the sentence, and is its place.
  package init(_ fault: Fault, option: String, _ message: String) {
    parts = Parts(fault, "option '\(option)': \(message)", ErrorPlace(option: option))
  }

  /// The same error, with the place it happened in put in front: `shard-000001.h5: …`. What `place` says counts
  /// where the error does not say it itself.
  public func within(_ text: String, at place: ErrorPlace = ErrorPlace()) -> TrajpackError {
    TrajpackError(fault, "\(text): \(message)", at: parts.place.completed(by: place))
  }

  /// The same error and sentence, with a place that the sentence names already.
  public func at(_ place: ErrorPlace) -> TrajpackError {
    TrajpackError(fault, message, at: parts.place.completed(by: place))
  }

  /// The same error of a part of a file, which began at byte `start` of it.
  package func inPart(at start: Int) -> TrajpackError {
    var place = parts.place
    place.byte = place.byte.map { $0 + start }
    return TrajpackError(fault, message, at: place)
  }

  /// Whether both are the same fault, sentence and place.
  public static func == (a: TrajpackError, b: TrajpackError) -> Bool {
    a.fault == b.fault && a.message == b.message && a.place == b.place
  }

  /// The text that people read.
  public var description: String { message }
}

/// Runs `body`, naming `place` in front of the sentence of any error it throws.
@inlinable
public func within<Result>(
  _ text: @autoclosure () -> String, at place: @autoclosure () -> ErrorPlace = ErrorPlace(),
  _ body: () throws(TrajpackError) -> Result
) throws(TrajpackError) -> Result {
  do {
    return try body()
  } catch {
    throw error.within(text(), at: place())
  }
}

/// Runs `body`, naming `file` in front of the sentence of any error it throws, and in its place.
@inlinable
public func within<Result>(
  file: @autoclosure () -> String, _ body: () throws(TrajpackError) -> Result
) throws(TrajpackError) -> Result {
  do {
    return try body()
  } catch {
    let file = file()
    throw error.within(file, at: ErrorPlace(file: file))
  }
}

/// Runs `body` on a line of a text file that begins at byte `start`: `text`, which names the file and the line, comes
/// before the sentence of any error, and a byte that the error gives is counted from the beginning of the file.
package func within<Result>(
  _ text: @autoclosure () -> String, file: String, line: Int, startingAt start: Int,
  _ body: () throws(TrajpackError) -> Result
) throws(TrajpackError) -> Result {
  do {
    return try body()
  } catch {
    throw error.inPart(at: start).within(text(), at: ErrorPlace(file: file, line: line))
  }
}

/// Runs `body`, naming the episode in front of the sentence of any error it throws, and in its place.
@inlinable
public func within<Result>(
  episode: @autoclosure () -> String, _ body: () throws(TrajpackError) -> Result
) throws(TrajpackError) -> Result {
  do {
    return try body()
  } catch {
    let id = episode()
    throw error.within("episode '\(id)'", at: ErrorPlace(episode: id))
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
