import Glibc
import TrajpackFormat
import TrajpackLoader

/// Where linked videos lie: options of every command that decodes frames.
struct MediaArguments: ArgumentSet {
  static var parameters: [Parameter<Self>] {
    [
      .option(
        "--media", to: \.folder, value: "DIR", completes: .folders,
        help: "The folder in which the folder that was converted lies, for linked videos."),
      .flag(
        "--allow-outside", to: \.allowsOutside, help: "Let links in that folder lead out of it."),
    ]
  }
  var folder: String?
  var allowsOutside = false

  /// - Throws: A usage error where there is no folder that links could lead out of.
  func check() throws(TrajpackError) {
    guard folder != nil || !allowsOutside else {
      throw TrajpackError(
        .usage, option: "--allow-outside",
        "is for links in the folder that --media names; name it, or leave this out")
    }
  }

  /// Opens a dataset whose linked videos lie there.
  func open(_ path: String) throws(TrajpackError) -> OpenDataset {
    try check()
    let opened = try OpenDataset(path)
    if let folder { try opened.media.set(folder, allowsOutside: allowsOutside) }
    return opened
  }
}

/// The file that a command writes, which `-o` names and which is not there yet.
enum NewFile {
  /// - Parameter what: What is written, for the error.
  /// - Throws: A usage error where no file is named, or there is one.
  static func path(_ output: String?, for what: String) throws(TrajpackError) -> String {
    guard let output else {
      throw TrajpackError(.usage, "where is the \(what) to go? name a file with -o")
    }
    guard access(output, F_OK) != 0 else {
      throw TrajpackError(.usage, file: output, "is there already: name another file, or remove it")
    }
    return output
  }
}
