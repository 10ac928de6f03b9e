import CZstd

/// Frames of zstd in memory.
public enum ZstdFrame {
  private static let mostBytes: UInt64 = 1 << 30

  /// How many bytes a frame says that it holds; `nil` where the bytes begin no frame, or it does not say, or says more
  /// than 1 GiB.
  public static func contentBytes(_ bytes: UnsafeRawBufferPointer) -> Int? {
    guard bytes.count >= 4, bytes.starts(with: [0x28, 0xB5, 0x2F, 0xFD]) else { return nil }
    let size = ZSTD_getFrameContentSize(bytes.baseAddress, bytes.count)
    return size <= mostBytes ? Int(size) : nil
  }
}
