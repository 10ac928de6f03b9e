import TrajpackFormat

/// The rows of one channel, packed, ready to be laid into blocks.
package struct ChannelRows {
  /// The bytes.
  package var spool: RowSpool
  /// Where the first row begins.
  package var offset: Int

  package init(spool: RowSpool, offset: Int = 0) {
    self.spool = spool
    self.offset = offset
  }
}

extension Schema {
  /// The blocks of a stream's rows, in order, without its blob.
  package func rowBlocks(of stream: Int) -> [Int] {
    blocks.indices.filter { blocks[$0].stream == stream && streams[stream].blob != $0 }
  }

  /// Lays rows of channels into the rows of a stream's blocks.
  ///
  /// - Parameter channels: For each channel of the stream, its packed rows, of the type that is
  ///   stored.
  package func blockRows(
    of stream: Int, _ channels: [ChannelRows], count: Int
  ) throws(TrajpackError) -> [TrackDraft.Rows] {
    var out: [TrackDraft.Rows] = []
    for number in rowBlocks(of: stream) {
      let block = blocks[number]
      let inside = streams[stream].channels.indices.filter {
        streams[stream].channels[$0].storage.block == number
      }
      if inside.count == 1 {
        // The only channel of a block is the block.
        out.append(.init(channels[inside[0]].spool, offset: channels[inside[0]].offset))
        continue
      }
      let spool = RowSpool()
      let perPiece = max((128 << 10) / block.rowBytes, 1)
      let rows = ByteBuffer(perPiece * block.rowBytes)
      for first in stride(from: 0, to: count, by: perPiece) {
        let piece = min(perPiece, count - first)
        for i in inside {
          let channel = streams[stream].channels[i]
          let width = channel.storedElements
          let size = width * block.type.size
          let bytes = ByteBuffer(piece * size)
          try channels[i].spool.read(at: channels[i].offset + first * size, into: bytes.bytes)
          let from = bytes.bytes.baseAddress.unsafelyUnwrapped
          let to =
            rows.bytes.baseAddress.unsafelyUnwrapped + channel.storage.column * block.type.size
          for row in 0..<piece {
            (to + row * block.rowBytes).copyMemory(from: from + row * size, byteCount: size)
          }
        }
        try spool.append(UnsafeRawBufferPointer(rebasing: rows.bytes[..<(piece * block.rowBytes)]))
      }
      out.append(.init(spool))
    }
    return out
  }
}
