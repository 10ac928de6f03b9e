import TrajpackFormat
import TrajpackStore

extension SubsetMeasurement {
  /// The JSON of statistics; `trajpack.h` names the members.
  public var json: JSONValue {
    .record([
      "data_digest": .string(dataDigest), "rows_digest": .string(rowsDigest),
      "probabilities": .array(ComponentStatistics.probabilities.map { .double($0) }),
      "left_out": .array(leftOut.map { .string($0) }),
      "by": by.map { .string($0) } ?? .null, "saved": .bool(isSaved),
      "groups": .array(groups.map(json)),
    ])
  }

  private func json(_ group: Group) -> JSONValue {
    .record([
      "value": group.value ?? .null, "episodes": .int(Int64(group.episodes)),
      "rows": .object(group.rows.map { .init($0.stream, .int(Int64($0.rows))) }),
      "channels": .object(
        zip(channels, group.statistics).map { channel, statistics in
          .init(channel.path, Self.json(channel, statistics))
        }),
    ])
  }

  private static func json(_ channel: Measured, _ statistics: [ComponentStatistics]) -> JSONValue {
    var members: [JSONValue.Member] = [
      .init("kind", .string(channel.channel.kind.rawValue)),
      .init("units", channel.channel.units.map { .string($0) } ?? .null),
      .init("shape", .array(channel.channel.shape.map { .int(Int64($0)) })),
    ]
    if let axes = channel.axes {
      members.append(.init("axes", .array(axes.map { .int(Int64($0)) })))
    }
    members += DatasetStatistics.json(statistics).members ?? []
    if channel.hasQuantiles {
      // Beyond, ranks are off by up to 0.1 %.
      members.append(
        .init(
          "quantiles_exact",
          .array(statistics.map { .bool($0.count <= QuantileSketch.exactCount) })))
    }
    return .object(members)
  }
}
