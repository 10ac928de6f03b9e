/// The help of one command, laid out for a terminal of `width` columns.
struct Help {
  let paint: ANSIStyle
  let width: Int

  init(_ paint: ANSIStyle, width: Int) {
    self.paint = paint
    self.width = min(max(width, 40), 100)
  }

  /// Summary, usage, discussion, arguments, options, examples.
  func text<C: Command>(of command: C.Type) -> String {
    let shapes = Invocation<C>.table.map(\.shape)
    let positional = shapes.filter(\.isPositional)
    var parts = [wrap(C.summary)]
    let usage = [Trajpack.name, C.name, "[OPTIONS]"] + positional.map(\.usage)
    parts.append(heading("Usage:") + " " + usage.joined(separator: " "))
    parts += C.discussion.paragraphs.map { wrap($0) }
    parts += section("Arguments", positional.map { ($0.spelling, $0.fullHelp) })
    parts += section(
      "Options", shapes.filter { !$0.isPositional }.map { ($0.spelling, $0.fullHelp) })
    parts += examples(C.examples)
    return parts.joined(separator: "\n\n")
  }

  /// A heading and two aligned columns; nothing when there are no rows.
  func section(_ title: String, _ rows: [(String, String)]) -> [String] {
    guard !rows.isEmpty else { return [] }
    let limit = min(30, width / 2)
    let widths = rows.map { $0.0.displayWidth }
    let column = widths.filter { $0 <= limit }.max() ?? 0
    var lines = [heading("\(title):")]
    for ((left, right), leftWidth) in zip(rows, widths) {
      let indent = column + 4
      let wrapped = right.wrapped(to: width - indent)
      let first = "  " + left
      if leftWidth <= column {
        let gap = String(repeating: " ", count: column - leftWidth + 2)
        lines.append((first + gap + (wrapped.first ?? "")).trimmedRight)
        lines += wrapped.dropFirst().map { String(repeating: " ", count: indent) + $0 }
      } else {
        lines.append(first)
        lines += wrapped.map { String(repeating: " ", count: indent) + $0 }
      }
    }
    return [lines.joined(separator: "\n")]
  }

  /// What each line does, as a shell comment above it, so that a block can be pasted.
  func examples(_ examples: [Command.Example]) -> [String] {
    guard !examples.isEmpty else { return [] }
    let blocks = examples.map { example in
      let comment = example.effect.wrapped(to: width - 4).map { paint.dim("  # \($0)") }
      return (comment + ["  \(example.line)"]).joined(separator: "\n")
    }
    return [heading("Examples:") + "\n" + blocks.joined(separator: "\n\n")]
  }

  func heading(_ text: String) -> String { paint.bold(text) }

  func wrap(_ text: String) -> String { text.wrapped(to: width).joined(separator: "\n") }
}
