import TrajpackCodecs
import TrajpackFormat

extension RemoteBucket {
  /// What is written as an object.
  public struct Content {
    /// Its bytes.
    public var bytes: Int
    /// Its SHA-256, 64 hexadecimal digits, which is kept with the object.
    public var sha256: String
    /// Where it is, for errors.
    public var path: String
    /// Fills a buffer from a byte on.
    public var read: (Int, UnsafeMutableRawBufferPointer) throws(TrajpackError) -> Void

    /// Content that is read by parts.
    public init(
      bytes: Int, sha256: String, path: String,
      read: @escaping (Int, UnsafeMutableRawBufferPointer) throws(TrajpackError) -> Void
    ) {
      (self.bytes, self.sha256, self.path, self.read) = (bytes, sha256, path, read)
    }

    /// Content that is in memory.
    public init(_ content: [UInt8], path: String) {
      self.init(
        bytes: content.count, sha256: content.withUnsafeBytes { SHA256.of($0) }, path: path
      ) { offset, buffer in
        buffer.copyBytes(from: content[offset..<offset + buffer.count])
      }
    }
  }

  /// What became of an upload.
  public enum Outcome: Sendable, Equatable {
    /// It was written.
    case stored
    /// The same content was there.
    case wasThere
  }

  /// Told the id of a multipart upload when it is begun, and `nil` when it has ended.
  public typealias UploadNote = (String?) throws(TrajpackError) -> Void

  /// The parts that are under way at once.
  static let partsAtOnce = 4
  /// The most parts that S3 takes.
  static let mostParts = 10_000

  /// Writes an object: in one request, or where it is longer than a part by parts, several at once.
  ///
  /// Every request has the SHA-256 of its bytes, which S3 compares, and their CRC-32C; where the server says what it has,
  /// that is compared. An upload that fails is given up, so that no parts stay.
  ///
  /// - Parameters:
  ///   - replacing: Puts it in the place of another content. Else an object of that name stays as it is: it is the same,
  ///     or an error. That is looked at before, and asked of the server (`If-None-Match: *`), which decides between two
  ///     writers where it knows the header.
  ///   - took: Told how many more bytes the server has.
  /// - Throws: A data error where the content is not what its SHA-256 says.
  @discardableResult
  public func put(
    _ name: String, _ content: Content, type: String = "application/x-hdf5",
    replacing: Bool = false, note: UploadNote = { (_) throws(TrajpackError) in },
    took: (Int) -> Void = { _ in }
  ) throws(TrajpackError) -> Outcome {
    if !replacing, let outcome = try compared(name, content) { return outcome }
    let part = try RemoteSettings.current().partBytes
    let outcome =
      content.bytes <= part
      ? try putWhole(name, content, type, replacing: replacing)
      : try putParts(name, content, type, replacing: replacing, part: part, note, took)
    if content.bytes <= part { took(content.bytes) }
    return outcome
  }

  /// Whether the object is there with the same content; `nil` where none is there.
  private func compared(_ name: String, _ content: Content) throws(TrajpackError) -> Outcome? {
    guard let facts = try facts(of: name) else { return nil }
    guard facts.bytes == content.bytes, facts.sha256 == content.sha256 else {
      let other =
        facts.sha256 == nil
        ? "has \(facts.bytes) bytes and no SHA-256 of trajpack's" : "has another content"
      throw TrajpackError(
        .usage, file: path(of: name),
        "is there already and \(other), so it is another writer's, or of other options; name another prefix, or remove "
          + "what lies there ('trajpack gc \(path)' lists what no manifest names)")
    }
    return .wasThere
  }

  private func putWhole(
    _ name: String, _ content: Content, _ type: String, replacing: Bool
  ) throws(TrajpackError) -> Outcome {
    let buffer = OwnedBuffer(count: content.bytes)
    let bytes = UnsafeMutableRawBufferPointer(rebasing: buffer.bytes[..<content.bytes])
    try content.read(0, bytes)
    try check(SHA256.of(UnsafeRawBufferPointer(bytes)), content)
    var request = BucketRequest("PUT", location.appending(name), failing: "it cannot be written")
    request.send(buffer, content.bytes, type: type)
    request.headers.append("\(Self.digestHeader): \(content.sha256)")
    if !replacing { request.headers.append(Self.condition) }
    var answer = try request.answer(accepting: replacing ? [] : [412, 501])
    if answer.answer.status == 501 {
      // The server does not know the condition.
      request.headers.removeLast()
      answer = try request.answer()
    }
    // It is there by now: another writer's, or ours, of a request whose answer was lost.
    return answer.answer.status == 412 ? try taken(name, content) : .stored
  }

