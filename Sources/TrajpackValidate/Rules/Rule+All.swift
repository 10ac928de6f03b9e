extension Rule {
  /// Every rule. A new one is a file in this folder and a line here.
  public static let all: [Rule] = [
    .containerDamage, .containerManifest, .containerOrphan, .containerUnfinished,
    .containerUnreadable,
    .timeBackwards, .timeMissing, .timeDuplicate, .timeGap, .timeJitter, .timeFloat32, .timeLength,
    .valuesNotANumber, .valuesInfinite, .valuesMissing, .valuesStuck, .valuesSpike, .valuesSentinel,
    .valuesSaturated, .valuesWraparound, .valuesDenormal, .valuesUnits,
    .valuesOverMaximum, .valuesMotionFrame,
    .geometryQuaternionNorm, .geometryQuaternionSign, .geometryRotation, .geometryAngleUnits,
    .geometryIntrinsics, .geometrySkeletonEdges, .geometryBoneLength,
    .labelsVocabulary,
    .learningDuplicate, .learningLeakage, .learningShort,
  ]
}
