import Glibc

/// What the samples of depth pictures mean: how a stored number becomes a distance.
///
/// The JSON of it is the member `depth` of a video stream's attributes, or of the conventions of a channel of kind
/// `depth`; section 9 of `schemas/archive-format.md`.
public struct DepthEncoding: Sendable, Equatable {
  /// How a distance follows from a sample s.
  public enum Form: String, Sendable, CaseIterable {
    /// scale · s + offset.
    case linear
    /// 1 / (scale · s + offset): disparities, and the z-buffer of a renderer.
    case inverse
    /// exp(scale · s + offset).
    case log
    /// Nobody knows.
    case unknown
  }

  /// Along what a distance is measured.
  public enum Measure: String, Sendable, CaseIterable {
    /// Along the optical axis: z.
    case axis
    /// From the camera's centre to the point.
    case ray
  }

  /// Which end the largest sample stands for.
  public enum End: String, Sendable, CaseIterable {
    /// The smaller distance.
    case near
    /// The larger distance.
    case far
  }

  /// The distances that the first and last samples stand for.
  public struct Ends: Sendable, Equatable {
    /// The smaller one.
    public var near: Double
    /// The larger one.
    public var far: Double
  }

  /// The first and last of samples that are no depth.
  public typealias Invalid = ClosedRange<Double>

  /// How a distance follows from a sample.
  public var form: Form
  /// The factor; of no meaning where `ends` are given.
  public var scale = 1.0
  /// What is added; of no meaning where `ends` are given.
  public var offset = 0.0
  /// The distances that samples 0 and ``top`` stand for, with what is between by ``form``; `nil` where scale and offset say it.
  public var ends: Ends?
  /// Which end the largest sample stands for.
  public var largest = End.far
  /// The largest sample that `ends` count to; `nil` for the largest of so many bits, 1 for fractions.
  public var top: Double?
  /// The unit of distances.
  public var units: String?
  /// Samples that are no depth.
  public var invalid: [Invalid] = []
  /// Along what distances are measured, where that is known.
  public var measured: Measure?

  /// An encoding.
  public init(_ form: Form) { self.form = form }

  /// What the factor and the summand are for samples of so many bits; 0 bits for fractions.
  func line(bits: Int) -> (scale: Double, offset: Double) {
    guard let ends else { return (scale, offset) }
    let top = top ?? (bits > 0 ? Double(sign: .plus, exponent: bits, significand: 1) - 1 : 1)
    let (first, last) = largest == .far ? (ends.near, ends.far) : (ends.far, ends.near)
    switch form {
    case .linear, .unknown: return ((last - first) / top, first)
    case .inverse: return ((1 / last - 1 / first) / top, 1 / first)
    case .log: return ((Glibc.log(last) - Glibc.log(first)) / top, Glibc.log(first))
    }
  }

  /// The distance of a sample, NaN where it is no depth: one of ``invalid``, or what gives no finite number from 0 up.
  ///
  /// - Parameter bits: Of a sample; 0 for fractions.
  public func distance(_ sample: Double, bits: Int) -> Double {
    distance(sample, line(bits: bits))
  }

  private func distance(_ sample: Double, _ line: (scale: Double, offset: Double)) -> Double {
    if invalid.contains(where: { $0.contains(sample) }) { return .nan }
    let x = line.scale * sample + line.offset
    let distance: Double
    switch form {
    case .linear: distance = x
    case .inverse: distance = x > 0 ? 1 / x : .nan
    case .log: distance = exp(x)
    case .unknown: distance = .nan
    }
    return distance.isFinite && distance >= 0 ? distance : .nan
  }

  /// The distances of many samples, in place, times `factor`.
  public func distances(_ samples: UnsafeMutableBufferPointer<Double>, bits: Int, factor: Double) {
    let line = line(bits: bits)
    for i in samples.indices { samples[i] = distance(samples[i], line) * factor }
  }

  /// The distance of each sample of so many bits, 1 to 16, times `factor`.
  public func table(bits: Int, factor: Double) -> [Float] {
    let line = line(bits: bits)
    return (0..<1 << bits).map {
      let distance = Float(distance(Double($0), line) * factor)
      return distance.isFinite ? distance : .nan
    }
  }
}

extension DepthEncoding {
  /// The encoding in words.
  public var sentence: String {
    func text(_ value: Double) -> String {
      Int64(exactly: value).map { String($0) } ?? value.description
    }
    guard form != .unknown else { return "what its samples mean is not known" }
    var words = [form.rawValue]
    if let ends {
      let (first, last) = largest == .far ? (ends.near, ends.far) : (ends.far, ends.near)
      words.append(
        "sample 0 is \(text(first)) and \(top.map { text($0) } ?? "the largest one") \(text(last))")
    } else {
      words.append("\(text(scale)) times the sample" + (offset == 0 ? "" : " plus \(text(offset))"))
    }
    words.append(units.map { "in \($0)" } ?? "in no known unit")
    if !invalid.isEmpty {
      words.append(
        "no depth where it is "
          + invalid.map {
            $0.lowerBound == $0.upperBound
              ? text($0.lowerBound) : "\(text($0.lowerBound)) to \(text($0.upperBound))"
          }.joined(separator: ", "))
    }
    switch measured {
    case .axis: words.append("along the optical axis")
    case .ray: words.append("along the ray")
    case nil: break
    }
    return words.joined(separator: ", ")
  }
}

// MARK: Units

extension DepthEncoding {
  /// Lengths in metres.
  private static let lengths: [String: Double] = [
    "m": 1, "metre": 1, "metres": 1, "meter": 1, "meters": 1, "km": 1000, "dm": 0.1, "cm": 0.01,
    "mm": 0.001, "um": 1e-6, "µm": 1e-6, "in": 0.0254, "inch": 0.0254, "ft": 0.3048, "foot": 0.3048,
  ]

  /// Whether a unit is a length whose metres are known.
  public static func isLength(_ unit: String) -> Bool { lengths[unit] != nil }

  /// The metres of a unit of length; `nil` where it is none.
  public static func metres(_ unit: String) -> Double? { lengths[unit] }

  /// What distances are multiplied by to be of another unit.
  ///
  /// - Parameter place: What errors call the stream.
  /// - Throws: A usage error where the encoding or its unit is not known, or units of different sorts.
  public func factor(to unit: String, _ place: String) throws(TrajpackError) -> Double {
    guard form != .unknown else { throw Self.unsaid(place) }
    guard let units else {
      throw TrajpackError(
        .usage,
        "\(place): its depth has no unit, so it is not '\(unit)': say it with units=, as linear:scale=0.001,units=m"
      )
    }
    if units == unit { return 1 }
    guard let from = Self.lengths[units], let to = Self.lengths[unit] else {
      throw TrajpackError(
        .usage,
        "\(place): its depth is in '\(units)', which is not known in '\(unit)': ask for '\(units)'"
          + (Self.lengths[units] == nil ? "" : ", or for m, cm or mm"))
    }
    return from / to
  }

  /// The error of depth whose encoding nobody has said.
  public static func unsaid(_ place: String) -> TrajpackError {
    TrajpackError(
      .usage,
      "\(place): what its samples mean as depth is not known, and it is not guessed: say it when converting "
        + "(convert or transcode --depth STREAM=linear:scale=0.001,units=m,invalid=0), or give the encoding here"
    )
  }
}
