import Testing
import TrajpackFormat
import TrajpackVideo

#if Video
  @Suite("A cut or damaged file is refused with one sentence")
  struct DamageTests {
    /// What indexing says of these bytes; nil where it takes them.
    private func refusal(_ all: some Collection<UInt8>, _ bench: Workbench, _ name: String) throws
      -> TrajpackError?
    {
      let path = bench.path(name)
      try write(all, to: path)
      do throws(TrajpackError) {
        _ = try VideoFile.index(path: path)
        return nil
      } catch {
        #expect(error.fault == .data)
        #expect(error.message.hasPrefix(path + ": "))
        #expect(!error.message.contains("\n"))
        return error
      }
    }

    @Test(arguments: [
      ("a.mp4", "-c:v libx264 -bf 2 -pix_fmt yuv420p"),
      ("b.mp4", "-c:v libx264 -pix_fmt yuv420p -movflags +faststart"),
      ("c.mkv", "-c:v libx265 -pix_fmt gray -x265-params lossless=1:keyint=8:log-level=0"),
      ("d.webm", "-c:v libvpx-vp9 -b:v 100k"),
      ("e.avi", "-c:v mjpeg -pix_fmt yuvj420p"),
      (
        "f.mp4",
        "-c:v libx264 -pix_fmt yuv420p -g 10 -movflags frag_keyframe+empty_moov+dash+global_sidx"
      ),
    ])
    func everyCut(name: String, codec: String) throws {
      let bench = try Workbench()
      try bench.make(name, codec, frames: 24, size: "64x48")
      let whole = try bytes(of: bench.path(name))
      #expect(try refusal(whole, bench, "whole-" + name) == nil)
      // Near both ends every length, between them a length each 97 bytes.
      var cuts = Array(0..<64)
      cuts += stride(from: 64, to: whole.count, by: 97)
      cuts += (whole.count - 64)..<whole.count
      // And exactly where each packet begins and ends, which is where blocks and fragments do.
      let packets = try VideoFile.index(path: bench.path(name)).packets
      for packet in 0..<packets.count {
        let end = Int(packets.offset[packet]) + Int(packets.size[packet])
        cuts += [Int(packets.offset[packet]), end].filter { $0 < whole.count }
      }
      for cut in cuts {
        let error = try refusal(whole.prefix(cut), bench, "cut-" + name)
        if error != nil { continue }
        // What is taken may lack a trailing index (mfra), never a packet.
        let left = try VideoFile.index(path: bench.path("cut-" + name)).packets
        #expect(left == packets, "\(name) cut to \(cut) of \(whole.count) bytes was taken")
        #expect(name == "f.mp4")
      }
    }

    @Test func flippedBytesOfMatroska() throws {
      // Clusters, tracks and cues carry a CRC-32, so a flipped bit anywhere in them is seen.
      let bench = try Workbench()
      let codec = "-c:v libx265 -pix_fmt gray -x265-params lossless=1:log-level=0"
      try bench.make("a.mkv", codec, frames: 12, size: "64x48")
      let whole = try bytes(of: bench.path("a.mkv"))
      let index = try VideoFile.index(path: bench.path("a.mkv"))
      for packet in 0..<index.packets.count {
        var damaged = whole
        let place = Int(index.packets.offset[packet]) + Int(index.packets.size[packet]) / 2
        damaged[place] ^= 0x10
        let error = try refusal(damaged, bench, "flipped.mkv")
        #expect(error?.message.contains("CRC-32") == true)
      }
    }

    @Test func zeroedHoleOfMP4IsNoTrap() throws {
      // An mp4 has no checksums: a hole in its tables must be refused or read, never trapped on.
      let bench = try Workbench()
      try bench.make("a.mp4", "-c:v libx264 -pix_fmt yuv420p", frames: 12, size: "64x48")
      let whole = try bytes(of: bench.path("a.mp4"))
      var refused = 0
      for start in stride(from: 0, to: whole.count - 16, by: 131) {
        var damaged = whole
        for place in start..<start + 16 { damaged[place] = 0xFF }
        if try refusal(damaged, bench, "hole.mp4") != nil { refused += 1 }
      }
      #expect(refused > 0)
    }

    @Test func noVideo() throws {
      let bench = try Workbench()
      #expect(try refusal([], bench, "empty.mp4")?.message.contains("empty") == true)
      let text = Array(String(repeating: "this is no video at all\n", count: 500).utf8)
      #expect(try refusal(text, bench, "text.mp4") != nil)
      #expect(try refusal(text, bench, "text.mkv") != nil)
      for name in ["sound.mp4", "sound.mka"] {
        try bench.run(
          "ffmpeg -nostdin -v error -y -f lavfi -i sine=duration=1 -c:a aac \(name)")
        let error = try refusal(bytes(of: bench.path(name)), bench, name)
        #expect(error?.message.contains("no video stream") == true)
      }
      #expect(throws: TrajpackError.self) { try VideoFile.index(path: bench.path("absent.mp4")) }
      #expect(throws: TrajpackError.self) { try VideoFile.index(path: bench.folder) }
    }

    @Test func damagedPacketIsNamed() throws {
      let bench = try Workbench()
      let codec = "-c:v libx265 -pix_fmt gray -x265-params lossless=1:keyint=8:log-level=0"
      try bench.make("a.mkv", codec)
      let index = try VideoFile.index(path: bench.path("a.mkv"))
      let whole = try bytes(of: bench.path("a.mkv"))
      for threads in [1, 3] {
        var damaged = whole
        let packet = 10
        let first = Int(index.packets.offset[packet])
        for place in first + 6..<first + Int(index.packets.size[packet]) { damaged[place] = 0 }
        let source = MemoryBytes(name: "blob", bytes: damaged)
        let decoder = try VideoDecoder(index: index, source: source, threads: threads)
        var room = [UInt8](repeating: 0, count: 40 * 160 * 96)
        let error = #expect(throws: TrajpackError.self) {
          try decode(decoder, Array(0..<40), .init(.native), &room)
        }
        let message = error?.message ?? ""
        #expect(message.hasPrefix("blob: frame ") && message.contains(": packet "))
        // HEVC sees the damage in the packet itself or in the first one that leans on it.
        #expect((10...15).contains { message.contains(": packet \($0) ") }, "\(message)")
        #expect(message.contains("byte") && message.contains("pts"))
        // What does not depend on it can still be read.
        try decode(decoder, [0, 39], .init(.native), &room)
      }
    }
  }
#endif
