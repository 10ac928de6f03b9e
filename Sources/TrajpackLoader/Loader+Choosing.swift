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
        let own = try test.mapped { (question) throws(TrajpackError) in
          try valued(question, d, "windows_where")
        }
        let choice = try choose(setup, source, datasets[d], own)
        guard choice.set.count > 0 else {
          throw TrajpackError(
            .usage, file: datasets[d].dataset.path,
            "none of \(counted(source.candidates, "window")) passes "
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
      let file = WindowSetFile(
        folder: folder,
        describedBy: text(
          setup, source, dataset, try dataset.digest(ofValues: options.valuesAskedFor)))
      if let kept = file.read(candidates: source.candidates) { return kept }
      var choice = try WindowChoice.make(setup, source, test)
      // What cannot be kept is found out again next time; what lacks damaged windows is not kept, for the
      // data may be repaired.
      if choice.damaged == 0, file.write(choice) { choice.path = file.path }
      return choice
    }

    /// All that the choice depends on.
    private func text(
      _ setup: LoaderSetup, _ source: WindowSource, _ dataset: OpenDataset, _ values: String?
    ) -> String {
      var text =
        // 2: rows beyond a gap count.
        "2 \(dataset.digest) \(reference) \(setup.past) \(setup.length) \(source.ruleText)"
      if let plan = options.plan { text += " plan=\(plan.digest)" }
      if let values { text += " values=\(values)" }
      for name in ["split", "episodes", "where", "windows_where", "tolerance"] {
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
            let own = try valued(question, d, "window_weights")
            let numbers = try WindowChoice.numbers(setup, source, own)
            return try WeightTable(
              UnsafeBufferPointer(rebasing: numbers.memory[..<Int(source.count)]))
          })
      }
      return tables
    }

    private func resolved(
      _ question: WindowQuestion, _ all: [Selection.Item], _ option: String
    ) throws(TrajpackError) -> WindowQuestion {
      if question.measure.isValue { return question }
      let out = try question.resolved(all, option: option)
      guard !varying.contains(out.measure.path) else {
        throw TrajpackError(
          .usage, option: option,
          "the plan draws '\(out.measure.path)' anew in each epoch, so windows cannot be "
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
          .usage, option: option,
          "stream '\(out.measure.stream)' counts time in '\(own)' and the reference "
            + "'\(reference)' in '\(other)', so that it is not known what lies within a window")
      }
      return out
    }
  }

  /// Gives the windows of a dataset weights, one each in their order, before the first batch.
  ///
  /// - Throws: A usage error for another number of weights, or one that is no weight.
  public func setWeights(
    dataset: Int, _ weights: UnsafeBufferPointer<Float>
  ) throws(TrajpackError) {
    let table = try weightTable(dataset: dataset, weights)
    seek(cursor)
    order.weights[dataset] = table
  }

  /// Gives the windows of all datasets other weights, from the next epoch on; from the present one, where
  /// nothing of it was given out yet.
  ///
  /// After a state that was saved with other weights, they take the place of these.
  ///
  /// - Throws: A usage error for another number of weights, for one that is no weight, or for others than a state
  ///   was saved with; then nothing changes.
  public func replaceWeights(_ weights: [UnsafeBufferPointer<Float>]) throws(TrajpackError) {
    guard weights.count == setup.sources.count else {
      throw TrajpackError(
        .usage,
        "\(counted(weights.count, "array")) of weights for \(counted(setup.sources.count, "dataset")): give one "
          + "each")
    }
    var tables: [WeightTable?] = []
    for (dataset, one) in weights.enumerated() {
      tables.append(try weightTable(dataset: dataset, one))
    }
    let digest = WeightTable.digest(tables)
    if let next = wanted.first {
      guard digest == next.digest else {
        throw TrajpackError(
          .usage,
          "these are not the weights that the state was saved with, which count from epoch \(next.epoch): give "
            + "those")
      }
    }
    seek(cursor)
    if let next = wanted.first {
      wanted.removeFirst()
      if next.isLater {
        order.later = (next.epoch, tables)
      } else {
        (order.weights, weightsEpoch) = (tables, next.epoch)
      }
      return
    }
    settleWeights()
    if cursor.position == 0 {
      (order.weights, order.later, weightsEpoch) = (tables, nil, cursor.epoch)
    } else {
      order.later = (cursor.epoch &+ 1, tables)
    }
  }

  /// Forgets the weights of epochs that are over.
  private func settleWeights() {
    guard let later = order.later, later.epoch <= cursor.epoch else { return }
    (order.weights, order.later, weightsEpoch) = (later.weights, nil, later.epoch)
  }

  private func weightTable(
    dataset: Int, _ weights: UnsafeBufferPointer<Float>
  ) throws(TrajpackError) -> WeightTable {
    guard setup.sources.indices.contains(dataset) else {
      throw TrajpackError(
        .usage, "there is no dataset \(dataset) in a mixture of \(setup.sources.count)")
    }
    guard setup.options.windowWeights != nil else {
      throw TrajpackError(
        .usage,
        "the loader was made without 'window_weights', so its windows have none: give it weights when it is made"
      )
    }
    guard weights.count == windows[dataset] else {
      throw TrajpackError(
        .usage,
        "\(counted(weights.count, "weight")) for \(counted(windows[dataset], "window")): give one each"
      )
    }
    return try within("'window_weights'") { () throws(TrajpackError) in try WeightTable(weights) }
  }

  /// Refuses to give windows out while their weights are to come.
  public func checkWeights() throws(TrajpackError) {
    if let next = wanted.first {
      throw TrajpackError(
        .usage,
        "the state was saved with other weights of windows, which count from epoch \(next.epoch): give these with "
          + "set_weights")
    }
    guard case .given = setup.options.windowWeights,
      let dataset = order.weights.firstIndex(where: { $0 == nil })
    else { return }
    throw TrajpackError(
      .usage,
      "the windows of dataset \(dataset) have no weights yet: call tp_loader_set_weights before the "
        + "first batch")
  }

  /// The weights that count in the epoch of the next batch, and those that follow.
  public var weightsState: WeightsState {
    guard setup.options.windowWeights != nil else { return WeightsState() }
    if let later = order.later, later.epoch <= cursor.epoch {
      return WeightsState(digest: WeightTable.digest(later.weights), epoch: later.epoch)
    }
    return WeightsState(
      digest: WeightTable.digest(order.weights), epoch: weightsEpoch,
      laterDigest: order.later.map { WeightTable.digest($0.weights) } ?? 0,
      laterEpoch: order.later?.epoch ?? 0)
  }
}

/// Which weights of windows count, as a state says it; a digest of 0 is that of none.
public struct WeightsState: Sendable, Equatable {
  /// Of the weights of all datasets.
  public var digest: UInt64 = 0
  /// The epoch that they count from.
  public var epoch: UInt64 = 0
  /// Those that take their place.
  public var laterDigest: UInt64 = 0
  /// From this epoch on.
  public var laterEpoch: UInt64 = 0

  /// A state's.
  public init(
    digest: UInt64 = 0, epoch: UInt64 = 0, laterDigest: UInt64 = 0, laterEpoch: UInt64 = 0
  ) {
    (self.digest, self.epoch) = (digest, epoch)
    (self.laterDigest, self.laterEpoch) = (laterDigest, laterEpoch)
  }
}
