import Glibc

/// Messages from the process that reads a foreign file: a letter, a length, and so many bytes. What is sent must be
/// understood by a reader that trusts none of it.
struct MessageWriter {
  /// Gathered bytes are sent from this size on.
  private static let full = 256 << 10

  let channel: Int32
  private var bytes: [UInt8] = []

  init(_ channel: Int32) {
    self.channel = channel
    bytes.reserveCapacity(Self.full + 4096)
  }

  /// Adds a message; ends the process where nobody listens.
  mutating func send(_ letter: Character, _ payload: [UInt8]) {
    payload.withUnsafeBytes { send(letter, $0) }
  }

  mutating func send(_ letter: Character, _ payload: UnsafeRawBufferPointer) {
    bytes.append(letter.asciiValue ?? 0)
    withUnsafeBytes(of: UInt32(payload.count).littleEndian) { bytes.append(contentsOf: $0) }
    if payload.count < Self.full {
      bytes.append(contentsOf: payload)
      if bytes.count >= Self.full { flush() }
    } else {
      flush()
      write(payload)
    }
  }

  /// Sends what was gathered.
  mutating func flush() {
    bytes.withUnsafeBytes { write($0) }
    bytes.removeAll(keepingCapacity: true)
  }

  private func write(_ bytes: UnsafeRawBufferPointer) {
    var done = 0
    while done < bytes.count {
      let sent = Glibc.send(
        channel, bytes.baseAddress.unsafelyUnwrapped + done, bytes.count - done,
        Int32(MSG_NOSIGNAL))
      if sent < 0, errno == EINTR { continue }
      guard sent > 0 else { _exit(0) }
      done += sent
    }
  }

  /// Reads so many bytes of a request; ends the process where no more come.
  func receive(_ count: Int) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
      while filled < count {
        let got = recv(channel, buffer.baseAddress.unsafelyUnwrapped + filled, count - filled, 0)
        if got < 0, errno == EINTR { continue }
        guard got > 0 else { _exit(0) }
        filled += got
      }
    }
  }

  func receiveInteger() -> Int {
    let bytes = receive(8)
    return bytes.withUnsafeBytes { Int(littleEndian: $0.loadUnaligned(as: Int.self)) }
  }

  func receiveText() -> String { String(decoding: receive(receiveInteger()), as: UTF8.self) }
}

extension [UInt8] {
  mutating func put(_ value: Int) {
    Swift.withUnsafeBytes(of: value.littleEndian) { append(contentsOf: $0) }
  }

  mutating func put(_ text: String) { put(Array(text.utf8)) }

  mutating func put(_ bytes: [UInt8]) {
    put(bytes.count)
    append(contentsOf: bytes)
  }
}
