import TrajpackSignal

/// Mutual information of two series in nats (``kraskovInformation(_:neighbours:)``), on series scaled to unit
/// standard deviation; not below 0. (What scikit-learn's `mutual_info_regression` computes, without its random
/// jitter.) Nil with too few points or a constant side.
func mutualInformation(_ first: [Double], _ second: [Double], neighbours: Int) -> Double? {
  let (sx, sy) = (Statistics.deviation(first), Statistics.deviation(second))
  guard first.count > neighbours, sx > 0, sy > 0, sx.isFinite, sy.isFinite else { return nil }
  var pairs: [Double] = []
  pairs.reserveCapacity(2 * first.count)
  for (x, y) in zip(first, second) {
    pairs.append(x / sx)
    pairs.append(y / sy)
  }
  return pairs.withUnsafeBufferPointer { max(0, kraskovInformation($0, neighbours: neighbours)) }
}
