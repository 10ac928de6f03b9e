import Glibc
import Synchronization
import TrajpackFormat
import TrajpackStore

/// Where a command prints: results on standard output, everything said on the side (notes,
/// warnings, progress, errors) on standard error. May be used from any thread.
///
/// Whatever could drive a terminal is spelled out in all that is printed, but for the colours of
/// ``ANSIStyle``; a line stays one line.
struct Console: Sendable {
  private let screen: Screen
  private let environment: [String: String]
  private var colour = CommonOptions.ColourChoice.auto
  /// Whether notes and progress are left out.
  private(set) var isQuiet = false

  /// - Parameter environment: `NO_COLOR`, `TERM`, `COLUMNS` and the locale are looked at.
  init(
    output: any OutputStream, errors: any OutputStream, environment: [String: String] = [:]
  ) {
    screen = Screen(output: output, errors: errors)
    self.environment = environment
  }

  /// Standard output and standard error of this process.
  static var standard: Console {
    var environment: [String: String] = [:]
    for name in ["NO_COLOR", "TERM", "COLUMNS", "LC_ALL", "LC_CTYPE", "LANG"] {
      if let value = getenv(name) { environment[name] = String(cString: value) }
    }
    return Console(
      output: Descriptor(number: STDOUT_FILENO), errors: Descriptor(number: STDERR_FILENO),
      environment: environment)
  }

  mutating func apply(_ options: CommonOptions) {
    colour = options.colour
    isQuiet = options.isQuiet
  }

  // MARK: Printing

  /// A line of the result, on standard output.
  func print(_ line: String) { screen.write(safe(line, outputPaint) + "\n") }

  /// Lines of the result that the program has made, on standard output.
  func print(lines: String) { screen.write(lines.printableLines(colours: outputPaint.isOn) + "\n") }

  /// A part of the result as it is, on standard output: a script, or a file for another program.
  func write(_ text: String) { screen.write(text) }

  /// A line said on the side, on standard error, unless `--quiet`.
  func note(_ line: String) {
    if !isQuiet { screen.say(safe(line, errorPaint)) }
  }

  /// A warning, on standard error, even with `--quiet`.
  func warn(_ line: String) { report("\(errorPaint.yellow("warning:")) \(line)") }

  /// A line on standard error, come what may.
  func report(_ line: String) { screen.say(safe(line, errorPaint)) }

  /// The line at the bottom of the terminal that stays below all others; nil takes it away.
  func setStatus(_ line: String?) { screen.setStatus(line.map { safe($0, errorPaint) }) }

  /// A line without what could drive the terminal, or begin another line, in which files that stand for objects of buckets
  /// are called as these.
  private func safe(_ line: String, _ paint: ANSIStyle) -> String {
    let line = BucketFolder.named(line)
    guard paint.isOn else { return line.printable }
    return line.replacing("\n", with: "\\n").printableLines(colours: true)
  }

  /// Whether the reader of standard output has gone (`trajpack … | head`). What is printed from
  /// then on is dropped in silence; a command that would print for long can stop.
  var isOutputClosed: Bool { screen.isOutputClosed }

  /// Whether anything was printed on standard output.
  var hasPrinted: Bool { screen.hasWritten }

  /// Sends what is still buffered.
  ///
  /// - Throws: a machine error when standard output could not take everything (disk full).
  func finish() throws(TrajpackError) {
    let failure = screen.finish()
    if failure != 0 {
      throw TrajpackError(
        .machine, "cannot write to standard output: \(String(cString: strerror(failure)))")
    }
  }

  // MARK: The other end

  var isOutputTerminal: Bool { screen.output.isTerminal }
  var isErrorTerminal: Bool { screen.errors.isTerminal }

  /// Columns for text on standard output: the terminal's, `COLUMNS`, or 80.
  var outputWidth: Int { width(of: screen.output) }
  /// Columns for text on standard error.
  var errorWidth: Int { width(of: screen.errors) }

  var outputPaint: ANSIStyle { paint(for: screen.output) }
  var errorPaint: ANSIStyle { paint(for: screen.errors) }

  /// Whether the locale says UTF-8.
  var isUTF8: Bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].lazy.compactMap { environment[$0] }
    let name = locale.first { !$0.isEmpty }?.lowercased() ?? ""
    return name.contains("utf-8") || name.contains("utf8")
  }

  private func width(of stream: any OutputStream) -> Int {
    stream.width ?? environment["COLUMNS"].flatMap { Int($0) }.flatMap { $0 > 0 ? $0 : nil } ?? 80
  }

  private func paint(for stream: any OutputStream) -> ANSIStyle {
    switch colour {
    case .always: return ANSIStyle(isOn: true)
    case .never: return ANSIStyle(isOn: false)
    case .auto:
      let isWanted = (environment["NO_COLOR"] ?? "").isEmpty && environment["TERM"] != "dumb"
      return ANSIStyle(isOn: isWanted && stream.isTerminal)
    }
  }
}
