import TrajpackFormat
import TrajpackLoader
import TrajpackSources
import TrajpackStore

extension Convert {
  private var schemeName: String { scheme ?? SplitScheme.defaultName }

  /// Has the conversion write the split scheme with the manifest.
  func prepareSplits<I: Importer>(_ options: inout Conversion<I>.Options) throws(TrajpackError) {
    guard splitting.isGiven else {
      guard scheme == nil else {
        throw TrajpackError(
          .usage, "--scheme names what --rule, --by or --folds make; give one of them")
      }
      return
    }
    let (rule, name) = (try splitting.rule(), schemeName)
    options.sideFiles = { (folders, shards) throws(TrajpackError) in
      let opened = try OpenDataset(folders.shards, shards: shards)
      let made = try SplitScheme.make(rule, of: opened)
      return [
        try SideFile.write(
          .splits, named: name, made.json, isRequired: made.isRequired(as: name, of: opened),
          inFolder: folders.files)
      ]
    }
  }

  /// Splits a dataset that an earlier run had finished already.
  func splitFinished() throws(TrajpackError) {
    guard splitting.isGiven else { return }
    let (dataset, rule) = (try Dataset(destination), try splitting.rule())
    if dataset.sideFiles(.splits).contains(where: { $0.name == schemeName }) {
      let found = try SplitScheme.find(schemeName, in: dataset, hasOwn: false)
      guard found?.scheme.rule == rule.json else {
        throw TrajpackError(
          .usage, file: destination,
          "has a split scheme '\(schemeName)' that another rule made; the dataset is whole, and "
            + "'trajpack split' gives it this one")
      }
      return
    }
    let opened = try OpenDataset(destination)
    let made = try SplitScheme.make(rule, of: opened)
    let editor = try SideFileEditor(destination)
    try editor.put(
      .splits, named: schemeName, made.json,
      isRequired: made.isRequired(as: schemeName, of: opened))
    try editor.commit()
  }
}
