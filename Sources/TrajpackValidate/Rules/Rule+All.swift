extension Rule {
  /// Every rule. A new one is a file in this folder and a line here.
  public static let all: [Rule] = [
    .containerDamage, .containerManifest, .containerOrphan, .containerUnfinished,
    .containerUnreadable,
    .timeBackwards, .timeMissing, .timeDuplicate, .timeGap, .timeJitter, .timeFloat32, .timeRounded,
    .timeLength,
    .valuesNotANumber, .valuesInfinite, .valuesMissing, .valuesDead, .valuesStuck, .valuesSpike,
    .valuesSentinel,
    .valuesSaturated, .valuesWraparound, .valuesDenormal, .valuesUnits,
    .valuesOverMaximum, .valuesMotionFrame,
    .geometryQuaternionNorm, .geometryQuaternionSign, .geometryRotation, .geometryAngleUnits,
    .geometryIntrinsics, .geometrySkeletonEdges, .geometryBoneLength,
    .labelsVocabulary,
    .learningDuplicate, .learningLeakage, .learningUnlikeSplits, .learningShort,
  ]
}
