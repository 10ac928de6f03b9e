import CVideoTable
import TrajpackFormat
import TrajpackVideo

#if Video
  private nonisolated(unsafe) let table: UnsafeMutablePointer<tpv_functions> = {
    // Filled once, then only read.
    let table = UnsafeMutablePointer<tpv_functions>.allocate(capacity: 1)
    table.initialize(
      to: tpv_functions(
        abi: Int32(TPV_ABI), layout: layout, pool_create: createPool, pool_free: freePool,
        pool_counts: countPool, open: openVideo, free: freeVideo, groups: groups, decode: decode))
    return table
  }()
#endif

/// `trajpack_video.h` says what it does.
@c @implementation
public func tpv_functions_table() -> UnsafePointer<tpv_functions>? {
  #if Video
    return UnsafePointer(table)
  #else
    return nil
  #endif
}

/// `trajpack_video.h` says what it does.
@c @implementation
public func tpv_versions(
  _ built: UnsafeMutablePointer<Int32>?, _ found: UnsafeMutablePointer<Int32>?
) {
  built?.pointee = Int32(VideoFile.libraryVersions.built)
  found?.pointee = Int32(VideoFile.libraryVersions.found)
}

#if Video
  /// Runs `body`; an error goes to `error`, and its code is the result.
  private func run(
    _ error: UnsafeMutablePointer<tpv_error>?, _ body: () throws(TrajpackError) -> Void
  ) -> Int32 {
    do throws(TrajpackError) {
      try body()
      return 0
    } catch let failure {
      if let error {
        error.pointee.code = failure.fault.rawValue
        withUnsafeMutableBytes(of: &error.pointee.message) { out in
          let text = Array(failure.message.printable.utf8)
          var count = min(text.count, out.count - 1)
          // Never in the middle of a character.
          while count > 0, count < text.count, text[count] & 0xC0 == 0x80 { count -= 1 }
          text.withUnsafeBytes {
            out.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[..<count]))
          }
          out[count] = 0
        }
      }
      return failure.fault.rawValue
    }
  }

  private func object<Object: AnyObject>(
    _ handle: OpaquePointer?, _ type: Object.Type
  ) throws(TrajpackError) -> Object {
    guard let handle else { throw TrajpackError(.usage, "a handle of the video library is null") }
    return Unmanaged<Object>.fromOpaque(UnsafeRawPointer(handle)).takeUnretainedValue()
  }

  private func createPool(_ limits: UnsafePointer<tpv_limits>?) -> OpaquePointer? {
    let limits = limits?.pointee ?? tpv_limits(frames: 0, decoders: 0)
    let pool = VideoPool(
      VideoPool.Limits(
        frames: Int(clamping: max(limits.frames, 0)),
        decoders: Int(clamping: max(limits.decoders, 0))))
    return OpaquePointer(Unmanaged.passRetained(pool).toOpaque())
  }

  private func freePool(_ pool: OpaquePointer?) {
    guard let pool else { return }
    Unmanaged<VideoPool>.fromOpaque(UnsafeRawPointer(pool)).release()
  }

  private func countPool(_ pool: OpaquePointer?, _ counts: UnsafeMutablePointer<tpv_counts>?) {
    guard let pool = try? object(pool, VideoPool.self), let counts else { return }
    let now = pool.counts
    counts.pointee = tpv_counts(
      frames: Int64(now.frames), packets: Int64(now.packets),
      cached_frames: Int64(now.cachedFrames), frame_bytes: Int64(now.frameBytes),
      decoder_bytes: Int64(now.decoderBytes))
  }

  private func layout(
    _ stream: UnsafePointer<tpv_stream>?, _ output: UnsafePointer<tpv_output>?,
    _ layout: UnsafeMutablePointer<tpv_layout>?, _ error: UnsafeMutablePointer<tpv_error>?
  ) -> Int32 {
    run(error) { () throws(TrajpackError) in
      guard let stream, let output, let layout else {
        throw TrajpackError(.usage, "an argument of 'layout' is null")
      }
      let video = VideoStream(stream.pointee)
      let wanted = try VideoOutput(output.pointee, video)
      let bytes = try within(text(stream.pointee.name)) { () throws(TrajpackError) in
        try wanted.frameBytes(of: video)
      }
      layout.pointee = tpv_layout(
        output: tpv_output(
          format: wanted.format.code,
          width: Int32(wanted.width ?? wanted.crop?.width ?? Int(video.width)),
          height: Int32(wanted.height ?? wanted.crop?.height ?? Int(video.height)),
          planar: wanted.isPlanar ? 1 : 0, crop_width: Int32(wanted.crop?.width ?? 0),
          crop_height: Int32(wanted.crop?.height ?? 0)),
        bytes: Int64(bytes))
    }
  }

  private func openVideo(
    _ pool: OpaquePointer?, _ stream: UnsafePointer<tpv_stream>?,
    _ packets: UnsafePointer<tpv_packets>?, _ video: UnsafeMutablePointer<OpaquePointer?>?,
    _ error: UnsafeMutablePointer<tpv_error>?
  ) -> Int32 {
    run(error) { () throws(TrajpackError) in
      guard let stream, let packets, let video else {
        throw TrajpackError(.usage, "an argument of 'open' is null")
      }
      let name = text(stream.pointee.name)
      var index = VideoIndex()
      index.stream = VideoStream(stream.pointee)
      index.streamNumber = -1
      index.byteCount = packets.pointee.bytes
      index.packets = VideoPackets(packets.pointee)
      let frames = Array(
        UnsafeBufferPointer(start: packets.pointee.frame, count: packets.pointee.count))
      let order = try within(name) { () throws(TrajpackError) in try VideoOrder(frames: frames) }
      let opened = PooledVideo(try object(pool, VideoPool.self), index, order, name: name)
      video.pointee = OpaquePointer(Unmanaged.passRetained(opened).toOpaque())
    }
  }

  private func freeVideo(_ video: OpaquePointer?) {
    guard let video else { return }
    Unmanaged<PooledVideo>.fromOpaque(UnsafeRawPointer(video)).release()
  }

  private func groups(
    _ video: OpaquePointer?, _ groups: UnsafeMutablePointer<Int32>?, _ count: Int,
    _ error: UnsafeMutablePointer<tpv_error>?
  ) -> Int32 {
    run(error) { () throws(TrajpackError) in
      let found = try object(video, PooledVideo.self).groups()
      guard found.count == count, let groups else {
        throw TrajpackError(.usage, "there are \(found.count) frames, not \(count)")
      }
      groups.update(from: found, count: count)
    }
  }

  private func decode(
    _ video: OpaquePointer?, _ request: UnsafePointer<tpv_request>?,
    _ frames: UnsafePointer<tpv_frame>?, _ count: Int, _ error: UnsafeMutablePointer<tpv_error>?
  ) -> Int32 {
    run(error) { () throws(TrajpackError) in
      let video = try object(video, PooledVideo.self)
      guard let request = request?.pointee, let frames, let read = request.read else {
        throw TrajpackError(.usage, "an argument of 'decode' is null")
      }
      var wanted: [PooledVideo.Wanted] = []
      wanted.reserveCapacity(count)
      for one in UnsafeBufferPointer(start: frames, count: count) {
        guard let memory = one.memory else {
          throw TrajpackError(.usage, "the memory of frame \(one.frame) is null")
        }
        wanted.append(
          .init(
            frame: Int(one.frame), memory: memory,
            place: VideoOutput.Place(
              left: Int(one.left), top: Int(one.top), isMirrored: one.mirrored != 0)))
      }
      let context = request.context
      try video.decode(
        wanted, as: try VideoOutput(request.output, video.index.stream),
        threads: Int(request.threads), goesOn: request.goes_on != 0
      ) { (offset, room) throws(TrajpackError) in
        var failure = tpv_error()
        let code = read(context, offset, room.baseAddress, room.count, &failure)
        guard code == 0 else {
          let message = withUnsafeBytes(of: failure.message) {
            String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
          }
          throw TrajpackError(TrajpackError.Fault(rawValue: code) ?? .machine, message)
        }
      }
    }
  }

  private func text(_ text: UnsafePointer<CChar>?) -> String {
    text.map { String(cString: $0) } ?? ""
  }

  extension VideoStream {
    fileprivate init(_ stream: tpv_stream) {
      self.init()
      codec = text(stream.codec)
      pixelFormat = text(stream.pixel_format)
      colorRange = text(stream.color_range)
      colorSpace = text(stream.color_space)
      (width, height) = (stream.width, stream.height)
      (codecTag, bitsPerCodedSample) = (stream.codec_tag, stream.bits_per_coded_sample)
      bitsPerComponent = VideoFile.bits(ofPixelFormat: pixelFormat)
      if let bytes = stream.extradata {
        extradata = Array(UnsafeBufferPointer(start: bytes, count: stream.extradata_bytes))
      }
    }
  }

  extension VideoPackets {
    fileprivate init(_ packets: tpv_packets) {
      self.init()
      func column<T>(_ start: UnsafePointer<T>?) -> [T] {
        Array(UnsafeBufferPointer(start: start, count: start == nil ? 0 : packets.count))
      }
      pts = column(packets.pts)
      offset = column(packets.offset)
      size = column(packets.size)
      dts = [Int64](repeating: Self.absent, count: packets.count)
      duration = dts
      let frames = column(packets.frame)
      flags = zip(column(packets.keyframe), frames).map { key, frame in
        var flags: VideoPacketFlags = []
        if key != 0 { flags.insert(.keyframe) }
        if frame < 0 { flags.insert(.hidden) }
        return flags
      }
      if packets.by_container != 0, !flags.isEmpty { flags[0].insert(.sideData) }
    }
  }

  extension VideoOutput.Format {
    fileprivate var code: Int32 {
      let format: tpv_format =
        switch self {
        case .rgb24: TPV_RGB24
        case .gray8: TPV_GRAY8
        case .gray16: TPV_GRAY16
        case .native: TPV_NATIVE
        }
      return Int32(bitPattern: format.rawValue)
    }
  }

  extension VideoOutput {
    /// What C asks for, of a stream.
    fileprivate init(_ output: tpv_output, _ stream: VideoStream) throws(TrajpackError) {
      let format: Format? =
        output.format == 0
        ? try .usual(of: stream) : Format.allCases.first { $0.code == output.format }
      guard let format else {
        throw TrajpackError(.usage, "there is no format of frames number \(output.format)")
      }
      self.init(
        format, width: output.width == 0 ? nil : Int(output.width),
        height: output.height == 0 ? nil : Int(output.height), isPlanar: output.planar != 0,
        crop: output.crop_width == 0 && output.crop_height == 0
          ? nil : Size(width: Int(output.crop_width), height: Int(output.crop_height)))
    }
  }
#endif
