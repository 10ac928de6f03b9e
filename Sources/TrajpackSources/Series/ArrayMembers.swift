import TrajpackFormat
import TrajpackStore

/// The members of an archive that are taken, by their headers, and those that are not.
struct ArrayMembers {
  /// An array of numbers.
  typealias Array = (name: String, header: NPYHeader)

  private(set) var arrays: [Array] = []
  private(set) var texts: [(name: String, text: NPYText)] = []
  /// The members that are not taken, each with the reason.
  private(set) var leftOut: [(name: String, why: String)] = []
  /// Every member, for the patterns of options.
  private(set) var names: [String] = []
  /// The archive; `nil` for a single array.
  let archive: NPZ?

  /// Looks at the headers of a file. Nothing that is pickled is read.
  ///
  /// - Throws: A data error where a member that is taken is damaged or of a type that is not read, a usage
  ///   error where none is taken or one that is named is no array of numbers or text.
  init(_ file: LocalFile, isArchive: Bool, _ options: SeriesOptions) throws(TrajpackError) {
    guard isArchive else {
      archive = nil
      arrays = [("values", try ArrayFile(file, as: "").header)]
      return
    }
    let archive = try NPZ(file, as: "", keepsOthers: true)
    self.archive = archive
    names = archive.names + archive.others
    for name in archive.others {
      try leaveOut(name, options, "is no numpy array")
    }
    for name in archive.names {
      guard options.takesMember(name) else {
        leftOut.append((name, "is not among the chosen members"))
        continue
      }
      switch try archive.content(name) {
      case .numbers(let header): arrays.append((name, header))
      case .text(let text): texts.append((name, text))
      case .objects:
        try leaveOut(name, options, "holds Python objects, a pickle, which is never read")
      }
    }
    guard !arrays.isEmpty else {
      guard !names.isEmpty else { throw TrajpackError(.data, "the archive holds no array") }
      if !names.contains(where: { SeriesOptions.matches(options.members, $0) }) {
        try SeriesOptions.check(options.members, "--members", Set(names))
      }
      let list = leftOut + texts.map { ($0.name, "holds text") }
      throw TrajpackError(
        .data,
        "holds no array of numbers that is taken: "
          + list.prefix(6).map { "'\($0.name)' \($0.why)" }.joined(separator: ", ")
          + (list.count > 6 ? " and \(list.count - 6) more" : ""))
    }
  }

  private mutating func leaveOut(
    _ name: String, _ options: SeriesOptions, _ why: String
  ) throws(TrajpackError) {
    guard !options.members.contains(name) else {
      throw TrajpackError(.usage, "--members: '\(name)' \(why)")
    }
    leftOut.append((name, why))
  }

  /// Leaves out a text that has no place in the recordings.
  mutating func leaveOut(text name: String, _ why: String) {
    texts.removeAll { $0.name == name }
    leftOut.append((name, why))
  }

  /// Takes an array out, because it says something of others.
  mutating func take(_ name: String) -> Array? {
    guard let i = arrays.firstIndex(where: { $0.name == name }) else { return nil }
    return arrays.remove(at: i)
  }

  /// Arrays and their shapes, for errors.
  var shapes: String { Self.shapes(arrays) }

  static func shapes(_ arrays: [Array]) -> String {
    arrays.prefix(12).map { "'\($0.name)' \($0.header.shape)" }.joined(separator: ", ")
      + (arrays.count > 12 ? " and \(arrays.count - 12) more" : "")
  }
}

extension SeriesOptions {
  /// Whether a member of an archive is taken: one that is chosen, or that another option names.
  func takesMember(_ name: String) -> Bool {
    let named = members + constants + terminals + (episodeEnds.map { [$0] } ?? [])
    return (members.isEmpty || Self.matches(named, name)) && !Self.matches(excludedMembers, name)
  }

  /// Whether one of the patterns stands for a name.
  static func matches(_ patterns: [String], _ name: String) -> Bool {
    patterns.contains { Pattern($0).matches(name) }
  }

  /// The options that name members, with the patterns of each.
  var memberPatterns: [(option: String, patterns: [String])] {
    [
      ("--members", members), ("--exclude-members", excludedMembers), ("--constant", constants),
      ("--terminals", terminals), ("--episode-ends", episodeEnds.map { [$0] } ?? []),
    ]
  }

  /// Refuses patterns that stand for none of the names.
  static func check(
    _ patterns: [String], _ option: String, _ names: Set<String>
  ) throws(TrajpackError) {
    for text in patterns {
      let pattern = Pattern(text)
      guard !names.contains(where: pattern.matches) else { continue }
      throw TrajpackError(
        .usage,
        "\(option): nothing is called '\(text)'"
          + Suggestion.text(for: text, among: names.sorted()))
    }
  }
}
