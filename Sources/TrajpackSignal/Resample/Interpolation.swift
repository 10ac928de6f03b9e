import TrajpackFormat

/// How a value between two knots is made.
public enum Interpolation: Sendable, Hashable {
  /// Which neighbour wins exactly half-way.
  public enum Tie: Sendable, Hashable {
    /// The earlier knot, as `scipy.interpolate.interp1d(kind="nearest")`.
    case earlier
    /// The later knot, as `kind="nearest-up"`.
    case later
  }

  /// End conditions of the C² cubic spline.
  public enum CubicEnds: Sendable, Hashable {
    /// Second derivative zero at both ends.
    case natural
    /// The first two pieces are one cubic, and the last two; three knots give a parabola.
    case notAKnot
    /// First derivative zero at both ends.
    case clamped
  }

  /// The last knot at or before the time (hold; causal).
  case previous
  /// The first knot at or after the time.
  case next
  /// The closer knot.
  case nearest(Tie)
  /// The straight line between the two knots.
  case linear
  /// A line where the value rises; where it falls the counter restarted, and the value before the
  /// restart holds up to it.
  case counter
  /// Cubic Hermite whose slope at a knot is the secant of the piece before it (Morrill et al. 2021,
  /// "Neural controlled differential equations for online prediction tasks"; `torchcde`).
  case hermiteBackward
  /// The C² cubic spline.
  case cubic(CubicEnds)
  /// Monotone cubic Hermite of Fritsch and Butland (SIAM J. Sci. Stat. Comput. 5, 1984).
  case pchip
  /// Akima (J. ACM 17, 1970).
  case akima
  /// Akima with the weights of MATLAB's `makima`, which does not overshoot beside flat parts.
  case makima

  /// Whether the method needs slopes at the knots.
  var isCubic: Bool {
    switch self {
    case .previous, .next, .nearest, .linear, .counter: false
    case .hermiteBackward, .cubic, .pchip, .akima, .makima: true
    }
  }

  /// What plans and people call it.
  var name: String {
    switch self {
    case .previous: "previous"
    case .next: "next"
    case .nearest(.earlier): "nearest"
    case .nearest(.later): "nearest-later"
    case .linear: "linear"
    case .counter: "counter"
    case .hermiteBackward: "hermite"
    case .cubic(.natural): "natural"
    case .cubic(.notAKnot): "not-a-knot"
    case .cubic(.clamped): "clamped"
    case .pchip: "pchip"
    case .akima: "akima"
    case .makima: "makima"
    }
  }

  /// Whether every output is one of the inputs, bit for bit.
  public var isSelection: Bool {
    switch self {
    case .previous, .next, .nearest: true
    default: false
    }
  }
}

/// What stands before the first and after the last knot.
public enum EdgePolicy: Sendable, Hashable {
  /// Nothing: the mask says missing.
  case missing
  /// The first or last knot.
  case hold
  /// The end piece goes on (for a selection this is `hold`).
  case extrapolate
  /// The path runs back from its end, as often as needed.
  case reflect
}
