import Synchronization
import TrajpackFormat

/// Values by name, each made by the first thread that asks for it. While one is made, others can be.
final class MadeOnce<Value: Sendable>: Sendable {
  private final class Place: Sendable { let value = Mutex<Value?>(nil) }

  private let places = Mutex<[String: Place]>([:])

  private func place(_ name: String) -> Place {
    places.withLock { places in
      if let place = places[name] { return place }
      let place = Place()
      places[name] = place
      return place
    }
  }

  private static func known(
    _ value: inout Value?, _ make: () throws(TrajpackError) -> Value
  ) throws(TrajpackError) -> Value {
    if let value { return value }
    let made = try make()
    value = made
    return made
  }

  /// The value, which `make` makes where there is none; waits where another thread makes it. What `make` throws is not kept.
  func value(
    _ name: String, _ make: () throws(TrajpackError) -> Value
  ) throws(TrajpackError) -> Value {
    try place(name).value.withLock { (value) throws(TrajpackError) in
      try Self.known(&value, make)
    }
  }

  /// The same; `nil` where another thread makes it.
  func valueUnlessBusy(
    _ name: String, _ make: () throws(TrajpackError) -> Value
  ) throws(TrajpackError) -> Value? {
    try place(name).value.withLockIfAvailable { (value) throws(TrajpackError) in
      try Self.known(&value, make)
    }
  }
}
