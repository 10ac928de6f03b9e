import Testing
import TrajpackFormat

@testable import TrajpackSignal

@Suite struct PlanTests {
  static let plans = [
    #"{"steps": []}"#,
    #"{"steps": [{"step": "resample", "rate": 40}]}"#,
    #"{"steps": [{"step": "resample", "rate": 25, "method": {"s/y": "pchip"}}]}"#,
    #"{"steps": [{"step": "resample", "rate": "30000/1001", "origin": "zero", "method": "nearest"}]}"#,
    #"{"steps": [{"step": "resample", "up": 2, "down": 5, "method": {"s/x": "polyphase"}}]}"#,
    #"{"steps": [{"step": "resample", "rate": 250, "method": {"kind:scalar": "makima"}}]}"#,
    #"{"steps": [{"step": "resample", "rate": 7, "bin": "auto", "label": "centre"}]}"#,
    #"{"steps": [{"step": "embed", "channels": "s/x", "tau": 3, "dimension": 4}]}"#,
    #"{"steps": [{"step": "embed", "direction": "backward", "coordinates": [{"channel": "s/x"}, {"channel": "s/y", "element": 1, "lag": 7}]}]}"#,
    #"{"steps": [{"step": "mask", "amount": 0.3, "seed": 5}]}"#,
    #"{"steps": [{"step": "mask", "mechanism": "kept-rows", "amount": 0.7}]}"#,
    #"{"steps": [{"step": "mask", "mechanism": "channels", "count": 2, "channels": ["s/x", "s/y"]}]}"#,
    #"{"steps": [{"step": "normalize", "constants": {"s/x": {"shift": [1.5], "scale": [2]}}}, {"step": "resample", "rate": 10}, {"step": "mask", "amount": 0.5}, {"step": "embed", "channels": ["s/x"], "tau": 2, "dimension": 3}, {"step": "select", "channels": ["s/x", "s/l"]}]}"#,
  ]

  static let stream = PlanStream(
    name: "s",
    channels: [
      Channel(name: "x", kind: .scalar, type: .float32),
      Channel(name: "y", kind: .position, type: .float64, shape: [2]),
      Channel(name: "l", kind: .label, type: .int16),
      Channel(name: "n", kind: .scalar, type: .uint8),
    ])

  static let key = PlanKey(episode: "e1", stream: "s", entity: nil, run: 0)

  static func track(_ count: Int, first: Int = 0, rate: Int64 = 100) throws -> PlanTrack {
    var random = Seeded(11)
    let x = random.values(2000)
    let rows = first..<first + count
    var labels: [UInt8] = []
    var small: [UInt8] = []
    for row in rows {
      labels += [UInt8(truncatingIfNeeded: row), UInt8(truncatingIfNeeded: row >> 8)]
      small.append(UInt8(truncatingIfNeeded: row * 7))
    }
    let columns: [PlanColumn.Values] = [
      .float32(rows.map { Float(x[$0]) }),
      .float64(rows.flatMap { [x[$0] * 3, x[$0 + 1]] }), .opaque(labels, rowBytes: 2),
      .opaque(small, rowBytes: 1),
    ]
    return PlanTrack(
      clock: .regular(
        try RegularClock(start: try rational(3, 7), rate: try rational(rate)), first: first,
        count: count),
      columns: zip(stream.channels, columns).map { PlanColumn(channel: $0, values: $1) })
  }

  static func run(_ text: String, _ track: PlanTrack) throws -> PlanTrack {
    let program = try Plan(json: JSONValue(parsing: Array(text.utf8))).programs(for: [stream])[0]
    return try program.run(track, key: key) { (_, _) throws(TrajpackError) in
      throw TrajpackError(.usage, "no reference")
    }
  }

  @Test(arguments: plans) func canonicalFormIsAFixedPoint(_ text: String) throws {
    let plan = try Plan(json: JSONValue(parsing: Array(text.utf8)))
    let again = try Plan(json: plan.json)
    #expect(again == plan)
    #expect(again.json.text() == plan.json.text())
    let printed = try Plan(json: JSONValue(parsing: Array(plan.json.text(indent: 1).utf8)))
    #expect(printed.digest == plan.digest)
  }

  /// A window gets what the whole track has there: bit for bit, and to rounding behind a filter.
  @Test(arguments: plans) func windowsEqualTheWhole(_ text: String) throws {
    let program = try Plan(json: JSONValue(parsing: Array(text.utf8)))
      .programs(for: [Self.stream])[0]
    let whole = try Self.track(700)
    let all = try Self.run(text, whole)
    #expect(all.columns.map(\.channel) == program.outputs)
    let noReference: PlanProgram.Reference = { (_, _) throws(TrajpackError) in
      throw TrajpackError(.usage, "no reference")
    }
    #expect(try program.clock(whole.clock, key: Self.key, reference: noReference) == all.clock)
    var narrow = 0
    for window in [0..<9, 33..<48, 100..<101, 60..<250] {
      let wanted = (window.lowerBound..<window.upperBound).clamped(to: all.clock.rows)
      let rows = try program.sourceRows(
        for: wanted, of: whole.clock, key: Self.key, reference: noReference)
      if rows.count < 700 { narrow += 1 }
      let part = try Self.run(text, try Self.track(rows.count, first: rows.lowerBound))
      let (a, b) = (part.trimmed(to: wanted), all.trimmed(to: wanted))
      #expect(a.clock == b.clock)
      for (one, other) in zip(a.columns, b.columns) {
        // A filter takes the first value that it sees off, so that it rounds otherwise.
        let isSame =
          a.notes.isEmpty || a.notes.allSatisfy { $0.hasPrefix("no filter") }
          ? bits(one) == bits(other) : isClose(one, other)
        #expect(isSame, "\(text) \(window) \(one.channel.name) \(a.notes) \(b.notes)")
      }
    }
    // Rates of 2 to 5 have a filter of two phases, which needs the whole track.
    let mustBeNarrow = !text.contains("40}") && !text.contains("polyphase")
    #expect(narrow >= 3 || !mustBeNarrow, "\(text): windows read everything")
  }

