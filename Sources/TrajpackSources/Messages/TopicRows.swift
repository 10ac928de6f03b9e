import TrajpackFormat
import TrajpackStore
import TrajpackVideo

/// Writes messages of a topic as packed rows of the blocks of a stream.
final class TopicRows {
  /// What becomes of a field's values in a row.
  private enum Form {
    /// As many numbers as a row holds, or none.
    case numbers(from: ElementType, to: ElementType, count: Int)
    /// As many whole numbers as a row holds, those of them that another field says are observed.
    case masked(from: ElementType, to: ElementType, count: Int, mask: Int)
    /// Lists: the first numbers of a row.
    case list(from: ElementType, to: ElementType, most: Int)
    /// Numbers of items, each at the place of its name.
    case named(from: ElementType, to: ElementType, width: Int, key: Int, places: [String: Int])
    case category([String: Int32])
    case text
    case texts
    case bytes
    case length(width: Int)
    /// The rows of a picture, each of so many bytes, without what a message has behind each. `order` is the field that says
    /// whether samples of several bytes are big-endian.
    case picture(height: Int, rowBytes: Int, sampleBytes: Int, order: Int?)
    /// A packet of a video.
    case packet
  }

  /// A class, because a copy of its parts costs more than what is stored.
  private final class Cell {
    let field: Int
    let at: UnsafeMutableRawPointer
    let channel: Int
    /// Whether the type of the numbers is that of each message.
    let isDynamic: Bool
    let form: Form
    /// What the row before has shown.
    let last = LastTexts()

    init(
      field: Int, at: UnsafeMutableRawPointer, channel: Int, isDynamic: Bool, form: Form
    ) {
      (self.field, self.at, self.channel) = (field, at, channel)
      (self.isDynamic, self.form) = (isDynamic, form)
    }
  }

  private struct Fixed {
    var at: UnsafeMutableRawPointer
    var clock: MessageClock
  }

  private let laid: Stream
  private let builder: TrackBuilder
  private var cells: [[Cell]] = []
  private var times: [Fixed] = []
  private var lastText: [Int: (bytes: [UInt8], at: Int)] = [:]
  private var order: [Int64]?
  private let clock: MessageClock
  private let origin: Int64
  private var timePlace: UnsafeMutableRawPointer?
  private var time: Int64 = 0
  private let video: MessageVideo?
  private var packets = MessageVideoPackets()
  private var videoPlaces: [String: UnsafeMutableRawPointer] = [:]

  /// Rows so far.
  var count: Int { builder.count }

  /// Rows of a stream whose times are those of `clock` since `origin`; rows that may come out of order are sorted.
  init(
    _ schema: Schema, stream: Int, clock: MessageClock, origin: Int64, isOrdered: Bool,
    spoolBytes: Int, video: MessageVideo?
  ) {
    laid = schema.streams[stream]
    self.video = laid.attributes["video"]?.bool == true ? video : nil
    (self.clock, self.origin) = (clock, origin)
    builder = TrackBuilder(schema, stream: stream, spoolBytes: spoolBytes)
    order = isOrdered ? nil : []
    for channel in laid.channels {
      let at = builder.address(of: channel)
      switch channel.name {
      case "time": timePlace = at
      case "log_time": times.append(Fixed(at: at, clock: .logTime))
      case "publish_time": times.append(Fixed(at: at, clock: .publishTime))
      case "pts", "dts", "keyframe": videoPlaces[channel.name] = at
      default: break
      }
    }
  }

  /// Takes a decoder whose messages come: its number, for ``append(_:_:decoder:stamp:)``.
  func add() -> Int {
    cells.append([])
    return cells.count - 1
  }

  /// Finds the places of the fields of a decoder's type.
  func update(_ decoder: Int, _ type: MessageType) {
    cells[decoder] = type.fields.indices.flatMap { cells($0, type) }
  }

