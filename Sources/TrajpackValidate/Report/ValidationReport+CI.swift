import TrajpackFormat

extension ValidationReport {
  /// The report as JUnit's XML: a suite a dataset, a case a rule, which fails where its findings count.
  public var junit: String {
    var out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n"
    for (number, outcome) in outcomes.enumerated() {
      let byRule = Dictionary(grouping: outcome.findings, by: \.rule)
      let failed = outcome.rules.count { id in
        byRule[id]?.contains { $0.severity >= failOn } ?? false
      }
      out += "  <testsuite name=\"\(Self.xml(outcome.dataset))\" tests=\"\(outcome.rules.count)\" "
      let skipped = outcome.skipped.filter { byRule[$0.key] == nil }
      out += "failures=\"\(failed)\" errors=\"0\" skipped=\"\(skipped.count)\">\n"
      for id in outcome.rules {
        let found = byRule[id] ?? []
        out += "    <testcase classname=\"trajpack.validate\" name=\"\(Self.xml(id))\""
        guard !found.isEmpty else {
          out +=
            skipped[id].map {
              ">\n      <skipped message=\"\(Self.xml($0))\"/>\n    </testcase>\n"
            } ?? "/>\n"
          continue
        }
        let text = Self.xml(found.map(Self.message).joined(separator: "\n"))
        if let first = found.first(where: { $0.severity >= failOn }) {
          out += ">\n      <failure type=\"\(first.severity.rawValue)\" "
          out += "message=\"\(Self.xml(first.sentence))\">\(text)</failure>\n    </testcase>\n"
        } else {
          out += ">\n      <system-out>\(text)</system-out>\n    </testcase>\n"
        }
      }
      var said: [String] = []
      if !outcome.unchecked.isEmpty {
        said.append("not checked: " + outcome.unchecked.joined(separator: "\n"))
      }
      if number == 0, let leftOut { said.append(leftOut) }
      if !said.isEmpty {
        out += "    <system-out>\(Self.xml(said.joined(separator: "\n")))</system-out>\n"
      }
      out += "  </testsuite>\n"
    }
    return out + "</testsuites>\n"
  }

  /// Lines that GitHub's runners show as annotations.
  public var github: String {
    var out = ""
    for finding in findings {
      let level = finding.severity == .suggestion ? "notice" : finding.severity.rawValue
      let title = Self.githubValue("\(finding.rule) in \(finding.dataset)")
      let file = finding.places.first?.file.map { "file=\(Self.githubValue($0))," } ?? ""
      out += "::\(level) \(file)title=\(title)::\(Self.githubText(Self.message(finding)))\n"
    }
    if let leftOut { out += "::notice title=baseline::\(Self.githubText(leftOut))\n" }
    for outcome in outcomes where !outcome.unchecked.isEmpty {
      let title = Self.githubValue("not checked in \(outcome.dataset)")
      let text = outcome.unchecked.joined(separator: "; ")
      out += "::notice title=\(title)::\(Self.githubText(text))\n"
    }
    return out
  }

  private static func githubText(_ text: String) -> String {
    text.replacing("%", with: "%25").replacing("\r", with: "%0D").replacing("\n", with: "%0A")
  }

  private static func githubValue(_ text: String) -> String {
    githubText(text).replacing(":", with: "%3A").replacing(",", with: "%2C")
  }

  /// Text for XML and HTML; what XML cannot hold is spelled out.
  static func xml(_ text: String) -> String {
    var out = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": out += "&amp;"
      case "<": out += "&lt;"
      case ">": out += "&gt;"
      case "\"": out += "&quot;"
      case "'": out += "&#39;"
      case "\n": out += "\n"
      case _
      where scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value)
        || (0x202A...0x202E).contains(scalar.value) || (0x2066...0x2069).contains(scalar.value)
        || scalar.value & 0xFFFE == 0xFFFE:
        out += "\\u{\(String(scalar.value, radix: 16))}"
      default: out.unicodeScalars.append(scalar)
      }
    }
    return out
  }

  /// The report as a page that needs nothing else.
  public var html: String {
    var out = """
      <!doctype html>
      <html lang="en"><head><meta charset="utf-8"><title>trajpack validate</title><style>
      body { font: 15px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 60em; padding: 0 1em }
      table { border-collapse: collapse; width: 100% } td, th { text-align: left; padding: .3em .6em; vertical-align: top; border-top: 1px solid #ccc }
      .error { color: #b00020 } .warning { color: #8a5a00 } .suggestion { color: #00567a } small { color: #555 }
      </style></head><body><h1>trajpack validate</h1>

      """
    for outcome in outcomes {
      out += "<h2>\(Self.xml(outcome.dataset))</h2>\n<p>\(Self.xml(outcome.summary))</p>\n"
      if !outcome.unchecked.isEmpty {
        out += "<p>Not checked: \(Self.xml(outcome.unchecked.joined(separator: "; ")))</p>\n"
      }
      guard !outcome.findings.isEmpty else { continue }
      out += "<table><tr><th>severity<th>rule<th>finding</tr>\n"
      for finding in outcome.findings {
        let word = finding.severity.rawValue
        out +=
          "<tr><td class=\"\(word)\">\(word)<td>\(Self.xml(finding.rule))<td>\(Self.xml(finding.sentence))"
        for place in finding.places where !place.sentence.isEmpty {
          out += "<br><small>\(Self.xml(place.sentence))</small>"
        }
        if let rule = rule(finding.rule) { out += "<br><small>\(Self.xml(rule.remedy))</small>" }
        out += "</tr>\n"
      }
      out += "</table>\n"
    }
    if let leftOut { out += "<p>\(Self.xml(leftOut))</p>\n" }
    return out + "</body></html>\n"
  }
}

extension Validation.Outcome {
  /// `2 errors, 1 warning, 0 suggestions; 3 episodes, 120 rows, 4,000 values, 34 rules (9 met nothing to look at)`.
  public var summary: String {
    func counted(_ n: Int, _ word: String) -> String { "\(n) \(word)\(n == 1 ? "" : "s")" }
    return "\(counted(count(.error), "error")), \(counted(count(.warning), "warning")), "
      + "\(counted(count(.suggestion), "suggestion")); \(counted(episodes, "episode")), "
      + "\(counted(rows, "row")), \(counted(values, "value")), \(counted(rules.count, "rule"))"
      + (idle > 0 ? " (\(idle) met nothing to look at)" : "")
      + (profile.map { ", profile \($0)" } ?? "")
  }
}