  private func isClose(_ a: PlanColumn, _ b: PlanColumn) -> Bool {
    let slack = a.channel.type == .float32 ? 1e-5 : 1e-13
    return a.mask() == b.mask()
      && zip(a.doubles(), b.doubles()).allSatisfy {
        $0.isNaN || abs($0 - $1) <= slack * max(1, abs($1))
      }
  }

  private func bits(_ column: PlanColumn) -> [UInt64] {
    switch column.values {
    case .float32(let x): x.map { UInt64($0.bitPattern) }
    case .float64(let x): x.map(\.bitPattern)
    case .opaque(let x, _): x.map { UInt64($0) } + (column.observed ?? []).map { UInt64($0) }
    }
  }

  @Test func sameRateIsTheIdentity() throws {
    let whole = try Self.track(300)
    let same = try Self.run(#"{"steps": [{"step": "resample", "rate": 100}]}"#, whole)
    #expect(same.clock == whole.clock)
    for (one, other) in zip(same.columns, whole.columns)
    where one.channel.type == other.channel.type {
      #expect(bits(one) == bits(other))
    }
  }

  @Test func masksDependOnTheKeyAlone() throws {
    let text = #"{"steps": [{"step": "mask", "amount": 0.5, "seed": 3}]}"#
    let program = try Plan(json: JSONValue(parsing: Array(text.utf8))).programs(for: [Self.stream])[
      0]
    func mask(_ key: PlanKey) throws -> [[MaskByte]] {
      try program.run(try Self.track(200), key: key) { (_, _) throws(TrajpackError) in
        throw TrajpackError(.usage, "")
      }.columns.map { $0.mask() }
    }
    let one = try mask(Self.key)
    #expect(one == (try mask(Self.key)))
    #expect(one[0] != one[3], "channels have masks of their own")
    for other in [
      PlanKey(episode: "e2", stream: "s", entity: nil, run: 0),
      PlanKey(episode: "e1", stream: "s", entity: "npc/0", run: 0),
      PlanKey(episode: "e1", stream: "s", entity: nil, run: 1),
    ] { #expect(try mask(other)[0] != one[0]) }
  }

  @Test(arguments: [
    (#"{"stepz": []}"#, "has no list 'steps'"),
    (#"{"steps": [], "sed": 1}"#, "has no member 'sed'"),
    (#"{"steps": [{"step": "resampel", "rate": 1}]}"#, "did you mean 'resample'?"),
    (#"{"steps": [{"step": "resample", "rat": 1}]}"#, "must say once where to go"),
    (#"{"steps": [{"step": "resample", "rate": 1, "metod": "linear"}]}"#, "did you mean 'method'?"),
    (
      #"{"steps": [{"step": "resample", "rate": 0}]}"#,
      "plan.steps[0].rate is 0, but must be a rate above 0"
    ),
    (#"{"steps": [{"step": "resample", "rate": 1, "onto": "t"}]}"#, "must say once where to go"),
    (
      #"{"steps": [{"step": "resample", "rate": 1, "method": "lineal"}]}"#, "did you mean 'linear'?"
    ),
    (
      #"{"steps": [{"step": "resample", "rate": 1, "bin": "mean", "method": "linear"}]}"#,
      "has no member 'method'"
    ),
    (#"{"steps": [{"step": "mask"}]}"#, "does not say how much"),
    (#"{"steps": [{"step": "mask", "amount": 2}]}"#, "from 0 to 1"),
    (#"{"steps": [{"step": "embed", "tau": 0}]}"#, "\"auto\" or an integer from 1"),
    (#"{"steps": [{"step": "embed", "channels": "kind:skalar"}]}"#, "did you mean 'scalar'?"),
    (#"{"steps": [{"step": "resample", "rate": 1, "rate": 2}]}"#, "twice"),
    (#"{"steps": [{"step": "resample", "streams": "t", "rate": 1}]}"#, "there is no stream 't'"),
    (
      #"{"steps": [{"step": "mask", "channels": "s/z", "amount": 1}]}"#, "there is no channel 's/z'"
    ),
    (#"{"steps": [{"step": "resample", "onto": "q"}]}"#, "there is no stream 'q'"),
    (
      #"{"steps": [{"step": "resample", "rate": 1, "bin": "mean"}]}"#,
      "the mean of values of kind label means nothing"
    ),
    (
      #"{"steps": [{"step": "resample", "rate": 1, "method": {"s/l": "linear"}}]}"#,
      "cannot be resampled"
    ),
    (#"{"steps": [{"step": "embed", "tau": 300, "dimension": 4}]}"#, "a vector spans 901"),
    (#"{"steps": [{"step": "embed"}]}"#, "chosen from a whole dataset"),
    (#"{"steps": [{"step": "normalize"}]}"#, "statistics of split 'train' are not known"),
    (#"{"steps": [{"step": "mask", "mechanism": "channels", "count": 9}]}"#, "9 of 5 channels"),
  ]) func refusals(_ text: String, _ words: String) throws {
    let error = #expect(throws: TrajpackError.self) {
      _ = try Self.run(text, try Self.track(300))
    }
    #expect(error?.message.contains(words) == true, "\(error?.message ?? "")")
  }
}
