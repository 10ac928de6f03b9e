import CPlatform

/// A value that many threads change, each for a moment, and that the child of a fork finds whole: nothing forks meanwhile.
///
/// All of them share one lock with the forks, so a body must neither wait nor use another one.
final class ForkSafe<Value>: @unchecked Sendable {
  // Changed in the gate only.
  private var value: Value

  init(_ value: Value) { self.value = value }

  func withLock<Result>(_ body: (inout Value) -> Result) -> Result {
    tp_fork_gate_enter()
    defer { tp_fork_gate_leave() }
    return body(&value)
  }
}
