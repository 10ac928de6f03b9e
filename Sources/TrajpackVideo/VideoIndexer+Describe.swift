#if Video
  import CFFmpegShims
  import TrajpackFormat

  extension VideoIndexer {
    /// Fills in what the container says of its streams.
    static func describe(_ demuxer: Demuxer, into index: inout VideoIndex) throws(TrajpackError) {
      guard let format = demuxer.format else { return }
      index.container = string(format.pointee.iformat.pointee.name)
      let stream = try demuxer.stream
      index.stream = describe(stream)
      guard index.stream.timeBase.isPositive else {
        throw TrajpackError(.data, "the video stream has no time base")
      }
      for number in 0..<Int(format.pointee.nb_streams) where number != index.streamNumber {
        guard let parameters = format.pointee.streams[number]?.pointee.codecpar else { continue }
        index.others.append(
          VideoOtherStream(
            number: number, kind: string(av_get_media_type_string(parameters.pointee.codec_type)),
            codec: string(avcodec_get_name(parameters.pointee.codec_id))))
      }
    }

    private static func describe(_ stream: UnsafeMutablePointer<AVStream>) -> VideoStream {
      let parameters = stream.pointee.codecpar.pointee
      var facts = VideoStream()
      facts.codec = string(avcodec_get_name(parameters.codec_id))
      facts.codecTag = parameters.codec_tag
      facts.profile = parameters.profile
      facts.level = parameters.level
      facts.width = parameters.width
      facts.height = parameters.height
      let pixels = AVPixelFormat(rawValue: parameters.format)
      if let descriptor = av_pix_fmt_desc_get(pixels) {
        facts.pixelFormat = string(descriptor.pointee.name)
        facts.bitsPerComponent = descriptor.pointee.comp.0.depth
      }
      facts.bitsPerCodedSample = parameters.bits_per_coded_sample
      facts.colorRange = string(av_color_range_name(parameters.color_range))
      facts.colorSpace = string(av_color_space_name(parameters.color_space))
      facts.timeBase = rational(stream.pointee.time_base)
      facts.averageFrameRate = rational(stream.pointee.avg_frame_rate)
      facts.baseFrameRate = rational(stream.pointee.r_frame_rate)
      facts.startTime = stream.pointee.start_time
      facts.rotation = rotation(stream)
      if let bytes = parameters.extradata, parameters.extradata_size > 0 {
        facts.extradata = [UInt8](
          UnsafeBufferPointer(start: bytes, count: Int(parameters.extradata_size)))
      }
      if facts.codec == "h264", ["yuv420p", "yuvj420p"].contains(facts.pixelFormat),
        H264Parameters.isMonochrome(facts.extradata)
      {
        facts.pixelFormat = "gray"
      }
      return facts
    }

    /// The display matrix as degrees clockwise, in [0, 360) (`av_display_rotation_get` gives the
    /// counterclockwise angle).
    private static func rotation(_ stream: UnsafeMutablePointer<AVStream>) -> Double? {
      var length = 0
      guard let matrix = av_stream_get_side_data(stream, AV_PKT_DATA_DISPLAYMATRIX, &length),
        length >= 36
      else { return nil }
      let angle = matrix.withMemoryRebound(to: Int32.self, capacity: 9) {
        av_display_rotation_get($0)
      }
      guard angle.isFinite else { return nil }
      let clockwise = (-angle).truncatingRemainder(dividingBy: 360)
      return clockwise < 0 ? clockwise + 360 : clockwise + 0
    }

    private static func rational(_ value: AVRational) -> VideoRational {
      VideoRational(value.num, value.den)
    }

    private static func string(_ name: UnsafePointer<CChar>?) -> String {
      name.map { String(cString: $0) } ?? "unknown"
    }
  }
#endif
