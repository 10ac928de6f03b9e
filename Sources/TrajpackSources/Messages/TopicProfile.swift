import TrajpackFormat
import TrajpackVideo

/// What the times of a topic's messages have shown.
struct TimeTrack: Sendable {
  var low = Int64.max
  var high = Int64.min
  /// Messages that lie before the one before.
  var backwards = 0
  var count = 0
  private var last = Int64.min

  mutating func observe(_ time: Int64) {
    if time < last { backwards += 1 }
    last = time
    low = min(low, time)
    high = max(high, time)
    count += 1
  }
}

/// The times by which rows can be ordered.
enum MessageClock: String, Sendable {
  /// The time in the message itself, where it has one.
  case stamp
  case logTime = "log_time"
  case publishTime = "publish_time"
}

/// What the messages of a topic have shown.
struct TopicProfile: Sendable {
  let key: TopicKey
  var topic: String { key.topic }
  /// The names of the message types, and how they are encoded.
  var types: [String] = []
  var encodings: [String] = []
  var fields: [FieldProfile] = []
  private var places: [String: Int] = [:]
  var rows = 0
  var log = TimeTrack()
  var publish = TimeTrack()
  var stamp = TimeTrack()
  /// Whether some message was sent at another time than it was written down.
  var publishDiffers = false
  /// The farthest that a stamp is off the log time, in ns.
  var stampOffset: Int64 = 0
  /// Messages whose stamp is zero.
  var unstamped = 0
  /// Groups whose fields have other counts than the names beside them.
  private var brokenGroups: Set<String> = []
  /// The video whose packets its messages are; `nil` for none.
  var video: MessageVideo?
  /// Whether its messages are packets.
  var carriesVideo = false
  /// Whether its messages are files of pictures.
  var carriesPictures = false
  /// Why its packets are no video that can be played.
  var videoFailure: String?
  /// Parts of the types that are not read, and why.
  var leftOut: [(path: String, why: String)] = []

  /// Beyond this a stamp is of another clock than the log time: a minute.
  static let farStamp: Int64 = 60_000_000_000

  init(_ key: TopicKey) { self.key = key }

  /// The place of the profile of a field.
  mutating func place(_ field: MessageField) -> FieldProfile.Place {
    if let place = places[field.path] {
      fields[place].merge(FieldProfile(field))
      return .init(place, of: field)
    }
    places[field.path] = fields.count
    fields.append(FieldProfile(field))
    return .init(fields.count - 1, of: field)
  }

  /// The field that holds the time of a message, among those of a decoder.
  static func stampField(_ type: MessageType) -> Int? {
    for name in ["header.stamp", "timestamp", "stamp"] {
      if let found = type.fields.firstIndex(where: {
        $0.path == name && $0.isTime && !$0.isList && $0.shape.isEmpty
      }) {
        return found
      }
    }
    return nil
  }

  /// Takes a message in.
  ///
  /// - Parameters:
  ///   - map: The places of the profiles of the decoder's fields.
  ///   - hasGroups: Whether the decoder's type has lists of structs.
  mutating func observe(
    _ message: MessageRecord, _ row: MessageRow, _ map: [FieldProfile.Place],
    _ decoder: any MessageDecoder, stamp: Int?, hasGroups: Bool
  ) {
    rows += 1
    log.observe(message.logTime)
    publish.observe(message.publishTime)
    if message.logTime != message.publishTime { publishDiffers = true }
    if let stamp, row.values[stamp].isPresent {
      let time = row.values[stamp].data.bytes.loadUnaligned(as: Int64.self)
      if time == 0 { unstamped += 1 }
      self.stamp.observe(time)
      let offset = time.subtractingReportingOverflow(message.logTime)
      stampOffset = max(
        stampOffset, offset.overflow ? .max : Int64(clamping: offset.partialValue.magnitude))
    }
    for (own, place) in map.enumerated() {
      fields[place.number].observe(row.values[own], of: place)
    }
    if hasGroups { checkGroups(row, decoder.type) }
    if looksForVideo { lookForVideo(row, decoder.type) }
  }

  /// Looks whether the fields of a group have as many items as its names.
  private mutating func checkGroups(_ row: MessageRow, _ type: MessageType) {
    for key in type.fields.indices where type.fields[key].isKey {
      let count = row.values[key].items
      for other in type.fields.indices
      where other != key && type.fields[other].group == type.fields[key].group {
        let items = row.values[other].items
        if items != 0, items != count * type.fields[other].elements {
          brokenGroups.insert(type.fields[key].path)
        }
      }
    }
  }

  /// Whether its messages may be packets or pictures that are still to be looked at.
  private var looksForVideo: Bool {
    videoFailure == nil && (carriesPictures || carriesVideo && video == nil)
  }

