import TrajpackCodecs
import TrajpackFormat
import TrajpackRemote

/// Where the bytes of a shard or a list are: a file, or an object on a server. Any thread may read it.
public protocol ByteSource: AnyObject, Sendable {
  /// Its path, without secrets.
  var path: String { get }
  /// Its bytes, when it was opened.
  var length: Int { get }

  /// Fills `buffer` from byte `offset` on.
  func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(TrajpackError)

  /// Begins to bring ranges of bytes that will be wanted soon; `nil` where reading them needs no preparation.
  func fetch(_ ranges: [Range<Int>]) -> RemoteFetch?

  /// Remembers the file's first ``ShardHeader/size`` bytes, by which it is recognised when it is opened again.
  func recognise(header bytes: [UInt8])

  /// Lets go what was kept for opening what lies in it.
  func didOpen()
}

/// Opens what a path leads to.
public enum ByteSources {
  /// A remote file where the path is one, else a local one.
  public static func open(_ path: String) throws(TrajpackError) -> any ByteSource {
    RemoteLocation.isRemote(path) ? try RemoteFile(path) : try LocalFile(path)
  }
}

extension RemoteFile: ByteSource {
  /// Begins to bring ranges of bytes.
  public func fetch(_ ranges: [Range<Int>]) -> RemoteFetch? {
    let all: RemoteFetch = fetch(ranges)
    return all
  }
  /// Its ETag says that it is the same.
  public func recognise(header bytes: [UInt8]) {}
  /// Lets go its first bytes.
  public func didOpen() { releaseHead() }
}

extension LocalFile: ByteSource {
  /// Nothing: its bytes are at hand.
  public func fetch(_ ranges: [Range<Int>]) -> RemoteFetch? { nil }
  /// Nothing is kept.
  public func didOpen() {}
}

extension ByteSource {
  /// The bytes `range`.
  public func bytes(_ range: Range<Int>) throws(TrajpackError) -> [UInt8] {
    guard range.lowerBound >= 0, range.upperBound <= length else {
      throw TrajpackError(
        .data, "\(path): bytes \(range.lowerBound) to \(range.upperBound) lie outside the file")
    }
    var out = [UInt8](repeating: 0, count: range.count)
    try out.withUnsafeMutableBufferPointer { (buffer) throws(TrajpackError) in
      try read(at: range.lowerBound, into: UnsafeMutableRawBufferPointer(buffer))
    }
    return out
  }

  /// The SHA-256 of the file, in hexadecimal digits.
  public func sha256() throws(TrajpackError) -> String { try digest().hexadecimal }

  /// The SHA-256 of the file, read from the beginning.
  func digest() throws(TrajpackError) -> FileDigest {
    var hash = SHA256()
    let buffer = ByteBuffer(max(min(length, 256 << 10), 1))
    var at = 0
    while at < length {
      let part = UnsafeMutableRawBufferPointer(
        rebasing: buffer.bytes[..<min(length - at, buffer.bytes.count)])
      try read(at: at, into: part)
      hash.add(UnsafeRawBufferPointer(part))
      at += part.count
    }
    return FileDigest(&hash)
  }
}
