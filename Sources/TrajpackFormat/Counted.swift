/// A number of things in a sentence: `1 row`, `2 rows`, `0 rows`.
package func counted(_ number: some BinaryInteger, _ thing: String) -> String {
  "\(number) \(thing)\(number == 1 ? "" : "s")"
}