  private static let condition = "If-None-Match: *"

  private func taken(_ name: String, _ content: Content) throws(TrajpackError) -> Outcome {
    if let outcome = try compared(name, content) { return outcome }
    throw TrajpackError(
      .machine, file: path(of: name),
      "was there a moment ago and is gone; another program writes below \(path); try again when it has ended"
    )
  }

  private func check(_ sha256: String, _ content: Content) throws(TrajpackError) {
    guard sha256 == content.sha256 else {
      throw TrajpackError(
        .data, file: content.path,
        "is not what the dataset lists (its SHA-256 is \(sha256), listed is \(content.sha256)); restore it from a copy"
      )
    }
  }

  // MARK: - By parts

  private struct Part {
    let number: Int
    let crc: UInt32
    let bytes: Int
    var tag = ""
    var isChecked = false
  }

  private func putParts(
    _ name: String, _ content: Content, _ type: String, replacing: Bool, part: Int,
    _ note: UploadNote, _ took: (Int) -> Void
  ) throws(TrajpackError) -> Outcome {
    for attempt in 1... {
      let id = try begin(name, content, type)
      do throws(TrajpackError) {
        try note(id)
        let parts = try send(name, id, content, part: part, attempt == 1 ? took : { _ in })
        let (outcome, wrong) = try complete(name, id, content, parts, replacing: replacing)
        if outcome == .wasThere { try? abort(name, upload: id) }
        try note(nil)
        guard let wrong else { return outcome }
        // Nobody may take it for what was sent.
        try remove(name)
        guard attempt < Self.mostAttempts else {
          throw TrajpackError(
            .machine, file: path(of: name),
            "the server has put other bytes together than were sent (its CRC-32C is \(wrong.printableText)), so it was "
              + "removed; try again later")
        }
      } catch {
        // Where that fails, too, 'trajpack gc' finds what is left.
        try? abort(name, upload: id, isHasty: true)
        try? note(nil)
        throw error
      }
    }
    return .stored
  }

  /// The most times that an object is sent whole because the server has put other bytes together.
  private static let mostAttempts = 3

  private func begin(
    _ name: String, _ content: Content, _ type: String
  ) throws(TrajpackError) -> String {
    var request = BucketRequest(
      "POST", location.appending(name), failing: "it cannot be written", query: [("uploads", "")])
    request.body = (OwnedBuffer(count: 0), 0)
    request.headers = [
      "Content-Type: \(type)", "x-amz-checksum-algorithm: CRC32C",
      "\(Self.digestHeader): \(content.sha256)",
    ]
    guard let id = XMLText.first("UploadId", in: try request.answer().text), !id.isEmpty else {
      throw TrajpackError(
        .machine, file: path(of: name),
        "it cannot be written: the server's answer names no upload; check the endpoint")
    }
    return id
  }

  private func send(
    _ name: String, _ id: String, _ content: Content, part: Int, _ took: (Int) -> Void
  ) throws(TrajpackError) -> [Part] {
    let mebibyte = 1 << 20
    let fewest = (content.bytes + Self.mostParts - 1) / Self.mostParts
    let size = fewest <= part ? part : (fewest + mebibyte - 1) / mebibyte * mebibyte
    var hash = SHA256()
    var parts: [Part] = []
    var waiting: [(part: Part, answer: PendingBucketAnswer)] = []
    func takeFirst() throws(TrajpackError) {
      var (part, pending) = waiting.removeFirst()
      let answer = try pending.wait(accepting: []).answer
      guard let tag = answer.headers["etag"], !tag.isEmpty else {
        throw TrajpackError(
          .machine, file: path(of: name),
          "it cannot be written: the server names no ETag of part \(part.number); check the endpoint"
        )
      }
      part.tag = tag
      part.isChecked = answer.headers["x-amz-checksum-crc32c"] != nil
      parts.append(part)
      took(part.bytes)
    }
    // Buffers must stay until the last answer has come.
    defer { for (_, pending) in waiting { _ = try? pending.wait(accepting: []) } }
    for first in stride(from: 0, to: content.bytes, by: size) {
      try Interruption.check()
      if waiting.count == Self.partsAtOnce { try takeFirst() }
      let count = min(size, content.bytes - first)
      let buffer = OwnedBuffer(count: count)
      let bytes = UnsafeMutableRawBufferPointer(rebasing: buffer.bytes[..<count])
      try content.read(first, bytes)
      hash.add(UnsafeRawBufferPointer(bytes))
      let number = first / size + 1
      var request = BucketRequest(
        "PUT", location.appending(name), failing: "part \(number) of it cannot be written",
        query: [("partNumber", "\(number)"), ("uploadId", id)])
      request.send(buffer, count, type: "application/octet-stream")
      let part = Part(
        number: number, crc: CRC32C.of(UnsafeRawBufferPointer(bytes)), bytes: count)
      waiting.append((part, try request.begin()))
    }
    while !waiting.isEmpty { try takeFirst() }
    try check(hash.hexadecimal(), content)
    return parts
  }

