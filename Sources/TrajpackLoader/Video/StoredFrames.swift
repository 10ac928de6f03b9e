import CPlatform
import CVideoTable
import TrajpackFormat

/// Frames that an archive holds as samples in its own compressed chunks: codec `chunks`, section 9 of
/// `schemas/archive-format.md`. They need no video library.
package struct StoredFrames: Sendable, Equatable {
  /// The codec, and the container, that the metadata of such a track name.
  package static let codec = "chunks"

  /// How samples are predicted before they are compressed.
  package enum Prediction: String, Sendable, CaseIterable {
    /// They are stored as they are.
    case none
    /// Each is stored as its difference from the one above, modulo 2 to the bits of its type.
    case up
  }

  package var prediction: Prediction
  package var width: Int
  package var height: Int
  /// Bytes of a sample: 1 or 2.
  package var sampleBytes: Int

  package init(prediction: Prediction, width: Int, height: Int, sampleBytes: Int) {
    (self.prediction, self.width, self.height) = (prediction, width, height)
    self.sampleBytes = sampleBytes
  }

  /// Bytes of a frame, stored or not.
  package var bytes: Int { width * height * sampleBytes }

  /// Turns a stored frame into samples, row by row, little-endian. Both have ``bytes`` bytes and do not overlap.
  package func restore(_ stored: UnsafeRawPointer, into out: UnsafeMutableRawPointer) {
    tp_rows_restore(stored, width, height, Int32(sampleBytes), prediction == .up ? 1 : 0, out)
  }

  /// The inverse of ``restore(_:into:)``.
  package func predict(_ samples: UnsafeRawPointer, into out: UnsafeMutableRawPointer) {
    tp_rows_predict(samples, width, height, Int32(sampleBytes), prediction == .up ? 1 : 0, out)
  }
}

extension StoredFrames {
  /// What the metadata of a track say; `nil` where its frames are packets of a video codec.
  init?(_ reader: JSONReader, codec: String, width: Int, height: Int) throws(TrajpackError) {
    guard codec == Self.codec else { return nil }
    let bits = try reader.integer("bits")
    guard (1...16).contains(bits) else {
      throw try reader.member("bits").wrong("1 to 16 bits of a sample, not \(bits)")
    }
    let name = try reader.text("prediction")
    guard let prediction = Prediction(rawValue: name) else {
      throw try reader.member("prediction").wrong(
        "\(Prediction.allCases.map { "'\($0)'" }.joined(separator: " or ")), not '\(name)'; use a newer trajpack"
      )
    }
    self.init(
      prediction: prediction, width: width, height: height, sampleBytes: bits > 8 ? 2 : 1)
  }

  /// What the metadata of a track say; `nil` where its frames are packets of a video codec.
  package init?(metadata: JSONReader) throws(TrajpackError) {
    guard try metadata.text("codec") == Self.codec else { return nil }
    let (width, height) = (try metadata.integer("width"), try metadata.integer("height"))
    guard (1...1 << 15).contains(width), (1...1 << 15).contains(height) else {
      throw TrajpackError(.data, "\(width) × \(height) pixels is no size of a picture")
    }
    try self.init(metadata, codec: Self.codec, width: width, height: height)
  }

  /// What frames are, with what `output` leaves open settled: gray samples, or the same bytes as `native`.
  ///
  /// - Throws: A usage error where the output is colours, or samples of another size.
  func layout(_ output: tpv_output, name: String) throws(TrajpackError) -> tpv_layout {
    var output = output
    let own = sampleBytes == 1 ? TPV_GRAY8 : TPV_GRAY16
    if output.format == 0 { output.format = Int32(bitPattern: own.rawValue) }
    switch tpv_format(rawValue: UInt32(bitPattern: output.format)) {
    case own: break
    case TPV_NATIVE:
      guard output.crop_width == 0, [0, Int32(width)].contains(output.width),
        [0, Int32(height)].contains(output.height)
      else {
        throw TrajpackError(
          .usage, "\(name): native frames are not cropped or scaled: ask for 'gray8' or 'gray16'")
      }
      (output.width, output.height) = (Int32(width), Int32(height))
      return tpv_layout(output: output, bytes: Int64(bytes))
    default:
      throw TrajpackError(
        .usage,
        "\(name): its frames are stored as samples of \(sampleBytes * 8) bits, which are "
          + "'\(sampleBytes == 1 ? "gray8" : "gray16")' or 'native', not colours or samples of another size"
      )
    }
    if output.crop_width > 0 || output.crop_height > 0 {
      guard (1...width).contains(Int(output.crop_width)),
        (1...height).contains(Int(output.crop_height))
      else {
        throw TrajpackError(
          .usage,
          "\(name): a crop of \(output.crop_width) × \(output.crop_height) pixels does not fit into frames of "
            + "\(width) × \(height)")
      }
      if output.width == 0 { output.width = output.crop_width }
      if output.height == 0 { output.height = output.crop_height }
    }
    if output.width == 0 { output.width = Int32(width) }
    if output.height == 0 { output.height = Int32(height) }
    guard (1...1 << 15).contains(output.width), (1...1 << 15).contains(output.height) else {
      throw TrajpackError(
        .usage, "no frame of \(output.width) × \(output.height) pixels can be made")
    }
    return tpv_layout(
      output: output, bytes: Int64(output.width) * Int64(output.height) * Int64(sampleBytes))
  }

  /// Writes samples as `output`, which ``layout(_:name:)`` has settled, asks for: the nearest sample of each place of the part
  /// that `frame` names.
  ///
  /// - Throws: A usage error where that part does not lie inside the frame.
  func write(
    _ samples: UnsafeRawPointer, as output: tpv_output, into frame: tpv_frame, name: String
  ) throws(TrajpackError) {
    guard let out = frame.memory else { return }
    guard output.format != Int32(bitPattern: TPV_NATIVE.rawValue) else {
      out.copyMemory(from: samples, byteCount: bytes)
      return
    }
    var part = tp_picture_part(
      left: 0, top: 0, width: width, height: height, mirrored: frame.mirrored)
    if output.crop_width > 0 {
      let (left, top) = (Int(frame.left), Int(frame.top))
      (part.width, part.height) = (Int(output.crop_width), Int(output.crop_height))
      guard left >= 0, top >= 0, left <= width - part.width, top <= height - part.height else {
        throw TrajpackError(
          .usage,
          "\(name): a crop of \(part.width) × \(part.height) pixels at (\(left), \(top)) does not lie inside the picture "
            + "of \(width) × \(height)")
      }
      (part.left, part.top) = (left, top)
    }
    tp_take_part(
      samples, width, &part, Int(output.width), Int(output.height), Int32(sampleBytes), out)
  }
}
