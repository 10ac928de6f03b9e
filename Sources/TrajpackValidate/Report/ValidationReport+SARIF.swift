import TrajpackCodecs
import TrajpackFormat

extension ValidationReport {
  /// The most results that GitHub takes of a run.
  static let mostResults = 5_000

  /// The report as SARIF 2.1.0, as GitHub's code scanning takes it.
  ///
  /// - Parameters:
  ///   - folder: The folder that paths are made relative to, where they lie in it.
  ///   - version: The program's.
  public func sarif(in folder: String, version: String) -> JSONValue {
    let numbers = Dictionary(uniqueKeysWithValues: rules.enumerated().map { ($1.id, $0) })
    let all = findings
    let results = all.prefix(Self.mostResults).map { finding -> JSONValue in
      let location = Self.location(finding, finding.places.first, folder)
      return .record([
        "ruleId": .string(finding.rule),
        "ruleIndex": numbers[finding.rule].map { .int(Int64($0)) },
        "level": .string(Self.level(finding.severity)),
        "message": .record(["text": .string(Self.message(finding))]),
        "locations": .array([location.json]),
        // GitHub reads the first, and takes equal ones of two files for one finding.
        "partialFingerprints": .record([
          "primaryLocationLineHash": .string(Self.fingerprint(finding, location.uri) + ":1"),
          "trajpack/v1": .string(finding.fingerprint),
        ]),
        "properties": .record([
          "count": .int(Int64(finding.count)), "places": .array(finding.places.map(\.json)),
        ]),
      ])
    }
    let left = all.count - results.count
    var notifications: [JSONValue] = []
    func notify(_ level: String, _ text: String) {
      notifications.append(
        .record(["level": .string(level), "message": .record(["text": .string(text)])]))
    }
    if left > 0 { notify("warning", "\(left) more findings are left out of this file") }
    if let leftOut { notify("note", leftOut) }
    for outcome in outcomes {
      for sentence in outcome.unchecked {
        notify("note", "\(outcome.dataset): not checked: \(sentence)")
      }
    }
    return .record([
      "$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0",
      "runs": .array([
        .record([
          "tool": .record([
            "driver": .record([
              "name": "trajpack", "version": .string(version),
              "rules": .array(rules.map(Self.descriptor)),
            ])
          ]),
          "invocations": .array([
            .record([
              "executionSuccessful": .bool(!outcomes.contains(where: \.isStopped)),
              "toolExecutionNotifications": notifications.isEmpty ? nil : .array(notifications),
            ])
          ]),
          "results": .array(Array(results)),
        ])
      ]),
    ])
  }

  private static func descriptor(_ rule: Rule) -> JSONValue {
    func text(_ text: String) -> JSONValue { .record(["text": .string(text)]) }
    return .record([
      "id": .string(rule.id), "shortDescription": text(rule.summary),
      "fullDescription": text(rule.reason), "help": text(rule.remedy),
      "defaultConfiguration": .record(["level": .string(level(rule.severity))]),
    ])
  }

  private static func level(_ severity: Severity) -> String {
    severity == .suggestion ? "note" : severity.rawValue
  }

  /// The sentence and the places.
  static func message(_ finding: Finding) -> String {
    let places = finding.places.map(\.sentence).filter { !$0.isEmpty }
    return places.isEmpty
      ? finding.sentence : "\(finding.sentence): \(places.joined(separator: "; "))"
  }

  /// The finding's own fingerprint and the dataset it is in; not the shard, which changes when episodes are added.
  private static func fingerprint(_ finding: Finding, _ uri: String) -> String {
    let text = Array("\(finding.fingerprint)\u{1F}\(uri)".utf8)
    return text.withUnsafeBytes { SHA256.of($0) }.prefix(16).description
  }

  private static func location(
    _ finding: Finding, _ place: Place?, _ folder: String
  ) -> (json: JSONValue, uri: String) {
    // A shard that was named itself is the dataset.
    let isShard = place?.shard.map { finding.dataset.hasSuffix($0) } ?? true
    let path =
      place?.file ?? (isShard ? finding.dataset : "\(finding.dataset)/\(place?.shard ?? "")")
    let logical = [finding.subject, place?.episode].compactMap { $0 }
    let json = JSONValue.record([
      "physicalLocation": .record([
        "artifactLocation": .record(["uri": .string(uri(path, folder))]),
        "region": .record(["startLine": 1]),
      ]),
      "logicalLocations": logical.isEmpty
        ? nil : .array([.record(["fullyQualifiedName": .string(logical.joined(separator: "@"))])]),
    ])
    return (json, uri(finding.dataset, folder))
  }

  /// A path as a URI: relative to `folder` where it lies in it.
  static func uri(_ path: String, _ folder: String) -> String {
    var path = path
    if path.hasPrefix(folder + "/") { path = String(path.dropFirst(folder.count + 1)) }
    while path.hasPrefix("./") { path = String(path.dropFirst(2)) }
    var out = path.hasPrefix("/") ? "file://" : ""
    for byte in path.utf8 {
      switch byte {
      case 65...90, 97...122, 48...57, 45, 46, 95, 126, 47: out.unicodeScalars.append(.init(byte))
      default:
        let hex = String(byte, radix: 16, uppercase: true)
        out += "%" + (hex.count == 1 ? "0" : "") + hex
      }
    }
    return out.isEmpty ? "." : out
  }
}
