extension Rule {
  /// Every rule. A new one is a file in this folder and a line here.
  public static let all: [Rule] = [
    .containerDamage, .containerManifest, .containerOrphan, .containerUnfinished,
    .containerUnreadable, .containerStatistics, .containerHDF5,
    .timeBackwards, .timeMissing, .timeDuplicate, .timeGap, .timeJitter, .timeFloat32, .timeRounded,
    .timeRate, .timeLength, .timeDrift, .timeShift, .videoFrames, .videoMotion,
    .valuesNotANumber, .valuesInfinite, .valuesChannels, .valuesMissing, .valuesIncomplete,
    .valuesDead,
    .valuesStuck, .valuesPadding, .valuesSpike, .valuesLevel,
    .valuesSentinel,
    .valuesSaturated, .valuesWraparound, .valuesDenormal, .valuesUnits,
    .valuesTeleport, .valuesSpeed, .valuesConstant, .valuesQuantised, .valuesTooNarrow,
    .valuesTooWide,
    .valuesOverMaximum, .valuesMotionFrame, .negativeCount,
    .geometryQuaternionNorm, .geometryQuaternionSign, .geometryRotation, .geometryAngleUnits,
    .geometryIntrinsics, .geometrySkeletonEdges, .geometryBoneLength,
    .geometryQuaternionOrder, .geometryProjection, .entityCount,
    .geometryDepthMissing, .geometryDepthRange,
    .labelsVocabulary, .labelsMissing, .labelsImbalance, .labelsShortSegment,
    .labelsEndFlag,
    .learningDuplicate, .learningLeakage, .learningUnlikeSplits, .learningShort, .learningDrift,
    .learningNormalization, .learningReversed, .learningSharedRecording,
  ]
}
