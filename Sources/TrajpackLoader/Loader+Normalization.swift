import TrajpackFormat

extension Loader {
  /// What values are normalised by, as JSON; `trajpack.h` names the members.
  public var normalization: JSONValue {
    func numbers(_ values: [Double]) -> JSONValue { .array(values.map { .double($0) }) }
    let layout = setup.layout
    return .record([
      "channels": .object(
        layout.channels.filter { !$0.scale.isEmpty }.map { channel in
          .init(
            channel.path,
            .record([
              "method": channel.rule.map { .string($0.method.rawValue) } ?? .null,
              "axes": channel.rule?.axes.map { .array($0.map { .int(Int64($0)) }) } ?? .null,
              "grouping": channel.grouping.map { .int(Int64($0)) } ?? .null,
              "shape": .array(channel.channel.shape.map { .int(Int64($0)) }),
              "shift": numbers(channel.shift), "scale": numbers(channel.scale),
            ]))
        }),
      "groupings": .array(
        layout.groupings.map { grouping in
          .record([
            "by": .string(grouping.by), "values": .array(grouping.values),
            "groups": .array(grouping.groups.map { .int(Int64($0)) }),
          ])
        }),
      "first_episodes": .array(layout.firstEpisodes.map { .int(Int64($0)) }),
      "features": .object(
        layout.outputs.filter { $0.role == .values && $0.stream.isEmpty }.map { output in
          .init(
            output.name,
            .array(
              output.channels.map { path in
                let channel = layout.channels.first { $0.path == path }
                return .record([
                  "channel": .string(path),
                  "elements": .int(Int64(channel?.channel.elements ?? 0)),
                  "slots": .int(Int64(channel.map { layout.groups[$0.group].slots } ?? 1)),
                ])
              }))
        }),
    ])
  }
}
