/// What is known of one packet beside its numbers.
public struct VideoPacketFlags: OptionSet, Sendable {
  /// The bits.
  public let rawValue: UInt8
  /// The set with these bits.
  public init(rawValue: UInt8) { self.rawValue = rawValue }

  /// Decoding can begin here.
  public static let keyframe = VideoPacketFlags(rawValue: 1)
  /// Decoded but never shown: cut away by an edit list, or a reference that has no picture.
  public static let hidden = VideoPacketFlags(rawValue: 2)
  /// Carries side data that changes the decoder (new parameter sets, a palette), so the payload
  /// alone is not enough: the decoder then reads through the demuxer.
  public static let sideData = VideoPacketFlags(rawValue: 4)
  /// The container calls it a keyframe, but it only begins a gradual refresh (H.264 recovery
  /// point): pictures decoded from here on are not exact, so decoding begins at an earlier one.
  public static let gradual = VideoPacketFlags(rawValue: 8)
}

/// The packet table of one video stream, in decode order, a column an array.
///
/// It holds 37 bytes a packet and is all that grows with the length of a video.
public struct VideoPackets: Sendable, Equatable {
  /// Stands in `pts`, `dts` and `duration` for "absent" (`AV_NOPTS_VALUE`).
  public static let absent = Int64.min
  /// Stands in `offset` for "the payload does not lie in the file as it is" (laced, compressed,
  /// stripped or split by the container).
  public static let noOffset: Int64 = -1

  /// Presentation time in ticks.
  public var pts: [Int64] = []
  /// Decode time in ticks. Matroska stores none: there it is libavformat's reconstruction.
  public var dts: [Int64] = []
  /// Duration in ticks; ``absent`` where the container states none.
  public var duration: [Int64] = []
  /// Payload length in bytes.
  public var size: [Int32] = []
  /// Byte in the file where the payload begins, proved by comparing all its bytes; or
  /// ``noOffset``.
  public var offset: [Int64] = []
  /// See ``VideoPacketFlags``.
  public var flags: [VideoPacketFlags] = []

  /// An empty table.
  public init() {}

  /// How many packets it holds.
  public var count: Int { pts.count }

  /// Whether all columns have the same length; a table read from elsewhere may not.
  public var isRectangular: Bool {
    dts.count == count && duration.count == count && size.count == count
      && offset.count == count && flags.count == count
  }

  /// Whether a decoder can read every payload straight from the file, without a demuxer.
  public var isSelfSufficient: Bool {
    !offset.contains { $0 < 0 } && !flags.contains { $0.contains(.sideData) }
  }

  mutating func append(_ packet: VideoPacket) {
    pts.append(packet.pts)
    dts.append(packet.dts)
    duration.append(packet.duration)
    size.append(packet.size)
    offset.append(packet.offset)
    flags.append(packet.flags)
  }
}

/// One packet while a file is indexed.
public struct VideoPacket {
  /// Its number in decode order.
  public let number: Int
  /// Presentation time in ticks, or `VideoPackets.absent`.
  public let pts: Int64
  /// Decode time in ticks, or `VideoPackets.absent`.
  public let dts: Int64
  /// Duration in ticks, or `VideoPackets.absent`.
  public let duration: Int64
  /// Payload length in bytes.
  public let size: Int32
  /// Where the payload begins in the file, or `VideoPackets.noOffset`.
  public let offset: Int64
  /// See ``VideoPacketFlags``.
  public let flags: VideoPacketFlags
  /// The bytes; valid only inside the callback.
  public let payload: UnsafeRawBufferPointer
}

/// What indexing a video file found.
public struct VideoIndex: Sendable, Equatable {
  /// libavformat's name: `mov,mp4,m4a,3gp,3g2,mj2` or `matroska,webm`.
  public var container = ""
  /// Length of the file in bytes.
  public var byteCount: Int64 = 0
  /// The first video stream that is no cover picture.
  public var stream = VideoStream()
  /// Its number in the container; -1 for the first video stream that is no cover picture.
  public var streamNumber = 0
  /// All the other streams.
  public var others: [VideoOtherStream] = []
  /// The packet table.
  public var packets = VideoPackets()
  /// What could not be proved, a sentence each; empty for a sound mp4 or mkv.
  public var notes: [String] = []

  /// An index with nothing in it.
  public init() {}
}
