import TrajpackFormat
import TrajpackStore

extension Console {
  /// A table on standard output: cut to the width of a terminal, whole where a program reads it.
  func print(_ table: Table) {
    for line in table.lines(outputPaint, width: isOutputTerminal ? outputWidth : nil) {
      print(line)
    }
  }

  /// A JSON document on standard output, indented for people on a terminal, on one line otherwise.
  func print(_ document: JSONValue) {
    let text = document.text(indent: isOutputTerminal ? 2 : nil)
    write(BucketFolder.named(text).printableJSON + "\n")
  }
}
