import CHDF5Shims
import Glibc
import Synchronization
import TrajpackFormat
import TrajpackHDF5
import TrajpackStore

/// A process that reads one HDF5 file, and that can do nothing else; see ``HDF5Reader``.
final class GuardedReader: @unchecked Sendable {
  // It is used by one thread at a time.
  /// Bytes of memory that a reader has, beside as many times the file's own size.
  private static let memory = (least: 160 << 20, perByte: 4, most: 8 << 30)
  /// The process that makes readers, and the connection to it; -1 where there is none yet.
  private static let maker = Mutex<Int32>(-1)

  private let channel: Int32
  private let path: String
  private var isBroken = false

  /// Starts a reader of the file.
  ///
  /// - Throws: A data error where the file is none that can be opened; a machine error where no process can be
  ///   started.
  init(_ path: String) throws(TrajpackError) {
    self.path = path
    let file = open(try BucketFolder.wholeFile(path), O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard file >= 0 else { throw .system("cannot be opened", path) }
    defer { close(file) }
    var status = stat()
    guard fstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      throw FileSystem.noFile(at: path)
    }
    var ends: [Int32] = [-1, -1]
    guard tph5_connection(&ends) == 0 else { throw .system("no connection can be made", path) }
    defer { close(ends[1]) }
    let wanted =
      Self.memory.least + Self.memory.perByte * min(Int(status.st_size), Self.memory.most)
    let task = tph5_task(
      file: file, channel: ends[1], memory: UInt64(min(wanted, Self.memory.most)))
    channel = ends[0]
    guard Self.start(task) else {
      throw TrajpackError(
        .machine, file: path,
        "the process that reads it cannot be started (\(String(cString: strerror(errno))))"
      )
    }
  }

  deinit { close(channel) }

  private static func start(_ task: tph5_task) -> Bool {
    maker.withLock { maker in
      if maker >= 0, tph5_send_task(maker, task) == 0 { return true }
      if maker >= 0 { close(maker) }
      var ends: [Int32] = [-1, -1]
      guard tph5_connection(&ends) == 0 else { return false }
      let pid = tph5_spawn("/proc/self/exe", HDF5Reader.argument, ends[1])
      close(ends[1])
      maker = ends[0]
      return pid > 0 && tph5_send_task(maker, task) == 0
    }
  }

  /// The objects of the file.
  func nodes() throws(TrajpackError) -> [TreeNode] {
    var request: [UInt8] = []
    request.append(UInt8(ascii: "N"))
    try send(request)
    var nodes: [TreeNode] = []
    try receive(path) { (letter, bytes) throws(TrajpackError) in
      guard letter == UInt8(ascii: "N") else { return }
      var message = ReaderMessage(Array(bytes))
      do throws(TrajpackError) {
        nodes.append(try message.node())
      } catch {
        throw error.within(path, at: ErrorPlace(file: path))
      }
    }
    return nodes
  }

  /// The elements of a part of a dataset: pieces of numbers, or texts one by one.
  func read(
    _ node: TreeNode, _ part: [Range<Int>],
    _ body: (UnsafeRawBufferPointer) throws(TrajpackError) -> Void
  ) throws(TrajpackError) {
    guard let array = node.array else { return }
    // The axes that elements add lie behind those of the dataset, and are always whole.
    let rank = array.shape.count - array.elementRank
    try read(
      array.dataset.isEmpty ? node.path : array.dataset, field: array.field,
      Array(part.prefix(rank)), body)
  }

  /// The elements of a part of the dataset at `place`, in the order of C.
  func read(
    _ place: String, field: String, _ part: [Range<Int>],
    _ body: (UnsafeRawBufferPointer) throws(TrajpackError) -> Void
  ) throws(TrajpackError) {
    var request: [UInt8] = []
    request.append(UInt8(ascii: "D"))
    request.put(place)
    request.put(field)
    request.put(part.count)
    for range in part { request.put(range.lowerBound) }
    for range in part { request.put(range.count) }
    try send(request)
    try receive("\(path): \(place)") { (_, bytes) throws(TrajpackError) in try body(bytes) }
  }

  /// How the dataset at `place` lies in the file, with the places of its first `chunks` chunks.
  func layout(_ place: String, chunks: Int) throws(TrajpackError) -> HDF5Layout {
    var request: [UInt8] = []
    request.append(UInt8(ascii: "L"))
    request.put(place)
    request.put(chunks)
    try send(request)
    var layout = HDF5Layout()
    try receive("\(path): \(place)") { (letter, bytes) throws(TrajpackError) in
      var message = ReaderMessage(Array(bytes))
      try message.take(letter, into: &layout)
    }
    return layout
  }

  private func send(_ bytes: [UInt8]) throws(TrajpackError) {
    guard !isBroken else { throw failure(path) }
    var done = 0
    while done < bytes.count {
      let sent = bytes.withUnsafeBytes {
        Glibc.send(
          channel, $0.baseAddress.unsafelyUnwrapped + done, bytes.count - done,
          Int32(MSG_NOSIGNAL))
      }
      if sent < 0, errno == EINTR { continue }
      // What went wrong may have been said before the connection was closed.
      guard sent > 0 else { return }
      done += sent
    }
  }

  private func failure(_ place: String) -> TrajpackError {
    isBroken = true
    return TrajpackError(
      .data,
      "\(place): cannot be read: the process that read it was ended, as happens with a damaged or hostile file "
        + "(it may have so much memory and time as an honest file needs)",
      at: ErrorPlace(file: path))
  }

  private func fill(_ buffer: UnsafeMutableRawBufferPointer) -> Bool {
    var done = 0
    while done < buffer.count {
      let got = recv(channel, buffer.baseAddress.unsafelyUnwrapped + done, buffer.count - done, 0)
      if got < 0, errno == EINTR { continue }
      guard got > 0 else { return false }
      done += got
    }
    return true
  }

  private func receive(
    _ place: String,
    _ body: (UInt8, UnsafeRawBufferPointer) throws(TrajpackError) -> Void
  ) throws(TrajpackError) {
    let head = ByteBuffer(5)
    var buffer = ByteBuffer(64 << 10)
    while true {
      guard fill(UnsafeMutableRawBufferPointer(rebasing: head.bytes[..<5])) else {
        throw failure(place)
      }
      let letter = head.bytes[0]
      let count = Int(
        UInt32(littleEndian: head.bytes.loadUnaligned(fromByteOffset: 1, as: UInt32.self)))
      guard count <= 64 << 20 else { throw failure(place) }
      if count > buffer.bytes.count { buffer = ByteBuffer(count) }
      let part = UnsafeMutableRawBufferPointer(rebasing: buffer.bytes[..<count])
      guard fill(part) else { throw failure(place) }
      switch letter {
      case UInt8(ascii: "Z"): return
      case UInt8(ascii: "E"):
        throw TrajpackError(
          .data, "\(place): \(String(decoding: part.prefix(4096), as: UTF8.self))",
          at: ErrorPlace(file: path))
      default:
        do throws(TrajpackError) {
          try body(letter, UnsafeRawBufferPointer(part))
        } catch {
          // The rest of the answer is not waited for.
          isBroken = true
          throw error
        }
      }
    }
  }
}

extension [UInt8] {
  /// Adds a number or a text to a request.
  fileprivate mutating func put(_ value: Int) {
    Swift.withUnsafeBytes(of: value.littleEndian) { append(contentsOf: $0) }
  }
  fileprivate mutating func put(_ text: String) {
    put(text.utf8.count)
    self += Array(text.utf8)
  }
}
