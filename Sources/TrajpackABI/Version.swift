import CTrajpack
import Glibc

private let versionText = strdup("1.0.0")

@c @implementation
public func tp_version() -> UnsafePointer<CChar>? { UnsafePointer(versionText) }

@c @implementation
public func tp_abi() -> Int32 { Int32(TP_ABI) }

@c @implementation
public func tp_text_free(_ text: UnsafeMutablePointer<CChar>?) { free(text) }

@c @implementation
public func tp_bytes_free(_ bytes: UnsafeMutablePointer<UInt8>?) { free(bytes) }
