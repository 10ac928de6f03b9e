import TrajpackFormat
import TrajpackSignal

/// The sorts of clock that streams have before, between and after the steps of a plan.
package struct PreparedSorts {
  private let programs: [PlanProgram]
  private let sorts: [Set<PlanClock.Sort>]

  /// `sorts` are those of the tracks of each stream as they were recorded.
  package init(_ programs: [PlanProgram], _ sorts: [Set<PlanClock.Sort>]) {
    self.programs = programs
    self.sorts = sorts
  }

  /// The sort of explicit times that a stream's tracks have after all steps; `nil` where every one has a
  /// regular clock, or the plan does not touch the stream.
  package func explicit(_ stream: Int) throws(TrajpackError) -> PlanClock.Sort? {
    let program = programs[stream]
    if program.isIdentity { return nil }
    var out: Set<PlanClock.Sort> = []
    for sort in sorts[stream] { out.insert(try program.sort(sort, reference: after)) }
    let explicit = out.subtracting([.regular])
    guard explicit.count < 2 else {
      throw TrajpackError(
        .usage,
        "stream '\(program.stream)' would have both ticks and floating-point times: resample "
          + "it to a rate")
    }
    return explicit.first
  }

  private func after(_ name: String, _ steps: Int) throws(TrajpackError) -> PlanClock.Sort {
    guard let i = programs.firstIndex(where: { $0.stream == name }), let sort = sorts[i].first,
      sorts[i].count == 1
    else {
      throw TrajpackError(
        .usage,
        "stream '\(name)' is absent, or has clocks of several sorts, so others cannot go onto it")
    }
    return try programs[i].sort(sort, steps: steps, reference: after)
  }
}
