/// One HTML file with nothing outside it: no script, no font, no picture from a network.
public struct Page {
  private var body = Markup()
  private let title: String

  /// An empty page.
  public init(title: String) {
    self.title = title
    body.tag("h1", text: title)
  }

  /// A heading.
  public mutating func heading(_ text: String) { body.tag("h2", text: text) }

  /// A paragraph.
  public mutating func paragraph(_ text: String) { body.tag("p", text: text) }

  /// The characters of a row that a screen of 1280 pixels has room for.
  static let screen = 135

  /// The characters that the widest row of some columns takes, spaces between columns included.
  static func width(_ head: [String], _ rows: [[String]]) -> Int {
    head.indices.reduce(0) { sum, column in
      sum + 2 + rows.reduce(head[column].count) { max($0, $1[column].count) }
    }
  }

  /// A table; columns in `numbers` are set to the right. Where all but the first are numbers, and too many for a
  /// screen, some of them at a time make a table, each with the first column.
  public mutating func table(_ head: [String], _ rows: [[String]], numbers: Set<Int> = []) {
    guard numbers == Set(1..<max(head.count, 2)), Self.width(head, rows) > Self.screen else {
      return wholeTable(head, rows, numbers)
    }
    let first = Self.width([head[0]], rows.map { [$0[0]] })
    var start = 1
    while start < head.count {
      var (end, width) = (start, first)
      repeat {
        width += Self.width([head[end]], rows.map { [$0[end]] })
        end += 1
      } while end < head.count
        && width + Self.width([head[end]], rows.map { [$0[end]] }) <= Self.screen
      wholeTable(
        [head[0]] + head[start..<end], rows.map { [$0[0]] + $0[start..<end] },
        Set(1..<end - start + 1))
      start = end
    }
  }

  private mutating func wholeTable(_ head: [String], _ rows: [[String]], _ numbers: Set<Int>) {
    body.tag("div", ["class": "wide"]) { out in
      out.tag("table") { out in
        out.tag("thead") { $0.row("th", head, numbers) }
        out.tag("tbody") { out in for row in rows { out.row("td", row, numbers) } }
      }
    }
  }

  /// What is there but not in the way: opened by a click.
  public mutating func folded(_ summary: String, _ content: (inout Page) -> Void) {
    var inner = Page(title: title)
    inner.body = Markup()
    content(&inner)
    body.tag("details") { out in
      out.tag("summary", text: summary)
      out.raw(inner.body.text)
    }
  }

  /// Text as it is written: JSON, options.
  public mutating func verbatim(_ text: String) { body.tag("pre", text: text) }

  /// Pictures, as many side by side as there is room.
  public mutating func figures(_ figures: [Figure]) {
    guard !figures.isEmpty else { return }
    body.tag("div", ["class": "figures"]) { out in
      for figure in figures {
        out.tag("figure") { out in
          out.tag("figcaption", text: figure.title)
          Self.legend(figure, &out)
          Chart(figure: figure).draw(into: &out)
          if !figure.note.isEmpty { out.tag("p", ["class": "note"], text: figure.note) }
        }
      }
    }
  }

  private static func legend(_ figure: Figure, _ out: inout Markup) {
    var names: [(String, String)] = []
    switch figure.body {
    case .lines(let series), .paths(let series), .dots(_, let series):
      names = Array(zip(series.map(\.name), Chart.styles(series)))
    case .poses: names = [("truth", "truth"), ("prediction", "s0")]
    case .heat: break
    }
    guard names.count > 1 else { return }
    out.tag("div", ["class": "legend"]) { out in
      for (name, style) in names {
        out.tag("span") { out in
          out.tag("i", ["class": style]) { _ in }
          out.write(name)
        }
      }
    }
  }

  /// The file.
  public var html: String {
    var out = Markup()
    out.raw("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">")
    out.raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">")
    out.raw("<meta name=\"color-scheme\" content=\"light dark\">")
    out.tag("title", text: title)
    out.raw("<style>\(Self.style)</style></head><body><main>")
    out.raw(body.text)
    out.raw("</main></body></html>\n")
    return out.text
  }

