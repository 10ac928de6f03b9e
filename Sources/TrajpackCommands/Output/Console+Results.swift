import TrajpackFormat

extension Console {
  /// A table on standard output: cut to the width of a terminal, whole where a program reads it.
  func print(_ table: Table) {
    for line in table.lines(outputPaint, width: isOutputTerminal ? outputWidth : nil) {
      print(line)
    }
  }

  /// A JSON document on standard output, indented for people on a terminal, on one line otherwise.
  func print(_ document: JSONValue) {
    write(document.text(indent: isOutputTerminal ? 2 : nil).printableJSON + "\n")
  }
}
