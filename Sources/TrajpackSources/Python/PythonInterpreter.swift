import Glibc
import Synchronization
import TrajpackFormat
import TrajpackStore

/// Which Python has sources, and the processes of it that wait for the next request.
final class PythonInterpreter: Sendable {
  /// The variable that names it, where `--python` does not.
  static let variable = "TRAJPACK_PYTHON"
  /// What says that there is to be none.
  static let none = "none"
  /// Processes that are kept for the next request; as many as threads convert.
  private let idle = Mutex<[PythonProcess]>([])

  /// The program.
  let path: String
  /// What it says of itself and of its sources.
  let hello: JSONValue

  private init(_ path: String) throws(TrajpackError) {
    self.path = path
    let process = try PythonProcess(path)
    hello = try process.greet()
    give(process)
  }

  /// Finds it: the one that is given, that `TRAJPACK_PYTHON` names, that lies beside this program (where `pip` has put it),
  /// that of the active virtual environment, and `python3` of the search path. The first two must serve; of the
  /// others the first that has the package does.
  ///
  /// - Returns: `nil` where none has it.
  /// - Throws: A usage error where the one that is named cannot serve.
  static func find(_ given: String?) throws(TrajpackError) -> PythonInterpreter? {
    if let named = given ?? value(of: variable) {
      if named == none { return nil }
      guard let path = program(named) else {
        throw TrajpackError(
          .usage, file: named,
          "is no Python that can be run; name one with --python or \(variable)")
      }
      return try PythonInterpreter(path)
    }
    for path in candidates() {
      if let found = try? PythonInterpreter(path) { return found }
    }
    return nil
  }

  /// The Pythons that are tried where none is named.
  static func candidates() -> [String] {
    var paths: [String] = []
    var own = [CChar](repeating: 0, count: Int(PATH_MAX))
    let length = readlink("/proc/self/exe", &own, own.count - 1)
    if length > 0 {
      let program = String(
        decoding: own[..<length].map { UInt8(bitPattern: $0) }, as: UTF8.self)
      paths.append(FileSystem.parent(of: program) + "/python3")
    }
    if let active = value(of: "VIRTUAL_ENV") { paths.append("\(active)/bin/python3") }
    paths += program("python3").map { [$0] } ?? []
    var seen: Set<String> = []
    return paths.filter { access($0, X_OK) == 0 && seen.insert($0).inserted }
  }

  /// What ``variable`` names.
  static var named: String? { value(of: variable) }

  private static func value(of name: String) -> String? {
    guard let text = getenv(name), text.pointee != 0 else { return nil }
    return String(cString: text)
  }

  /// A program by its path, or by its name in the search path.
  private static func program(_ name: String) -> String? {
    if name.contains("/") {
      return FileSystem.item(at: name) == .file && access(name, X_OK) == 0 ? name : nil
    }
    for folder in (value(of: "PATH") ?? "").split(separator: ":") {
      let path = "\(folder)/\(name)"
      // A relative folder is another one in every working folder.
      if folder.hasPrefix("/"), FileSystem.item(at: path) == .file, access(path, X_OK) == 0 {
        return path
      }
    }
    return nil
  }

  /// Hands a process to `body`, one that waits or a new one.
  func with<Result>(
    _ body: (PythonProcess) throws(TrajpackError) -> Result
  ) throws(TrajpackError) -> Result {
    let process: PythonProcess
    if let waiting = idle.withLock({ $0.popLast() }) {
      process = waiting
    } else {
      process = try PythonProcess(path)
      _ = try process.greet()
    }
    defer { if process.isUsable { give(process) } }
    return try body(process)
  }

  private func give(_ process: PythonProcess) { idle.withLock { $0.append(process) } }
}
