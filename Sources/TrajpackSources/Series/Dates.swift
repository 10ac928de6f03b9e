import TrajpackFormat
import TrajpackStore

/// Dates on the clocks of datasets that were made from dates.
public enum Dates {
  /// Seconds since 1970-01-01 of a date such as `2016-07-01`, `2016-07-01 05:00` or
  /// `2024-02-29T23:59:58.25Z`: of UTC where it names a zone, else of the recording's own calendar. `nil`
  /// for other text.
  public static func seconds(_ text: some StringProtocol) -> Double? {
    var text = String(text)
    let date = text.withUTF8 { DateText($0) }
    return date.map { Double($0.seconds) + Double($0.nanoseconds) / 1e9 }
  }

  /// Whether some stream of a dataset has dates for times, which it counts in seconds since 1970-01-01.
  public static func areTimes(of dataset: Dataset) throws(TrajpackError) -> Bool {
    for number in dataset.shardPaths.indices {
      let streams = try dataset.shard(number).schema.streams
      if streams.contains(where: { TablePlan.pattern(of: $0) != nil }) { return true }
    }
    return false
  }
}
