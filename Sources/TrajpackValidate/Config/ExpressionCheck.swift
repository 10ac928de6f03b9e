import TrajpackFormat

/// An expression, row by row.
final class ExpressionCheck: TrackCheck {
  private let track: TrackContext
  private let expression: Expression
  private let columns: [TrackContext.Columns]
  private let elements: Int
  private var spots = Spots()

  init?(_ track: TrackContext, _ expression: Expression) {
    guard track.stream.name == expression.stream else { return nil }
    var columns: [TrackContext.Columns] = []
    var elements = 1
    for reference in expression.references {
      guard let found = track.columns(named: reference.channel), !found.isField else { return nil }
      if let element = reference.element {
        guard element < found.count else { return nil }
      } else if found.count > 1 {
        guard elements == 1 || elements == found.count else { return nil }
        elements = found.count
      }
      columns.append(found)
    }
    self.track = track
    self.expression = expression
    self.columns = columns
    self.elements = elements
  }

  func add(_ run: TrackRun) {
    for element in 0..<elements {
      let read = zip(columns, expression.references).map { columns, reference in
        let element = reference.element ?? (columns.count > 1 ? element : 0)
        return Expression.Column(
          numbers: run.column(columns, element), wholes: run.wholes(columns, element))
      }
      expression.forEachBroken(read, count: run.count, before: run.carry) { row in
        spots.add(run.first + row, read[0].numbers[row])
      }
    }
  }

  func finish(_ facts: TrackFacts, _ hits: inout Hits) {
    hits.add("not '\(expression.text)'", track, channel: columns.first?.channel, spots)
  }
}

/// Says that an expression names an element that a vector does not have.
final class MissingElement: TrackCheck {
  private let track: TrackContext
  private let what: String

  init?(_ track: TrackContext, _ expression: Expression) {
    guard track.stream.name == expression.stream else { return nil }
    for reference in expression.references {
      guard let element = reference.element, let found = track.columns(named: reference.channel),
        element >= found.elements
      else { continue }
      let name = "\(reference.stream)/\(reference.channel)"
      what =
        "there is no '\(name)[\(element)]': '\(name)' has "
        + (found.elements == 1
          ? "1 element, which is number 0"
          : "\(found.elements) elements, which are numbers 0 to \(found.elements - 1)")
      self.track = track
      return
    }
    return nil
  }

  func finish(_ facts: TrackFacts, _ hits: inout Hits) { hits.add(what, track) }
}