  private func complete(
    _ name: String, _ id: String, _ content: Content, _ parts: [Part], replacing: Bool
  ) throws(TrajpackError) -> (outcome: Outcome, wrong: String?) {
    var xml = "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
    for part in parts {
      let tag = part.tag.replacing("&", with: "&amp;").replacing("<", with: "&lt;")
      xml += "<Part>"
      if part.isChecked { xml += "<ChecksumCRC32C>\(CRC32CText.text(part.crc))</ChecksumCRC32C>" }
      xml += "<ETag>\(tag)</ETag><PartNumber>\(part.number)</PartNumber></Part>"
    }
    xml += "</CompleteMultipartUpload>"
    let body = OwnedBuffer(count: xml.utf8.count)
    body.bytes.copyBytes(from: xml.utf8)
    var request = BucketRequest(
      "POST", location.appending(name), failing: "its parts cannot be put together",
      query: [("uploadId", id)])
    request.body = (body, xml.utf8.count)
    request.headers = ["Content-Type: application/xml"]
    // S3 may take minutes for many parts.
    request.stalledSeconds = max(try RemoteSettings.current().stalledSeconds, 300)
    if !replacing { request.headers.append(Self.condition) }
    var answer = try request.answer(accepting: [404, 412, 501])
    if answer.answer.status == 501, !replacing {
      request.headers.removeLast()
      answer = try request.answer(accepting: [404, 412])
    }
    switch answer.answer.status {
    case 404, 412:
      // The upload is gone: its parts were put together by a request whose answer was lost; or another writer was first.
      return (try settled(name, content, status: answer.answer.status), nil)
    default: break
    }
    if let found = XMLText.first("ChecksumCRC32C", in: answer.text), !Self.isSum(found, of: parts) {
      return (.stored, found)
    }
    guard let facts = try facts(of: name), facts.bytes == content.bytes else {
      throw TrajpackError(
        .machine, file: path(of: name),
        "is not there with \(content.bytes) bytes although the server has put it together; try again"
      )
    }
    return (.stored, nil)
  }

  private func settled(
    _ name: String, _ content: Content, status: Int
  ) throws(TrajpackError) -> Outcome {
    if let facts = try facts(of: name) {
      if facts.bytes == content.bytes, facts.sha256 == content.sha256 {
        return status == 412 ? .wasThere : .stored
      }
      if status == 412 { return try taken(name, content) }
    }
    throw TrajpackError(
      .machine, file: path(of: name),
      "its upload is gone from the server before it was complete (another program may have removed it); try again"
    )
  }

  /// Whether what the server says is the CRC-32C of the whole: of its bytes, or of the CRCs of its parts.
  private static func isSum(_ found: String, of parts: [Part]) -> Bool {
    let ofParts = parts.flatMap { part in (0..<4).map { UInt8(part.crc >> (24 - 8 * $0) & 255) } }
    let composite = ofParts.withUnsafeBytes { CRC32CText.of($0) }
    let whole = parts.dropFirst().reduce(parts[0].crc) {
      CRC32C.joined($0, $1.crc, length: $1.bytes)
    }
    let sum = String(found.prefix { $0 != "-" })
    return sum == composite || sum == CRC32CText.text(whole)
  }
}
