import Glibc
import TrajpackFormat
import TrajpackSources
import TrajpackStore

/// Writes a dataset that uses every feature of the format, so that the second reader, the golden files
/// and the crash proof meet all of them; `specimen DST [options]`.
///
/// The numbers depend on the options alone, and so do the bytes.
@main
enum Specimen {
  static func main() {
    do throws(TrajpackError) {
      let (destination, source, options) = try read(Array(CommandLine.arguments.dropFirst()))
      let outcome = try Conversion(source, to: destination, options: options).run()
      print("\(outcome.shards.count) shards, \(outcome.episodes) episodes, \(outcome.bytes) bytes")
    } catch {
      let line = Array("specimen: \(error)\n".utf8)
      write(2, line, line.count)
      exit(error.fault.rawValue)
    }
  }

  private static func read(
    _ arguments: [String]
  ) throws(TrajpackError) -> (String, SpecimenSource, Conversion<SpecimenSource>.Options) {
    var options = Conversion<SpecimenSource>.Options()
    options.jobs = 2
    var (destination, episodes, rows) = ("", 6, 70)
    var rest = arguments[...]
    func number(_ name: String) throws(TrajpackError) -> Int {
      guard let text = rest.popFirst(), let value = Int(text), value > 0 else {
        throw TrajpackError(.usage, "\(name) takes a number of at least 1")
      }
      return value
    }
    while let argument = rest.popFirst() {
      switch argument {
      case "--episodes": episodes = try number(argument)
      case "--rows": rows = try number(argument)
      case "--jobs": options.jobs = try number(argument)
      case "--chunk-rows": options.layout.chunkRows = try number(argument)
      case "--level": options.layout.level = try number(argument)
      case "--shard-episodes": options.shardBytes = try number(argument) * SpecimenSource.bytes
      case "--resume": options.resume = true
      case "--overwrite": options.overwrite = true
      case "--codec":
        guard let codec = Codec(name: rest.popFirst() ?? "") else {
          throw TrajpackError(.usage, "--codec takes none, gzip, zstd or lz4")
        }
        options.layout.codec = codec
      default:
        guard destination.isEmpty, !argument.hasPrefix("-") else {
          throw TrajpackError(.usage, "'\(argument)' is no option of specimen")
        }
        destination = argument
      }
    }
    guard !destination.isEmpty else { throw TrajpackError(.usage, "name a folder to make") }
    return (destination, SpecimenSource(episodes: episodes, rows: rows), options)
  }
}
