import Testing
import TrajpackFormat
import TrajpackVideo

#if Video
  @Suite("Decoded frames are ffmpeg's, in any order")
  struct DecodeTests {
    @Test(arguments: [
      ("depth.mkv", "-c:v libx265 -pix_fmt gray -x265-params lossless=1:log-level=0"),
      ("depth8.mkv", "-c:v libx265 -pix_fmt gray -x265-params lossless=1:keyint=8:log-level=0"),
      ("open.mkv", "-c:v libx265 -pix_fmt gray -x265-params keyint=9:open-gop=1:log-level=0"),
      ("bframes.mp4", "-c:v libx264 -bf 3 -g 12 -pix_fmt yuv420p"),
      ("open.mp4", "-c:v libx264 -bf 3 -g 8 -x264-params open-gop=1:b-pyramid=2 -pix_fmt yuv420p"),
      ("open2.mkv", "-c:v libx264 -bf 3 -g 8 -x264-params open-gop=1:b-pyramid=2 -pix_fmt yuv420p"),
      ("refresh.mp4", "-c:v libx264 -x264-params intra-refresh=1:keyint=10 -pix_fmt yuv420p"),
      ("refresh.mkv", "-c:v libx264 -x264-params intra-refresh=1:keyint=10 -pix_fmt yuv420p"),
      ("vp9.webm", "-c:v libvpx-vp9 -b:v 200k -auto-alt-ref 1 -lag-in-frames 12 -g 15"),
      ("vp8.webm", "-c:v libvpx -b:v 200k -auto-alt-ref 1 -lag-in-frames 12 -g 15"),
      ("deep.mkv", "-c:v ffv1 -pix_fmt gray12le"),
      ("mjpeg.avi", "-c:v mjpeg -pix_fmt yuvj420p"),
      ("mpeg2.mkv", "-c:v mpeg2video -bf 2 -g 6"),
      ("mpeg4.mp4", "-c:v mpeg4 -bf 2 -g 12"),
      ("clip.ts", "-c:v libx264 -bf 2 -g 12 -pix_fmt yuv420p -f mpegts"),
    ])
    func native(name: String, codec: String) throws {
      let bench = try Workbench()
      try bench.make(name, codec)
      for threads in [1, 3] { try compare(bench, name, threads: threads, .init(.native), "") }
    }

    @Test(.enabled(if: Workbench.has("mkvmerge")))
    func throughTheDemuxer() throws {
      let bench = try Workbench()
      let source = "-f lavfi -i color=gray:size=160x96:rate=30 -frames:v 40"
      try bench.run("ffmpeg -nostdin -v error -y \(source) -c:v mpeg2video -g 7 a.mkv")
      try bench.run("mkvmerge -q -o zlib.mkv --compression 0:zlib a.mkv")
      let index = try VideoFile.index(path: bench.path("zlib.mkv"))
      #expect(index.packets.offset.contains(VideoPackets.noOffset))
      try compare(bench, "zlib.mkv", threads: 1, .init(.native), "")
    }

    @Test(arguments: [
      (VideoOutput.Scaling.nearest, "neighbor"), (.bilinear, "bilinear"), (.area, "area"),
    ])
    func converted(scaling: VideoOutput.Scaling, flag: String) throws {
      let bench = try Workbench()
      try bench.make("a.mp4", "-c:v libx264 -bf 2 -pix_fmt yuv420p", frames: 12)
      let flags = "flags=\(flag)+accurate_rnd+bitexact+full_chroma_int"
      try compare(
        bench, "a.mp4", threads: 1, .init(.rgb24, width: 79, height: 33, scaling: scaling),
        "-vf scale=79:33:\(flags) -pix_fmt rgb24")
      // Gray is the stored brightness, whatever the scaling of colours.
      try compare(
        bench, "a.mp4", threads: 1, .init(.gray8, scaling: scaling), "-vf extractplanes=y")
    }

    @Test func editListHidesPackets() throws {
      let bench = try Workbench()
      try bench.make("a.mp4", "-c:v libx264 -bf 2 -g 12 -pix_fmt yuv420p")
      try bench.run("ffmpeg -nostdin -v error -y -ss 0.7 -i a.mp4 -c copy cut.mp4")
      let index = try VideoFile.index(path: bench.path("cut.mp4"))
      #expect(index.packets.flags.contains { $0.contains(.hidden) })
      try compare(bench, "cut.mp4", threads: 1, .init(.native), "")
    }

    @Test(arguments: [
      ("a.mkv", "-c:v libx265 -pix_fmt gray -x265-params lossless=1:keyint=8:log-level=0"),
      ("b.mp4", "-c:v libx264 -bf 3 -g 8 -pix_fmt yuv420p"),
      ("c.mkv", "-c:v libx264 -bf 3 -g 8 -x264-params open-gop=1 -pix_fmt yuv420p"),
    ])
    func decodesNoMoreThanNeeded(name: String, codec: String) throws {
      let bench = try Workbench()
      try bench.make(name, codec)
      let decoder = try VideoDecoder(path: bench.path(name))
      var one = [UInt8](repeating: 0, count: try decoder.frameBytes(.init(.native)))
      // In order, one by one and the same one twice: every packet once.
      for frame in 0..<40 {
        try decode(decoder, [frame], .init(.native), &one)
        try decode(decoder, [frame, frame].dropLast(), .init(.native), &one)
      }
      #expect(decoder.packetsDecoded == 40)
      // A jump costs a group and the delay; an open group may need the one before, and a try.
      for frame in [33, 1, 20, 8, 39, 16, 0, 25] {
        let before = decoder.packetsDecoded
        try decode(decoder, [frame], .init(.native), &one)
        #expect(
          decoder.packetsDecoded - before <= (name == "c.mkv" ? 3 : 1) * 8
            + decoder.order.reorderDepth + 1)
      }
    }

    @Test func badRequests() throws {
      let bench = try Workbench()
      try bench.make("a.mp4", "-c:v libx264 -pix_fmt yuv420p", frames: 4)
      let decoder = try VideoDecoder(path: bench.path("a.mp4"))
      var room = [UInt8](repeating: 0, count: try decoder.frameBytes(.init(.gray8)))
      try decode(decoder, [], .init(.gray8), &room)
      for (frames, output) in [
        ([4], VideoOutput(.gray8)), ([-1], .init(.gray8)), ([0, 1], .init(.gray8)),
        ([0], .init(.rgb24)), ([0], .init(.native, width: 8)), ([0], .init(.gray8, width: 0)),
      ] {
        let error = #expect(throws: TrajpackError.self) {
          try decode(decoder, frames, output, &room)
        }
        #expect(error?.fault == .usage)
      }
      #expect(throws: TrajpackError.self) {
        try VideoDecoder(path: bench.path("a.mp4"), threads: 0)
      }
    }

    @Test func anyByteSource() throws {
      let bench = try Workbench()
      try bench.make("a.mkv", "-c:v libx264 -bf 2 -pix_fmt yuv420p")
      let all = try bytes(of: bench.path("a.mkv"))
      let fromPath = try VideoFile.index(path: bench.path("a.mkv"))
      let blob = MemoryBytes(name: "blob", bytes: all, most: 777)
      #expect(try VideoFile.index(blob) == fromPath)
      for from in stride(from: 0, to: Int64(all.count), by: 4001) {
        let error = #expect(throws: TrajpackError.self) {
          try VideoFile.index(FailingBytes(inner: blob, from: from))
        }
        #expect(error?.fault == .machine && error?.message == "blob: disk gone")
      }
      let stop = TrajpackError(.usage, "enough")
      #expect(throws: TrajpackError(.usage, "blob: enough")) {
        try VideoFile.index(blob) { packet throws(TrajpackError) in
          if packet.number == 3 { throw stop }
        }
      }
    }

    private func compare(
      _ bench: Workbench, _ name: String, threads: Int, _ output: VideoOutput, _ options: String
    ) throws {
      let decoder = try VideoDecoder(path: bench.path(name), threads: threads)
      let truth = try bench.run(
        "ffmpeg -nostdin -v error -i \(name) -map 0:V:0 -vsync passthrough \(options) -f rawvideo -"
      )
      let size = try decoder.frameBytes(output)
      try #require(truth.count == size * decoder.frameCount)
      func expected(_ frame: Int) -> ArraySlice<UInt8> { truth[frame * size..<(frame + 1) * size] }
      var all = [UInt8](repeating: 0, count: truth.count)
      try decode(decoder, Array(0..<decoder.frameCount), output, &all)
      // Not `all == truth`: a failed expectation would diff millions of bytes.
      let wrong = zip(all, truth).enumerated().first { $0.element.0 != $0.element.1 }?.offset
      #expect(wrong == nil, "\(name) frame \((wrong ?? 0) / size)")
      // Single frames backwards, then seeded windows in any order with repetitions.
      var one = [UInt8](repeating: 0, count: size)
      for frame in (0..<decoder.frameCount).reversed() {
        try decode(decoder, [frame], output, &one)
        #expect(expected(frame).elementsEqual(one), "\(name) frame \(frame)")
      }
      var seed = UInt64(name.utf8.reduce(7) { $0 &* 31 &+ Int($1) } & 0xFFFF)
      for _ in 0..<12 {
        var frames: [Int] = []
        for _ in 0..<4 {
          seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
          frames.append(Int(seed >> 33) % decoder.frameCount)
        }
        frames.append(frames[0])
        var many = [UInt8](repeating: 0, count: size * frames.count)
        try decode(decoder, frames, output, &many)
        for (slot, frame) in frames.enumerated() {
          #expect(many[slot * size..<(slot + 1) * size].elementsEqual(expected(frame)))
        }
      }
    }
  }
#endif
