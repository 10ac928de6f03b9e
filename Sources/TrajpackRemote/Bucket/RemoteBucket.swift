import TrajpackCodecs
import TrajpackFormat

/// A prefix of a bucket that objects are written to, listed and removed. Any thread may use it.
public struct RemoteBucket: Sendable {
  let location: RemoteLocation

  /// Where it is: `s3://bucket/prefix`, without secrets.
  public var path: String { location.description }

  /// A prefix of a bucket; nothing is asked.
  ///
  /// - Throws: A usage error where the path is none of `s3://`.
  public init(_ path: String) throws(TrajpackError) {
    location = try RemoteLocation(path)
    guard location.scheme == .s3 else {
      throw TrajpackError(
        .usage, file: location.description,
        "trajpack writes to buckets (s3://BUCKET/PREFIX) and to folders of this machine; write to one of them, and copy "
          + "it there")
    }
    guard !location.path.isEmpty else {
      throw TrajpackError(
        .usage, file: location.description, "names a bucket only; write s3://BUCKET/PREFIX")
    }
  }

  init(_ location: RemoteLocation) { self.location = location }

  /// Whether a path is one of a bucket.
  public static func isBucket(_ path: String) -> Bool { path.utf8.starts(with: "s3://".utf8) }

  /// The path of an object below the prefix.
  public func path(of name: String) -> String { location.appending(name).description }

  /// The bucket itself, for operations that name keys in their query.
  var root: RemoteLocation { location.root }

  /// The beginning of all keys below the prefix.
  var prefix: String { location.path.isEmpty ? "" : "\(location.path)/" }

  /// What is known of an object without reading it.
  public struct Facts: Sendable, Equatable {
    /// Its bytes.
    public let bytes: Int
    /// The SHA-256 that its writer has said; `nil` where it said none.
    public let sha256: String?
  }

  /// What is known of an object; `nil` where there is none. One request.
  public func facts(of name: String) throws(TrajpackError) -> Facts? {
    try beginFacts(of: name)()
  }

  /// Asks what is known of an object, and gives what waits for the answer.
  func beginFacts(
    of name: String
  ) throws(TrajpackError) -> () throws(TrajpackError) -> Facts? {
    // Not HEAD, whose answers say nothing of what is wrong.
    var request = BucketRequest("GET", location.appending(name), failing: "it cannot be looked at")
    request.headers = ["Range: bytes=0-0"]
    let pending = try request.begin()
    return { () throws(TrajpackError) in
      let answer = try pending.wait(accepting: [404, 416]).answer
      let bytes: Int
      switch answer.status {
      case 404: return nil
      case 416: bytes = 0
      default: bytes = ContentRange(answer)?.total ?? answer.received
      }
      let sha256 = answer.headers[Self.digestHeader]
      return Facts(bytes: bytes, sha256: sha256.flatMap { $0.utf8.count == 64 ? $0 : nil })
    }
  }

  /// The header that says the SHA-256 of an object, which trajpack has written.
  static let digestHeader = "x-amz-meta-sha256"

  /// What is known of several objects, in order, asked for many at once.
  public func facts(of names: [String]) throws(TrajpackError) -> [Facts?] {
    var found: [Facts?] = []
    for first in stride(from: 0, to: names.count, by: 64) {
      var waiting: [() throws(TrajpackError) -> Facts?] = []
      for name in names[first..<min(first + 64, names.count)] {
        waiting.append(try beginFacts(of: name))
      }
      for wait in waiting { found.append(try wait()) }
    }
    return found
  }

  /// Removes an object; it is no error where there is none.
  public func remove(_ name: String) throws(TrajpackError) {
    _ = try BucketRequest("DELETE", location.appending(name), failing: "it cannot be removed")
      .answer(accepting: [404])
  }
}

extension RemoteLocation {
  /// The bucket of a path.
  var root: RemoteLocation { RemoteLocation(bucket: authority) }
}
