/// How progress looks: pure functions from counters and speeds to text.
struct ProgressTheme: Sendable {
  /// The steps of a cell from empty to full.
  let cells: [Character]
  let mark: String

  static let unicode = ProgressTheme(
    cells: ["░", "▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"], mark: "…")
  static let ascii = ProgressTheme(cells: ["-", "#"], mark: "...")

  /// `[######----]` in `width` cells; in Unicode an eighth of a cell shows.
  func bar(_ fraction: Double, width: Int) -> String {
    let steps = cells.count - 1
    let filled = min(max(Int(fraction * Double(width * steps)), 0), width * steps)
    let text = (0..<width).map { cells[min(max(filled - $0 * steps, 0), steps)] }
    return String(text)
  }

  /// The line for a terminal, never wider than `width`: what does not fit is left out, the current
  /// item first, then the bar.
  func line(
    _ label: String, _ state: ProgressCounters.Snapshot, _ meter: ProgressMeter, _ things: String,
    width: Int
  ) -> String {
    let facts = self.facts(state, meter, things).joined(separator: "  ")
    var text = label
    if let fraction = state.fraction {
      let room = width - label.displayWidth - facts.displayWidth - 10
      let cells = min(24, room)
      if cells >= 8 { text += "  " + bar(fraction, width: cells) }
      text += "  \(percent(fraction).padded(to: 4, isRight: true))"
    }
    text += facts.isEmpty ? "" : "  " + facts
    let item = state.item.printable
    let room = width - text.displayWidth - 2
    if !item.isEmpty && room >= 8 { text += "  " + item.truncated(to: room, mark: mark) }
    return text.truncated(to: width, mark: mark)
  }

  /// The line for a log.
  func logLine(
    _ label: String, _ state: ProgressCounters.Snapshot, _ meter: ProgressMeter, _ things: String
  ) -> String {
    let head = state.fraction.map { "\(label): \(percent($0))" } ?? "\(label):"
    let parts = facts(state, meter, things) + (state.item.isEmpty ? [] : [state.item.printable])
    return ([head] + [parts.joined(separator: ", ")]).joined(
      separator: state.fraction == nil ? " " : ", ")
  }

  /// The last line: what was done in which time.
  func summary(
    _ label: String, _ state: ProgressCounters.Snapshot, _ things: String, _ time: Duration
  ) -> String {
    let bytes = state.bytes - state.resumedBytes
    let items = state.items - state.resumedItems
    var amounts: [String] = []
    if items > 0 { amounts.append(Human.count(items, things)) }
    if bytes > 0 { amounts.append(Human.bytes(bytes)) }
    let speed = bytes > 0 ? " (\(Human.rate(Double(bytes) / (time / .seconds(1)))))" : ""
    let what = amounts.isEmpty ? "" : " " + amounts.joined(separator: ", ")
    return "\(label)\(what) in \(Human.duration(time))\(speed)"
  }

  private func percent(_ fraction: Double) -> String { "\(Int(fraction * 100))%" }

  private func facts(
    _ state: ProgressCounters.Snapshot, _ meter: ProgressMeter, _ things: String
  ) -> [String] {
    var facts: [String] = []
    if state.totalItems > 0 {
      facts.append("\(Human.count(state.items)) of \(Human.count(state.totalItems, things))")
    } else if state.items > 0 {
      facts.append(Human.count(state.items, things))
    }
    if state.totalBytes > 0 {
      facts.append("\(Human.bytes(state.bytes)) of \(Human.bytes(state.totalBytes))")
    } else if state.bytes > 0 {
      facts.append(Human.bytes(state.bytes))
    }
    if meter.bytesPerSecond >= 1 { facts.append(Human.rate(meter.bytesPerSecond)) }
    if let left = meter.timeLeft(state), state.fraction.map({ $0 < 1 }) ?? false {
      facts.append("\(Human.duration(.seconds((left / .seconds(1)).rounded(.up)))) left")
    }
    return facts
  }
}
