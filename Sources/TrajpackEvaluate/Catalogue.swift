extension Evaluator {
  /// Every evaluator, in the order of the reports.
  public static let all: [Evaluator] = [
    PathErrors.evaluator, CameraControl.evaluator, NormalisedCamera.evaluator,
    StateAlignment.evaluator, TAPVid.evaluator, StateValues.evaluator,
    ActionSegments.evaluator, ActionFollowing.evaluator, JudgeAgreement.evaluator,
    ActionSegmentation.evaluator, ActionRecogniser.evaluator, KeyboardMouse.evaluator,
    PointErrors.evaluator, IntervalScores.evaluator, EnsembleScores.evaluator,
    TimeWarping.evaluator, ValidPredictionTime.evaluator,
    PoseErrors.evaluator, Plausibility.evaluator, DepthErrors.evaluator,
    StateSpaceDivergence.evaluator, Spectrum.evaluator, ArrowOfTime.evaluator,
    CorrelationDimension.evaluator, LyapunovExponent.evaluator, LyapunovSpectrum.evaluator,
    Recurrence.evaluator, PhaseGeometry.evaluator, DistributionDistances.evaluator,
    PairedDifference.evaluator,
  ]
}

extension Evaluator {
  /// Whether it has a score of that name, or scores whose names begin with it.
  public func makes(_ score: String) -> Bool {
    scores.contains { own in
      own == score || score.hasPrefix("\(own).")
        || (own.hasSuffix("_") || own.hasSuffix(".")) && score.hasPrefix(own)
    }
  }
}
