import TrajpackFormat

extension Rule {
  static let learningNormalization = Rule(
    "learning.normalization", .warning, "values were normalised by rows of the test split, too",
    reason: """
      Mean and deviation of the test rows are in the training data: scores are a little too good, and cannot be reached on rows that \
      were not known beforehand.
      """,
    example: """
      A dataset that 'trajpack apply' made with a step 'normalize' over "split": "all", and whose episodes are in 'train' and 'test'. \
      The plan that a dataset carries is looked at, and those of the datasets that it was made from; what was normalised elsewhere is not known. Splits are the episodes' own; split schemes are not looked at.
      """,
    remedy: "Fit to the training split: \"split\": \"train\" in the plan.",
    check: .container)

  /// The `normalize` steps over all splits of the plans by which data was made, by what they are of.
  static func leakingSteps(_ source: JSONValue?) -> [String] {
    var found: [String] = []
    var next = source
    // A dataset is made of another one a few times at most.
    for _ in 0..<16 {
      guard let options = next?["options"] else { break }
      for step in options["plan"]?["steps"]?.array ?? []
      where step["step"]?.string == "normalize" && step["split"]?.string == "all" {
        let channels = step["channels"]?.array?.compactMap(\.string)
        found.append(
          channels?.joined(separator: ", ") ?? step["channels"]?.string ?? "all channels")
      }
      next = options["source"]
    }
    return found
  }
}
