// libFuzzer targets: what parses bytes of strangers, each a function of bytes. tools/fuzz/run.sh builds and runs them.
import Glibc
import TrajpackFormat

/// A target: a name, and what is done with an input. What it throws is a refusal and no finding; findings are traps,
/// reads out of bounds, memory and time without end.
struct FuzzTarget: Sendable {
  var name: String
  var run: @Sendable (UnsafeBufferPointer<UInt8>) throws(TrajpackError) -> Void

  init(
    _ name: String,
    _ run: @escaping @Sendable (UnsafeBufferPointer<UInt8>) throws(TrajpackError) -> Void
  ) {
    self.name = name
    self.run = run
  }

  /// All of them.
  static let all: [FuzzTarget] =
    formatTargets + storeTargets + textTargets + sourceTargets
    + messageTargets + videoTargets

  /// The one that `TRAJPACK_FUZZ_TARGET` names.
  static let chosen: FuzzTarget = {
    let name = getenv("TRAJPACK_FUZZ_TARGET").map { String(cString: $0) } ?? ""
    guard let target = all.first(where: { $0.name == name }) else {
      print(all.map(\.name).joined(separator: "\n"))
      exit(name.isEmpty ? 0 : 2)
    }
    return target
  }()
}

/// What libFuzzer calls before all else.
@c(LLVMFuzzerInitialize)
public func initialize(
  _ count: UnsafeMutablePointer<CInt>,
  _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?>
) -> CInt {
  _ = FuzzTarget.chosen
  return 0
}

/// What libFuzzer calls with each input.
@c(LLVMFuzzerTestOneInput)
public func fuzz(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
  try? FuzzTarget.chosen.run(UnsafeBufferPointer(start: data, count: data == nil ? 0 : size))
  return 0
}

/// Files in memory that hold an input while it is looked at.
enum Scratch {
  /// A folder of this process alone.
  static let folder: String = {
    let path = "/dev/shm/trajpack-fuzz-\(getpid())"
    mkdir(path, 0o700)
    atexit {
      for name in Scratch.names { unlink("\(Scratch.folder)/\(name)") }
      rmdir(Scratch.folder)
    }
    return path
  }()
  /// The folder of the seeds, and of what was found once.
  static let corpus =
    (#filePath as String).split(separator: "/").dropLast(2).reduce("") {
      $0 + "/" + $1
    } + "/corpus"
  /// The names that targets give to files.
  static let names = [
    "x", "manifest.json", "journal", "images.bin", "cameras.bin", "images.txt", "cameras.txt",
    "x.csv", "x.txt", "x.json", "x.npz", "x.mat", "x.nc", "x.edf", "x.mcap", "x.db3", "x.parquet",
    "data.csv", "info.json",
  ]

  /// Writes bytes to a file there, and gives its path.
  static func file(_ name: String, _ bytes: some Collection<UInt8>) -> String {
    precondition(names.contains(name))
    let path = "\(folder)/\(name)"
    let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    precondition(descriptor >= 0)
    defer { close(descriptor) }
    let all = Array(bytes)
    let count = all.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
    precondition(count == all.count)
    return path
  }

  /// Removes a file there.
  static func remove(_ name: String) { unlink("\(folder)/\(name)") }
}

extension UnsafeBufferPointer<UInt8> {
  /// The bytes up to a mark of two bytes at the beginning that counts them, and those behind.
  var halves: (ArraySlice<UInt8>, ArraySlice<UInt8>) {
    guard count >= 2 else { return ([], []) }
    let all = Array(self)
    let cut = Swift.min(2 + Int(all[0]) + Int(all[1]) << 8, all.count)
    return (all[2..<cut], all[cut...])
  }
}
