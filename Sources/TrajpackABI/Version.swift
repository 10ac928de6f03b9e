import CTrajpack
import Glibc

/// The version, ending in a zero byte.
private let versionText: StaticString = "1.0.0\0"

/// `trajpack.h` says what it does.
@c @implementation
public func tp_version() -> UnsafePointer<CChar>? {
  UnsafeRawPointer(versionText.utf8Start).assumingMemoryBound(to: CChar.self)
}

/// `trajpack.h` says what it does.
@c @implementation
public func tp_abi() -> Int32 { Int32(TP_ABI) }

/// `trajpack.h` says what it does.
@c @implementation
public func tp_text_free(_ text: UnsafeMutablePointer<CChar>?) { free(text) }

/// `trajpack.h` says what it does.
@c @implementation
public func tp_bytes_free(_ bytes: UnsafeMutablePointer<UInt8>?) { free(bytes) }
