import Testing
import TrajpackFormat
import TrajpackTestSupport

@testable import TrajpackCommands

private func complaint(_ words: String...) -> String {
  do throws(TrajpackError) {
    return "parsed: \(try Sample.parse(words))"
  } catch {
    #expect(error.fault == .usage)
    let hint = "; see 'trajpack sample --help'"
    #expect(error.message.hasSuffix(hint))
    return String(error.message.dropLast(hint.count))
  }
}

@Suite struct ParseTests {
  @Test func defaultsStay() throws {
    let sample = try Sample.parse(["a", "b"])
    #expect(sample.sources == ["a"] && sample.destination == "b")
    #expect(sample.codec == .zstd && sample.level == 3 && sample.rate == nil && sample.video)
  }

  @Test(arguments: [
    ["--codec", "gzip"], ["--codec=gzip"], ["-c", "gzip"], ["-cgzip"], ["-c=gzip"],
    ["-fcgzip"], ["-fc", "gzip"], ["--codec", "none", "-c", "gzip"],
  ])
  func everySpelling(_ option: [String]) throws {
    #expect(try Sample.parse(option + ["a", "b"]).codec == .gzip)
    #expect(try Sample.parse(["a"] + option + ["b"]).codec == .gzip)
    #expect(try Sample.parse(["a", "b"] + option).codec == .gzip)
  }

  @Test func flags() throws {
    let sample = try Sample.parse(["-fn", "a", "b"])
    #expect(sample.force && !sample.video)
  }

  @Test func negativeNumbersAreValues() throws {
    #expect(try Sample.parse(["--level", "-5", "a", "b"]).level == -5)
    #expect(try Sample.parse(["-l-5", "a", "b"]).level == -5)
    #expect(try Sample.parse(["--rate", "-1e-3", "a", "b"]).rate == -1e-3)
    #expect(try Sample.parse(["-7", "-.5"]).sources == ["-7"])
  }

  @Test func doubleDashEndsOptions() throws {
    let sample = try Sample.parse(["-f", "--", "--codec", "-h", "-x"])
    #expect(sample.sources == ["--codec", "-h"] && sample.destination == "-x")
    #expect(try Sample.parse(["-", "b"]).sources == ["-"])
  }

  @Test func listsGrow() throws {
    #expect(try Sample.parse(["-s", "x", "--stream=y", "a", "b"]).streams == ["x", "y"])
    #expect(try Sample.parse(["a", "b", "c", "d"]).sources == ["a", "b", "c"])
    #expect(try Loose.parse([]).count == 7)
    #expect(try Loose.parse(["3", "x", "y"]).words == ["x", "y"])
  }

  @Test func valuesMayHoldAnything() throws {
    #expect(try Sample.parse(["--log=a=b c", "a", "b"]).log == "a=b c")
    #expect(try Sample.parse(["--log=", "a", "b"]).log == "")
    #expect(try Sample.parse(["--log=-x", "a", "b"]).log == "-x")
  }

  @Test func everyProblemIsOneClause() {
    #expect(complaint() == "SRC... and DST are missing")
    #expect(complaint("a") == "DST is missing")
    #expect(complaint("--codc", "x") == "no option '--codc' (did you mean '--codec'?)")
    #expect(complaint("--cod", "x") == "no option '--cod' (did you mean '--codec'?)")
    #expect(complaint("--xyzzy") == "no option '--xyzzy'")
    #expect(complaint("-fz") == "no option '-z'")
    #expect(complaint("-f=1") == "-f takes no value")
    #expect(complaint("--force=yes") == "--force takes no value")
    #expect(complaint("a", "b", "--codec") == "--codec needs a value: none, gzip or zstd")
    #expect(complaint("--log", "--force") == "--log needs a value: FILE")
    #expect(
      complaint("-c", "zstf")
        == "-c: 'zstf' is not none, gzip or zstd (did you mean 'zstd'?)")
    #expect(complaint("--level", "20") == "--level: '20' is out of range, take -5 to 19")
    #expect(complaint("--level", "x3") == "--level: 'x3' is not a whole number")
    #expect(
      complaint("--level", "99999999999999999999")
        == "--level: '99999999999999999999' is out of range, "
        + "take -9223372036854775808 to 9223372036854775807")
    #expect(complaint("--rate", "nan") == "--rate: 'nan' is not a number")
    #expect(throws: TrajpackError.self) { try Loose.parse(["0"]) }
  }

  /// Whatever the words, parsing ends in a value or in one usage sentence.
  @Test func noWordsCrashIt() {
    let pieces = [
      "-", "--", "=", "-c", "--codec", "--codec=", "--=", "-=", "zstd", "é", "-é", "--level=-",
      "-l", "-9", "", " ", "--stream", "-fnfn", "--every", "1h", "--block", "1e3", "\u{0}",
    ]
    var state: UInt64 = 42
    for _ in 0..<5000 {
      var words: [String] = []
      for _ in 0..<6 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        words.append(pieces[Int(state >> 33) % pieces.count])
      }
      do throws(TrajpackError) { _ = try Sample.parse(words) } catch {
        #expect(error.fault == .usage && !error.message.isEmpty)
      }
    }
  }
}

@Suite struct ArgumentValueTests {
  @Test(arguments: [
    ("0", 0), ("4096", 4096), ("512MiB", 512 << 20), ("2GB", 2_000_000_000), ("1.5k", 1536),
    ("1kb", 1000), ("7B", 7), ("1T", 1 << 40), ("0.1KiB", 102), ("4EiB", 4 << 60),
  ])
  func sizes(_ text: String, _ bytes: Int) throws {
    #expect(try ByteSize.parse(text).bytes == bytes)
  }

  @Test(arguments: ["", "x", "1x", "MiB", "-1", "1..2", "1.", "1 MiB", "1kbb", "8EiB", "1e3", "٣"])
  func noSizes(_ text: String) {
    #expect(throws: TrajpackError.self) { try ByteSize.parse(text) }
  }

  @Test(arguments: [
    ("0", Duration.zero), ("250ms", .milliseconds(250)), ("1.5h", .seconds(5400)),
    ("1h30min", .seconds(5400)), ("1h30m", .seconds(5400)), ("2d", .seconds(172_800)),
    ("7ns", .nanoseconds(7)),
  ])
  func durations(_ text: String, _ time: Duration) throws {
    #expect(try Duration.parse(text) == time)
  }

  @Test(arguments: ["", "s", "5", "-1s", "1h5", "1 h", "1y", "99999999999d", "1h,5s"])
  func noDurations(_ text: String) {
    #expect(throws: TrajpackError.self) { try Duration.parse(text) }
  }

  /// What help shows as a default can be typed back.
  @Test func spellingsRoundTrip() throws {
    var state: UInt64 = 7
    for _ in 0..<2000 {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      let number = Int(state >> (1 + state % 60))
      let size = ByteSize(number)
      #expect(try ByteSize.parse(size.argumentText) == size)
      let time = Duration.nanoseconds(number)
      #expect(try Duration.parse(time.argumentText) == time)
    }
  }

  @Test func editDistances() {
    #expect(editDistance("codec", "codec") == 0)
    #expect(editDistance("codc", "codec") == 1)
    #expect(editDistance("cdoec", "codec") == 1)
    #expect(editDistance("", "abc") == 3)
    #expect(editDistance("kitten", "sitting") == 3)
  }
}
