import Testing

@testable import TrajpackStore

@Suite struct FileSystemTests {
  @Test(arguments: [
    ("", ".", ""), ("/", "/", "/"), ("a", ".", "a"), ("a/", ".", "a"), ("/a", "/", "a"),
    ("a/b", "a", "b"),
    ("a//b", "a/", "b"), ("/a/b/", "/a", "b"), ("a/\u{0CBC}", "a", "\u{0CBC}"),
  ]) func partsOfPaths(path: String, parent: String, name: String) {
    #expect(FileSystem.parent(of: path) == parent)
    #expect(FileSystem.name(of: path) == name)
  }
}
