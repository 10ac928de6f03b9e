import Glibc
import TrajpackFormat

extension Dataset {
  /// Makes a dataset of a single shard in a new folder, so that it can have side files. The shard gets a second name by
  /// a hard link; where the file system has none, it is copied.
  ///
  /// - Throws: A usage error where the folder is there, or `path` is no single shard.
  public static func wrap(shard path: String, into folder: String) throws(TrajpackError) {
    guard FileSystem.item(at: path) == .file else {
      throw TrajpackError(
        .usage, file: path,
        "is no single shard; '--into' is for one, a dataset is changed where it is"
      )
    }
    guard FileSystem.item(at: folder) == nil else {
      throw TrajpackError(.usage, file: folder, "is there already; name a new folder")
    }
    let shard = try Shard(path)
    let index = shard.index
    let name = Manifest.shardName(0)
    try FileSystem.makeFolder(folder)
    do throws(TrajpackError) {
      let target = "\(folder)/\(name)"
      if link(path, target) != 0 { try FileSystem.copy(path, to: target) }
      let entry = Manifest.Entry(
        name: name,
        receipt: .init(
          bytes: shard.file.length, digest: try shard.file.digest(), episodes: index.episodeCount,
          rows: (0..<index.trackCount).reduce(0) { $0 + index.rows(ofTrack: $1).count }))
      let codec = shard.schema.blocks.first?.codec ?? .none
      try Manifest.finish(
        folder, shards: [entry],
        source: .record([
          "type": "plan", "format": "writer", "options": .object([]), "codec": .string(codec.name),
          "shard_bytes": .int(64 << 20),
        ]))
    } catch {
      for name in (try? FileSystem.names(in: folder)) ?? [] { unlink("\(folder)/\(name)") }
      rmdir(folder)
      throw error
    }
  }
}

extension FileSystem {
  /// Copies a file, durably.
  static func copy(_ path: String, to target: String) throws(TrajpackError) {
    let source = try LocalFile(path)
    let fd = open(target, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o666)
    guard fd >= 0 else { throw .system("cannot be made", target) }
    defer { close(fd) }
    for start in stride(from: 0, to: source.length, by: 1 << 20) {
      try write(try source.bytes(start..<min(start + 1 << 20, source.length)), to: fd, target)
    }
    try sync(fd, target)
  }
}
