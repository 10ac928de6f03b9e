import CTrajpack
import CVideoTable
import Glibc
import TrajpackCInterface
import TrajpackFormat
import TrajpackLoader

/// Runs `body`; where it lacks the video library, the status says so.
func runWithFrames(
  _ error: UnsafeMutablePointer<tp_error>?, _ body: () throws(TrajpackError) -> tp_status
) -> Int32 {
  var lacksLibrary = false
  let status = CInterface.run(error) { () throws(TrajpackError) in
    do throws(TrajpackError) {
      return try body()
    } catch let failure {
      lacksLibrary = failure == VideoLibrary.missing
      throw failure
    }
  }
  return lacksLibrary ? Int32(bitPattern: TP_NO_VIDEO.rawValue) : status
}

/// `trajpack.h` says what it does.
@c @implementation
public func tp_video_register(
  _ functions: UnsafePointer<tpv_functions>?, _ error: UnsafeMutablePointer<tp_error>?
) -> Int32 {
  CInterface.run(error) { () throws(TrajpackError) in
    try VideoLibrary.register(try CInterface.need(functions, "functions"))
    return TP_OK
  }
}

/// `trajpack.h` says what it does.
@c @implementation
public func tp_dataset_set_media(
  _ dataset: OpaquePointer?, _ folder: UnsafePointer<CChar>?, _ allow_outside: Int32,
  _ error: UnsafeMutablePointer<tp_error>?
) -> Int32 {
  CInterface.run(error) { () throws(TrajpackError) in
    try lazy(dataset).media.set(
      try CInterface.string(folder, "folder"), allowsOutside: allow_outside != 0)
    return TP_OK
  }
}

/// `trajpack.h` says what it does.
@c @implementation
public func tp_dataset_describe_frames(
  _ dataset: OpaquePointer?, _ track: Int64, _ options: UnsafePointer<CChar>?,
  _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?,
  _ error: UnsafeMutablePointer<tp_error>?
) -> Int32 {
  runWithFrames(error) { () throws(TrajpackError) in
    let out = try CInterface.need(json, "json")
    let frames = try TrackFrames(
      try lazy(dataset).holding(track: Int(track)), track: Int(track),
      options: options == nil ? "{}" : try CInterface.string(options, "options"))
    out.pointee = try CInterface.text(frames.description.text())
    return TP_OK
  }
}

/// `trajpack.h` says what it does.
@c @implementation
public func tp_dataset_read_frames(
  _ dataset: OpaquePointer?, _ track: Int64, _ frames: UnsafePointer<Int64>?, _ count: Int,
  _ options: UnsafePointer<CChar>?, _ memory: UnsafeMutableRawPointer?, _ bytes: Int,
  _ error: UnsafeMutablePointer<tp_error>?
) -> Int32 {
  runWithFrames(error) { () throws(TrajpackError) in
    let numbers = try CInterface.need(frames, "frames")
    let video = try TrackFrames(
      try lazy(dataset).holding(track: Int(track)), track: Int(track),
      options: options == nil ? "{}" : try CInterface.string(options, "options"))
    try video.read(
      UnsafeBufferPointer(start: numbers, count: max(count, 0)).map { Int($0) },
      into: UnsafeMutableRawBufferPointer(start: memory, count: max(bytes, 0)))
    return TP_OK
  }
}
