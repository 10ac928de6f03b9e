import Testing
import TrajpackFormat

@testable import TrajpackCommands

@Suite struct OutputTests {
  @Test func hostileTextIsSpelledOut() {
    #expect("a\u{1b}[31mb\n\t\u{7f}\u{9b}".printable == "a\\x1b[31mb\\n\\t\\x7f\\x9b")
    #expect("txt\u{202e}exe".printable == "txt\\u{202e}exe")
    #expect("Łódź 東京 👩‍👩‍👧".printable == "Łódź 東京 👩‍👩‍👧")
  }

  @Test(arguments: [
    ("abc", 3), ("é", 1), ("e\u{301}", 1), ("東京", 4), ("👍", 2), ("❤️", 2), ("👩‍👩‍👧", 2), ("", 0),
  ])
  func widths(_ text: String, _ width: Int) { #expect(text.displayWidth == width) }

  @Test func truncation() {
    #expect("abcdef".truncated(to: 4) == "abc…")
    #expect("abcd".truncated(to: 4) == "abcd")
    #expect("東京都".truncated(to: 4) == "東…")
    #expect("abc".truncated(to: 0) == "")
  }

  @Test(arguments: [
    (0, "0 B"), (999, "999 B"), (1000, "1 KiB"), (1536, "1.5 KiB"), (10 << 10, "10 KiB"),
    (1_048_575, "1 MiB"), (3_435_973_837, "3.2 GiB"), (-2048, "-2 KiB"), (Int.max, "8 EiB"),
    (Int.min, "-8 EiB"), (10_230, "10 KiB"), (10_200, "10 KiB"),
  ])
  func bytes(_ count: Int, _ text: String) { #expect(Human.bytes(count) == text) }

  @Test func counts() {
    #expect(Human.count(0) == "0" && Human.count(999) == "999")
    #expect(Human.count(1_234_567) == "1,234,567" && Human.count(-1000) == "-1,000")
    #expect(Human.count(Int.min) == "-9,223,372,036,854,775,808")
    #expect(Human.count(1, "episodes") == "1 episode" && Human.count(1, "entries") == "1 entry")
    #expect(Human.count(2000, "episodes") == "2,000 episodes")
  }

  @Test(arguments: [
    (Duration.zero, "0 s"), (.microseconds(400), "1 ms"), (.milliseconds(99), "99 ms"),
    (.milliseconds(400), "0.4 s"), (.milliseconds(9949), "9.9 s"), (.milliseconds(9960), "10 s"),
    (.milliseconds(59_600), "1 min"), (.seconds(42), "42 s"), (.seconds(185), "3 min 5 s"),
    (.seconds(7800), "2 h 10 min"), (.seconds(3600), "1 h"), (.seconds(356_400), "4 d 3 h"),
    (.seconds(-5), "-5 s"),
  ])
  func durations(_ time: Duration, _ text: String) { #expect(Human.duration(time) == text) }

  private var table: Table {
    var table = Table(.text("stream"), .number("rows"), .text("what"))
    table.add("state", "1,204,000", "everything about the player")
    table.add("東\u{1b}", "7")
    return table
  }

  @Test func tablesAlign() {
    #expect(
      table.lines() == [
        "stream       rows  what",
        "state   1,204,000  everything about the player",
        "東\\x1b          7",
      ])
    #expect(Table(.text("a")).lines() == [])
  }

  @Test(arguments: 33...60) func tablesFit(_ width: Int) {
    let lines = table.lines(width: width)
    #expect(lines.allSatisfy { $0.displayWidth <= width })
    #expect(lines[1].contains("1,204,000"))
  }

  @Test func jsonIsOneLineForPrograms() {
    let document = JSONValue.record(["name": "a", "rows": 3])
    for isTerminal in [false, true] {
      let output = RecordedStream(isTerminal: isTerminal)
      let console = Console(output: output, errors: RecordedStream())
      console.print(document)
      #expect(throws: Never.self) { try console.finish() }
      #expect(output.text == document.text(indent: isTerminal ? 2 : nil) + "\n")
    }
  }

  @Test func statusLineStaysBelow() {
    let errors = RecordedStream(isTerminal: true, width: 40)
    let console = Console(output: RecordedStream(), errors: errors)
    console.setStatus("50%")
    console.warn("odd")
    console.setStatus(nil)
    let clear = "\r\u{1b}[K"
    let warning = "\u{1b}[33mwarning:\u{1b}[0m odd\n"
    #expect(errors.text == clear + "50%" + clear + warning + "50%" + clear)
  }
}
