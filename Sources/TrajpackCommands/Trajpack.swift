import CVideoTable
import TrajpackFormat
import TrajpackHDF5
import TrajpackLoader
import TrajpackStore
import TrajpackVideoABI

/// The command line of trajpack.
public enum Trajpack {
  static let name = "trajpack"
  static let version = "0.1.0"

  static var program: Program {
    Program(
      summary: """
        trajpack packs recordings of things that move into one checked, compressed, \
        random-access archive.
        """,
      version: version,
      commands: [
        Convert.self, JobPlan<Convert>.self, JobPlan<Apply>.self, JobPlan<Resample>.self,
        JobPlan<Mask>.self, JobPlan<Embed>.self, JobPlan<Transcode>.self,
        JobPlanValidate.self, JobPlanEvaluate.self, JobRun.self, JobStatus.self, JobFinish.self,
        Transcode.self,
        Resample.self, Embed.self, Mask.self, Apply.self, Info.self, Head.self,
        Frame.self, Sample.self, StatisticsCommand.self, ClipsCommand.self, CutCommand.self,
        ActionsCommand.self, ExportCommand.self, Upload.self, Diff.self, Verify.self, Repair.self,
        CollectGarbage.self, Bench.self,
        Evaluate.self, Validate.self, RulesCommand.self, Annotate.self, Split.self,
        PageCommand.self, RenderCommand.self, Formats.self, Inspect.self, Demo.self,
      ])
  }

  /// Hides what may be a password in a URL that is malformed, so that its parts are not known.
  private static func hidden(_ path: String) -> String {
    guard Dataset.isRemote(path), path.contains("@") else { return path }
    return path.prefix { $0 != ":" } + "://HIDDEN:HIDDEN"
  }

  /// Runs the command that `arguments`, the program's own name first, describe.
  ///
  /// - Returns: the exit code: 0 good, 1 the data is at fault, 2 the command line, 3 the machine,
  ///   128 and the signal's number where one has stopped it (130 for Ctrl-C).
  public static func main(_ arguments: [String]) -> Int32 {
    // The process that reads foreign HDF5 files is this program, too.
    if arguments.dropFirst().first == HDF5Reader.argument { HDF5Reader.serve() }
    Interrupt.install()
    Interruption.watchProgram { Interrupt.isRequested }
    // The program holds the video library; archives without video never ask for it.
    if let functions = tpv_functions_table() { try? VideoLibrary.register(functions) }
    // Whatever prints or stores a remote path does so without its secrets.
    let given = arguments.dropFirst().map { (try? Dataset.withoutSecrets($0)) ?? hidden($0) }
    return program.run(given, Console.standard)
  }
}
