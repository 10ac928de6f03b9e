import TrajpackFormat

extension RemoteBucket {
  /// An object below the prefix.
  public struct Object: Sendable, Equatable {
    /// What follows the prefix and its slash.
    public let name: String
    /// Its bytes.
    public let bytes: Int
    /// When it was written last, in seconds since 1970, by the server's clock.
    public let modified: Double
    /// What identifies its content.
    public let tag: String
  }

  /// A multipart upload that was begun and neither completed nor given up.
  public struct Upload: Sendable, Equatable {
    /// What follows the prefix and its slash.
    public let name: String
    /// S3's name of it.
    public let id: String
    /// When it was begun, in seconds since 1970, by the server's clock.
    public let begun: Double
  }

  private static let listingRoom = 8 << 20

  /// Lists what is below the prefix, in the order of the names, a page of up to 1,000 objects at a time.
  ///
  /// - Parameters:
  ///   - most: The most objects of a page.
  ///   - take: Is given each page, and says whether the next one is wanted.
  /// - Returns: The server's clock when it answered last, in seconds since 1970; `nil` where it does not say.
  @discardableResult
  public func list(
    most: Int = 1000, _ take: ([Object]) throws(TrajpackError) -> Bool
  ) throws(TrajpackError) -> Double? {
    var token: String?
    while true {
      var request = BucketRequest(
        "GET", root, failing: "the objects below '\(prefix)' cannot be listed",
        query: [
          ("list-type", "2"), ("prefix", prefix), ("encoding-type", "url"), ("max-keys", "\(most)"),
        ])
      if let token { request.query.append(("continuation-token", token)) }
      request.room = Self.listingRoom
      let answer = try request.answer()
      let text = answer.text
      var page: [Object] = []
      for entry in XMLText.all("Contents", in: text) {
        guard let name = name(in: entry),
          let bytes = XMLText.first("Size", in: entry).flatMap({ Int($0) }), bytes >= 0
        else { throw unreadable(request) }
        page.append(
          Object(
            name: name, bytes: bytes,
            modified: XMLText.first("LastModified", in: entry).flatMap(CredentialRequest.seconds)
              ?? 0,
            tag: XMLText.first("ETag", in: entry) ?? ""))
      }
      guard text.contains("ListBucketResult") else { throw unreadable(request) }
      let wants = try take(page)
      let isTruncated = XMLText.first("IsTruncated", in: text) == "true"
      guard wants, isTruncated else { return HTTPDate.seconds(answer.answer.headers["date"]) }
      guard let next = XMLText.first("NextContinuationToken", in: text), next != token else {
        throw unreadable(request)
      }
      token = next
    }
  }

  /// The multipart uploads below the prefix that are not completed, a request for each 1,000.
  ///
  /// - Parameter most: The most uploads of a page.
  public func uploads(most: Int = 1000) throws(TrajpackError) -> [Upload] {
    var found: [Upload] = []
    var marker: (key: String, upload: String)?
    while true {
      var request = BucketRequest(
        "GET", root, failing: "the unfinished uploads below '\(prefix)' cannot be listed",
        query: [
          ("uploads", ""), ("prefix", prefix), ("encoding-type", "url"), ("max-uploads", "\(most)"),
        ])
      if let marker {
        request.query.append(("key-marker", marker.key))
        request.query.append(("upload-id-marker", marker.upload))
      }
      request.room = Self.listingRoom
      let text = try request.answer().text
      guard text.contains("ListMultipartUploadsResult") else { throw unreadable(request) }
      for entry in XMLText.all("Upload", in: text) {
        guard let name = name(in: entry), let id = XMLText.first("UploadId", in: entry) else {
          throw unreadable(request)
        }
        found.append(
          Upload(
            name: name, id: id,
            begun: XMLText.first("Initiated", in: entry).flatMap(CredentialRequest.seconds) ?? 0))
      }
      guard XMLText.first("IsTruncated", in: text) == "true" else { return found }
      guard let key = XMLText.first("NextKeyMarker", in: text).map(Self.decoded),
        let upload = XMLText.first("NextUploadIdMarker", in: text),
        marker?.key != key || marker?.upload != upload
      else { throw unreadable(request) }
      marker = (key, upload)
      try Interruption.check()
    }
  }

  /// Gives a multipart upload up; it is no error where it is gone.
  public func abort(_ name: String, upload id: String) throws(TrajpackError) {
    _ = try BucketRequest(
      "DELETE", location.appending(name), failing: "an unfinished upload of it cannot be removed",
      query: [("uploadId", id)]
    ).answer(accepting: [404])
  }

  /// The name of an entry below the prefix; `nil` where it has none.
  private func name(in entry: String) -> String? {
    guard let text = XMLText.first("Key", in: entry) else { return nil }
    let key = Self.decoded(text)
    return key.hasPrefix(prefix) ? String(key.dropFirst(prefix.count)) : nil
  }

  /// A key as it was before a listing has encoded it.
  private static func decoded(_ text: String) -> String {
    PercentEncoding.decode(String(text.map { $0 == "+" ? " " : $0 }))
  }

  private func unreadable(_ request: BucketRequest) -> TrajpackError {
    TrajpackError(
      .machine,
      "\(location): \(request.failure): the server's answer is no listing of S3; check the endpoint"
    )
  }
}
