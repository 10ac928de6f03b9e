import TrajpackFormat

/// What is looked at in a window: values of one channel, and what is made of them first.
struct WindowMeasure: Sendable, Equatable {
  /// What values become, one after the other.
  enum Step: String, Sendable, CaseIterable {
    /// Their magnitudes.
    case abs
    /// The Euclidean length of a row's components: one value a row, not observed where one is not.
    case norm
    /// What a row has more than the one before it in the window; the first has none.
    case change
  }

  /// `stream/channel`, and the two apart when they are known; the name of a value where ``isValue``.
  var path: String
  var stream = ""
  var channel = ""
  /// Elements of a row; all where `nil`.
  var components: [Int]?
  var steps: [Step] = []
  /// Whether a value of the window's recording is looked at, instead of a channel.
  var isValue = false
  /// The number of each episode of a dataset, when the value is known; NaN where it has none.
  var numbers: [Double] = []
}

/// What is said of the values of a window that were observed. NaN counts as not observed.
enum WindowStatistic: String, Sendable, CaseIterable {
  case any, all, first, last, mean, min, max, std, missing
}

/// Which numbers are meant.
enum NumberRule: Sendable, Equatable {
  case oneOf([Double])
  case range(ClosedRange<Double>, isOpenBelow: Bool, isOpenAbove: Bool)
  /// Names of categories, which become numbers when the channel is known.
  case named([String])

  func holds(_ x: Double) -> Bool {
    switch self {
    case .oneOf(let numbers): return numbers.contains(x)
    case .range(let range, let below, let above):
      return (below ? x > range.lowerBound : x >= range.lowerBound)
        && (above ? x < range.upperBound : x <= range.upperBound)
    case .named: return false
    }
  }
}

/// One thing to find out about windows: a number, or with a rule a yes or no.
struct WindowQuestion: Sendable, Equatable {
  var measure: WindowMeasure
  var statistic: WindowStatistic
  var rule: NumberRule?
}

/// Which windows are wanted, by questions that are answered yes or no.
indirect enum WindowTest<Question: Sendable>: Sendable {
  case question(Question)
  case both([WindowTest])
  case either([WindowTest])
  case not(WindowTest)

  /// Every question in it, in order.
  var questions: [Question] {
    switch self {
    case .question(let question): return [question]
    case .both(let tests), .either(let tests): return tests.flatMap(\.questions)
    case .not(let test): return test.questions
    }
  }

  /// Whether it holds, given whether each question does.
  func holds(_ answer: (Question) -> Bool) -> Bool {
    switch self {
    case .question(let question): return answer(question)
    case .both(let tests): return tests.allSatisfy { $0.holds(answer) }
    case .either(let tests): return tests.contains { $0.holds(answer) }
    case .not(let test): return !test.holds(answer)
    }
  }

  /// The test with every question replaced, in order.
  func mapped<Other: Sendable>(
    _ change: (Question) throws(TrajpackError) -> Other
  ) throws(TrajpackError) -> WindowTest<Other> {
    func each(_ tests: [WindowTest]) throws(TrajpackError) -> [WindowTest<Other>] {
      var out: [WindowTest<Other>] = []
      for test in tests { out.append(try test.mapped(change)) }
      return out
    }
    switch self {
    case .question(let question): return .question(try change(question))
    case .both(let tests): return .both(try each(tests))
    case .either(let tests): return .either(try each(tests))
    case .not(let test): return .not(try test.mapped(change))
    }
  }
}
