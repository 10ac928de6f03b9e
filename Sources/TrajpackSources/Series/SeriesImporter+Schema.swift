import TrajpackFormat
import TrajpackStore

extension SeriesImporter {
  /// The channel plans of one stream, as the recordings of a shard need them.
  private struct Planned {
    var name: String
    var table: TablePlan?
    var arrays: (set: ArraySet, group: Int)?
    var system: DystsFile.System?
    var axes: [RecordedTimes] = []
  }

  /// A stream for each shape of the recordings, with types that hold every value exactly.
  public func schema(
    for examined: [(Recording, Examination)], _ layout: LayoutOptions
  ) throws(TrajpackError) -> Schema {
    var planned: [Planned] = []
    var numbers: [String: Int] = [:]
    func place(_ name: String) -> Int {
      if let known = numbers[name] { return known }
      numbers[name] = planned.count
      planned.append(Planned(name: name))
      return planned.count - 1
    }
    for (recording, examination) in examined {
      let (file, piece) = try part(recording)
      switch (file.content, piece, examination.found) {
      case (.table(let form), _, .table(let table, let others)):
        func add(_ form: TableForm, _ table: TableExamination) throws(TrajpackError) {
          let i = place(layouts.stream(.table(form)))
          var plan = planned[i].table ?? TablePlan(form, settings)
          try within(file: recording.path) { () throws(TrajpackError) in try plan.add(table) }
          planned[i].table = plan
        }
        try add(form, table)
        for other in others {
          if case .table(let form) = files[other.file].content { try add(form, other.table) }
        }
      case (.arrays(let set), _, .arrays(let times)):
        for (group, time) in times.enumerated() {
          let suffix = set.shape.groups[group].suffix
          let i = place(layouts.stream(.arrays(set.shape), suffix: suffix))
          planned[i].arrays = (set, group)
          planned[i].axes.append(time)
        }
      case (.systems(let systems), .system(let number, _, let rows), _):
        let system = systems.systems[number]
        let i = place(layouts.stream(SeriesLayouts.key(system)))
        planned[i].system = system
        planned[i].axes.append(axis(of: system, rows))
      default: break
      }
    }
    var plans: [StreamPlan] = []
    for stream in planned { plans.append(try plan(stream)) }
    return Schema(
      layingOut: plans, attributes: .record(["source": "series"]), options: layout)
  }

  /// The times of rows of a system, as they decide its clock: those of a piece are not looked at
  /// again.
  func axis(of system: DystsFile.System, _ rows: Range<Int>) -> RecordedTimes {
    guard let time = system.time, settings.time != .none else { return .none }
    return .doubles(time)
  }

  private func plan(_ planned: Planned) throws(TrajpackError) -> StreamPlan {
    if let table = planned.table { return table.plan(named: planned.name) }
    var channels: [ChannelPlan] = []
    let isRegular = planned.axes.allSatisfy {
      if case .none = $0 { return true }
      return $0.regularClock != nil
    }
    var hasTime = false
    var unit = settings.stepUnit
    var attributes: JSONValue
    if let (set, group) = planned.arrays {
      let shape = set.shape.groups[group]
      if let time = shape.time {
        hasTime = true
        unit = time.dates == nil ? settings.timeUnit ?? "time" : "s"
        if !isRegular {
          channels.append(
            ChannelPlan(
              Channel(name: "time", kind: .scalar, type: time.type.isFloat ? .float64 : .int64)))
        }
      }
      for item in shape.items {
        channels.append(try channel(item.channel, item.type, item.row))
      }
      attributes = .record([
        "source": set.shape.isArchive ? "npz" : "npy",
        "arrays": .array(
          shape.items.map {
            .record([
              "name": .string($0.name), "channel": .string($0.channel),
              "dtype": .string($0.storedName),
            ])
          }),
        "time": shape.time.map {
          .record([
            "name": .string($0.name), "dtype": .string($0.storedName),
            "date": $0.dates.map { $0.isSpan ? nil : "YYYY-MM-DD hh:mm:ss" } ?? nil,
          ])
        },
      ])
    } else {
      if let system = planned.system {
        if system.time != nil {
          hasTime = settings.time != .none
          if !isRegular || !hasTime {
            channels.append(ChannelPlan(Channel(name: "time", kind: .scalar, type: .float64)))
          }
        }
        channels.append(
          try channel("values", .float64, system.width.map { [$0] } ?? []))
      }
      if hasTime { unit = settings.timeUnit ?? "time" }
      attributes = .record(["source": "dysts"])
    }
    return StreamPlan(
      Stream(name: planned.name, timeUnit: unit, attributes: attributes), channels: channels)
  }

  private func channel(
    _ name: String, _ type: ElementType, _ row: [Int]
  ) throws(TrajpackError) -> ChannelPlan {
    let kind = settings.kinds[name] ?? .scalar
    let fits =
      switch kind {
      case .text, .packet: false
      case .quaternion, .intrinsics: row.last == 4
      case .matrix, .image, .depth: row.count >= 2
      default: true
      }
    guard fits else {
      throw TrajpackError(
        .usage,
        "channel '\(name)' has rows of shape \(row), which cannot be of kind \(kind.rawValue)")
    }
    return ChannelPlan(
      Channel(
        name: name, kind: kind, type: type, shape: row, units: settings.units[name],
        missing: type.isFloat ? .nan : .never))
  }
}
