import Testing
import TrajpackFormat
import TrajpackVideo

#if Video
  @Suite("The packet table agrees with ffprobe")
  struct IndexTests {
    static let videos: [(String, String)] = [
      ("bframes.mp4", "-c:v libx264 -bf 3 -g 12 -pix_fmt yuv420p"),
      ("faststart.mp4", "-c:v libx264 -bf 2 -pix_fmt yuv420p -movflags +faststart"),
      ("fragmented.mp4", "-c:v libx264 -g 10 -pix_fmt yuv420p -movflags frag_keyframe+empty_moov"),
      (
        "vfr.mp4",
        "-vf \"select='not(mod(n,3))+not(mod(n,5))'\" -vsync vfr -c:v libx264 -frames:v 20"
      ),
      ("depth.mkv", "-c:v libx265 -pix_fmt gray -x265-params lossless=1:log-level=0"),
      ("depth8.mkv", "-c:v libx265 -pix_fmt gray -x265-params lossless=1:keyint=8:log-level=0"),
      ("opengop.mkv", "-c:v libx264 -bf 2 -g 8 -x264-params open-gop=1 -pix_fmt yuv420p"),
      ("vp9.webm", "-c:v libvpx-vp9 -b:v 200k -auto-alt-ref 1 -lag-in-frames 12"),
      ("vp8.webm", "-c:v libvpx -b:v 200k -auto-alt-ref 1 -lag-in-frames 12 -arnr-maxframes 5"),
      ("ffv1.mkv", "-c:v ffv1 -pix_fmt gray12le"),
      ("mjpeg.avi", "-c:v mjpeg -pix_fmt yuvj420p"),
      ("clip.ts", "-c:v libx264 -bf 2 -pix_fmt yuv420p -f mpegts"),
      ("stream.mkv", "-c:v libx264 -pix_fmt yuv420p -f matroska - >"),
    ]

    @Test(arguments: videos)
    func table(name: String, codec: String) throws {
      let bench = try Workbench()
      try bench.make(name, codec)
      try compare(bench, name)
    }

    @Test func audioAndRotation() throws {
      let bench = try Workbench()
      try bench.run(
        """
        ffmpeg -nostdin -v error -y -f lavfi -i sine=duration=1 -f lavfi \
        -i testsrc2=size=64x48:rate=25:duration=1 -c:v libx264 -pix_fmt yuv420p -c:a aac a.mp4
        """)
      try bench.run("ffmpeg -nostdin -v error -y -i a.mp4 -c copy -metadata:s:v rotate=90 b.mp4")
      try compare(bench, "b.mp4")
      let index = try VideoFile.index(path: bench.path("b.mp4"))
      #expect(index.others.map(\.kind) == ["audio"])
      #expect(index.others.map(\.codec) == ["aac"])
      // ffprobe's rotation is counterclockwise, ours clockwise.
      let counterclockwise = try bench.text(
        "ffprobe -v error -show_entries stream_side_data=rotation -of csv=p=0 b.mp4"
      ).split(whereSeparator: { $0.isWhitespace || $0 == "," }).first.flatMap { Double($0) }
      let turned = try #require(counterclockwise)
      #expect(index.stream.rotation == (360 - turned).truncatingRemainder(dividingBy: 360))
    }

    @Test(.enabled(if: Workbench.has("mkvmerge")))
    func strippedAndCompressedBlocks() throws {
      let bench = try Workbench()
      try bench.make("a.mkv", "-c:v mpeg4")
      try bench.run("mkvmerge -q -o zlib.mkv --compression 0:zlib a.mkv")
      try bench.run("mkvmerge -q -o stripped.mkv --compression 0:mpeg4_p2 a.mkv")
      // zlib may store a block as it is; a stripped header is never in the file.
      let zlib = try checkedIndex(bench, "zlib.mkv")
      #expect(zlib.packets.count == 40)
      let stripped = try checkedIndex(bench, "stripped.mkv")
      #expect(stripped.packets.count == 40)
      #expect(stripped.packets.offset.allSatisfy { $0 == VideoPackets.noOffset })
      #expect(!stripped.packets.isSelfSufficient)
    }

    @Test func refreshesAndOpenGroups() throws {
      let bench = try Workbench()
      let refresh = "-c:v libx264 -x264-params intra-refresh=1:keyint=10 -pix_fmt yuv420p"
      for name in ["refresh.mkv", "refresh.mp4", "refresh.ts"] {
        try bench.make(name, refresh)
        let index = try VideoFile.index(path: bench.path(name))
        let keys = index.packets.flags.filter { $0.contains(.keyframe) }
        #expect(keys.count > 1 && keys.count { !$0.contains(.gradual) } == 1)
      }
      // An open group's keyframe is exact at once.
      try bench.make("open.mkv", "-c:v libx264 -bf 2 -g 8 -x264-params open-gop=1")
      let open = try VideoFile.index(path: bench.path("open.mkv"))
      #expect(!open.packets.flags.contains { $0.contains(.gradual) })
      #expect(open.packets.flags.count { $0.contains(.keyframe) } > 2)
    }

    @Test func nestedFilesAreRefused() throws {
      let bench = try Workbench()
      try bench.make("a.ts", "-c:v libx264 -f mpegts")
      try write(
        Array("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:1,\na.ts\n".utf8), to: bench.path("a.m3u8")
      )
      try write(Array("ffconcat version 1.0\nfile a.ts\n".utf8), to: bench.path("a.ffconcat"))
      for name in ["a.m3u8", "a.ffconcat"] {
        #expect(throws: TrajpackError.self) { try VideoFile.index(path: bench.path(name)) }
      }
    }

    /// The index, with every offset compared with the file by the test itself.
    private func checkedIndex(_ bench: Workbench, _ name: String) throws -> VideoIndex {
      let file = try bytes(of: bench.path(name))
      return try VideoFile.index(path: bench.path(name)) { packet in
        #expect(packet.payload.count == Int(packet.size))
        guard packet.offset >= 0 else { return }
        let there = file[Int(packet.offset)...].prefix(packet.payload.count)
        #expect(there.elementsEqual(packet.payload))
      }
    }

    private func compare(_ bench: Workbench, _ name: String) throws {
      let index = try checkedIndex(bench, name)
      let packets = index.packets
      let file = try bytes(of: bench.path(name))
      let lines = try bench.text(
        "ffprobe -v error -select_streams V:0 -show_packets -of compact=p=0:nk=0 \(name)"
      ).split(separator: "\n").filter { $0.hasPrefix("codec_type=video") }
      try #require(lines.count == packets.count)
      #expect(packets.count > 0 && packets.isRectangular)
      for (number, line) in lines.enumerated() {
        var facts: [String: String] = [:]
        for field in line.split(separator: "|") {
          let parts = field.split(separator: "=", maxSplits: 1).map(String.init)
          if parts.count == 2 { facts[parts[0]] = parts[1] }
        }
        func value(_ key: String) -> Int64 { facts[key].flatMap { Int64($0) } ?? .min }
        #expect(packets.pts[number] == value("pts"))
        #expect(packets.dts[number] == value("dts"))
        #expect(packets.duration[number] == value("duration"))
        #expect(Int64(packets.size[number]) == value("size"))
        #expect(packets.flags[number].contains(.keyframe) == (facts["flags"]?.first == "K"))
        let offset = packets.offset[number]
        if name.hasSuffix(".ts") { continue }
        try #require(offset >= 0)
        #expect(offset - value("pos") >= 0 && offset - value("pos") < 64)
        #expect(offset + Int64(packets.size[number]) <= Int64(file.count))
        if index.container.hasPrefix("mov") { #expect(offset == value("pos")) }
      }
      let facts = try bench.text(
        """
        ffprobe -v error -select_streams V:0 -of csv=p=0 -show_entries \
        stream=codec_name,width,height,pix_fmt,time_base,avg_frame_rate \(name)
        """
      ).split(whereSeparator: \.isWhitespace).first.map { $0.hasSuffix(",") ? $0.dropLast() : $0 }
      let s = index.stream
      #expect(
        facts
          == "\(s.codec),\(s.width),\(s.height),\(s.pixelFormat),\(s.averageFrameRate),\(s.timeBase)"
      )
    }
  }
#endif