  /// Colours: Okabe and Ito's, which people with any colour vision tell apart; lighter ones in the dark.
  private static let style = """

    :root { --paper: #fff; --ink: #1a1a1a; --soft: #666; --rule: #e3e3e3; --card: #fafafa;
      --s0: #0072b2; --s1: #d55e00; --s2: #009e73; --s3: #cc79a7; --s4: #b8860b; --s5: #56b4e9 }
    @media (prefers-color-scheme: dark) { :root { --paper: #16181b; --ink: #e8e8e8; --soft: #a0a4aa;
      --rule: #33373d; --card: #1d2024; --s0: #5bb4f0; --s1: #ff9a5c; --s2: #3fd0a4; --s3: #eaa5ca;
      --s4: #e6c35c; --s5: #9ad6ff } }
    body { margin: 0; background: var(--paper); color: var(--ink);
      font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif }
    main { max-width: 1240px; margin: 0 auto; padding: 24px 20px 64px }
    h1 { font-size: 24px; margin: 0 0 4px } h2 { font-size: 18px; margin: 36px 0 8px }
    p { margin: 6px 0 } .note, .tick { color: var(--soft); font-size: 12px }
    .wide { overflow-x: auto } table { border-collapse: collapse; margin: 10px 0 }
    th, td { text-align: left; padding: 4px 14px 4px 0; border-bottom: 1px solid var(--rule);
      font-variant-numeric: tabular-nums; vertical-align: top }
    th { color: var(--soft); font-weight: 600; font-size: 13px }
    .number { text-align: right; white-space: nowrap } .short { white-space: nowrap }
    td { overflow-wrap: anywhere }
    details { margin: 10px 0 } summary { cursor: pointer; color: var(--soft) }
    pre { background: var(--card); padding: 12px; overflow: auto; font-size: 12px; border-radius: 6px }
    .figures { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 480px), 1fr));
      gap: 16px }
    figure { margin: 0; padding: 14px; background: var(--card); border: 1px solid var(--rule);
      border-radius: 8px; min-width: 0 }
    figcaption { font-weight: 600; margin-bottom: 4px }
    .legend { display: flex; flex-wrap: wrap; gap: 2px 16px; font-size: 13px; color: var(--soft) }
    .legend i { display: inline-block; width: 14px; height: 3px; margin: 0 6px 4px 0;
      background: currentColor }
    .poses { display: grid; grid-template-columns: repeat(auto-fill, minmax(110px, 1fr)); gap: 8px }
    svg { width: 100%; height: auto; display: block }
    svg text { font-size: 11px; fill: var(--soft) } svg .label { font-size: 12px }
    .grid { stroke: var(--rule) } .line { fill: none; stroke: currentColor; stroke-width: 1.6;
      stroke-linejoin: round; stroke-linecap: round }
    .dot { fill: currentColor } .band { fill: currentColor; opacity: .18; stroke: none }
    .start { fill: var(--card); stroke: currentColor; stroke-width: 2 }
    .cell { fill: var(--s0) } .cell.none { fill: var(--rule) }
    .truth { color: var(--ink) } .reference { color: var(--soft); stroke-dasharray: 5 4 }
    .s0 { color: var(--s0) } .s1 { color: var(--s1) } .s2 { color: var(--s2) }
    .s3 { color: var(--s3) } .s4 { color: var(--s4) } .s5 { color: var(--s5) }
    @media print { details[open] summary { display: none } figure { break-inside: avoid } }

    """
}

extension Markup {
  fileprivate mutating func row(_ cell: String, _ texts: [String], _ numbers: Set<Int>) {
    tag("tr") { out in
      for (n, text) in texts.enumerated() {
        // A name or a figure stays on one line; a sentence or a list of names may take several.
        let style = numbers.contains(n) ? "number" : text.count <= 64 ? "short" : nil
        out.tag(cell, style.map { ["class": $0] } ?? [:], text: text)
      }
    }
  }
}
