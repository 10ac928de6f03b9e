import CDemo
import Glibc
import TrajpackFormat
import TrajpackStore

/// `trajpack demo`: recordings to try things on, and a tour.
struct Demo: Command {
  static let name = "demo"
  static let summary = "Write three small recordings and show what trajpack does with them."
  static let discussion = """
    DIR must not be there yet, or be empty. Into it go recordings of hunters and a beast in the layout of WildWorld, \
    made by a program (skeletons, camera, state, rgb and depth video; 1.2 MB), and all that the tour makes of them. \
    Every line that begins with $ is a command that is run in DIR, and can be typed there again.
    """
  static var examples: [Example] {
    [
      ("trajpack demo tour", "Take the tour in the new folder tour."),
      ("trajpack demo tour2 --recordings-only", "Only write the recordings."),
    ]
  }
  static var parameters: [Parameter<Self>] {
    [
      .positional("DIR", to: \.folder, completes: .folders, help: "The folder to make."),
      .flag("--recordings-only", to: \.isRecordingsOnly, help: "Write the recordings, and stop."),
    ]
  }
  var folder = ""
  var isRecordingsOnly = false

  mutating func run(_ console: Console) throws(TrajpackError) {
    try makeFolder()
    try writeRecordings(under: "\(folder)/recordings")
    if isRecordingsOnly {
      return console.print("\(folder)/recordings: three recordings; try 'trajpack convert' on it")
    }
    guard chdir(folder) == 0 else { throw .system("cannot be entered", folder) }
    try DemoTour(console).run()
    console.print("")
    console.print(console.outputPaint.bold("Next"))
    console.print(
      "  All of this lies in \(folder); your own recordings:  trajpack convert SRC... DST")
    console.print("  What else there is:  trajpack help")
    console.print("  In Python:  import trajpack; ds = trajpack.open('\(folder)/ww')")
  }

  private func makeFolder() throws(TrajpackError) {
    if FileSystem.item(at: folder) == .folder {
      guard try FileSystem.names(in: folder).isEmpty else {
        throw TrajpackError(
          .usage, file: folder, "is not empty: name a folder that is not there yet")
      }
    } else {
      guard mkdir(folder, 0o777) == 0 else { throw .system("cannot be made", folder) }
    }
  }

  private func writeRecordings(under root: String) throws(TrajpackError) {
    var count = 0
    guard let files = tpd_recordings(&count) else { return }
    for file in UnsafeBufferPointer(start: files, count: count) {
      let path = "\(root)/\(String(cString: file.path))"
      try FileSystem.makeFolder(FileSystem.parent(of: path))
      let bytes = UnsafeBufferPointer(start: file.begin, count: file.end - file.begin)
      try FileSystem.deliver(Array(bytes), to: path)
    }
  }
}

/// The tour: commands, each with what it prints, run in the current folder.
private struct DemoTour {
  let console: Console

  init(_ console: Console) { self.console = console }

  func run() throws(TrajpackError) {
    say("1. Take it in: three recordings of hunters and a beast")
    try show(["convert", "recordings", "ww"])
    say("2. Look inside")
    try show(["info", "ww"], lines: 14)
    try show(["info", "ww", "--episode", "000002"])
    say("3. Prove that nothing is lost: every value, and every byte of the videos")
    try show(["diff", "ww", "recordings"])
    try show(["export", "ww", "back", "--to", "wildworld"])
    for name in ["000001/depth.mkv", "000001/rgb.mp4", "000002/depth.mkv", "000002/rgb.mp4"] {
      guard try Self.bytes(of: "recordings/\(name)") == Self.bytes(of: "back/\(name)") else {
        throw TrajpackError(.data, "back/\(name): has other bytes than recordings/\(name)")
      }
      console.print("same bytes: \(name)")
    }
    say("4. Flip one bit in a copy")
    try damage("ww", into: "damaged")
    try show(["verify", "damaged"], exits: 1)
    try show(["verify", "ww"])
    say("5. Look at a frame")
    try show(["frame", "ww", "000002", "rgb", "40", "-o", "frame.png"])
  }

  private func say(_ title: String) {
    console.print("")
    console.print(console.outputPaint.bold(title))
  }

  /// Shows a command and runs it; one that ends otherwise than expected ends the tour.
  private func show(_ words: [String], lines: Int? = nil, exits expected: Int32 = 0)
    throws(TrajpackError)
  {
    let head = lines.map { " | head -n \($0)" } ?? ""
    console.print(console.outputPaint.dim("$ trajpack \(words.joined(separator: " "))\(head)"))
    let code: Int32
    if let lines {
      let all = RecordedStream(width: console.outputWidth)
      let own = Console(output: all, errors: Descriptor(number: STDERR_FILENO))
      code = Trajpack.program.run(words, own)
      for line in all.text.split(separator: "\n", omittingEmptySubsequences: false).prefix(lines) {
        console.print(String(line))
      }
    } else {
      code = Trajpack.program.run(words, console)
    }
    if expected != 0, code == expected { console.print(console.outputPaint.dim("exit \(code)")) }
    guard code != expected else { return }
    throw TrajpackError(
      TrajpackError.Fault(rawValue: code) ?? .machine,
      "the tour ends here, because 'trajpack \(words.joined(separator: " "))' ended with "
        + "\(code), not \(expected)")
  }

  /// A copy of a dataset of one shard with one bit of a chunk turned over.
  private func damage(_ source: String, into copy: String) throws(TrajpackError) {
    for name in try FileSystem.names(in: source) {
      var bytes = try Self.bytes(of: "\(source)/\(name)")
      if name.hasSuffix(".h5") {
        bytes[25_000] ^= 1
        console.print("one bit of byte 25,000 of \(copy)/\(name) is turned over")
      }
      try FileSystem.makeFolder(copy)
      try FileSystem.deliver(bytes, to: "\(copy)/\(name)")
    }
  }

  private static func bytes(of path: String) throws(TrajpackError) -> [UInt8] {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw .system("cannot be opened", path) }
    defer { close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: FileSystem.size(of: path))
    var done = 0
    while done < bytes.count {
      let count = bytes[done...].withUnsafeMutableBytes {
        read(descriptor, $0.baseAddress, $0.count)
      }
      if count < 0 {
        if errno == EINTR { continue }
        throw .system("cannot be read", path)
      }
      guard count > 0 else { throw TrajpackError(.data, file: path, "ends before its size says") }
      done += count
    }
    return bytes
  }
}
