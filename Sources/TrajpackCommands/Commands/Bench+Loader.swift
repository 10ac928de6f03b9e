import TrajpackFormat
import TrajpackLoader
import TrajpackStore

extension Bench {
  /// What the loader gives in one order.
  struct Windows {
    /// How people name the order.
    var order: String
    /// Windows a second.
    var rate = 0.0
    /// Bytes of arrays a second.
    var bytes = 0.0
    /// Bytes inflated for each byte of a batch.
    var inflated = 0.0
    /// The share of the time that the consumer, which does nothing, waited for data.
    var waiting = 0.0

    var json: JSONValue {
      .record([
        "order": .string(order), "windows_per_s": .double(rate), "bytes_per_s": .double(bytes),
        "inflated_per_byte": .double(inflated), "waiting": .double(waiting),
      ])
    }
  }

  /// Windows of every channel that has numbers, in order and from anywhere, in turns.
  ///
  /// - Returns: The rows of a window, and the two orders; nothing where the dataset has no windows.
  func loading(
    _ console: Console
  ) throws(TrajpackError) -> (length: Int, orders: [Windows])? {
    let opened = try OpenDataset(dataset)
    // The longest window, up to 64 rows, that fits where the dataset has short episodes.
    var found: (length: Int, count: UInt64)?
    for length in [64, 32, 16, 8, 4, 2, 1] where found == nil {
      if let loader = try? loader(opened, "none", length: length, batch: 1) {
        found = (length, loader.order.epochWindows)
      }
    }
    guard let (length, count) = found else { return nil }
    let batch = Int(min(32, count))
    var orders = [Windows(order: "in order"), Windows(order: "from anywhere, shuffled")]
    let loaders = [
      try loader(opened, "none", length: length, batch: batch),
      try loader(opened, "global", length: length, batch: batch),
    ]
    var rates: [[Double]] = [[], []]
    let progress = console.progress("loading windows", items: "rounds")
    progress.counters.expect(bytes: 0, items: rounds)
    for _ in 0..<rounds where !Interrupt.isRequested {
      for (i, loader) in loaders.enumerated() { rates[i].append(try Self.run(loader)) }
      progress.counters.advance(bytes: 0, items: 1)
    }
    progress.cancel()
    for (i, loader) in loaders.enumerated() {
      let done = loader.statistics
      let windows = max(done["windows"]?.double ?? 0, 1)
      let each = Double(loader.batchBytes) / Double(batch)
      orders[i].rate = Self.median(rates[i])
      orders[i].bytes = orders[i].rate * each
      orders[i].inflated = (done["bytes_inflated"]?.double ?? 0) / (windows * each)
      let wait = done["wait_data_seconds"]?.double ?? 0
      orders[i].waiting = wait / max(wait + (done["wait_consumer_seconds"]?.double ?? 0), 1e-9)
    }
    return (length, orders)
  }

  private func loader(
    _ opened: OpenDataset, _ shuffle: String, length: Int, batch: Int
  ) throws(TrajpackError) -> Loader {
    try Loader(
      [opened],
      try LoaderOptions(
        json: JSONValue.record([
          "length": .int(Int64(length)), "shuffle": .string(shuffle), "batch": .int(Int64(batch)),
          "threads": jobs.map { .int(Int64($0)) },
        ]).text()))
  }

  /// Takes batches for a tenth of a second, at least four; windows a second.
  private static func run(_ loader: Loader) throws(TrajpackError) -> Double {
    let clock = ContinuousClock()
    // The first is not counted: threads start with it.
    _ = try loader.next()
    let start = clock.now
    var windows = 0
    var batches = 0
    while batches < 4 || clock.now - start < .milliseconds(100) {
      guard case .batch(let batch) = try loader.next() else { continue }
      windows += batch.count
      batches += 1
    }
    return Double(windows) / max(seconds(clock.now - start), 1e-9)
  }

  /// The orders as a table, and what to do about them.
  func show(_ length: Int, _ orders: [Windows], codecRate: Double, _ console: Console) {
    var table = Table(
      .text("windows of \(Human.count(length, "rows"))"), .number("windows a second"),
      .number("rows a second"), .number("inflated a byte"))
    for order in orders {
      table.add(
        order.order, Human.count(Int(order.rate)), Human.rate(order.bytes),
        Human.figure((order.inflated * 100).rounded() / 100))
    }
    console.print("")
    console.print(table)
    guard let first = orders.first, let last = orders.last else { return }
    let inflating = last.bytes * last.inflated / max(codecRate, 1)
    var advice =
      "windows from anywhere cost \(Human.figure(ratio(first.rate, last.rate))) times those in order: "
    if last.inflated > 1.5 {
      advice +=
        "they inflate \(Human.figure((last.inflated * 10).rounded() / 10)) bytes for each that they give; "
        + "smaller chunks (--chunk-rows) or shuffle=\"block\" lessen that"
    } else if inflating > 0.5 {
      advice += "inflating takes most of the time; more processors help"
    } else {
      advice += "copying and finding rows takes most of the time"
    }
    console.print("")
    console.print(advice)
    console.print(
      "this is without Python; what a training loop adds is in loader.stats(): wait_data_seconds, "
        + "wait_consumer_seconds")
  }

  private func ratio(_ a: Double, _ b: Double) -> Double { (a / max(b, 1e-9) * 10).rounded() / 10 }
}
