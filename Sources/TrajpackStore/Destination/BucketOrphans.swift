import TrajpackFormat
import TrajpackRemote

/// What a crash has left below a prefix of a bucket: objects of trajpack's names that no manifest names, and multipart
/// uploads that were begun and never completed. Objects of other names, and what lies in folders below, are not looked at.
public struct BucketOrphans {
  /// Something that no manifest names.
  public struct Item: Sendable, Equatable {
    /// The name below the prefix.
    public let name: String
    /// Its bytes; `nil` for an unfinished upload, whose parts S3 does not tell.
    public let bytes: Int?
    /// Seconds since it was written or begun, by the server's clock.
    public let age: Double
    /// S3's name of the unfinished upload.
    let upload: String?

    /// Whether it is an upload that was never completed.
    public var isUpload: Bool { upload != nil }
  }

  private let bucket: RemoteBucket
  /// Where it was looked, without secrets.
  public var path: String { bucket.path }
  /// Whether there is a manifest.
  public let isFinished: Bool
  /// Those that are old enough to be removed, by name.
  public let items: [Item]
  /// How many are younger: a writer may be at work.
  public let younger: Int
  /// How many are of no known age, because the server says no time, or none that can be read. They are left alone.
  public let unknown: Int
  /// Objects of other names.
  public let others: Int

  /// Lists what is there.
  ///
  /// - Parameter age: Seconds that something must have been there for.
  public init(_ path: String, olderThan age: Double) throws(TrajpackError) {
    bucket = try RemoteBucket(path)
    var (found, others) = ([RemoteBucket.Object](), 0)
    // Objects first: what a writer finishes meanwhile is in its manifest afterwards.
    let clock = try bucket.list { (page) throws(TrajpackError) in
      for object in page where object.name != Manifest.fileName && !object.name.isEmpty {
        if Manifest.owns(object.name) { found.append(object) } else { others += 1 }
      }
      try Interruption.check()
      return true
    }
    let uploads = try bucket.uploads()
    isFinished = try bucket.facts(of: Manifest.fileName) != nil
    let manifest = isFinished ? try Manifest(inFolder: bucket.path) : nil
    let named = Set(
      (manifest?.shards.map(\.name) ?? []) + (manifest?.sideFiles.map(\.file) ?? []))
    var items: [Item] = []
    var unknown = 0
    func add(_ name: String, _ bytes: Int?, _ time: Double?, _ upload: String?) {
      guard let clock, let time else {
        unknown += 1
        return
      }
      items.append(Item(name: name, bytes: bytes, age: clock - time, upload: upload))
    }
    for object in found where !named.contains(object.name) {
      add(object.name, object.bytes, object.modified, nil)
    }
    for upload in uploads where Manifest.owns(upload.name) || upload.name == Manifest.fileName {
      add(upload.name, nil, upload.begun, upload.id)
    }
    self.items = items.filter { $0.age >= age }.sorted { $0.name < $1.name }
    younger = items.count - self.items.count
    self.unknown = unknown
    self.others = others
  }

  /// Removes them.
  ///
  /// - Parameter removed: Told of each.
  public func remove(_ removed: (Item) -> Void = { _ in }) throws(TrajpackError) {
    // A dataset may have been finished since it was looked at.
    guard try isFinished == (bucket.facts(of: Manifest.fileName) != nil) else {
      throw TrajpackError(
        .usage, file: path, "was finished or removed meanwhile, so nothing was removed; look again")
    }
    for item in items {
      try Interruption.check()
      if let upload = item.upload {
        try bucket.abort(item.name, upload: upload)
      } else {
        try bucket.remove(item.name)
      }
      removed(item)
    }
  }
}
