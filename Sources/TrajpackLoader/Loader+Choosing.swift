import TrajpackFormat
import TrajpackStore

extension Loader {
  /// What chooses windows by their values.
  struct Chooser {
    let datasets: [OpenDataset]
    let schemas: [Schema]
    let options: LoaderOptions
    let reference: String
    /// The channels that are others in each epoch.
    let varying: Set<String>

    /// Which windows of each dataset pass 'windows_where'; `nil` where all do.
    ///
    /// - Throws: A usage error where it does not fit the data, or no window passes; a data error where a
    ///   chunk is damaged.
    func choose(_ setup: LoaderSetup) throws(TrajpackError) -> [WindowChoice]? {
      guard let given = options.windowTest else { return nil }
      let all = try Selection.merged(schemas)
      let test = try given.mapped { (question) throws(TrajpackError) in
        try resolved(question, all, "windows_where")
      }
      var choices: [WindowChoice] = []
      for (d, source) in setup.sources.enumerated() {
        let choice = try choose(setup, source, datasets[d], test)
        guard choice.set.count > 0 else {
          throw TrajpackError(
            .usage,
            "\(datasets[d].dataset.path): none of \(counted(source.candidates, "window")) passes "
              + "'windows_where'; make its bounds wider"
              + (choice.damaged > 0
                ? " (\(choice.damaged) of them \(choice.damaged == 1 ? "touches" : "touch") damaged data)"
                : ""))
        }
        choices.append(choice)
      }
      return choices
    }

    /// Bytes from which on a choice is worth keeping where nobody has named a folder.
    private static let costly = 64 << 20

    private func choose(
      _ setup: LoaderSetup, _ source: WindowSource, _ dataset: OpenDataset,
      _ test: WindowTest<WindowQuestion>
    ) throws(TrajpackError) -> WindowChoice {
      var folder = options.cacheFolder
      if folder == nil {
        let bytes = dataset.shards.reduce(0) { $0 + $1.file.length }
        folder = bytes >= Self.costly ? WindowSetFile.defaultFolder : ""
      }
      guard let folder, !folder.isEmpty else {
        return try WindowChoice.make(setup, source, test)
      }
      let file = WindowSetFile(folder: folder, describedBy: text(setup, source, dataset))
      if let kept = file.read(candidates: source.candidates) { return kept }
      var choice = try WindowChoice.make(setup, source, test)
      // What cannot be kept is found out again next time; what lacks damaged windows is not kept, for the
      // data may be repaired.
      if choice.damaged == 0, file.write(choice) { choice.path = file.path }
      return choice
    }

    /// All that the choice depends on.
    private func text(
      _ setup: LoaderSetup, _ source: WindowSource, _ dataset: OpenDataset
    ) -> String {
      var text =
        "1 \(dataset.digest) \(reference) \(setup.past) \(setup.length) \(source.ruleText)"
      if let plan = options.plan { text += " plan=\(plan.digest)" }
      for name in ["split", "episodes", "where", "windows_where"] {
        text += " \(name)=\((options.json[name] ?? .null).text())"
      }
      return text
    }

    /// Weights of the windows of each dataset, where they are made from a channel.
    ///
    /// - Throws: A usage error where a weight is below 0, or none is above.
    func weigh(_ setup: LoaderSetup) throws(TrajpackError) -> [WeightTable]? {
      guard let weights = options.windowWeights else { return nil }
      guard datasets.count == 1 || options.weights != nil else {
        throw TrajpackError(
          .usage,
          "'window_weights' of several datasets say nothing about how these are mixed: give 'weights' too"
        )
      }
      guard case .question(let given) = weights else { return nil }
      let question = try resolved(given, try Selection.merged(schemas), "window_weights")
      var tables: [WeightTable] = []
      for (d, source) in setup.sources.enumerated() {
        tables.append(
          try within("\(datasets[d].dataset.path): 'window_weights'") { () throws(TrajpackError) in
            let numbers = try WindowChoice.numbers(setup, source, question)
            return try WeightTable(
              UnsafeBufferPointer(rebasing: numbers.memory[..<Int(source.count)]))
          })
      }
      return tables
    }

    private func resolved(
      _ question: WindowQuestion, _ all: [Selection.Item], _ option: String
    ) throws(TrajpackError) -> WindowQuestion {
      let out = try question.resolved(all, option: option)
      guard !varying.contains(out.measure.path) else {
        throw TrajpackError(
          .usage,
          "option '\(option)': the plan draws '\(out.measure.path)' anew in each epoch, so windows cannot be "
            + "chosen by it once for all: give that step \"draw\": \"once\", or ask for another channel"
        )
      }
      func unit(_ stream: String) -> String? {
        schemas.lazy.compactMap { schema in
          schema.stream(named: stream).map { schema.streams[$0].timeUnit }
        }.first
      }
      if let own = unit(out.measure.stream), let other = unit(reference), own != other {
        throw TrajpackError(
          .usage,
          "option '\(option)': stream '\(out.measure.stream)' counts time in '\(own)' and the reference "
            + "'\(reference)' in '\(other)', so that it is not known what lies within a window")
      }
      return out
    }
  }

  /// Gives the windows of a dataset weights, one each in their order, from the first batch on.
  ///
  /// - Throws: A usage error for another number of weights, or one that is no weight.
  public func setWeights(
    dataset: Int, _ weights: UnsafeBufferPointer<Float>
  ) throws(TrajpackError) {
    guard setup.sources.indices.contains(dataset) else {
      throw TrajpackError(
        .usage, "there is no dataset \(dataset) in a mixture of \(setup.sources.count)")
    }
    guard case .given = setup.options.windowWeights else {
      throw TrajpackError(
        .usage, "weights are taken where the option 'window_weights' is true, which it is not")
    }
    guard weights.count == windows[dataset] else {
      throw TrajpackError(
        .usage,
        "\(counted(weights.count, "weight")) for \(counted(windows[dataset], "window")): give one each"
      )
    }
    let table = try within("'window_weights'") { () throws(TrajpackError) in
      try WeightTable(weights)
    }
    seek(cursor)
    order.weights[dataset] = table
  }

  /// Refuses to give windows out while their weights are to come.
  public func checkWeights() throws(TrajpackError) {
    guard case .given = setup.options.windowWeights,
      let dataset = order.weights.firstIndex(where: { $0 == nil })
    else { return }
    throw TrajpackError(
      .usage,
      "the windows of dataset \(dataset) have no weights yet: call tp_loader_set_weights before the "
        + "first batch")
  }
}
