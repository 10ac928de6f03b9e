import TrajpackFormat

extension Planner {
  /// The places of a window's rows that its clip has; beyond lies padding.
  func end(_ window: WindowContext) -> Int {
    guard let clip = window.clip else { return setup.length }
    return min(setup.past + clip.rows + setup.options.future, setup.length)
  }

  /// Rows of a track, without those after the end of a clip that is shorter than others.
  func limited(_ set: RowSelection, _ group: Group, _ window: WindowContext) -> RowSelection {
    guard window.clip != nil, group.offsets == nil else { return set }
    let end = end(window)
    guard end < group.length else { return set }
    switch set {
    case .run(let source, let out, let count):
      return .run(source: source, out: out, count: max(min(count, end - out), 0))
    case .table:
      for t in end..<group.length { rows[t] = -1 }
      return .table
    }
  }
}
