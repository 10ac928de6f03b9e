/// What has been counted of one measure in each of many windows.
struct WindowTallies {
  private let questions: [WindowQuestion]
  private let changes: Int
  private var total: [Int]
  private var observed: [Int]
  private var moments: [Moments] = []
  private var inside: [[Int]]
  /// For each question about ends: 0 nothing yet, 1 it holds, 2 it does not; and the moments of the rows.
  private var ends: [[UInt8]]
  private var endMoments: [[Moments]]
  private var entity = Int.min
  /// Whether this entity's first row is counted, and what its last row said.
  private var hasFirst: [Bool]
  private var lastHolds: [[Bool?]]
  private var lastMoments: [[Moments]]

  init(_ questions: [WindowQuestion], windows: Int) {
    self.questions = questions
    changes = questions.first?.measure.steps.count { $0 == .change } ?? 0
    total = [Int](repeating: 0, count: windows)
    observed = total
    if questions.contains(where: { $0.needsMoments }) {
      moments = [Moments](repeating: Moments(), count: windows)
    }
    inside = questions.map { _ in [Int](repeating: 0, count: windows) }
    ends = questions.map { $0.isAboutEnds ? [UInt8](repeating: 0, count: windows) : [] }
    endMoments = questions.map {
      $0.isAboutEnds && $0.rule == nil ? [Moments](repeating: Moments(), count: windows) : []
    }
    hasFirst = [Bool](repeating: false, count: windows)
    lastHolds = questions.map {
      $0.statistic == .last ? [Bool?](repeating: nil, count: windows) : []
    }
    lastMoments = questions.map {
      $0.statistic == .last && $0.rule == nil
        ? [Moments](repeating: Moments(), count: windows) : []
    }
  }

  /// Begins a track; ends are those of all tracks of one entity together.
  mutating func begin(entity: Int) {
    guard entity != self.entity else { return }
    closeEntity()
    self.entity = entity
  }

  private mutating func closeEntity() {
    for (q, question) in questions.enumerated() where question.statistic == .last {
      for window in lastHolds[q].indices {
        guard let holds = lastHolds[q][window] else { continue }
        note(q, window, holds)
        lastHolds[q][window] = nil
        guard question.rule == nil else { continue }
        endMoments[q][window].add(lastMoments[q][window])
      }
    }
    for window in hasFirst.indices { hasFirst[window] = false }
  }

  private mutating func note(_ question: Int, _ window: Int, _ holds: Bool) {
    ends[question][window] = holds && ends[question][window] != 2 ? 1 : 2
  }

  /// Counts rows `span` of a track for a window.
  mutating func add(_ rows: MeasureRows, _ span: Range<Int>, to window: Int) {
    // The first row of a window has nothing before it that it could have changed from.
    let first = min(span.lowerBound + changes, span.upperBound)
    let span = first..<span.upperBound
    guard !span.isEmpty else { return }
    total[window] += span.count * rows.width
    observed[window] += rows.observed[span.upperBound] - rows.observed[span.lowerBound]
    if !moments.isEmpty { rows.moments?.add(span, to: &moments[window]) }
    for (q, question) in questions.enumerated() {
      switch question.statistic {
      case .any, .all:
        inside[q][window] += rows.inside[q][span.upperBound] - rows.inside[q][span.lowerBound]
      case .first where !hasFirst[window]:
        note(q, window, holds(rows, q, span.lowerBound))
        if question.rule == nil {
          rows.moments?.add(first..<first + 1, to: &endMoments[q][window])
        }
      case .last:
        lastHolds[q][window] = holds(rows, q, span.upperBound - 1)
        guard question.rule == nil else { continue }
        var row = Moments()
        rows.moments?.add(span.upperBound - 1..<span.upperBound, to: &row)
        lastMoments[q][window] = row
      default: break
      }
    }
    hasFirst[window] = true
  }

  /// Whether all values of a row were observed and are inside the rule.
  private func holds(_ rows: MeasureRows, _ q: Int, _ row: Int) -> Bool {
    guard questions[q].rule != nil else { return true }
    return rows.inside[q][row + 1] - rows.inside[q][row] == rows.width
  }

  /// The answers to each question, in order: a number a window.
  mutating func answers() -> [[Double]] {
    closeEntity()
    return questions.indices.map { q in
      total.indices.map { window in answer(q, window) }
    }
  }

  private func answer(_ q: Int, _ window: Int) -> Double {
    let question = questions[q]
    func number(_ x: Double) -> Double {
      guard let rule = question.rule, !x.isNaN else { return x }
      return rule.holds(x) ? 1 : 0
    }
    switch question.statistic {
    case .missing:
      guard total[window] > 0 else { return .nan }
      return number(1 - Double(observed[window]) / Double(total[window]))
    case .any: return observed[window] == 0 ? .nan : inside[q][window] > 0 ? 1 : 0
    case .all: return observed[window] == 0 ? .nan : inside[q][window] == observed[window] ? 1 : 0
    case .first, .last:
      if question.rule == nil { return endMoments[q][window].mean }
      return ends[q][window] == 0 ? .nan : ends[q][window] == 1 ? 1 : 0
    case .mean: return number(moments[window].mean)
    case .std: return number(moments[window].deviation)
    case .min: return observed[window] == 0 ? .nan : number(moments[window].low)
    case .max: return observed[window] == 0 ? .nan : number(moments[window].high)
    }
  }
}

extension WindowQuestion {
  /// Whether it is about the first or the last row.
  var isAboutEnds: Bool { statistic == .first || statistic == .last }
}
