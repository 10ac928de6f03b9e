import TrajpackFormat

extension RemoteBucket {
  /// An object below the prefix.
  public struct Object: Sendable, Equatable {
    /// What follows the prefix and its slash.
    public let name: String
    /// Its bytes.
    public let bytes: Int
    /// When it was written last, in seconds since 1970, by the server's clock; `nil` where it does not say.
    public let modified: Double?
    /// What identifies its content.
    public let tag: String
  }

  /// A multipart upload that was begun and neither completed nor given up.
  public struct Upload: Sendable, Equatable {
    /// What follows the prefix and its slash.
    public let name: String
    /// S3's name of it.
    public let id: String
    /// When it was begun, in seconds since 1970, by the server's clock; `nil` where it does not say.
    public let begun: Double?
  }

  private static let listingRoom = 8 << 20
  /// The most bytes that the objects of a listing may have in sum: a million objects of a terabyte, and sums of some
  /// listings are numbers of 64 bits.
  static let mostBytes = 1 << 60

  /// The way through the pages of a listing, which ends whatever a server says.
  private struct Pages {
    /// The most pages without an entry, one after the other.
    static let mostEmpty = 1000
    private var seen: Set<String> = []
    private var empty = 0

    /// Whether the next page, which the server calls by a token, may be asked for.
    mutating func goes(on token: String, hadEntries: Bool) -> Bool {
      empty = hadEntries ? 0 : empty + 1
      return seen.insert(token).inserted && empty < Self.mostEmpty
    }
  }

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
    var pages = Pages()
    var sum = 0
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
      let isEncoded = Self.isEncoded(text)
      var page: [Object] = []
      for entry in XMLText.all("Contents", in: text) {
        guard let name = name(in: entry, isEncoded),
          let bytes = XMLText.first("Size", in: entry).flatMap({ Int($0) }), bytes >= 0
        else { throw unreadable(request) }
        guard bytes <= Self.mostBytes - sum else {
          throw TrajpackError(
            .machine,
            "\(location): \(request.failure): the server says that they have more than \(Self.mostBytes) bytes in sum; check "
              + "the endpoint")
        }
        sum += bytes
        page.append(
          Object(
            name: name, bytes: bytes,
            modified: XMLText.first("LastModified", in: entry).flatMap(CredentialRequest.seconds),
            tag: XMLText.first("ETag", in: entry) ?? ""))
      }
      guard text.contains("ListBucketResult") else { throw unreadable(request) }
      let wants = try take(page)
      let isTruncated = XMLText.first("IsTruncated", in: text) == "true"
      guard wants, isTruncated else { return HTTPDate.seconds(answer.answer.headers["date"]) }
      guard let next = XMLText.first("NextContinuationToken", in: text) else {
        throw unreadable(request)
      }
      guard pages.goes(on: next, hadEntries: !page.isEmpty) else { throw endless(request) }
      token = next
    }
  }

  /// The multipart uploads below the prefix that are not completed, a request for each 1,000.
  ///
  /// - Parameter most: The most uploads of a page.
  public func uploads(most: Int = 1000) throws(TrajpackError) -> [Upload] {
    var found: [Upload] = []
    var marker: (key: String, upload: String)?
    var pages = Pages()
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
      let isEncoded = Self.isEncoded(text)
      let before = found.count
      for entry in XMLText.all("Upload", in: text) {
        guard let name = name(in: entry, isEncoded), let id = XMLText.first("UploadId", in: entry)
        else {
          throw unreadable(request)
        }
        found.append(
          Upload(
            name: name, id: id,
            begun: XMLText.first("Initiated", in: entry).flatMap(CredentialRequest.seconds)))
      }
      guard XMLText.first("IsTruncated", in: text) == "true" else { return found }
      guard let next = XMLText.first("NextKeyMarker", in: text),
        let upload = XMLText.first("NextUploadIdMarker", in: text)
      else { throw unreadable(request) }
      let key = isEncoded ? Self.decoded(next) : next
      guard pages.goes(on: "\(key)\n\(upload)", hadEntries: found.count > before) else {
        throw endless(request)
      }
      marker = (key, upload)
      try Interruption.check()
    }
  }

  /// Gives a multipart upload up; it is no error where it is gone.
  ///
  /// - Parameter isHasty: Whether that is tried for some seconds only, also where the call is to end.
  public func abort(
    _ name: String, upload id: String, isHasty: Bool = false
  ) throws(TrajpackError) {
    var request = BucketRequest(
      "DELETE", location.appending(name), failing: "an unfinished upload of it cannot be removed",
      query: [("uploadId", id)])
    guard isHasty else {
      _ = try request.answer(accepting: [404])
      return
    }
    (request.mostAttempts, request.stalledSeconds) = (3, 3)
    _ = try Interruption.unwatched { () throws(TrajpackError) in
      try request.answer(accepting: [404])
    }
  }

  /// The name of an entry below the prefix; `nil` where it has none.
  private func name(in entry: String, _ isEncoded: Bool) -> String? {
    guard let text = XMLText.first("Key", in: entry) else { return nil }
    let key = (isEncoded ? Self.decoded(text) : text).utf8
    // By bytes: a key may go on with a mark that makes one character with the slash.
    guard key.starts(with: prefix.utf8) else { return nil }
    return String(decoding: key.dropFirst(prefix.utf8.count), as: UTF8.self)
  }

  /// Whether the keys of a listing are encoded; some servers do not do what is asked for.
  private static func isEncoded(_ listing: String) -> Bool {
    XMLText.first("EncodingType", in: listing) == "url"
  }

  /// A key as it was before a listing has encoded it.
  private static func decoded(_ text: String) -> String {
    PercentEncoding.decode(
      String(decoding: text.utf8.map { $0 == 0x2B ? 0x20 : $0 }, as: UTF8.self))
  }

  private func endless(_ request: BucketRequest) -> TrajpackError {
    TrajpackError(
      .machine,
      "\(location): \(request.failure): the server's listing has no end (it names a page again, or \(Pages.mostEmpty) pages "
        + "without an entry); check the endpoint")
  }

  private func unreadable(_ request: BucketRequest) -> TrajpackError {
    TrajpackError(
      .machine,
      "\(location): \(request.failure): the server's answer is no listing of S3; check the endpoint"
    )
  }
}
