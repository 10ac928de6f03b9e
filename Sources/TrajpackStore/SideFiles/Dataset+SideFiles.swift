import TrajpackFormat

extension Dataset {
  /// The side files of a role, in the order of the list. None is read.
  public func sideFiles(_ role: SideFile.Role) -> [SideFile] {
    sideFiles.filter { $0.role == role.rawValue }
  }

  /// The content of the side file of a role and a name, checked against the length and the SHA-256 of the list;
  /// `nil` where the dataset has none.
  ///
  /// - Throws: A data error where the file is missing or damaged.
  public func content(
    _ role: SideFile.Role, named name: String
  ) throws(TrajpackError) -> JSONValue? {
    guard let entry = sideFiles.first(where: { $0.role == role.rawValue && $0.name == name })
    else { return nil }
    return try content(of: entry)
  }

  /// The content of a side file that the dataset lists.
  public func content(of entry: SideFile) throws(TrajpackError) -> JSONValue {
    // While a replacement of the dataset is moving there, its side files move, too.
    let isMoving = listFolder != path && FileSystem.item(at: "\(listFolder)/\(entry.file)") != nil
    do throws(TrajpackError) {
      return try entry.content(inFolder: isMoving ? listFolder : path)
    } catch {
      guard !isCurrent else { throw error }
      throw TrajpackError(
        .data, file: path,
        "has been changed since it was opened, and its \(entry.role) with it; open it again"
      )
    }
  }

  /// The content of the side file of a role and a name.
  ///
  /// - Parameter name: `nil` for the only one of the role.
  /// - Throws: A usage error where there is none of that name, or several and none is named; a data error where the
  ///   file is missing or damaged.
  public func content(
    _ role: SideFile.Role, called name: String?
  ) throws(TrajpackError) -> JSONValue {
    let files = sideFiles(role)
    if let file = files.first(where: { $0.name == name ?? files[0].name }),
      name != nil || files.count == 1
    {
      return try content(of: file)
    }
    guard !files.isEmpty else {
      throw TrajpackError(
        .usage, file: path, "has no side file of the role '\(role.rawValue)'\(role.maker(path))")
    }
    let names = files.map(\.name)
    guard let name else {
      throw TrajpackError(
        .usage, file: path,
        "has several side files of the role '\(role.rawValue)': name one of "
          + names.map { "'\($0)'" }.joined(separator: ", "))
    }
    throw TrajpackError(
      .usage, file: path,
      "there is no side file '\(name)' of the role '\(role.rawValue)'"
        + Suggestion.text(for: name, among: names))
  }

  /// The names of side files in the folder that the dataset does not list: those that others have replaced, which
  /// the next writer removes.
  ///
  /// - Parameter names: The files of the folder, from before the dataset was opened.
  public func unlistedSideFiles(_ names: [String]) -> [String] {
    let listed = Set(sideFiles.map(\.file))
    return names.filter { SideFile.isSideFile($0) && !listed.contains($0) }
  }
}

extension SideFile.Role {
  /// What makes one, for errors.
  fileprivate func maker(_ path: String) -> String {
    switch self {
    case .splits: "; 'trajpack split \(path)' makes one"
    case .values: "; 'trajpack annotate \(path)' makes one"
    case .clips: "; 'trajpack clips \(path) --save NAME' makes one"
    case .vocabulary: "; 'trajpack actions \(path) --save NAME' makes one"
    case .statistics: "; 'trajpack statistics \(path) --save' makes one"
    }
  }
}
