import TrajpackFormat

/// A picture of a report as data: what is drawn, not how. Renderers need nothing but this.
public struct Figure: Sendable, Equatable {
  /// An axis.
  public struct Axis: Sendable, Equatable {
    /// What it shows, with its unit: `horizon (s)`.
    public var label: String
    /// Whether it is logarithmic (base 10); what is not positive is then left out.
    public var isLogarithmic: Bool

    /// An axis.
    public init(_ label: String, isLogarithmic: Bool = false) {
      self.label = label
      self.isLogarithmic = isLogarithmic
    }
  }

  /// What a series stands for, which decides its colour.
  public enum Role: String, Sendable, CaseIterable {
    /// What really happened: drawn in the colour of ink.
    case truth
    /// What a model said: a colour of its own.
    case prediction
    /// Something to compare with: grey, dashed.
    case reference
  }

  /// Points in order. An entry that is NaN ends a line, and the next begins another.
  public struct Series: Sendable, Equatable {
    /// Its name in the legend.
    public var name: String
    /// What it stands for.
    public var role: Role
    /// The abscissae.
    public var x: [Double]
    /// The ordinates, as many as `x`.
    public var y: [Double]
    /// The lower and upper ends of an interval around each `y`; empty, or as many as `x`.
    public var low: [Double]
    /// See ``low``.
    public var high: [Double]

    /// A series.
    public init(
      _ name: String, _ role: Role, x: [Double], y: [Double], low: [Double] = [],
      high: [Double] = []
    ) {
      self.name = name
      self.role = role
      self.x = x
      self.y = y
      self.low = low
      self.high = high
    }
  }

  /// One frame of skeletons laid over each other.
  public struct Pose: Sendable, Equatable {
    /// What is above it: `frame 40, error 0.12 m`.
    public var title: String
    /// Pairs of joints that a bone joins.
    public var bones: [[Int]]
    /// True joints, [joints][2]; y grows upwards.
    public var truth: [[Double]]
    /// Predicted joints, as many.
    public var prediction: [[Double]]

    /// A frame.
    public init(title: String, bones: [[Int]], truth: [[Double]], prediction: [[Double]]) {
      self.title = title
      self.bones = bones
      self.truth = truth
      self.prediction = prediction
    }
  }

  /// What is drawn.
  public enum Body: Sendable, Equatable {
    /// Lines over a number: threshold curves, horizons, spectra.
    case lines([Series])
    /// Curves in the plane, both axes in one scale: camera paths from above, attractors.
    case paths([Series])
    /// A dot for each of the named places, best first where the caller sorts them: scores by clip.
    case dots(labels: [String], [Series])
    /// A table of numbers as colours; NaN where there is none. Rows are drawn from the top.
    case heat(rows: [String], columns: [String], values: [[Double]])
    /// Skeletons side by side.
    case poses([Pose])
  }

  /// One sentence: what is to be seen.
  public var title: String
  /// The horizontal axis.
  public var x: Axis
  /// The vertical axis; of a heat map, what the colours mean.
  public var y: Axis
  /// What is drawn.
  public var body: Body
  /// What a reader should know: how many points were left out, and why.
  public var note: String

  /// A figure.
  public init(_ title: String, x: Axis, y: Axis, _ body: Body, note: String = "") {
    self.title = title
    self.x = x
    self.y = y
    self.body = body
    self.note = note
  }
}
