import TrajpackFormat

extension ValidationReport {
  /// The report as JSON.
  public var json: JSONValue {
    .record([
      "datasets": .array(outcomes.map(\.json)),
      "findings": .array(findings.map(\.json)),
      "counts": .record([
        "error": .int(Int64(count(.error))), "warning": .int(Int64(count(.warning))),
        "suggestion": .int(Int64(count(.suggestion))), "known": .int(Int64(known)),
      ]),
      "fail_on": .string(failOn.rawValue), "failures": .int(Int64(failures)),
    ])
  }

  /// The fingerprints of all findings, as a baseline that knows them.
  public var baseline: JSONValue {
    .record([
      "trajpack_baseline": 1,
      "findings": .array(
        findings.map {
          .record([
            "fingerprint": .string($0.fingerprint), "dataset": .string($0.dataset),
            "rule": .string($0.rule), "subject": $0.subject.map { .string($0) },
            "what": .string($0.what),
            "count": .int(Int64($0.count)),
            "where": $0.parts.map { .array($0.map { .string($0) }) },
          ])
        }),
    ])
  }

  /// Leaves out the findings that a baseline knows, unless they have become more, or are in other places. Of several datasets each has
  /// its own; a single one may have had another path.
  ///
  /// - Throws: A usage error where it is no baseline.
  public mutating func leaveOut(baseline: JSONValue, at path: String) throws(TrajpackError) {
    guard baseline["trajpack_baseline"]?.int == 1, let list = baseline["findings"]?.array else {
      throw TrajpackError(
        .usage, file: path,
        "is no baseline; --write-baseline \(path) makes one of what is found now")
    }
    var items: [KnownFinding] = []
    for (number, item) in list.enumerated() {
      guard let known = KnownFinding(item) else {
        throw TrajpackError(
          .usage, file: path,
          "finding \(number + 1) has no 'fingerprint', or no 'count' of 1 or more; write the baseline anew with "
            + "--write-baseline")
      }
      items.append(known)
    }
    let isOfOne = outcomes.count == 1 && Set(items.map(\.dataset)).count <= 1
    for number in outcomes.indices {
      let name = outcomes[number].dataset
      var known: [String: KnownFinding] = [:]
      for item in items where isOfOne || item.dataset == nil || item.dataset == name {
        known[item.fingerprint] = known[item.fingerprint]?.merged(with: item) ?? item
      }
      let before = outcomes[number].findings.count
      outcomes[number].findings.removeAll { known[$0.fingerprint]?.covers($0) ?? false }
      for at in outcomes[number].findings.indices {
        let fingerprint = outcomes[number].findings[at].fingerprint
        outcomes[number].findings[at].known = known[fingerprint]?.count
      }
      self.known += before - outcomes[number].findings.count
    }
  }
}

/// A finding as a baseline has it.
private struct KnownFinding {
  let fingerprint: String
  let dataset: String?
  var count: Int
  /// The parts or episodes that it is in; `nil` where it is in more than a baseline keeps.
  var parts: Set<String>?

  init?(_ item: JSONValue) {
    guard let fingerprint = item["fingerprint"]?.string, let count = item["count"]?.int, count > 0
    else { return nil }
    self.fingerprint = fingerprint
    self.count = count
    dataset = item["dataset"]?.string
    parts = item["where"]?.array.map { Set($0.compactMap(\.string)) }
  }

  func merged(with other: KnownFinding) -> KnownFinding {
    var out = self
    out.count = max(count, other.count)
    if let parts, let more = other.parts { out.parts = parts.union(more) } else { out.parts = nil }
    return out
  }

  func covers(_ finding: Finding) -> Bool {
    guard finding.count <= count, let parts else { return finding.count <= count }
    return finding.parts.map { parts.isSuperset(of: $0) } ?? false
  }
}

extension Validation.Outcome {
  var json: JSONValue {
    .record([
      "dataset": .string(dataset), "episodes": .int(Int64(episodes)),
      "all_episodes": .int(Int64(allEpisodes)), "rows": .int(Int64(rows)),
      "values": .int(Int64(values)), "profile": profile.map { .string($0) },
      "rules": .array(rules.map { .string($0) }),
      "unchecked": .array(unchecked.map { .string($0) }),
      "skipped": .array(skipped.keys.sorted().map { .string($0) }),
      "dropped": dropped > 0 ? .int(Int64(dropped)) : nil,
      "stopped": isStopped ? .bool(true) : nil,
    ])
  }
}

extension Finding {
  var json: JSONValue {
    .record([
      "rule": .string(rule), "severity": .string(severity.rawValue), "dataset": .string(dataset),
      "stream": stream.map { .string($0) }, "channel": channel.map { .string($0) },
      "what": .string(what), "message": .string(sentence), "count": .int(Int64(count)),
      "tracks": .int(Int64(tracks)), "known": known.map { .int(Int64($0)) },
      "fingerprint": .string(fingerprint),
      "places": .array(places.map(\.json)),
    ])
  }
}

extension Place {
  var json: JSONValue {
    .record([
      "shard": shard.map { .string($0) }, "episode": episode.map { .string($0) },
      "entity": entity.map { .string($0) },
      "rows": rows.map { .array([.int(Int64($0.lowerBound)), .int(Int64($0.upperBound))]) },
      "values": values.isEmpty ? nil : .array(values.map(Self.number)),
      "note": note.map { .string($0) }, "file": file.map { .string($0) },
    ])
  }

  /// A number; a word where JSON has none.
  private static func number(_ value: Double) -> JSONValue {
    if value.isFinite { return .double(value) }
    return .string(value.isNaN ? "NaN" : value < 0 ? "-Infinity" : "Infinity")
  }
}

extension Rule {
  /// The rule as JSON.
  public var json: JSONValue {
    .record([
      "id": .string(id), "severity": .string(severity.rawValue), "summary": .string(summary),
      "reason": .string(reason), "example": .string(example), "remedy": .string(remedy),
      "implies": .array(implies.map { .string($0) }), "profile": profile.map { .string($0) },
    ])
  }

  /// The rule as a page of Markdown, for `docs/rules/`.
  public var page: String {
    var out = "# \(id)\n\n**\(severity.rawValue)**: \(summary)."
    if let profile { out += " Only with the profile `\(profile)`." }
    out += "\n\n\(reason)\n\n## Example\n\n\(example)\n\n## Remedy\n\n\(remedy)\n"
    if !implies.isEmpty {
      out +=
        "\n## See also\n\nThe same fault may be found by "
        + implies.map { "[\($0)](\($0).md)" }.joined(separator: ", ") + ".\n"
    }
    return out
  }
}
