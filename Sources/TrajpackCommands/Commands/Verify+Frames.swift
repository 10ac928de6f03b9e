import TrajpackCodecs
import TrajpackFormat
import TrajpackLoader
import TrajpackStore

extension Verify {
  /// The share of frames that `--sample` asks for: `1%` or `0.01`.
  static func share(_ text: String) throws(TrajpackError) -> Double {
    let isPercent = text.hasSuffix("%")
    guard let number = Double(isPercent ? String(text.dropLast()) : text), number > 0,
      number <= (isPercent ? 100 : 1)
    else {
      throw TrajpackError(
        .usage,
        "--sample: '\(text)' is no share of frames, like 1% or 0.01, above 0 and at most all")
    }
    return isPercent ? number / 100 : number
  }

  /// What the options say of frames; `nil` where none are to be decoded.
  func frameSample() throws(TrajpackError) -> FrameVerification.Sample? {
    guard frames else {
      for (name, isGiven) in [
        ("--sample", sample != nil), ("--seed", seed != nil), ("--media", media != nil),
        ("--allow-outside", allowsOutside),
      ] where isGiven {
        throw TrajpackError(.usage, "\(name) is for frames that are decoded: give --frames too")
      }
      return nil
    }
    return FrameVerification.Sample(
      share: try sample.map { (text) throws(TrajpackError) in try Self.share(text) } ?? 1,
      seed: UInt64(bitPattern: Int64(seed ?? 0)))
  }

  /// Decodes frames of all videos, side by side, a video a thread.
  func verifyFrames(
    _ sample: FrameVerification.Sample, _ pool: WorkerPool, _ console: Console
  ) throws(TrajpackError) -> FrameVerification.Result {
    let opened = try OpenDataset(dataset)
    if let media { try opened.media.set(media, allowsOutside: allowsOutside) }
    let tracks = FrameVerification.tracks(of: opened)
    let progress = console.progress("decoding", items: "videos")
    progress.counters.expect(bytes: 0, items: tracks.count)
    let counters = progress.counters
    var result = FrameVerification.Result()
    let jobs = tracks.map { track in
      pool.run { () throws(TrajpackError) in
        defer { counters.advance(bytes: 0, items: 1) }
        return try FrameVerification.verify(opened, track: track, sample) { Interrupt.isRequested }
      }
    }
    var failure: TrajpackError?
    for job in jobs {
      do throws(TrajpackError) { result.add(try job.value()) } catch { failure = failure ?? error }
    }
    if let failure {
      progress.cancel()
      throw failure
    }
    progress.finish("decoded")
    return result
  }

  /// What the frames have shown, as a line.
  static func line(_ result: FrameVerification.Result) -> String {
    guard result.videos > 0 else { return "no video, so no frame was decoded" }
    var text =
      "\(Human.count(result.matching, "frames")) of \(Human.count(result.videos, "videos")) "
      + "\(result.matching == 1 ? "equals its checksum" : "equal their checksums")"
    if result.unhashed > 0 {
      text +=
        "; \(Human.count(result.unhashed, "frames")) decoded without one to compare with "
        + "(convert --frame-hashes keeps them)"
    }
    return text
  }
}