  /// Looks for the video in a message of packets, until its first keyframe is found, or whether a message holds a picture
  /// like those before.
  private mutating func lookForVideo(_ row: MessageRow, _ type: MessageType) {
    if carriesPictures { return lookForPicture(row, type) }
    guard carriesVideo, video == nil, videoFailure == nil,
      let data = type.fields.firstIndex(where: { $0.path == MessageVideo.field }),
      let format = type.fields.firstIndex(where: { $0.path == "format" && $0.content == .text })
    else { return }
    let packet = row.values[data].data.bytes
    let name = String(decoding: row.values[format].data.bytes, as: UTF8.self)
    guard let codec = AnnexBVideo.codec(name) else {
      videoFailure = "its format is '\(name)'; h264 and h265 are read as video"
      return
    }
    guard AnnexBVideo.isKeyframe(packet, codec: codec) else { return }
    do throws(TrajpackError) {
      video = MessageVideo(stream: try AnnexBVideo.stream(of: Array(packet), codec: codec))
    } catch {
      videoFailure = error.message
    }
  }

  private mutating func lookForPicture(_ row: MessageRow, _ type: MessageType) {
    guard videoFailure == nil,
      let data = type.fields.firstIndex(where: { $0.path == MessageVideo.field })
    else { return }
    let file = row.values[data].data.bytes
    guard let head = PictureHead(file) else {
      videoFailure = "some are neither a PNG nor a JPEG file"
      return
    }
    if let first = video?.picture {
      guard head != first else { return }
      videoFailure =
        head.isLike(first)
        ? "they are \(head.description) of different bits or colours"
        : "one is a \(head.description), and those before are \(first.description)"
      return
    }
    do throws(TrajpackError) {
      video = MessageVideo(
        stream: try PictureFile.stream(
          of: Array(file), codec: head.codec, width: head.width, height: head.height),
        picture: head)
    } catch {
      videoFailure = error.message
    }
  }

  /// Whether its packets can be played in the order of its rows; else ``videoFailure`` says why not.
  mutating func checkVideo(_ clock: MessageClock) {
    guard carriesVideo else { return }
    if video == nil, videoFailure == nil { videoFailure = "none of them begins a video" }
    if times(clock).backwards > 0 { videoFailure = "they do not come in the order of their times" }
    if let seen = self[MessageVideo.field], seen.present < rows || seen.empty > 0 {
      videoFailure = "some messages hold none"
    }
    if !carriesPictures, let formats = self["format"]?.texts, formats.count != 1 {
      videoFailure = "they are of several formats"
    }
    if videoFailure != nil { video = nil }
  }

  /// Takes in what another recording has shown.
  mutating func merge(_ other: TopicProfile) {
    for own in other.fields {
      if let place = places[own.field.path] {
        fields[place].merge(own)
      } else {
        places[own.field.path] = fields.count
        fields.append(own)
      }
    }
    for type in other.types where !types.contains(type) { types.append(type) }
    for encoding in other.encodings where !encodings.contains(encoding) {
      encodings.append(encoding)
    }
    if video?.stream.codec != other.video?.stream.codec { video = nil }
    rows += other.rows
    publishDiffers = publishDiffers || other.publishDiffers
    brokenGroups.formUnion(other.brokenGroups)
  }

  /// Counts the messages whose list of objects is empty as those whose members have no items.
  ///
  /// Until a message has objects in a list, its decoder does not know that it is one of objects.
  mutating func resolveEmptyLists() {
    for list in fields where list.field.content == .unknown && list.present > 0 {
      for i in fields.indices where fields[i].field.isMember(of: list.field.path) {
        fields[i].present += list.present
        fields[i].empty += list.present
      }
    }
    let members = fields.map(\.field)
    fields.removeAll { list in
      list.field.content == .unknown && members.contains { $0.isMember(of: list.field.path) }
    }
    places = Dictionary(uniqueKeysWithValues: fields.enumerated().map { ($1.field.path, $0) })
  }

  /// Whether a field with the names of items has others that are laid out by them.
  func namesOthers(_ key: MessageField) -> Bool {
    fields.contains {
      guard case .number = $0.field.content else { return false }
      return $0.field.group == key.group && $0.present > 0 && !$0.conflicts
    } && names(of: key) != nil
  }

  /// The names of the items of a field's group, where its items can be told by them.
  func names(of field: MessageField) -> [String]? {
    guard field.group >= 0,
      let key = fields.first(where: { $0.field.isKey && $0.field.group == field.group }),
      let names = key.texts, !names.isEmpty, !key.hasTwice, key.isUTF8, !key.conflicts,
      !brokenGroups.contains(key.field.path)
    else { return nil }
    return names
  }

  /// The profile of a field.
  subscript(path: String) -> FieldProfile? { places[path].map { fields[$0] } }

  /// The clock of the rows, and why it is not the stamp where there is one.
  func clock(_ wanted: MessageClock?) -> (MessageClock, why: String?) {
    if let wanted, wanted != .stamp { return (wanted, nil) }
    guard stamp.count > 0 else { return (.logTime, nil) }
    let bad = rows - stamp.count + unstamped
    if bad > 0 { return (.logTime, "\(bad) of \(rows) messages have no time of their own") }
    if wanted == nil, stampOffset > Self.farStamp {
      return (
        .logTime,
        "their own times are up to \(stampOffset / 1_000_000_000) s off the log time, so they are of another clock; "
          + "--time stamp takes them"
      )
    }
    return (.stamp, nil)
  }

  /// The times of a clock.
  func times(_ clock: MessageClock) -> TimeTrack {
    switch clock {
    case .stamp: stamp
    case .logTime: log
    case .publishTime: publish
    }
  }
}
