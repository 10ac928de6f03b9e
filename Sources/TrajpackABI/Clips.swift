import CTrajpack
import TrajpackCInterface
import TrajpackFormat
import TrajpackLoader

/// `trajpack.h` says what it does.
@c @implementation
public func tp_loader_clips(
  _ loader: OpaquePointer?, _ dataset: UInt32,
  _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?,
  _ error: UnsafeMutablePointer<tp_error>?
) -> Int32 {
  CInterface.document(json, "json", error) { () throws(TrajpackError) in
    let loader = try CInterface.object(loader, Loader.self, "loader")
    return try loader.clips(dataset: Int(dataset))
  }
}

/// `trajpack.h` says what it does.
@c @implementation
public func tp_loader_clip_rows(
  _ loader: OpaquePointer?, _ dataset: UInt32, _ window: UInt64,
  _ stream: UnsafePointer<CChar>?, _ rows: UnsafeMutablePointer<Int64>?, _ room: Int,
  _ count: UnsafeMutablePointer<Int>?, _ error: UnsafeMutablePointer<tp_error>?
) -> Int32 {
  CInterface.run(error) { () throws(TrajpackError) in
    let rows = try CInterface.need(rows, "rows")
    let count = try CInterface.need(count, "count")
    let loader = try CInterface.object(loader, Loader.self, "loader")
    count.pointee = try loader.rows(
      ofClip: window, dataset: Int(dataset), stream: try CInterface.string(stream, "stream"),
      into: UnsafeMutableBufferPointer(start: rows, count: max(room, 0)))
    return TP_OK
  }
}
