import TrajpackCodecs
import TrajpackFormat
import TrajpackStore

/// Formats that people have and that are not read, so that they can be called by their names.
public struct UnreadFormat: Sendable {
  /// What it is: `a GDF recording`.
  public let name: String
  /// What to do with it.
  public let advice: String

  private static let convert =
    "its own library can write it as Parquet, HDF5 or .npz, which are read"

  init(_ name: String, _ advice: String = convert) { (self.name, self.advice) = (name, advice) }

  /// What a file or folder is, by its content; `nil` where it is none of these.
  public static func of(_ path: String) -> UnreadFormat? {
    switch FileSystem.item(at: path) {
    case .file: return file(path)
    case .folder: return folder(path)
    default: return nil
    }
  }

  private static let tfds = UnreadFormat(
    "a TFDS dataset (RLDS among them)",
    "the Python package 'trajpack' has a source that does (docs/sources.md)")
  private static let pickle = UnreadFormat(
    "a Python pickle",
    "it is never opened, for that runs code; save its arrays with numpy.savez instead")

  /// What files have at some byte.
  private static let marks: [(at: Int, mark: [UInt8], format: UnreadFormat)] = [
    (0, Array("SQLite format 3\0".utf8), UnreadFormat("an SQLite database that is no ROS 2 bag")),
    (
      0, Array("GDF ".utf8),
      UnreadFormat(
        "a GDF recording",
        "mne.io.read_raw_gdf reads it, and edfio or pyedflib write EDF, which is read")
    ),
    (
      0, Array("RRF2".utf8),
      UnreadFormat("a Rerun recording", "'rerun rrd' can print and convert it")
    ),
    (
      0, Array("RRF0".utf8),
      UnreadFormat("a Rerun recording", "'rerun rrd' can print and convert it")
    ),
    (
      0, Array("Kaydara FBX Binary".utf8),
      UnreadFormat("an FBX scene", "export its motion as BVH, which is read")
    ),
    (
      0, Array("PXR-USDC".utf8), UnreadFormat("a USD scene", "export its time samples with pxr.Usd")
    ),
    (
      0, Array("#usda 1.0".utf8),
      UnreadFormat("a USD scene", "export its time samples with pxr.Usd")
    ),
    (
      128, Array("DICM".utf8),
      UnreadFormat("a DICOM file", "pydicom reads it; save its arrays with numpy.savez")
    ),
    (
      0, [0, 0, 0, 100, 0, 0, 0, 31, 0, 0, 0, 20],
      UnreadFormat(
        "a FIF file of MNE",
        "raw.export('x.edf') writes a recording as EDF, which is read")
    ),
    (
      0, Array("XDF:".utf8),
      UnreadFormat("an XDF recording", "pyxdf reads it; save each stream as CSV or Parquet")
    ),
    (
      0, Array("PathFileType".utf8),
      UnreadFormat(
        "a TRC file of markers",
        "drop its five lines of header ('tail -n +6') to read it as a table")
    ),
    (
      257, Array("ustar".utf8),
      UnreadFormat(
        "a tar archive (WebDataset among them)", "unpack it with 'tar -xf' and convert the folder")
    ),
    (16, [0xDE, 0xC0, 0xEF, 0xBE], UnreadFormat("an LMDB database")),
    (
      2, Array("CARLA_RECORDER".utf8),
      UnreadFormat("a CARLA recorder log", "replay it in CARLA and record the actors' states")
    ),
    (0, Array("Obj\u{1}".utf8), UnreadFormat("an Avro file", "convert it to Parquet")),
    (
      0, Array("ORC".utf8),
      UnreadFormat("an ORC file", "pyarrow.orc reads it and pyarrow.parquet writes what is read")
    ),
    (
      0, Array("RIFF".utf8),
      UnreadFormat("a RIFF file (WAV or AVI)", "it is sound or a video alone, and no recording")
    ),
    (0, Array("<OpenDRIVE".utf8), UnreadFormat("an OpenDRIVE map")),
  ]

