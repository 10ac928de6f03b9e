import TrajpackFormat
import TrajpackStore

/// The formats that map arrays to streams; the first that recognises a source reads it.
public enum MappedFormats {
  static let all: [any MappedFormat.Type] = [
    LeRobot.self, Robomimic.self, ManiSkill.self, Minari.self, ALOHA.self, StableWorldModel.self,
    TheWell.self,
    PDEBench.self,
    NWB.self, Matlab73.self, Matlab5.self, NetCDF4.self, NetCDF3.self, EDF.self, D4RL.self,
    ZarrReplay.self, ClassificationSeries.self, ForecastingSeries.self, ArchiveSeries.self,
    BVH.self,
    AMASS.self,
    VPT.self,
    ParquetTables.self, ArrowTables.self,
    COLMAP.self, TUM.self, KITTI.self, EuRoC.self,
    MappedTree.self,
  ]

  /// What each is.
  public static let formats = all.map { $0.format }

  /// The importer of a source that is of one of the formats; `nil` where none recognises it.
  ///
  /// - Parameter name: The format, where it is said.
  public static func importer(
    _ paths: [String], from name: String?, _ options: MappingOptions
  ) throws(TrajpackError) -> (any Importer)? {
    if let name, !formats.contains(where: { $0.name == name }) { return nil }
    let files = try SourceFiles(paths)
    for format in all {
      if let name {
        if format.format.name == name { return try format.importer(files, options) }
      } else if format.recognises(files, options) {
        return try format.importer(files, options)
      }
    }
    if name == nil, let file = files.trees.first {
      // A tree that cannot be opened says why.
      _ = try files.tree(file)
      throw TrajpackError(
        .data, file: file.path,
        "holds arrays in a layout that is not known; 'trajpack inspect \(file.path)' shows its "
          + "tree and the options that map it")
    }
    return nil
  }
}

extension MappedFormat {
  static func importer(
    _ files: SourceFiles, _ options: MappingOptions
  ) throws(TrajpackError) -> any Importer {
    try MappedImporter<Self>(files, options)
  }
}
