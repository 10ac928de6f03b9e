import CPlatform
import Glibc
import TrajpackFormat

extension IndexMemory {
  /// Of fewer bytes, an index is not worth a file.
  private static let least = 64 << 10
  /// Linux allows a process 65,530 maps.
  private static let mostFiles = 32_000

  /// Memory for an index of `bytes` bytes in its shard, which takes at most `room`: a file without a name where the process
  /// keeps many indexes, on a disk with room for it; else ordinary memory.
  package convenience init(indexBytes bytes: Int, room: Int) {
    self.init(Self.file(bytes, room), indexBytes: bytes)
  }

  private static func file(_ bytes: Int, _ room: Int) -> File? {
    let now = inUse
    guard bytes >= least, now.kept + bytes > mostKept, now.files < mostFiles else { return nil }
    // Temporary folders are often in memory; /var/tmp is not.
    let named = getenv("TMPDIR").map { String(cString: $0) } ?? ""
    for folder in [named, "/var/tmp", "/tmp"] where !folder.isEmpty {
      var descriptor: Int32 = -1
      if let start = tp_disk_memory(folder, room, &descriptor) {
        return File(start: start, count: room, descriptor: descriptor)
      }
    }
    return nil
  }
}
