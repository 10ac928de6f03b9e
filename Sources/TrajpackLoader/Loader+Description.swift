import TrajpackFormat

extension Loader {
  /// Outputs, counts and options as JSON; `trajpack.h` names the members.
  public var description: JSONValue {
    .record([
      "windows": .array(windows.map { .int(Int64(clamping: $0)) }),
      "epoch_windows": .int(Int64(clamping: order.epochWindows)),
      "steps": .int(Int64(clamping: cut.steps(ofEpoch: order.epochWindows))),
      "batch": .int(Int64(cut.batch)), "batch_bytes": .int(Int64(batchBytes)),
      "digest": .string(String(digest, radix: 16)), "reference": .string(reference),
      "length": .int(Int64(length)),
      "shares": order.mixture.map { .array($0.shares.map { .int(Int64($0)) }) },
      "choices": setup.choices.map { choices in
        .array(
          choices.map { choice in
            .record([
              "candidates": .int(Int64(clamping: choice.set.candidates)),
              "windows": .int(Int64(clamping: choice.set.count)),
              "damaged": .int(Int64(choice.damaged)), "bytes": .int(Int64(choice.set.bytes)),
              "cache": choice.path.map { .string($0) } ?? .null,
              "cached": .bool(choice.isCached),
            ])
          })
      } ?? .null,
      "outputs": .array(outputs.map(\.json)), "options": setup.options.json,
    ])
  }

  /// Goes on from a state.
  ///
  /// - Throws: A usage error where the state is of other data, or of another order.
  public func resume(
    _ cursor: WindowCursor, seed: UInt64, digest: UInt64
  ) throws(TrajpackError) {
    guard digest == self.digest else {
      throw TrajpackError(
        .usage,
        "the state was saved with other data or with other options that decide the order (length, "
          + "stride, filters, shuffle, weights); open the same dataset with the same options")
    }
    guard cursor.position <= order.epochWindows else {
      throw TrajpackError(
        .usage,
        "the state's position \(cursor.position) lies beyond the \(counted(order.epochWindows, "window")) of "
          + "an epoch")
    }
    seek(cursor, seed: seed)
  }
}

extension Output {
  var json: JSONValue {
    .record([
      "name": .string(name), "dtype": .string(type.rawValue),
      "shape": .array(shape.map { .int(Int64($0)) }), "offset": .int(Int64(offset)),
      "bytes": .int(Int64(bytes)), "role": .string(role.rawValue), "stream": .string(stream),
      "channel": channels.count == 1 && !stream.isEmpty ? .string(channels[0]) : .null,
      "channels": .array(channels.map { .string($0) }), "entities": .int(Int64(entities)),
      "units": units.map { .string($0) } ?? .null,
      "kind": kind.map { .string($0.rawValue) } ?? .null,
    ])
  }
}
