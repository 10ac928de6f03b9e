import CVideoTable
import TrajpackFormat

/// How frames that are read by their rows are wanted; ``table`` declares each option.
package struct FrameOptions {
  /// Formats of samples, by their names.
  static let formats: [(String, tpv_format)] = [
    ("rgb24", TPV_RGB24), ("gray8", TPV_GRAY8), ("gray16", TPV_GRAY16), ("native", TPV_NATIVE),
  ]
  var output = tpv_output()
  var crop: FrameCrop?
  var depth: DepthRequest?

  /// The defaults.
  package init() {}

  /// Reads the options from JSON text.
  ///
  /// - Throws: A usage error naming the member that is wrong, and what it may be.
  init(json text: String) throws(TrajpackError) {
    try Self.table.read(
      try OptionTable<Self>.object(of: text, like: "{\"format\": \"gray8\"}"), into: &self)
  }

  /// Every option.
  package static let table = OptionTable<Self>([
    OptionDeclaration(
      "format", .choice(formats.map(\.0)),
      """
      How samples lie; `"native"` is the decoder's planes one after the other. By default gray where the video has nothing \
      but brightness, else `"rgb24"`.
      """
    ) { (options, option) throws(TrajpackError) in
      let name = try option.text()
      guard let found = formats.first(where: { $0.0 == name }) else {
        throw option.wrong(formats.map { "'\($0.0)'" }.joined(separator: ", "))
      }
      options.output.format = Int32(bitPattern: found.1.rawValue)
    },
    OptionDeclaration(
      "size", .type("array"),
      "`[height, width]`; gray takes the nearest sample, colours a triangle filter."
    ) { (options, option) throws(TrajpackError) in
      let size = try option.frameSize()
      (options.output.height, options.output.width) = (Int32(size[0]), Int32(size[1]))
    },
    OptionDeclaration(
      "crop", .type("array"), "`[top, left, height, width]`, which is scaled."
    ) { (options, option) throws(TrajpackError) in
      let numbers = try option.frameCrop()
      guard numbers.count == 4 else { throw option.wrong("[top, left, height, width]") }
      options.crop = FrameCrop(numbers)
    },
    OptionDeclaration(
      "layout", .choice(LoaderOptions.FrameLayout.allCases.map(\.rawValue)), default: "THWC",
      "How colours lie."
    ) { (options, option) throws(TrajpackError) in
      let layout: LoaderOptions.FrameLayout = try option.choice()
      options.output.planar = layout == .TCHW ? 1 : 0
    },
    OptionDeclaration(
      "depth", \.depth,
      OptionForm(.type("string", "object")) { (o) throws(TrajpackError) in
        try DepthRequest(o.name, o.value)
      },
      """
      Distances, float32, NaN where there is none, in this unit (`"m"`), or of an encoding (schemas/archive-format.md, section 9) \
      where the dataset does not say what samples mean.
      """),
  ])
}
