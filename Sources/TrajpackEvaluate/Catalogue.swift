extension Evaluator {
  /// Every evaluator, in the order of the reports.
  public static let all: [Evaluator] = [
    PathErrors.evaluator, CameraControl.evaluator, NormalisedCamera.evaluator,
  ]
}
