import TrajpackFormat
import TrajpackSignal

extension Loader {
  /// Outputs, counts and options as JSON; `trajpack.h` names the members.
  public var description: JSONValue {
    .record([
      "windows": .array(windows.map { .int(Int64(clamping: $0)) }),
      "epoch_windows": .int(Int64(clamping: order.epochWindows)),
      "steps": .int(Int64(clamping: cut.steps(ofEpoch: order.epochWindows))),
      "batch": .int(Int64(cut.batch)), "batch_bytes": .int(Int64(batchBytes)),
      "digest": .string(String(digest, radix: 16)), "reference": .string(reference),
      "length": .int(Int64(length)), "blocks": blocks,
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
      "outputs": .array(outputs.map(\.json)),
      "texts": .array(
        setup.values.texts.map { text in
          .record([
            "name": .string(text.name),
            "description": text.description.map { .string($0) } ?? .null,
          ])
        }),
      "left_raw": .array(setup.layout.channels.filter(\.isLeftRaw).map { .string($0.path) }),
      "between_rows": betweenRows,
      "tolerance": .double(setup.options.tolerance ?? StampRounding.usual),
      "options": setup.options.json,
    ])
  }

  private var blocks: JSONValue {
    guard case .block(let windows, let count) = order.shuffle else { return .null }
    // Of blocks that are cut at groups of pictures, the longest.
    guard let longest = order.blocks.map(\.longest).max() else {
      return .record(["windows": .int(Int64(windows)), "count": .int(Int64(count))])
    }
    return .record([
      "windows": .int(Int64(longest)), "count": .int(Int64(order.blocks[0].pool)),
    ])
  }

  /// Goes on from a state.
  ///
  /// Where the state was saved with other weights of windows, the loader goes there and wants these before it gives
  /// anything out: see ``replaceWeights(_:)``.
  ///
  /// - Throws: A usage error where the state is of other data or of another order; then nothing changes.
  public func resume(
    _ cursor: WindowCursor, seed: UInt64, digest: UInt64, weights: WeightsState = WeightsState()
  ) throws(TrajpackError) {
    // A state without weights is one of the whole digest, as all were once.
    guard digest == (weights.digest == 0 ? self.digest : baseDigest) else {
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
    wanted = []
    guard weights.digest != 0 else { return }
    let own = weightsState
    if own.digest == weights.digest {
      order.weights = order.weights(inEpoch: cursor.epoch)
      order.later = nil
      weightsEpoch = weights.epoch
    } else {
      wanted.append((weights.digest, weights.epoch, false))
    }
    if weights.laterDigest != 0 { wanted.append((weights.laterDigest, weights.laterEpoch, true)) }
  }
}

extension Loader {
  /// Offsets in seconds that are no whole number of rows of a stream of one rate, within the tolerance: what lies
  /// there is made by the channel's kind. `{stream: [seconds]}`.
  private var betweenRows: JSONValue {
    var found: [JSONValue.Member] = []
    for (stream, rate) in setup.rates.sorted(by: { $0.key < $1.key }) {
      let clock = TrackClock(start: .zero, rate: rate, rows: 1)
      var seconds: Set<Double> = []
      for group in setup.layout.groups where group.stream == stream {
        for case .seconds(let offset) in group.offsets ?? [] {
          let (_, rest) =
            (clock.snapped(offset, StampRounding(setup.options.tolerance)) * Instant(rate))
            .split
          if rest > 1e-9, rest < 1 - 1e-9 { seconds.insert(offset.value) }
        }
      }
      guard !seconds.isEmpty else { continue }
      found.append(.init(stream, .array(seconds.sorted().map { .double($0) })))
    }
    return .object(found)
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
      "categories": categories.map { .array($0.map { .string($0) }) } ?? .null,
    ])
  }
}
