import Glibc
import TrajpackFormat
import TrajpackStore

/// Rows of one track as one measure sees them, ready for questions about runs of them.
struct MeasureRows {
  /// Values that were observed before each row, and all.
  private(set) var observed: [Int] = [0]
  /// Values inside the rule of each question that counts them, before each row, and all.
  private(set) var inside: [[Int]]
  /// Moments of the rows, where a question needs them.
  private(set) var moments: MomentTable?
  /// Values of a row.
  let width: Int

  private let measure: WindowMeasure
  private let questions: [WindowQuestion]
  private var before: [[Double]]
  private var isFirst = true
  private var scratch: [Double] = []

  /// No rows yet, of a channel of `elements`.
  init(_ measure: WindowMeasure, _ questions: [WindowQuestion], elements: Int, capacity: Int) {
    self.measure = measure
    self.questions = questions
    width = measure.steps.contains(.norm) ? 1 : measure.components?.count ?? elements
    inside = questions.map { _ in [0] }
    before = measure.steps.map { _ in [] }
    observed.reserveCapacity(capacity + 1)
    if questions.contains(where: { $0.needsMoments }) { moments = MomentTable(capacity: capacity) }
  }

  /// Adds rows of the channel, `elements` numbers each.
  mutating func append(_ values: [Double], elements: Int) {
    // One array for all rows.
    var row = scratch
    scratch = []
    for start in stride(from: 0, to: values.count, by: elements) {
      row.removeAll(keepingCapacity: true)
      if let components = measure.components {
        for i in components { row.append(values[start + i]) }
      } else {
        row.append(contentsOf: values[start..<start + elements])
      }
      for (s, step) in measure.steps.enumerated() { take(step, s, &row) }
      isFirst = false
      add(row)
    }
    scratch = row
  }

  /// Adds rows of which nothing is known.
  mutating func appendNothing(_ count: Int) {
    for _ in 0..<count { add([]) }
    isFirst = true
  }

  private mutating func take(_ step: WindowMeasure.Step, _ number: Int, _ row: inout [Double]) {
    switch step {
    case .abs: for i in row.indices { row[i] = Swift.abs(row[i]) }
    case .norm:
      // hypot, so that no square is lost.
      let norm = row.contains(where: \.isNaN) ? .nan : row.reduce(0) { hypot($0, $1) }
      row.removeAll(keepingCapacity: true)
      row.append(norm)
    case .change:
      for i in row.indices {
        let now = row[i]
        if before[number].count <= i { before[number].append(.nan) }
        row[i] = isFirst ? .nan : now - before[number][i]
        before[number][i] = now
      }
    }
  }

  private mutating func add(_ row: [Double]) {
    var all = Moments()
    for x in row where !x.isNaN {
      if moments != nil { all.add(x) } else { all.count += 1 }
    }
    observed.append(observed[observed.count - 1] + Int(all.count))
    moments?.append(all)
    for (q, question) in questions.enumerated() {
      guard let rule = question.rule, question.statistic.countsValues else { continue }
      inside[q].append(inside[q][inside[q].count - 1] + row.count { !$0.isNaN && rule.holds($0) })
    }
  }
}

extension WindowStatistic {
  /// Whether the rule is about single values, and not about a number of the window.
  var countsValues: Bool {
    switch self {
    case .any, .all, .first, .last: return true
    case .mean, .min, .max, .std, .missing: return false
    }
  }
}

extension WindowQuestion {
  /// Whether the counts alone cannot answer it.
  var needsMoments: Bool {
    switch statistic {
    case .any, .all, .missing: return false
    case .first, .last: return rule == nil
    case .mean, .min, .max, .std: return true
    }
  }
}