  private func cells(_ number: Int, _ type: MessageType) -> [Cell] {
    let field = type.fields[number]
    if field.content == .unknown { return cells(emptyList: number, field) }
    let name =
      video != nil && field.path == MessageVideo.field
      ? MessageVideo.packet : TopicLayout.channelName(field, isVideo: video != nil)
    guard let i = laid.channel(named: name) else { return [] }
    let channel = laid.channels[i]
    func cell(_ form: Form, _ i: Int) -> Cell {
      Cell(
        field: number, at: builder.address(of: laid.channels[i]), channel: i,
        isDynamic: field.isDynamic, form: form)
    }
    switch field.content {
    case .unknown: return []
    case .text:
      if channel.type == .bytes {
        return [cell(field.isList || !field.shape.isEmpty ? .texts : .text, i)]
      }
      return [cell(.category(channel.categoryCodes), i)]
    case .number(let from):
      if video != nil, field.path == MessageVideo.field { return [cell(.packet, i)] }
      if channel.type == .bytes { return [cell(.bytes, i)] }
      if let names = channel.conventions.first(where: { $0.name == TopicLayout.names })?.value
        .array,
        let key = type.fields.firstIndex(where: { $0.isKey && $0.group == field.group })
      {
        let places = names.enumerated().map { ($1.string ?? "", $0) }
        return [
          cell(
            .named(
              from: from, to: channel.type, width: field.elements, key: key,
              places: Dictionary(places, uniquingKeysWith: { a, _ in a })), i)
        ]
      }
      if channel.missing == .sentinel,
        let mask = type.fields.firstIndex(where: { $0.fact?.observes == field.path }),
        laid.channel(named: TopicLayout.channelName(type.fields[mask], isVideo: false)) == nil
      {
        return [
          cell(.masked(from: from, to: channel.type, count: channel.elements, mask: mask), i)
        ]
      }
      if let name = channel.convention(TopicLayout.lengths), let j = laid.channel(named: name) {
        return [
          cell(.list(from: from, to: channel.type, most: channel.elements), i),
          cell(.length(width: field.elements), j),
        ]
      }
      if from == .uint8, field.isList, field.path == MessageVideo.field, channel.shape.count > 1 {
        return [
          cell(
            .picture(
              height: channel.shape[0],
              rowBytes: channel.elements / channel.shape[0] * channel.type.size,
              sampleBytes: channel.type.size,
              order: type.fields.firstIndex { $0.path == "is_bigendian" }), i)
        ]
      }
      return [cell(.numbers(from: from, to: channel.type, count: channel.elements), i)]
    }
  }

  /// The places of a list that was empty so far, or of the members of its objects.
  private func cells(emptyList number: Int, _ field: MessageField) -> [Cell] {
    let name = TopicLayout.channelName(field, isVideo: video != nil)
    return laid.channels.indices.compactMap { i -> Cell? in
      let channel = laid.channels[i]
      guard channel.name == name || channel.name.hasPrefix(name + ".") else { return nil }
      func cell(_ form: Form, _ i: Int) -> Cell {
        Cell(
          field: number, at: builder.address(of: laid.channels[i]), channel: i, isDynamic: false,
          form: form)
      }
      if channel.type == .bytes {
        let isText =
          channel.name == name
          ? channel.kind == .text : channel.description == TopicLayout.texts
        let isList = isText || channel.conventions.contains { $0.name == "elements" }
        if channel.name != name, !isList { return nil }
        return cell(isText ? .texts : .bytes, i)
      }
      return channel.convention(TopicLayout.lengths).flatMap(laid.channel(named:)).map {
        cell(.length(width: 1), $0)
      }
    }
  }

  private static let changed = TrajpackError(
    .data, "the file has changed while it was converted; run again")

  /// Adds the row of a message.
  func append(
    _ message: MessageRecord, _ row: MessageRow, decoder: Int, stamp: Int?
  ) throws(TrajpackError) {
    builder.clear()
    let time: Int64
    switch clock {
    case .logTime: time = message.logTime
    case .publishTime: time = message.publishTime
    case .stamp:
      guard let stamp, row.values[stamp].items == 1 else { throw Self.changed }
      time = row.values[stamp].data.bytes.loadUnaligned(as: Int64.self)
    }
    let since = time.subtractingReportingOverflow(origin)
    guard !since.overflow else {
      throw TrajpackError(
        .data, "a message has the time \(time) ns, which is too far off the others")
    }
    self.time = since.partialValue
    timePlace?.storeBytes(of: since.partialValue.littleEndian, as: Int64.self)
    for fixed in times {
      let own = fixed.clock == .logTime ? message.logTime : message.publishTime
      fixed.at.storeBytes(of: own.littleEndian, as: Int64.self)
    }
    for cell in cells[decoder] where row.values[cell.field].isPresent { try store(cell, row) }
    try builder.append()
    order?.append(since.partialValue)
  }

  private func type(_ from: ElementType, _ values: MessageRow.Values) -> ElementType {
    from == .bool ? from : values.type
  }

