import TrajpackFormat
import TrajpackValidate

/// `trajpack rules`: the rules that `validate` runs.
struct RulesCommand: Command {
  static let name = "rules"
  static let summary = "List the rules of 'trajpack validate', or explain one."
  static var examples: [Example] {
    [
      ("trajpack rules", "Every rule, its severity and what it finds."),
      ("trajpack rules values", "Those that look at values."),
      ("trajpack rules values.spike", "Why it matters, what it looks like, what to do."),
    ]
  }
  static var parameters: [Parameter<Self>] {
    [
      .positional(
        "[RULE]", to: \.rule, choices: Rule.all.map(\.id) + Rule.families,
        help: "The rule that is explained, or a family of rules, as 'values'."),
      .flag("--markdown", to: \.markdown, help: "Print the page of the rule as Markdown."),
      .flag("--json", to: \.json, help: "Print JSON."),
    ]
  }
  var rule: String?
  var markdown = false
  var json = false

  mutating func run(_ console: Console) throws(TrajpackError) {
    let name = rule
    let family = Rule.all.filter { one in one.family == name }
    guard let id = name, family.isEmpty else {
      guard !markdown else { throw TrajpackError(.usage, "--markdown is of one rule: name it") }
      let rules = family.isEmpty ? Rule.all : family
      if json { return console.print(.array(rules.map(\.json))) }
      var table = Table(.text("rule"), .text("severity"), .text("finds"), .text("profile"))
      for rule in rules {
        table.add(rule.id, rule.severity.rawValue, rule.summary, rule.profile ?? "")
      }
      return console.print(table)
    }
    let rule = try Rule.named(id)
    if json { return console.print(rule.json) }
    if markdown { return console.write(rule.page) }
    console.print("\(rule.id) (\(rule.severity.rawValue)): \(rule.summary)")
    if let profile = rule.profile { console.print("only with --profile \(profile)") }
    for (name, text) in [("why", rule.reason), ("example", rule.example), ("remedy", rule.remedy)] {
      console.print("")
      console.print("\(name): \(text)")
    }
    guard !rule.implies.isEmpty else { return }
    console.print("")
    console.print("the same fault may be found by: \(rule.implies.joined(separator: ", "))")
  }
}
