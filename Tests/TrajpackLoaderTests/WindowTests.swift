import Glibc
import Testing
import TrajpackFormat
import TrajpackStore
import TrajpackTestSupport

@testable import TrajpackLoader

@Suite struct WindowTests {
  /// Every batch of an epoch.
  static func epoch(_ loader: Loader) throws -> [Batch] {
    var out: [Batch] = []
    while case .batch(let batch) = try loader.next() { out.append(batch) }
    return out
  }

  static func same(_ a: Double, _ b: Double, _ tolerance: Double = 0) -> Bool {
    a == b || (a.isNaN && b.isNaN) || abs(a - b) <= tolerance
  }

  @Test(arguments: 0..<12 as Range<UInt64>)
  func windowsEqualASlowReader(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed &* 77 &+ 5)
    let codec: Codec = [.zstd, .none, .gzip][Int(seed % 3)]
    let archive = try Archive(seed: seed, codec: codec)
    let dataset = try OpenDataset(archive.path)
    let edge = [("drop", SlowReader.Edge.drop), ("pad", .pad), ("clamp", .clamp)][Int(seed / 3 % 3)]
    let (past, length) = (
      Int.random(in: 0...4, using: &random), Int.random(in: 1...20, using: &random)
    )
    let stride = Int.random(in: 1...9, using: &random)
    let blend: SlowReader.Blend = seed % 2 == 0 ? .asOf : .nearest
    let options = """
      {"length": \(length), "past": \(past), "stride": \(stride), "edge": "\(edge.0)", "batch": 5,
       "drop_last": false, "shuffle": "\(seed % 2 == 0 ? "none" : "global")", "seed": \(seed), "threads": 3,
       "align": {"log/*": "asof", "camera/turn": "\(blend == .asOf ? "asof" : "nearest")"},
       "cache": \(seed % 4 == 0 ? 100_000 : 0), "time": true, "reference": "state", "hold": "interval"}
      """
    let slow = SlowReader(
      dataset, past: past, length: past + length, stride: stride, edge: edge.1)
    guard !slow.windows.isEmpty else { return }
    let loader = try Loader([dataset], try LoaderOptions(json: options))
    #expect(loader.windows == [UInt64(slow.windows.count)])
    let outputs = Dictionary(uniqueKeysWithValues: loader.outputs.map { ($0.name, $0) })
    var seen: Set<UInt64> = []
    for batch in try Self.epoch(loader) {
      for w in 0..<batch.count {
        seen.insert(batch.windows[w])
        let window = slow.windows[Int(batch.windows[w])]
        try compare(batch, w, window, slow, outputs, blend)
      }
    }
    #expect(seen.count == slow.windows.count)
  }

  private func compare(
    _ batch: Batch, _ w: Int, _ window: SlowReader.Window, _ slow: SlowReader,
    _ outputs: [String: Output],
    _ blend: SlowReader.Blend
  ) throws {
    let length = slow.length
    for (stream, channel, kind) in [
      ("state", "hp", SlowReader.Blend.linear), ("state", "id", .asOf), ("state", "price", .linear),
      ("state", "speed", .linear), ("state", "level", .asOf), ("state", "wide", .linear),
      ("state", "flag", .asOf), ("camera", "place", .linear), ("camera", "turn", blend),
      ("camera", "shot", .asOf), ("body", "joints", .linear), ("body", "alive", .asOf),
      ("log", "value", .asOf), ("log", "time", .asOf),
    ] {
      let output = try #require(outputs["\(stream)/\(channel)"])
      let observed = outputs["observed:\(stream)/\(channel)"].map { batch.doubles($0, window: w) }
      let values = batch.doubles(output, window: w)
      let slots = max(output.entities, 1)
      let elements = values.count / length / slots
      let padding = try batch.doubles(#require(outputs["padding:\(stream)"]), window: w)
      for t in 0..<length {
        let (time, isOutside) = try slow.moment(window, window.anchor - slow.past + t)
        for slot in 0..<slots {
          let skips = stream == "state" && isOutside && slow.edge != .clamp
          let found =
            skips
            ? nil
            : try slow.values(
              window, stream, channel, at: time, isOutside: isOutside, slot: slot,
              isEntity: stream == "body", kind)
          let at = (t * slots + slot) * elements
          let wanted = found ?? [Double](repeating: 0, count: elements)
          let got = Array(values[at..<at + elements])
          let isEqual = zip(got, wanted).allSatisfy {
            Self.same($0, $1, kind == .linear ? 1e-3 : 0)
          }
          if !isEqual {
            Issue.record(
              "\(stream)/\(channel) window \(batch.windows[w]) t \(t) slot \(slot): \(got) not \(wanted)"
            )
            return
          }
          if let observed {
            let mask = observed[at..<at + elements].map { $0 == 1 }
            #expect(
              mask == wanted.map { !$0.isNaN && found != nil }, "observed \(stream)/\(channel)")
          }
          if stream == "body" {
            let present = try batch.doubles(#require(outputs["present:body"]), window: w)
            #expect((present[t * slots + slot] == 1) == (found != nil))
          }
        }
        if stream == "state" || stream == "body" { #expect((padding[t] == 1) == isOutside) }
        if stream == "state" {
          let times = try batch.doubles(#require(outputs["time:state"]), window: w)
          #expect(times[t] == time)
        }
      }
    }
  }

  @Test func offsetsTakePlacesOfTheirOwn() throws {
    let archive = try Archive(seed: 40)
    let dataset = try OpenDataset(archive.path)
    let loader = try Loader(
      [dataset],
      try LoaderOptions(
        json: """
          {"channels": ["state/hp", "state/id", "camera/shot"], "length": 4, "edge": "pad", "batch": 3,
           "offsets": {"state/id": [-2, 0, 3], "camera/shot": [-0.5, 0.0, 0.25]}, "drop_last": false}
          """))
    let outputs = Dictionary(uniqueKeysWithValues: loader.outputs.map { ($0.name, $0) })
    #expect(outputs["state/hp"]?.shape == [3, 4] && outputs["state/id"]?.shape == [3, 3])
    let slow = SlowReader(dataset, past: 0, length: 4, stride: 1, edge: .pad)
    for batch in try Self.epoch(loader) {
      for w in 0..<batch.count {
        let window = slow.windows[Int(batch.windows[w])]
        let ids = batch.doubles(try #require(outputs["state/id"]), window: w)
        for (t, offset) in [-2, 0, 3].enumerated() {
          let (time, isOutside) = try slow.moment(window, window.anchor + offset)
          let wanted =
            isOutside
            ? nil : try slow.values(window, "state", "id", at: time, isOutside: false, .asOf)
          #expect(ids[t] == wanted?[0] ?? 0)
        }
        let shots = batch.doubles(try #require(outputs["camera/shot"]), window: w)
        for (t, offset) in [-0.5, 0, 0.25].enumerated() {
          let time = try slow.moment(window, window.anchor).time + offset
          let wanted = try slow.values(window, "camera", "shot", at: time, isOutside: false, .asOf)
          #expect(shots[t] == wanted?[0] ?? 0)
        }
      }
    }
  }

  @Test func resumingAnywhereIsLikeNeverStopping() throws {
    let archive = try Archive(seed: 50)
    let dataset = try OpenDataset(archive.path)
    let options = try LoaderOptions(
      json: #"{"channels": ["state"], "length": 3, "batch": 4, "seed": 7, "threads": 2}"#)
    func windows(_ loader: Loader, _ steps: Int) throws -> [[UInt64]] {
      var out: [[UInt64]] = []
      while out.count < steps {
        if case .batch(let batch) = try loader.next() { out.append(batch.windows) }
      }
      return out
    }
    let whole = try windows(Loader([dataset], options), 90)
    for stop in [0, 1, 7, 40, 88] {
      let first = try Loader([dataset], options)
      let head = try windows(first, stop)
      let second = try Loader([dataset], options)
      try second.resume(first.cursor, seed: first.order.seed, digest: first.digest)
      #expect(head + (try windows(second, 90 - stop)) == whole)
    }
    let other = try Loader(
      [dataset], try LoaderOptions(json: #"{"channels": ["state"], "length": 5}"#))
    #expect(throws: TrajpackError.self) {
      try other.resume(WindowCursor(), seed: 7, digest: try Loader([dataset], options).digest)
    }
  }

  @Test func readingByNumberGivesTheSame() throws {
    let archive = try Archive(seed: 60)
    let dataset = try OpenDataset(archive.path)
    let loader = try Loader(
      [dataset], try LoaderOptions(json: #"{"length": 6, "batch": 4, "edge": "pad"}"#))
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: loader.batchBytes, alignment: 64)
    defer { memory.deallocate() }
    for _ in 0..<10 {
      guard case .batch(let batch) = try loader.next() else { break }
      memset(memory.baseAddress.unsafelyUnwrapped, 0xAA, memory.count)
      try loader.read(dataset: 0, windows: batch.windows, into: memory)
      for output in loader.outputs {
        let a = UnsafeRawBufferPointer(start: batch.memory + output.offset, count: output.bytes)
        let b = UnsafeRawBufferPointer(
          rebasing: memory[output.offset..<output.offset + output.bytes])
        #expect(a.elementsEqual(b), "\(output.name)")
      }
    }
  }

  @Test func damageIsNamedOrSkipped() throws {
    let archive = try Archive(seed: 70, episodes: 8, shards: 1)
    let path = "\(archive.path)/shard-000000.h5"
    let shard = try Shard(path)
    let block = try #require(shard.schema.blocks.firstIndex { $0.path.hasSuffix("wide") })
    let place = shard.index.chunk(1, of: shard.schema.blocks[block])
    let fd = open(path, O_RDWR)
    var byte: UInt8 = 0
    pread(fd, &byte, 1, off_t(place.offset + place.stored / 2))
    byte ^= 0x40
    pwrite(fd, &byte, 1, off_t(place.offset + place.stored / 2))
    close(fd)
    let dataset = try OpenDataset(archive.path)
    let base =
      #""channels": ["state"], "length": 2, "batch": 4, "shuffle": "none", "drop_last": false"#
    let loader = try Loader([dataset], try LoaderOptions(json: "{\(base)}"))
    var failure: TrajpackError?
    do { _ = try Self.epoch(loader) } catch { failure = error as? TrajpackError }
    let first = try #require(failure)
    #expect(
      first.fault == .data && first.message.contains("chunk 1 of") && first.message.contains("wide")
    )
    #expect(throws: first) { _ = try loader.next() }
    let skipping = try Loader(
      [dataset], try LoaderOptions(json: "{\(base), \"on_error\": \"skip\"}"))
    let clean = SlowReader(dataset, past: 0, length: 2, stride: 1, edge: .drop)
    var kept: [UInt64] = []
    for batch in try Self.epoch(skipping) {
      for w in 0..<batch.count {
        let output = try #require(skipping.outputs.first { $0.name == "state/id" })
        let window = clean.windows[Int(batch.windows[w])]
        let wanted = try (0..<2).map { t in
          try clean.values(
            window, "state", "id", at: clean.moment(window, window.anchor + t).time,
            isOutside: false, .asOf)?[0]
        }
        #expect(batch.doubles(output, window: w) == wanted.map { $0 ?? 0 })
      }
      kept += batch.windows
    }
    let skipped = skipping.statistics["skipped"]?.int ?? 0
    #expect(skipped > 0 && skipped + kept.count == clean.windows.count)
  }

  @Test func cancellingReturnsAtOnceAndSeekingGoesOn() throws {
    let archive = try Archive(seed: 80)
    let loader = try Loader(
      [try OpenDataset(archive.path)], try LoaderOptions(json: #"{"length": 2, "batch": 2}"#))
    guard case .batch(let first) = try loader.next() else { return }
    loader.cancel()
    guard case .cancelled = try loader.next() else {
      Issue.record("not cancelled")
      return
    }
    loader.seek(WindowCursor())
    guard case .batch(let again) = try loader.next() else { return }
    #expect(again.windows == first.windows)
  }

  @Test func mistakesAreExplained() throws {
    let archive = try Archive(seed: 90)
    let dataset = try OpenDataset(archive.path)
    func message(_ options: String) -> String {
      do {
        _ = try Loader([dataset], try LoaderOptions(json: options))
        return ""
      } catch { return error.message }
    }
    for (options, part) in [
      (#"{"lenght": 4}"#, "did you mean 'length'"), (#"{"length": 0}"#, "an integer from 1"),
      (#"{"channels": ["state/hpp"]}"#, "did you mean 'state/hp'"),
      (#"{"split": "trian"}"#, "did you mean 'train'"),
      (#"{"length": 100000}"#, "fits into any of"),
      (#"{"episodes": ["nobody"]}"#, "there is no episode 'nobody'"),
      (#"{"rank": 2, "world": 2}"#, "below 'world'"),
      (#"{"reference": "stat"}"#, "did you mean 'state'"),
      (#"{"shuffle": "globl"}"#, "'global'"), ("[1]", "must be an object"), ("{", "no JSON"),
      (#"{"length": 2, "batch": 100000}"#, "too few for a whole batch"),
      (#"{"weights": [1, 2]}"#, "one each"),
    ] {
      #expect(message(options).contains(part), "\(options): \(message(options))")
    }
  }
}