  private func store(_ cell: Cell, _ row: MessageRow) throws(TrajpackError) {
    let values = row.values[cell.field]
    let bytes = values.data.bytes
    switch cell.form {
    case .numbers(let from, let to, let count):
      if values.items == 0 { return }
      guard values.items == count else { throw Self.changed }
      StoredNumber.copy(
        bytes, 0, count, cell.isDynamic ? type(from, values) : from, to: to, at: cell.at)
    case .masked(let from, let to, let count, let mask):
      let observed = row.values[mask].data.bytes
      guard values.items == count, observed.count == count else { throw Self.changed }
      for i in 0..<count where observed[i] != 0 {
        StoredNumber.copy(bytes, i, 1, from, to: to, at: cell.at + i * to.size)
      }
    case .picture(let height, let rowBytes, let sampleBytes, let order):
      let step = values.items / height
      guard values.items == height * step, step >= rowBytes else { throw Self.changed }
      let swaps = order.map { row.values[$0].data.bytes.first ?? 0 != 0 } ?? false
      for line in 0..<height {
        let (from, to) = (bytes[(line * step)...].prefix(rowBytes), cell.at + line * rowBytes)
        to.copyMemory(
          from: UnsafeRawBufferPointer(rebasing: from).baseAddress.unsafelyUnwrapped,
          byteCount: rowBytes)
        guard swaps, sampleBytes > 1 else { continue }
        for sample in stride(from: 0, to: rowBytes, by: sampleBytes) {
          var bytes = UnsafeMutableRawBufferPointer(start: to + sample, count: sampleBytes)
          bytes.reverse()
        }
      }
    case .list(let from, let to, let most):
      guard values.items <= most else { throw Self.changed }
      StoredNumber.copy(
        bytes, 0, values.items, cell.isDynamic ? type(from, values) : from, to: to, at: cell.at)
    case .named(let from, let to, let width, let key, let places):
      if values.items == 0 { return }
      guard values.items == row.values[key].items * width else { throw Self.changed }
      if !cell.last.has(row.values[key]) {
        var own: [Int] = []
        try row.values[key].texts { (text) throws(TrajpackError) in
          guard let place = places[String(decoding: text, as: UTF8.self)] else {
            throw Self.changed
          }
          own.append(place)
        }
        cell.last.places = own
        cell.last.set(row.values[key])
      }
      let type = cell.isDynamic ? type(from, values) : from
      for (item, place) in cell.last.places.enumerated() {
        StoredNumber.copy(
          bytes, item * width, width, type, to: to, at: cell.at + place * width * to.size)
      }
    case .category(let codes):
      if !cell.last.has(values) {
        guard values.items == 1, let code = codes[String(decoding: bytes, as: UTF8.self)] else {
          throw Self.changed
        }
        cell.last.code = code
        cell.last.set(values)
      }
      cell.at.storeBytes(of: cell.last.code.littleEndian, as: Int32.self)
    case .text: try point(cell, to: bytes, keeps: true)
    case .bytes: try point(cell, to: bytes, keeps: false)
    case .packet:
      guard let video else { throw Self.changed }
      let isKey = video.isKeyframe(bytes)
      packets.add(bytes, at: Int64(builder.bytes.count), time: time, isKey: isKey)
      try point(cell, to: bytes, keeps: false)
      for name in ["pts", "dts"] {
        videoPlaces[name]?.storeBytes(of: time.littleEndian, as: Int64.self)
      }
      videoPlaces["keyframe"]?.storeBytes(of: isKey ? 1 : 0, as: UInt8.self)
    case .texts:
      var list: [JSONValue] = []
      try values.texts { (text) throws(TrajpackError) in
        list.append(.string(String(decoding: text, as: UTF8.self)))
      }
      try Array(JSONValue.array(list).text().utf8).withUnsafeBytesThrowing {
        (text) throws(TrajpackError) in try point(cell, to: text, keeps: true)
      }
    case .length(let width):
      cell.at.storeBytes(of: Int32(values.items / max(width, 1)).littleEndian, as: Int32.self)
    }
  }

  /// Has a row point to bytes; a text that the row before has, too, is stored once.
  private func point(
    _ cell: Cell, to bytes: UnsafeRawBufferPointer, keeps: Bool
  ) throws(TrajpackError) {
    var at = builder.bytes.count
    if keeps, let last = lastText[cell.channel], LastTexts.equal(last.bytes, bytes) {
      at = last.at
    } else {
      try builder.bytes.append(bytes)
      if keeps, bytes.count <= 4096 { lastText[cell.channel] = (Array(bytes), at) }
    }
    TrackBuilder.store(pointer: (at, bytes.count), at: cell.at)
  }

  /// The rows as a track, in the order of their times.
  func track(metadata: JSONValue) throws(TrajpackError) -> TrackDraft {
    var members = metadata.members ?? []
    if let video {
      members += try packets.members(video, file: "\(laid.name).\(video.ending)")
    }
    if let order, zip(order, order.dropFirst()).contains(where: { $0 > $1 }) {
      // Rows of one time stay in the order in which they came.
      try builder.reorder(order.indices.sorted { (order[$0], $0) < (order[$1], $1) })
    }
    order = nil
    guard let tick = Rational(1, 1_000_000_000) else { throw Self.changed }
    return builder.track(clock: .ticks(tick), metadata: .object(members))
  }
}
