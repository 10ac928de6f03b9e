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
    RemoteCredentials.use(provider, context: context)
    return TP_OK
  }
}

/// `trajpack.h` says what it does.
@c @implementation
public func tp_remote_set_stop(_ stop: UnsafePointer<Int32>?) {
  guard let stop else { return Interruption.watchThread(nil) }
  Interruption.watchThread { stop.pointee != 0 }
}
