#if Video
  import TrajpackFormat

  /// ISO base media files (mp4, mov): boxes that tile the file (ISO/IEC 14496-12, 4.2).
  enum BoxWalk {
    private static let first: Set<String> = [
      "ftyp", "moov", "mdat", "free", "skip", "wide", "pnot", "styp", "moof", "sidx", "uuid",
    ]

    /// Whether a file that begins with `head` is one.
    static func recognizes(_ head: ArraySlice<UInt8>) -> Bool {
      guard head.count >= 8 else { return false }
      return first.contains(String(decoding: head.dropFirst(4).prefix(4), as: UTF8.self))
    }

    static func check(_ bytes: inout ByteWindow) throws(TrajpackError) -> ContainerStructure {
      var offset: Int64 = 0
      var kinds: Set<String> = []
      var isFragmented = false
      var promised: Int64 = 0
      while offset < bytes.end {
        guard let box = try header(&bytes, at: offset) else {
          if try isZero(&bytes, from: offset) { break }
          throw TrajpackError(
            .data, "ends inside the box header at byte \(offset): the file is cut")
        }
        guard box.end <= bytes.end else {
          throw TrajpackError(
            .data,
            "the box \(box.kind) at byte \(offset) ends at byte \(box.end), but the file "
              + "ends at byte \(bytes.end): the file is cut")
        }
        if box.kind == "sidx" { promised = try max(promised, reach(&bytes, box)) }
        if box.kind == "moof" { isFragmented = true }
        if box.kind == "moov" { try checkEdits(&bytes, box) }
        kinds.insert(box.kind)
        offset = box.end
      }
      guard kinds.contains("moov") else {
        throw TrajpackError(
          .data,
          "has no moov box, the table without which no frame can be found: the recording "
            + "was not finished, or the file is cut")
      }
      guard promised <= bytes.end else {
        throw TrajpackError(
          .data,
          "its segment index reaches to byte \(promised), but the file ends at byte "
            + "\(bytes.end): the file is cut")
      }
      var structure = ContainerStructure()
      if isFragmented, promised == 0 {
        structure.notes.append(
          "a fragmented mp4 without a segment index: a cut exactly between two fragments cannot "
            + "be noticed")
      }
      return structure
    }

    /// Refuses a video whose edit list shows more than one part of it (14496-12, 8.6.6): libavformat gives the packets of
    /// each part with all that its first picture needs, some of them twice.
    private static func checkEdits(_ bytes: inout ByteWindow, _ movie: Box) throws(TrajpackError) {
      for track in try children(&bytes, of: movie) where track.kind == "trak" {
        let parts = try children(&bytes, of: track)
        guard let edits = parts.first(where: { $0.kind == "edts" }),
          let media = parts.first(where: { $0.kind == "mdia" }),
          let handler = try children(&bytes, of: media).first(where: { $0.kind == "hdlr" }),
          try bytes.number(at: handler.body + 8, 4) == tag("vide"),
          let list = try children(&bytes, of: edits).first(where: { $0.kind == "elst" })
        else { continue }
        let shown = try segments(&bytes, list)
        guard shown > 1 else { continue }
        throw TrajpackError(
          .data,
          "its edit list shows \(shown) parts of the film, one after the other, which is not read; "
            + ContainerStructure.asOneFilm)
      }
    }

    /// How many entries of an edit list show something of the media.
    private static func segments(_ bytes: inout ByteWindow, _ list: Box) throws(TrajpackError)
      -> Int
    {
      let width: Int64 = try bytes.number(at: list.body, 1) == 1 ? 8 : 4
      let empty = width == 8 ? UInt64.max : UInt64(UInt32.max)
      let size = 2 * width + 4
      let count = try bytes.number(at: list.body + 4, 4) ?? 0
      var shown = 0
      for entry in 0..<min(Int64(clamping: count), max(list.end - list.body - 8, 0) / size) {
        let time = try bytes.number(at: list.body + 8 + entry * size + width, Int(width))
        if let time, time != empty { shown += 1 }
      }
      return shown
    }

    private static func tag(_ kind: String) -> UInt64 {
      kind.utf8.reduce(0) { $0 << 8 | UInt64($1) }
    }

    /// The boxes in a box, as far as they can be told; what follows damage is libavformat's to refuse.
    private static func children(_ bytes: inout ByteWindow, of box: Box) throws(TrajpackError)
      -> [Box]
    {
      var out: [Box] = []
      var at = box.body
      while at + 8 <= box.end, out.count < 4096 {
        guard let size = try bytes.number(at: at, 4), size == 1 || size >= 8 || size == 0,
          let child = try? header(&bytes, at: at), child.end > at, child.end <= box.end
        else { break }
        out.append(child)
        at = child.end
      }
      return out
    }

    private struct Box {
      var kind: String
      var body: Int64
      var end: Int64
    }

    private static func header(_ bytes: inout ByteWindow, at offset: Int64)
      throws(TrajpackError) -> Box?
    {
      guard let short = try bytes.number(at: offset, 4),
        let tag = try bytes.number(at: offset + 4, 4)
      else { return nil }
      let letters = (0..<4).map { UInt8(truncatingIfNeeded: tag >> (24 - 8 * UInt64($0))) }
      // Apple's tags may begin with a copyright sign, 0xA9.
      guard letters.allSatisfy({ (0x20..<0x7F).contains($0) || $0 == 0xA9 }) else {
        if short == 0, tag == 0 { return nil }
        throw TrajpackError(
          .data, "what lies at byte \(offset) is no mp4 box: the file is damaged")
      }
      let kind = String(decoding: letters, as: UTF8.self)
      var length = short
      var head: Int64 = 8
      if short == 1 {
        guard let long = try bytes.number(at: offset + 8, 8) else { return nil }
        length = long
        head = 16
      }
      if short == 0 { return Box(kind: kind, body: offset + head, end: bytes.end) }
      guard length >= UInt64(head) else {
        throw TrajpackError(
          .data,
          "the box \(kind) at byte \(offset) says it is \(length) bytes long, less than "
            + "its header: the file is damaged")
      }
      let (end, overflow) = offset.addingReportingOverflow(Int64(clamping: length))
      return Box(kind: kind, body: offset + head, end: overflow ? .max : end)
    }

    /// The byte up to which a segment index says there are segments (14496-12, 8.16.3).
    private static func reach(_ bytes: inout ByteWindow, _ box: Box) throws(TrajpackError) -> Int64
    {
      guard let version = try bytes.number(at: box.body, 1) else { return 0 }
      let wide: Int64 = version == 0 ? 4 : 8
      let firstOffset = try bytes.number(at: box.body + 12 + wide, Int(wide)) ?? 0
      let table = box.body + 12 + 2 * wide
      let count = try bytes.number(at: table + 2, 2) ?? 0
      var total = UInt64(clamping: box.end) &+ firstOffset
      for entry in 0..<Int64(count) {
        let place = table + 4 + entry * 12
        guard place + 12 <= box.end, let size = try bytes.number(at: place, 4) else { break }
        total &+= size & 0x7FFF_FFFF
      }
      return Int64(clamping: total)
    }

    /// Whether nothing but zeros follows: padding, which some writers leave.
    private static func isZero(_ bytes: inout ByteWindow, from offset: Int64)
      throws(TrajpackError) -> Bool
    {
      var place = offset
      while place < bytes.end {
        let part = try bytes.take(at: place, 4096)
        guard !part.isEmpty, part.allSatisfy({ $0 == 0 }) else { return false }
        place += Int64(part.count)
      }
      return true
    }
  }

  /// AVI: RIFF chunks that tile the file.
  enum RIFFWalk {
    static func check(_ bytes: inout ByteWindow) throws(TrajpackError) -> ContainerStructure {
      var offset: Int64 = 0
      while offset < bytes.end {
        let tag = try bytes.take(at: offset, 4)
        let size = try bytes.take(at: offset + 4, 4)
        guard size.count == 4 else { break }
        let length = size.reversed().reduce(Int64(0)) { $0 << 8 | Int64($1) }
        guard length > 0 else {
          throw TrajpackError(
            .data, "the chunk at byte \(offset) has no length: the recording was not finished")
        }
        let end = offset + 8 + length
        guard end <= bytes.end else {
          throw TrajpackError(
            .data,
            "the chunk \(String(decoding: tag, as: UTF8.self)) at byte \(offset) ends at "
              + "byte \(end), but the file ends at byte \(bytes.end): the file is cut")
        }
        offset = end + length % 2
      }
      return ContainerStructure()
    }
  }
#endif
