import Synchronization

/// The last few objects of a sort that were used: what the others keep in memory is let go, for there may be many.
final class RecentlyUsed<Object: AnyObject & Sendable>: Sendable {
  private let most: Int
  private let forget: @Sendable (Object) -> Void
  private let objects = Mutex<[Object]>([])

  /// Keeps `most` objects; `forget` is called with each that falls out, by one thread or several.
  init(most: Int, forget: @escaping @Sendable (Object) -> Void) {
    self.most = most
    self.forget = forget
  }

  /// An object is used now.
  func use(_ object: Object) {
    let old = objects.withLock { objects -> [Object] in
      if objects.last === object { return [] }
      objects.removeAll { $0 === object }
      objects.append(object)
      let old = Array(objects.dropLast(most))
      objects.removeFirst(old.count)
      return old
    }
    for object in old { forget(object) }
  }
}