  private static func file(_ path: String) -> UnreadFormat? {
    guard let file = try? LocalFile(path), let first = try? file.bytes(0..<min(file.length, 1024))
    else { return nil }
    let lower = path.lowercased()
    for (at, mark, format) in marks
    where first.count >= at + mark.count && first[at..<at + mark.count].elementsEqual(mark) {
      return format
    }
    if first.count > 3, first[1] == 0x50, first[0] == 2, lower.hasSuffix(".c3d") {
      return UnreadFormat(
        "a C3D motion", "ezc3d reads it; save its points and analogs with numpy.savez")
    }
    if first.starts(with: [0x50, 0x4B, 3, 4]),
      [".pt", ".pth", ".ckpt"].contains(where: { lower.hasSuffix($0) })
    {
      return UnreadFormat(
        "a PyTorch file",
        "torch.load(PATH, weights_only=True) reads it; save its tensors with numpy.savez")
    }
    if first.count > 2, first[0] == 0x80, (2...5).contains(first[1]),
      [".pkl", ".pickle", ".p", ".pk", ".pt", ".pth"].contains(where: { lower.hasSuffix($0) })
        || first[1] >= 4
    {
      return pickle
    }
    if first.count > 10, first.little(0, as: UInt64.self) < UInt64(file.length),
      first[8] == UInt8(ascii: "{"),
      lower.hasSuffix(".safetensors")
    {
      return UnreadFormat(
        "a file of safetensors",
        "safetensors.numpy.load_file reads it; save its arrays with numpy.savez")
    }
    if isTFRecord(first, file.length) {
      return UnreadFormat(
        "a file of TFRecords (RLDS, Waymo among them)",
        "its own library can write it as Parquet, HDF5 or .npz, which are read")
    }
    let text = String(decoding: first, as: UTF8.self).lowercased()
    if [".mot", ".sto"].contains(where: { lower.hasSuffix($0) }), text.contains("endheader") {
      return UnreadFormat(
        "an OpenSim table (.mot, .sto)", "drop its header up to 'endheader' to read it as a table")
    }
    if SeriesHeader(path)?.kind == .arff {
      return UnreadFormat(
        "a Weka table (ARFF) whose lines are no series",
        "scipy.io.arff.loadarff reads it; save it as CSV")
    }
    return nil
  }

  /// Whether bytes begin with a length, its masked CRC-32C, and data that fit the file.
  private static func isTFRecord(_ first: [UInt8], _ length: Int) -> Bool {
    guard first.count >= 16 else { return false }
    let size = first.little(0, as: UInt64.self)
    guard size > 0, size <= UInt64(length) - 16 else { return false }
    let crc = first.withUnsafeBytes { CRC32C.of(UnsafeRawBufferPointer(rebasing: $0[..<8])) }
    let masked = (crc >> 15 | crc << 17) &+ 0xA282_EAD8
    return masked == first.little(8, as: UInt32.self)
  }

  /// Whether a folder is a dataset of TFDS, or has one for each of its configurations and versions.
  private static func isTFDS(_ path: String, levels: Int) -> Bool {
    func has(_ name: String) -> Bool { FileSystem.item(at: "\(path)/\(name)") == .file }
    if has("dataset_info.json"), has("features.json") { return true }
    guard levels > 0 else { return false }
    return ((try? FileSystem.names(in: path)) ?? []).sorted().prefix(64).contains { name in
      !name.hasPrefix(".") && FileSystem.item(at: "\(path)/\(name)") == .folder
        && isTFDS("\(path)/\(name)", levels: levels - 1)
    }
  }

  private static func folder(_ path: String) -> UnreadFormat? {
    func has(_ name: String) -> Bool { FileSystem.item(at: "\(path)/\(name)") == .file }
    if has("dataset_info.json"), has("features.json") { return tfds }
    let names = ((try? FileSystem.names(in: path)) ?? []).filter { !$0.hasPrefix(".") }
    if has("metadata.yaml"),
      names.contains(where: { $0.hasSuffix(".db3.zstd") || $0.hasSuffix(".mcap.zstd") })
    {
      return UnreadFormat(
        "a ROS 2 bag whose files are compressed", "'zstd -d' makes files that are read")
    }
    if has("data.mdb") { return UnreadFormat("an LMDB database") }
    if FileSystem.item(at: "\(path)/_versions") == .folder,
      FileSystem.item(at: "\(path)/data") == .folder
    {
      return UnreadFormat(
        "a Lance dataset",
        "lance.dataset(PATH).to_table() and pyarrow.parquet.write_table make Parquet of it, which is read"
      )
    }
    let tables = [path] + names.filter { $0.hasPrefix("v1.0") }.map { "\(path)/\($0)" }
    if tables.contains(where: { folder in
      ["scene.json", "sample.json", "sample_data.json", "ego_pose.json"].allSatisfy {
        FileSystem.item(at: "\(folder)/\($0)") == .file
      }
    }) {
      return UnreadFormat(
        "a nuScenes dataset", "the nuscenes-devkit reads it; write its poses as TUM or CSV files")
    }
    // A version of a TFDS dataset lies in folders of its name and configuration.
    for name in names.prefix(16) {
      let below = "\(path)/\(name)"
      if FileSystem.item(at: "\(below)/dataset_info.json") == .file,
        FileSystem.item(at: "\(below)/features.json") == .file
      {
        return UnreadFormat("a folder with a TFDS dataset in \(name)", tfds.advice)
      }
    }
    if isTFDS(path, levels: 2) { return tfds }
    // A folder of such files, and of none that is read.
    let files = names.prefix(64).map { "\(path)/\($0)" }.filter { FileSystem.item(at: $0) == .file }
    // JSON beside them describes them.
    let others = files.filter {
      !$0.lowercased().hasSuffix(".json") && !$0.lowercased().hasSuffix(".jsonl")
    }
    if let first = others.lazy.compactMap({ file($0) }).first,
      !others.contains(where: { SeriesImporter.recognises($0) && file($0) == nil })
    {
      return UnreadFormat("a folder of which one file is \(first.name)", first.advice)
    }
    return nil
  }
}
