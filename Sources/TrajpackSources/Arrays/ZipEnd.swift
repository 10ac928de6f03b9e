import TrajpackFormat
import TrajpackStore

/// The end of a zip archive: where the directory lies and how many members it has.
struct ZipEnd {
  let directory: Range<Int>
  let count: Int

  /// Finds the end record: the last 22 bytes and a comment of up to 65,535.
  init(_ file: LocalFile, _ origin: ByteOrigin) throws(TrajpackError) {
    guard file.length >= 4 else {
      throw origin.wrong("has \(file.length) bytes, which is no zip archive; fetch the file again")
    }
    let magic = try file.bytes(0..<4).little(0, as: UInt32.self)
    guard magic == 0x0403_4B50 || magic == 0x0605_4B50 else {
      if try GitLFS.isPointer(file) { throw origin.wrong(GitLFS.refusal) }
      throw origin.wrong("is no zip archive (it does not begin with 'PK'); check the file")
    }
    let start = max(file.length - 22 - 65_535, 0)
    let tail = try file.bytes(start..<file.length)
    guard
      let found = stride(from: tail.count - 22, through: 0, by: -1).first(where: { at in
        tail[at] == 0x50 && tail.little(at, as: UInt32.self) == 0x0605_4B50
          && at + 22 + Int(tail.little(at + 20, as: UInt16.self)) == tail.count
      })
    else {
      throw origin.wrong(
        "was cut short: the zip directory at its end is missing; fetch the file again")
    }
    let record = Array(tail[found..<found + 22])
    let at = start + found
    var (count, size, offset) = (
      UInt64(record.little(10, as: UInt16.self)), UInt64(record.little(12, as: UInt32.self)),
      UInt64(record.little(16, as: UInt32.self))
    )
    var disks =
      UInt64(record.little(4, as: UInt16.self)) | UInt64(record.little(6, as: UInt16.self))
    var here = UInt64(record.little(8, as: UInt16.self))
    var end = at
    if let long = try Self.zip64(file, before: at, origin) {
      let wide = try file.bytes(long..<long + 56)
      func choose(_ short: inout UInt64, _ limit: UInt64, _ offset: Int) {
        if short == limit { short = wide.little(offset, as: UInt64.self) }
      }
      choose(&here, 0xFFFF, 24)
      choose(&count, 0xFFFF, 32)
      choose(&size, 0xFFFF_FFFF, 40)
      choose(&offset, 0xFFFF_FFFF, 48)
      if disks == 0xFFFF { disks = UInt64(wide.little(16, as: UInt64.self)) }
      end = long
    }
    guard disks == 0, here == count else {
      throw origin.wrong("is a part of a split zip archive, which is not read")
    }
    guard size <= ZipArchive.largestDirectory, count <= size / 46 else {
      throw origin.wrong("claims a zip directory of \(count) members in \(size) bytes")
    }
    guard offset <= UInt64(end), UInt64(end) - offset == size else {
      throw origin.wrong(
        "the end of the zip directory at byte \(at) does not fit the file: it claims bytes "
          + "\(offset) to \(offset.addingReportingOverflow(size).partialValue); the file was cut or changed"
      )
    }
    directory = Int(offset)..<end
    self.count = Int(count)
  }

  /// The place of the zip64 end record that a locator before the end record names; `nil` for none.
  private static func zip64(
    _ file: LocalFile, before end: Int, _ origin: ByteOrigin
  ) throws(TrajpackError) -> Int? {
    guard end >= 20 else { return nil }
    let locator = try file.bytes(end - 20..<end)
    guard locator.little(0, as: UInt32.self) == 0x0706_4B50 else { return nil }
    let place = locator.little(8, as: UInt64.self)
    guard end >= 76, place <= UInt64(end - 76), locator.little(4, as: UInt32.self) == 0,
      locator.little(16, as: UInt32.self) <= 1
    else { throw origin.wrong("the zip64 locator at byte \(end - 20) points outside the file") }
    let record = try file.bytes(Int(place)..<Int(place) + 12)
    guard record.little(0, as: UInt32.self) == 0x0606_4B50,
      record.little(4, as: UInt64.self) == UInt64(end - 20) - place - 12
    else { throw origin.wrong("the zip64 end record at byte \(place) is damaged") }
    return Int(place)
  }
}
