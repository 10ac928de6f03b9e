import Glibc
import Testing

/// The outside truth: the programs `ffmpeg` and `ffprobe`, and a folder that is removed again.
final class Workbench: Sendable {
  let folder: String

  init() throws {
    var template = Array("/tmp/trajpack-video-XXXXXX".utf8CString)
    let made = template.withUnsafeMutableBufferPointer { room in
      room.baseAddress.flatMap { mkdtemp($0) } != nil
    }
    try #require(made)
    folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  deinit {
    guard let entries = opendir(folder) else { return }
    while let entry = readdir(entries) {
      let name = withUnsafeBytes(of: entry.pointee.d_name) {
        String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
      }
      unlink("\(folder)/\(name)")
    }
    closedir(entries)
    rmdir(folder)
  }

  func path(_ name: String) -> String { "\(folder)/\(name)" }

  /// Runs a shell command in the folder and returns what it wrote to its output.
  @discardableResult
  func run(_ command: String) throws -> [UInt8] {
    let pipe = try #require(popen("cd \(folder) && \(command) 2>>log.txt", "r"))
    var output: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = fread(&buffer, 1, buffer.count, pipe)
      guard count > 0 else { break }
      output += buffer[..<count]
    }
    let status = pclose(pipe)
    try #require(status == 0, "failed: \(command)")
    return output
  }

  func text(_ command: String) throws -> String {
    String(decoding: try run(command), as: UTF8.self)
  }

  /// `ffmpeg -i lavfi…` with a moving test picture of `frames` frames.
  func make(_ name: String, _ codec: String, frames: Int = 40, size: String = "160x96") throws {
    let source = "testsrc2=size=\(size):rate=30"
    try run(
      "ffmpeg -nostdin -v error -y -f lavfi -i \(source) -frames:v \(frames) \(codec) \(name)")
  }

  static func has(_ program: String) -> Bool {
    system("command -v \(program) >/dev/null 2>&1") == 0
  }
}

/// A file's bytes.
func bytes(of path: String) throws -> [UInt8] {
  let file = try #require(fopen(path, "rb"))
  defer { fclose(file) }
  fseek(file, 0, SEEK_END)
  var all = [UInt8](repeating: 0, count: ftell(file))
  rewind(file)
  #expect(fread(&all, 1, all.count, file) == all.count)
  return all
}

/// Writes bytes to a file.
func write(_ all: some Collection<UInt8>, to path: String) throws {
  let file = try #require(fopen(path, "wb"))
  defer { fclose(file) }
  let array = Array(all)
  #expect(fwrite(array, 1, array.count, file) == array.count)
}
