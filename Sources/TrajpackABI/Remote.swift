import CTrajpack
import TrajpackCInterface
import TrajpackFormat
import TrajpackRemote

/// `trajpack.h` says what it does.
@c @implementation
public func tp_remote_set_credentials(
  _ provider: tp_credentials?, _ context: UnsafeMutableRawPointer?,
  _ error: UnsafeMutablePointer<tp_error>?
) -> Int32 {
  CInterface.run(error) { () throws(TrajpackError) in
    guard let provider else {
      RemoteCredentials.use(nil)
      return TP_OK
    }
    let context = Int(bitPattern: context)
    RemoteCredentials.use { () throws(TrajpackError) -> String in
      var text = [CChar](repeating: 0, count: 64 << 10)
      guard provider(UnsafeMutableRawPointer(bitPattern: context), &text, text.count) == 0 else {
        throw TrajpackError(
          .machine,
          "the function that was set for credentials of S3 has failed; mend it, or set none")
      }
      return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
    return TP_OK
  }
}
