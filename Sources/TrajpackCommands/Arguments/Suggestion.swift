/// ` (did you mean 'zstd'?)`, or nothing when no candidate is near.
func suggestion(for word: String, among candidates: [String]) -> String {
  nearest(to: word, among: candidates).map { " (did you mean '\($0)'?)" } ?? ""
}

/// The candidate that a slip of the finger turns into `word`: one that starts with it, or the one
/// with the fewest edits, at most one for each three letters.
func nearest(to word: String, among candidates: [String]) -> String? {
  let folded = word.lowercased()
  let letters = folded.drop { $0 == "-" }
  let near = candidates.filter { $0.hasPrefix("--") == word.hasPrefix("--") }
  let ranked = near.map { candidate in
    let name = candidate.lowercased()
    let isStart = letters.count >= 2 && name.hasPrefix(folded)
    return (candidate, edits: isStart ? 1 : editDistance(folded, name))
  }
  let limit = max(1, letters.count / 3)
  guard letters.count >= 2, let best = ranked.min(by: { $0.edits < $1.edits }) else { return nil }
  return best.edits <= limit ? best.0 : nil
}

/// Insertions, deletions, replacements and swaps of neighbours that turn one word into the other:
/// the optimal string alignment distance.
func editDistance(_ one: String, _ other: String) -> Int {
  let a = Array(one)
  let b = Array(other)
  var beforeLast = [Int](repeating: 0, count: b.count + 1)
  var last = Array(0...b.count)
  for i in a.indices {
    var row = [i + 1]
    for j in b.indices {
      var best = min(last[j + 1] + 1, row[j] + 1, last[j] + (a[i] == b[j] ? 0 : 1))
      if i > 0 && j > 0 && a[i] == b[j - 1] && a[i - 1] == b[j] {
        best = min(best, beforeLast[j - 1] + 1)
      }
      row.append(best)
    }
    (beforeLast, last) = (last, row)
  }
  return last[b.count]
}
