#if Video
  import CFFmpegShims
  import TrajpackFormat

  /// Matroska and WebM: EBML elements that tile the segment (RFC 8794, RFC 9559).
  ///
  /// Every level-1 element and every block of a cluster must end where its parent says; the CRC-32
  /// that an element may carry (RFC 8794, 11.3.1) is checked; the frames of the first video
  /// track are counted.
  struct MatroskaWalk {
    private enum ID {
      static let header: UInt64 = 0x1A45_DFA3
      static let segment: UInt64 = 0x1853_8067
      static let cluster: UInt64 = 0x1F43_B675
      static let tracks: UInt64 = 0x1654_AE6B
      static let trackEntry: UInt64 = 0xAE
      static let trackNumber: UInt64 = 0xD7
      static let trackType: UInt64 = 0x83
      static let simpleBlock: UInt64 = 0xA3
      static let blockGroup: UInt64 = 0xA0
      static let block: UInt64 = 0xA1
      static let crc: UInt64 = 0xBF
      static let void: UInt64 = 0xEC
      /// SeekHead, Info, Tracks, Cues, Tags, Chapters, Attachments, Cluster, CRC-32, Void.
      static let inSegment: Set<UInt64> = [
        0x114D_9B74, 0x1549_A966, tracks, 0x1C53_BB6B, 0x1254_C367, 0x1043_A770, 0x1941_A469,
        cluster, crc, void,
      ]
    }

    private struct Element {
      var id: UInt64
      var start: Int64
      var body: Int64
      /// nil where the size is unknown: it then lasts until an element of its parent's level.
      var end: Int64?
    }

    private var videoTrack: UInt64?
    private var frames = 0

    static func check(_ bytes: inout ByteWindow) throws(TrajpackError) -> ContainerStructure {
      var walk = MatroskaWalk()
      var structure = ContainerStructure()
      let header = try walk.element(&bytes, at: 0, parentEnd: bytes.end)
      guard let headerEnd = header.end else {
        throw TrajpackError(.data, "the EBML header has no length: the file is damaged")
      }
      let segment = try walk.element(&bytes, at: headerEnd, parentEnd: bytes.end)
      guard segment.id == ID.segment else {
        throw TrajpackError(.data, "byte \(headerEnd): no Matroska segment begins here")
      }
      if let end = segment.end {
        try walk.segment(&bytes, from: segment.body, to: end)
        if end < bytes.end {
          structure.notes.append("\(bytes.end - end) bytes follow the end of the segment")
        }
      } else {
        try walk.segment(&bytes, from: segment.body, to: bytes.end)
        structure.notes.append(
          "the segment states no length (streamed, or a recording that was not finished), so a cut "
            + "exactly between two elements cannot be noticed")
      }
      structure.videoFrames = walk.videoTrack == nil ? nil : walk.frames
      return structure
    }

    private mutating func segment(_ bytes: inout ByteWindow, from: Int64, to end: Int64)
      throws(TrajpackError)
    {
      var offset = from
      while offset < end {
        let child = try element(&bytes, at: offset, parentEnd: end)
        guard ID.inSegment.contains(child.id) else {
          throw TrajpackError(
            .data,
            "what lies at byte \(offset) is no Matroska element of a segment: the file is "
              + "damaged")
        }
        guard child.end != nil || child.id == ID.cluster else {
          throw TrajpackError(.data, "the element at byte \(offset) has no length: it is damaged")
        }
        if let childEnd = child.end { try checkCRC(&bytes, child, childEnd) }
        switch child.id {
        case ID.cluster: offset = try cluster(&bytes, child, segmentEnd: end)
        case ID.tracks:
          try tracks(&bytes, from: child.body, to: child.end ?? end)
          offset = child.end ?? end
        default: offset = child.end ?? end
        }
      }
    }

    /// Walks a cluster's blocks; returns where it ends.
    private mutating func cluster(_ bytes: inout ByteWindow, _ cluster: Element, segmentEnd: Int64)
      throws(TrajpackError) -> Int64
    {
      let end = cluster.end ?? segmentEnd
      var offset = cluster.body
      while offset < end {
        let child = try element(&bytes, at: offset, parentEnd: end)
        if cluster.end == nil, ID.inSegment.contains(child.id), child.id != ID.void,
          child.id != ID.crc
        {
          return offset
        }
        guard let childEnd = child.end else {
          throw TrajpackError(.data, "the element at byte \(offset) has no length: it is damaged")
        }
        if child.id == ID.simpleBlock { try count(&bytes, child) }
        if child.id == ID.blockGroup {
          var inner = child.body
          while inner < childEnd {
            let part = try element(&bytes, at: inner, parentEnd: childEnd)
            guard let partEnd = part.end else { break }
            if part.id == ID.block { try count(&bytes, part) }
            inner = partEnd
          }
        }
        offset = childEnd
      }
      return end
    }

    /// Adds a block's frames, where it is of the first video track (RFC 9559, 10.1).
    private mutating func count(_ bytes: inout ByteWindow, _ block: Element) throws(TrajpackError) {
      guard let videoTrack,
        let (number, width) = try vint(&bytes, at: block.body, keepMarker: false),
        number == videoTrack, let flags = try bytes.number(at: block.body + width + 2, 1)
      else { return }
      let isLaced = flags & 0x06 != 0
      let more = isLaced ? try bytes.number(at: block.body + width + 3, 1) ?? 0 : 0
      frames += 1 + Int(more)
    }

    private mutating func tracks(_ bytes: inout ByteWindow, from: Int64, to end: Int64)
      throws(TrajpackError)
    {
      var offset = from
      while offset < end {
        let entry = try element(&bytes, at: offset, parentEnd: end)
        guard let entryEnd = entry.end else { return }
        var number: UInt64?
        var isVideo = false
        var inner = entry.body
        while entry.id == ID.trackEntry, inner < entryEnd {
          let part = try element(&bytes, at: inner, parentEnd: entryEnd)
          guard let partEnd = part.end else { break }
          let length = Int(min(partEnd - part.body, 8))
          if part.id == ID.trackNumber { number = try bytes.number(at: part.body, length) }
          if part.id == ID.trackType { isVideo = try bytes.number(at: part.body, length) == 1 }
          inner = partEnd
        }
        if isVideo, videoTrack == nil { videoTrack = number }
        offset = entryEnd
      }
    }

    private func element(_ bytes: inout ByteWindow, at offset: Int64, parentEnd: Int64)
      throws(TrajpackError) -> Element
    {
      guard let (id, idWidth) = try vint(&bytes, at: offset, keepMarker: true), idWidth <= 4,
        let (size, sizeWidth) = try vint(&bytes, at: offset + idWidth, keepMarker: false)
      else {
        let rest = bytes.end - offset
        throw TrajpackError(
          .data,
          rest < 12
            ? "ends inside the element header at byte \(offset): the file is cut"
            : "what lies at byte \(offset) is no Matroska element: the file is damaged")
      }
      let body = offset + idWidth + sizeWidth
      if size == (UInt64(1) << (7 * UInt64(sizeWidth))) - 1 {
        return Element(id: id, start: offset, body: body, end: nil)
      }
      let (end, overflow) = body.addingReportingOverflow(Int64(clamping: size))
      guard !overflow, end <= parentEnd else {
        let isCut = overflow || end > bytes.end
        throw TrajpackError(
          .data,
          "the element 0x\(String(id, radix: 16)) at byte \(offset) ends at byte \(end), but "
            + (isCut
              ? "the file ends at byte \(bytes.end): the file is cut"
              : "what holds it ends at byte \(parentEnd): the file is damaged"))
      }
      return Element(id: id, start: offset, body: body, end: end)
    }

    /// A variable-length integer and its width (RFC 8794, 4); nil where there is none.
    private func vint(_ bytes: inout ByteWindow, at offset: Int64, keepMarker: Bool)
      throws(TrajpackError) -> (UInt64, Int64)?
    {
      guard let first = try bytes.take(at: offset, 1).first, first != 0 else { return nil }
      let width = first.leadingZeroBitCount + 1
      guard let raw = try bytes.number(at: offset, width) else { return nil }
      let marker = UInt64(1) << (7 * UInt64(width))
      return (keepMarker ? raw : raw & (marker - 1), Int64(width))
    }

    /// Checks the CRC-32 that is an element's first child, where there is one.
    private func checkCRC(_ bytes: inout ByteWindow, _ element: Element, _ end: Int64)
      throws(TrajpackError)
    {
      let head = try bytes.take(at: element.body, 6)
      guard head.count == 6, head.starts(with: [0xBF, 0x84]), element.body + 6 <= end else {
        return
      }
      let stored = head.suffix(4).reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
      let computed = try bytes.source.crc32(from: element.body + 6, to: end)
      guard stored == computed else {
        throw TrajpackError(
          .data,
          "the element 0x\(String(element.id, radix: 16)) at bytes \(element.start) to \(end) "
            + "does not match its CRC-32: the file is damaged")
      }
    }
  }

  extension VideoByteSource {
    /// The CRC-32 of IEEE 802.3 over a range of bytes (libavutil's `av_crc`), in flat memory.
    fileprivate func crc32(from: Int64, to end: Int64) throws(TrajpackError) -> UInt32 {
      try FFmpeg.load()
      let table = av_crc_get_table(AV_CRC_32_IEEE_LE)
      let room = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 64)
      defer { room.deallocate() }
      var crc = UInt32.max
      var offset = from
      while offset < end {
        let wanted = Int(min(Int64(room.count), end - offset))
        let part = UnsafeMutableRawBufferPointer(rebasing: room[..<wanted])
        let count = try fill(part, at: offset)
        guard count > 0 else { break }
        crc = av_crc(table, crc, room.baseAddress?.assumingMemoryBound(to: UInt8.self), count)
        offset += Int64(count)
      }
      return ~crc
    }
  }
#endif
