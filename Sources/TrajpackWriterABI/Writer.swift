import CTrajpack
import Glibc
import TrajpackCInterface
import TrajpackFormat
import TrajpackHDF5
import TrajpackRemote
import TrajpackStore

func made(_ writer: OpaquePointer?) throws(TrajpackError) -> DatasetAppender {
  try CInterface.object(writer, DatasetAppender.self, "writer")
}

/// `trajpack_write.h` says what it does.
@c @implementation
public func tpw_abi() -> Int32 { Int32(TPW_ABI) }

/// `trajpack_write.h` says what it does.
@c @implementation
public func tpw_text_free(_ text: UnsafeMutablePointer<CChar>?) { free(text) }

/// `trajpack_write.h` says what it does.
@c @implementation
public func tpw_remote_set_credentials(
  _ provider: tp_credentials?, _ context: UnsafeMutableRawPointer?,
  _ error: UnsafeMutablePointer<tp_error>?
) -> Int32 {
  CInterface.run(error) { () throws(TrajpackError) in
    RemoteCredentials.use(provider, context: context)
    return TP_OK
  }
}

/// `trajpack_write.h` says what it does.
@c @implementation
public func tpw_writer_open(
  _ path: UnsafePointer<CChar>?, _ options: UnsafePointer<CChar>?,
  _ writer: UnsafeMutablePointer<OpaquePointer?>?, _ error: UnsafeMutablePointer<tp_error>?
) -> Int32 {
  CInterface.run(error) { () throws(TrajpackError) in
    let out = try CInterface.need(writer, "writer")
    let text = options == nil ? "{}" : try CInterface.string(options, "options")
    out.pointee = CInterface.handle(
      try DatasetAppender(
        try CInterface.string(path, "path"), options: try DatasetAppender.Options(json: text)
      ) { (path) throws(TrajpackError) in try HDF5Backend(path) })
    return TP_OK
  }
}

/// `trajpack_write.h` says what it does.
@c @implementation
public func tpw_writer_free(_ writer: OpaquePointer?) {
  CInterface.free(writer, as: DatasetAppender.self)
}

/// `trajpack_write.h` says what it does.
@c @implementation
public func tpw_writer_leave(_ writer: OpaquePointer?) { try? made(writer).abandonAfterFork() }

/// `trajpack_write.h` says what it does.
@c @implementation
public func tpw_writer_schema(
  _ writer: OpaquePointer?, _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?,
  _ error: UnsafeMutablePointer<tp_error>?
) -> Int32 {
  CInterface.document(json, "json", error) { () throws(TrajpackError) in
    let writer = try made(writer)
    var json = writer.schema?.json ?? .null
    if case .object(let members) = json {
      let rates = writer.rates.sorted { $0.key < $1.key }
        .map { JSONValue.Member($0.key, .string($0.value.description)) }
      json = .object(members + [JSONValue.Member("rates", .object(rates))])
    }
    return json
  }
}

/// `trajpack_write.h` says what it does.
@c @implementation
public func tpw_writer_declare(
  _ writer: OpaquePointer?, _ json: UnsafePointer<CChar>?, _ error: UnsafeMutablePointer<tp_error>?
) -> Int32 {
  CInterface.run(error) { () throws(TrajpackError) in
    let text = try CInterface.string(json, "json")
    try made(writer).declare(try AppendSchema(json: try JSONValue(parsing: text)))
    return TP_OK
  }
}

/// `trajpack_write.h` says what it does.
@c @implementation
public func tpw_writer_counts(
  _ writer: OpaquePointer?, _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?,
  _ error: UnsafeMutablePointer<tp_error>?
) -> Int32 {
  CInterface.document(json, "json", error) { () throws(TrajpackError) in
    try made(writer).counts
  }
}

/// `trajpack_write.h` says what it does.
@c @implementation
public func tpw_writer_refuse_taken(
  _ writer: OpaquePointer?, _ id: UnsafePointer<CChar>?, _ error: UnsafeMutablePointer<tp_error>?
) -> Int32 {
  CInterface.run(error) { () throws(TrajpackError) in
    try made(writer).refuseTaken(try CInterface.string(id, "id"))
    return TP_OK
  }
}

/// `trajpack_write.h` says what it does.
@c @implementation
public func tpw_writer_adopt(
  _ writer: OpaquePointer?, _ folder: UnsafePointer<CChar>?,
  _ episodes: UnsafeMutablePointer<Int64>?, _ error: UnsafeMutablePointer<tp_error>?
) -> Int32 {
  CInterface.run(error) { () throws(TrajpackError) in
    let out = try CInterface.need(episodes, "episodes")
    out.pointee = Int64(try made(writer).adopt(try CInterface.string(folder, "folder")))
    return TP_OK
  }
}

/// `trajpack_write.h` says what it does.
@c @implementation
public func tpw_writer_close(
  _ writer: OpaquePointer?, _ error: UnsafeMutablePointer<tp_error>?
) -> Int32 {
  CInterface.run(error) { () throws(TrajpackError) in
    try made(writer).close()
    return TP_OK
  }
}

/// `trajpack_write.h` says what it does.
@c @implementation
public func tpw_writer_flush(
  _ writer: OpaquePointer?, _ error: UnsafeMutablePointer<tp_error>?
) -> Int32 {
  CInterface.run(error) { () throws(TrajpackError) in
    try made(writer).flush()
    return TP_OK
  }
}
