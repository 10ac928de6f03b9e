import Testing

@testable import TrajpackFormat

@Suite struct SlashesTests {
  @Test(arguments: [
    ("", [""]), ("/", ["", ""]), ("a/b", ["a", "b"]),
    ("/streams/\u{0CBC}/x", ["", "streams", "\u{0CBC}", "x"]),
    ("../\u{0338}x", ["..", "\u{0338}x"]), ("a/\u{20DD}", ["a", "\u{20DD}"]),
    ("/\u{FE0F}", ["", "\u{FE0F}"]),
  ]) func partsAreThoseOfTheFileSystem(path: String, parts: [String]) {
    #expect(path.pathComponents == parts)
    #expect(path.pathComponents.joined(separator: "/") == path)
    #expect((path.lastSlash != nil) == path.utf8.contains(0x2F))
  }

  @Test(arguments: [
    "", "/", "..", "a/../b", "a//b", "a/", "../\u{0338}x", "/\u{0CBC}", "a/.\u{2F}b", "x\0",
  ])
  func leadsElsewhere(path: String) { #expect(!path.isRelativeDescendant) }

  @Test(arguments: ["a", "a/b", "..a/b..", "a/\u{0CBC}"]) func isRelativeDescendant(path: String) {
    #expect(path.isRelativeDescendant)
  }
}
