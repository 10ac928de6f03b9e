import TrajpackFormat
import TrajpackSignal
import TrajpackStore

extension Plan {
  /// Refuses steps that would be fitted to the splits that recordings were written with, where a split scheme counts
  /// instead of them.
  ///
  /// - Parameter scheme: The scheme that was named; `nil` for the one that counts where none is: `default`.
  package func refuseFits(
    to dataset: Dataset, scheme: String? = nil
  ) throws(TrajpackError) {
    let name = scheme ?? "default"
    guard scheme != nil || dataset.sideFiles(.splits).contains(where: { $0.name == name }) else {
      return
    }
    for (number, step) in steps.enumerated() where step.unresolved != nil {
      if case .normalize(let step) = step, step.split == "all" { continue }
      throw TrajpackError(
        .usage,
        "steps[\(number)] (\(step.name)) is fitted to a split that recordings were written with, and "
          + "\(dataset.path) has the split scheme '\(name)', which counts instead; give the step its constants, or "
          + "let the loader normalize")
    }
  }
}
