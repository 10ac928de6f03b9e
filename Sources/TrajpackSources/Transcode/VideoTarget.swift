import TrajpackFormat

/// What a video of a dataset is stored as: `keep`, `chunks`, `intra`, `gop:N`, `h264:gop=N,crf=C`.
public enum VideoTarget: Sendable, Equatable {
  /// A codec that stores samples bit by bit.
  public enum Codec: String, Sendable, CaseIterable {
    case h264, hevc, ffv1
  }

  /// The file as it is.
  case keep
  /// Samples in compressed chunks of the archive, which no video library is needed for.
  case chunks
  /// A lossless video with a keyframe at every `gop`-th frame; the codec that suits the samples where `nil`.
  case lossless(gop: Int, codec: Codec?)
  /// H.264 that is like the source to the eye only: `crf` 0 (best) to 51.
  case lossy(gop: Int, crf: Int)

  /// The longest group of pictures.
  static let longestGroup = 10_000

  /// Reads the word of an option.
  ///
  /// - Throws: A usage error that says what there is.
  public init(_ text: String) throws(TrajpackError) {
    let parts = text.split(separator: ":", maxSplits: 1).map(String.init)
    let rest = parts.count > 1 ? parts[1] : nil
    func wrong(_ why: String) -> TrajpackError {
      TrajpackError(
        .usage,
        "'\(text)': \(why); there are keep, chunks, intra, intra:CODEC, gop:N, gop:N,codec=CODEC (h264, hevc, ffv1) "
          + "and h264:gop=N,crf=C")
    }
    func number(_ text: Substring, _ range: ClosedRange<Int>) throws(TrajpackError) -> Int {
      guard let value = Int(text), range.contains(value) else {
        throw wrong("'\(text)' is no number from \(range.lowerBound) to \(range.upperBound)")
      }
      return value
    }
    func codec(_ text: Substring) throws(TrajpackError) -> Codec {
      guard let codec = Codec(rawValue: String(text)) else {
        throw wrong("there is no lossless codec '\(text)'")
      }
      return codec
    }
    switch (parts.first ?? "", rest) {
    case ("keep", nil): self = .keep
    case ("chunks", nil): self = .chunks
    case ("intra", nil): self = .lossless(gop: 1, codec: nil)
    case ("intra", let name?): self = .lossless(gop: 1, codec: try codec(name[...]))
    case ("gop", let rest?):
      let words = rest.split(separator: ",")
      guard let first = words.first, words.count <= 2 else { throw wrong("it lacks a number") }
      let gop = try number(first, 1...Self.longestGroup)
      guard words.count == 2 else {
        self = .lossless(gop: gop, codec: nil)
        return
      }
      guard words[1].hasPrefix("codec=") else { throw wrong("'\(words[1])' is no option of it") }
      self = .lossless(gop: gop, codec: try codec(words[1].dropFirst(6)))
    case ("h264", let rest?):
      var (gop, crf): (Int?, Int?)
      for word in rest.split(separator: ",") {
        if word.hasPrefix("gop=") {
          gop = try number(word.dropFirst(4), 1...Self.longestGroup)
        } else if word.hasPrefix("crf=") {
          crf = try number(word.dropFirst(4), 0...51)
        } else {
          throw wrong("'\(word)' is no option of it")
        }
      }
      guard let gop, let crf else { throw wrong("it needs gop=N and crf=C") }
      self = .lossy(gop: gop, crf: crf)
    default: throw wrong("it is not known")
    }
  }

  /// The word that ``init(_:)`` reads.
  public var text: String {
    switch self {
    case .keep: "keep"
    case .chunks: "chunks"
    case .lossless(1, nil): "intra"
    case .lossless(1, let codec?): "intra:\(codec.rawValue)"
    case .lossless(let gop, nil): "gop:\(gop)"
    case .lossless(let gop, let codec?): "gop:\(gop),codec=\(codec.rawValue)"
    case .lossy(let gop, let crf): "h264:gop=\(gop),crf=\(crf)"
    }
  }

  /// Whether samples come out as they went in.
  var isLossless: Bool {
    if case .lossy = self { return false }
    return true
  }
}

extension VideoTarget.Codec {
  /// The codec that stores samples of a pixel format without loss and without another format: the smallest and quickest
  /// of those that can, by the table in docs/video.md. (libavcodec 59 gives monochrome H.264 of 10 bits as yuv420p10, so that
  /// is HEVC.)
  init(for pixelFormat: String, gop: Int) {
    switch pixelFormat {
    case "yuv420p", "yuv422p", "yuv444p", "yuvj420p", "yuvj422p", "yuvj444p", "yuv420p10le",
      "yuv422p10le", "yuv444p10le":
      self = .h264
    case "gray": self = gop == 1 ? .ffv1 : .h264
    case "gray10le", "gray12le": self = gop == 1 ? .ffv1 : .hevc
    default: self = .ffv1
    }
  }
}
