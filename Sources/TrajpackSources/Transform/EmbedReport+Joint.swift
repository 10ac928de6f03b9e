import TrajpackFormat
import TrajpackSignal

extension EmbedReport {
  /// Coordinates that PECUZAL or MDOP chose from several channels.
  public struct Joint: Sendable {
    /// What one episode alone would have.
    public struct Own: Sendable {
      /// The episode's id.
      public var episode: String
      /// Rows that were looked at.
      public var rows: Int
      var coordinates: [JointEstimate.Coordinate]
      /// Why there is no choice.
      public var remark: String?
    }

    /// `pecuzal` or `mdop`.
    public var method: String
    /// The largest lag looked at.
    public var maxLag: Int
    /// Rows within which neighbours did not count.
    public var window: Int
    /// The numbers that were chosen from, as `stream/channel` or `stream/channel[2]`.
    public var candidates: [String]
    /// Rows that were looked at.
    public var rows: Int
    var coordinates: [JointEstimate.Coordinate]
    /// What each episode alone would have.
    public var own: [Own] = []

    /// Names of the figures of a coordinate.
    public var figures: [String] {
      method == "pecuzal" ? ["delta_L"] : ["beta", "false_neighbours"]
    }
    /// The list: candidate, lag, and a figure for each of ``figures`` (none for the first).
    public var chosen: [(candidate: String, lag: Int, figures: [Double])] {
      coordinates.map { (candidates[$0.candidate], $0.lag, $0.figures) }
    }

    /// A list in one line: `x:0, x:18, z:9`.
    public func line(_ own: Own) -> String { line(own.coordinates) }

    private func line(_ list: [JointEstimate.Coordinate]) -> String {
      list.map { "\(candidates[$0.candidate]):\($0.lag)" }.joined(separator: ", ")
    }

    func json(split: String, looked: JSONValue, warnings: JSONValue?) -> JSONValue {
      func list(_ coordinates: [JointEstimate.Coordinate]) -> JSONValue {
        .array(
          coordinates.map { c in
            var members: [JSONValue.Member] = [
              .init("of", .string(candidates[c.candidate])), .init("lag", .int(Int64(c.lag))),
            ]
            for (name, value) in zip(figures, c.figures) {
              members.append(.init(name, .double(value)))
            }
            return .object(members)
          })
      }
      return .record([
        "method": .string(method), "split": .string(split), "looked_at": looked,
        "warnings": warnings, "rows": .int(Int64(rows)), "max_tau": .int(Int64(maxLag)),
        "theiler": .int(Int64(window)), "from": .array(candidates.map { .string($0) }),
        "chosen": list(coordinates),
        "estimates": .array(
          own.map { own in
            .record([
              "episode": .string(own.episode), "rows": .int(Int64(own.rows)),
              "chosen": list(own.coordinates), "remark": own.remark.map { .string($0) },
            ])
          }),
      ])
    }
  }

  /// A candidate's name; its number where the channel has several.
  static func label(
    _ path: String, _ element: Int, of channels: [(stream: String, channel: Channel)]
  ) -> String {
    let isOne = channels.contains {
      "\($0.stream)/\($0.channel.name)" == path && $0.channel.elements == 1
    }
    return isOne ? path : "\(path)[\(element)]"
  }
}
