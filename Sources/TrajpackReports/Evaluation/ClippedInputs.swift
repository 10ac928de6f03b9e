import TrajpackFormat
import TrajpackLoader
import TrajpackSources
import TrajpackStore

/// Truth and predictions of an evaluation of clips: datasets of the clips that last as long as the evaluation, and the
/// digests of what they were cut from.
public struct ClippedInputs {
  /// The digest of the dataset that the truth was cut from.
  public let truth: String
  /// That of the dataset that the predictions were cut from; `nil` where they are of the clips themselves.
  public let predictions: String?
  /// The digest of the list.
  public let list: String
  /// The digest of the values that were set on the truth's recordings later; `nil` where there are none.
  public let values: String?

  /// Cuts both and calls `body` with the paths to be evaluated; `nil` where it was stopped.
  ///
  /// Predictions that are a dataset of the recordings are cut alike; those of clips, by id, are taken as they are.
  ///
  /// - Throws: A usage error for clips that do not fit; what `body` throws.
  public static func cut<Outcome>(
    _ list: ClipList, truth: String, predictions: String?, _ request: EvaluationRequest,
    version: String,
    isInterrupted: @escaping @Sendable () -> Bool,
    _ body: (String, String?, ClippedInputs) throws(TrajpackError) -> Outcome?
  ) throws(TrajpackError) -> Outcome? {
    // Frames of depth are decoded where a metric is of depth.
    let hasDepth = try MetricPlan.all(request).contains {
      $0.binding.inputs.contains { input in
        if case .depth = input.content { return true }
        return false
      }
    }
    let video: ClipImporter.VideoRule = hasDepth ? .samples : .none
    let own = try ClipImporter(
      truth, list, reference: request.reference, video: video, media: request.media,
      version: version)
    let outcome = try ClipCut.temporary(own, isInterrupted: isInterrupted) {
      (folder) throws(TrajpackError) -> Outcome? in
      let digest = own.dataDigest
      guard let predictions, try isOfRecordings(predictions, list) else {
        return try body(
          folder, predictions,
          ClippedInputs(
            truth: digest, predictions: predictions == nil ? digest : nil, list: list.digest,
            values: own.valuesDigest))
      }
      let other = try ClipImporter(
        predictions, list, reference: request.reference, video: video, media: request.media,
        version: version)
      let inner = try ClipCut.temporary(other, isInterrupted: isInterrupted) {
        (given) throws(TrajpackError) -> Outcome? in
        try body(
          folder, given,
          ClippedInputs(
            truth: digest, predictions: other.dataDigest, list: list.digest,
            values: own.valuesDigest))
      }
      return inner ?? nil
    }
    return outcome ?? nil
  }

  /// Whether predictions are a dataset that has the clips' recordings, and none of the clips.
  private static func isOfRecordings(
    _ path: String, _ list: ClipList
  ) throws(TrajpackError) -> Bool {
    guard Dataset.isDataset(path) else { return false }
    let archive = try Archive(path)
    return !list.clips.contains { archive.holds($0.id) }
      && list.clips.contains { archive.holds($0.episode) }
  }
}
