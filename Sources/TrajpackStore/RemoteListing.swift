import TrajpackFormat
import TrajpackRemote

/// The shards of a dataset on a server: those of its manifest, so that nothing is listed there; or one shard, where the
/// path ends in `.h5`.
struct RemoteListing {
  /// Without secrets.
  let path: String
  let manifest: Manifest?
  let shardPaths: [String]

  init(_ path: String) throws(TrajpackError) {
    self = try RemoteLocation.opened(path) { (location, asks) throws(TrajpackError) in
      try RemoteListing(location, asks: asks)
    }
  }

  private init(_ location: RemoteLocation, asks: Bool) throws(TrajpackError) {
    path = location.description
    if location.path.hasSuffix(".h5") {
      if asks { _ = try RemoteFile(path) }
      (manifest, shardPaths) = (nil, [path])
      return
    }
    do throws(TrajpackError) {
      let manifest = try Manifest(inFolder: path)
      self.manifest = manifest
      shardPaths = manifest.shards.map { location.appending($0.name).description }
    } catch {
      guard error.message.contains(": does not exist") else { throw error }
      throw TrajpackError(
        error.fault,
        "\(error.message); a remote dataset is a folder with a \(Manifest.fileName), or one shard whose name ends in .h5",
        at: error.place)
    }
  }
}
