import CTrajpack
import Glibc
import TrajpackFormat

/// What every function of the C interface does: run Swift code, and turn what it throws into a status and
/// a sentence.
package enum CInterface {
  /// Runs `body`; an error goes to `error`, where there is one, and its code is the result.
  package static func run(
    _ error: UnsafeMutablePointer<tp_error>?,
    _ body: () throws(TrajpackError) -> tp_status
  ) -> Int32 {
    do throws(TrajpackError) {
      return Int32(bitPattern: try body().rawValue)
    } catch let failure {
      report(failure, to: error)
      return failure.fault.rawValue
    }
  }

  /// The same for a body whose only status is success.
  package static func call(
    _ error: UnsafeMutablePointer<tp_error>?, _ body: () throws(TrajpackError) -> Void
  ) -> Int32 {
    run(error) { () throws(TrajpackError) in
      try body()
      return TP_OK
    }
  }

  /// The same for a body that gives a document: its text goes to `out`, an argument that must not be null, and the
  /// caller frees it.
  package static func document(
    _ out: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?, _ name: String,
    _ error: UnsafeMutablePointer<tp_error>?, _ body: () throws(TrajpackError) -> JSONValue
  ) -> Int32 {
    call(error) { () throws(TrajpackError) in
      let out = try need(out, name)
      out.pointee = try text(try body().text())
    }
  }

  private static func report(
    _ failure: TrajpackError, to error: UnsafeMutablePointer<tp_error>?
  ) {
    guard let error else { return }
    error.pointee.code = failure.fault.rawValue
    withUnsafeMutableBytes(of: &error.pointee.message) { write(failure.message.printable, to: $0) }
    withUnsafeMutableBytes(of: &error.pointee.place) { out in
      let place = failure.place
      // A document that is cut is none; what is longest is the path.
      let texts = [
        place,
        ErrorPlace(
          stream: place.stream, channel: place.channel, line: place.line,
          row: place.row, byte: place.byte, option: place.option), ErrorPlace(),
      ]
      .map { $0.isEmpty ? "" : $0.json.text() }
      write(texts.first { $0.utf8.count < out.count } ?? "", to: out)
    }
  }

  /// Writes text and a zero byte, cut where it is too long, never in the middle of a character.
  private static func write(_ text: String, to out: UnsafeMutableRawBufferPointer) {
    let text = Array(text.utf8)
    var count = min(text.count, out.count - 1)
    while count > 0, count < text.count, text[count] & 0xC0 == 0x80 { count -= 1 }
    text.withUnsafeBytes { out.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[..<count])) }
    out[count] = 0
  }

  /// Text that the caller frees.
  package static func text(_ text: String) throws(TrajpackError) -> UnsafeMutablePointer<CChar> {
    guard let copy = strdup(text) else {
      throw TrajpackError(.machine, "there is no memory for a text of \(text.utf8.count) bytes")
    }
    return copy
  }

  /// An argument that must not be null.
  package static func need<Value>(_ value: Value?, _ name: String) throws(TrajpackError) -> Value {
    guard let value else { throw TrajpackError(.usage, "argument '\(name)' is null") }
    return value
  }

  /// The text of an argument.
  package static func string(
    _ text: UnsafePointer<CChar>?, _ name: String
  ) throws(TrajpackError) -> String {
    let text = try need(text, name)
    guard let string = String(validatingCString: text) else {
      throw TrajpackError(.usage, "argument '\(name)' is no UTF-8")
    }
    return string
  }

  /// A handle for an object, which lives until ``free(_:as:)``.
  package static func handle(_ object: AnyObject) -> OpaquePointer {
    OpaquePointer(Unmanaged.passRetained(object).toOpaque())
  }

  /// The object of a handle.
  package static func object<Object: AnyObject>(
    _ handle: OpaquePointer?, _ type: Object.Type, _ name: String
  ) throws(TrajpackError) -> Object {
    let handle = try need(handle, name)
    return Unmanaged<Object>.fromOpaque(UnsafeRawPointer(handle)).takeUnretainedValue()
  }

  /// Ends a handle.
  package static func free<Object: AnyObject>(_ handle: OpaquePointer?, as type: Object.Type) {
    guard let handle else { return }
    Unmanaged<Object>.fromOpaque(UnsafeRawPointer(handle)).release()
  }
}
