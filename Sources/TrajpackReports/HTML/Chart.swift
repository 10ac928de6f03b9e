/// A picture of a figure as SVG that takes its colours from the page, so that it follows light and dark.
struct Chart {
  static let width = 560.0
  static let height = 320.0
  static let left = 70.0
  static let right = 546.0
  static let top = 14.0
  static let bottom = 278.0

  let figure: Figure

  /// The SVG.
  func draw(into out: inout Markup) {
    switch figure.body {
    case .lines(let series): lines(series, &out)
    case .paths(let series): paths(series, &out)
    case .dots(let labels, let series): dots(labels, series, &out)
    case .heat(let rows, let columns, let values): heat(rows, columns, values, &out)
    case .poses(let poses): PoseRow(poses: poses).draw(into: &out)
    }
  }

  private func svg(
    _ out: inout Markup, height: Double = Chart.height, _ body: (inout Markup) -> Void
  ) {
    out.tag(
      "svg",
      [
        "viewBox": "0 0 \(Number.pixel(Self.width)) \(Number.pixel(height))", "role": "img",
        "aria-label": figure.title,
      ], body)
  }

  private func lines(_ series: [Figure.Series], _ out: inout Markup) {
    let x = Scale(
      series.flatMap(\.x), isLogarithmic: figure.x.isLogarithmic, pixels: Self.left...Self.right,
      isFlipped: false, margin: 0.02)
    let y = Scale(
      series.flatMap { $0.y + $0.low + $0.high }, isLogarithmic: figure.y.isLogarithmic,
      pixels: Self.top...Self.bottom, isFlipped: true)
    svg(&out) { out in
      frame(x, y, &out)
      for (series, style) in styled(series) {
        band(series, style, x, y, &out)
        curve(series, style, x, y, &out)
        if series.x.count <= 32 { points(series, style, x, y, &out) }
      }
    }
  }

  private func paths(_ series: [Figure.Series], _ out: inout Markup) {
    var x = Scale(
      series.flatMap(\.x), isLogarithmic: false, pixels: Self.left...Self.right, isFlipped: false)
    var y = Scale(
      series.flatMap(\.y), isLogarithmic: false, pixels: Self.top...Self.bottom, isFlipped: true)
    // One scale for both axes: the shorter range is widened around its middle.
    let unit = max(
      (x.high - x.low) / (Self.right - Self.left), (y.high - y.low) / (Self.bottom - Self.top))
    x = widened(x, to: unit * (Self.right - Self.left))
    y = widened(y, to: unit * (Self.bottom - Self.top))
    svg(&out) { out in
      frame(x, y, &out)
      for (series, style) in styled(series) {
        curve(series, style, x, y, &out)
        guard
          let first = series.x.indices.first(where: {
            series.x[$0].isFinite && series.y[$0].isFinite
          })
        else { continue }
        out.tag(
          "circle",
          [
            "class": "start \(style)", "cx": Number.pixel(x.place(series.x[first])),
            "cy": Number.pixel(y.place(series.y[first])), "r": "4",
          ]
        ) { $0.tag("title", text: "\(series.name): start") }
      }
    }
  }

  private func widened(_ scale: Scale, to length: Double) -> Scale {
    let middle = scale.low / 2 + scale.high / 2
    return Scale(
      low: middle - length / 2, high: middle + length / 2, isLogarithmic: false,
      pixels: scale.pixels, isFlipped: scale.isFlipped)
  }

  private func dots(_ labels: [String], _ series: [Figure.Series], _ out: inout Markup) {
    let y = Scale(
      series.flatMap { $0.y + $0.low + $0.high }, isLogarithmic: figure.y.isLogarithmic,
      pixels: Self.top...Self.bottom, isFlipped: true)
    let x = Scale(
      low: -0.5, high: Double(max(labels.count, 1)) - 0.5, isLogarithmic: false,
      pixels: Self.left...Self.right, isFlipped: false)
    svg(&out) { out in
      horizontalGrid(y, &out)
      let every = max((labels.count + 7) / 8, 1)
      for (n, label) in labels.enumerated() where n % every == 0 {
        let short = label.count > 12 ? label.prefix(5) + "…" + label.suffix(5) : label[...]
        out.tag(
          "text",
          [
            "class": "tick", "x": Number.pixel(x.place(Double(n))),
            "y": Number.pixel(Self.bottom + 16), "text-anchor": "middle",
          ], text: String(short))
      }
      axisLabels(&out)
      for (series, style) in styled(series) {
        for n in series.x.indices where n < series.low.count {
          rule(x.place(series.x[n]), y.place(series.low[n]), y.place(series.high[n]), style, &out)
        }
        points(series, style, x, y, &out, labels)
      }
    }
  }

  private func heat(
    _ rows: [String], _ columns: [String], _ values: [[Double]], _ out: inout Markup
  ) {
    let scale = Scale(
      values.flatMap { $0 }, isLogarithmic: figure.y.isLogarithmic, pixels: 0...1, isFlipped: false,
      margin: 0)
    let rowHeight = min(max(220 / Double(max(rows.count, 1)), 4), 26)
    let left = 96.0
    let width = (Self.right - left) / Double(max(columns.count, 1))
    let bottom = Self.top + rowHeight * Double(rows.count)
    svg(&out, height: bottom + 42) { out in
      for (r, row) in rows.enumerated() {
        let top = Self.top + rowHeight * Double(r)
        if rowHeight >= 10 || r % Int(12 / rowHeight + 1) == 0 {
          let short = row.count > 13 ? row.prefix(6) + "…" + row.suffix(5) : row[...]
          out.tag(
            "text",
            [
              "class": "tick", "x": Number.pixel(left - 6),
              "y": Number.pixel(top + rowHeight / 2 + 4), "text-anchor": "end",
            ], text: String(short))
        }
        for (c, column) in columns.enumerated() {
          let value = values[r][c]
          let share = scale.place(value)
          out.tag(
            "rect",
            [
              "class": share.isFinite ? "cell" : "cell none",
              "x": Number.pixel(left + width * Double(c)), "y": Number.pixel(top),
              "width": Number.pixel(max(width - 1, 0.5)),
              "height": Number.pixel(max(rowHeight - 1, 0.5)),
              "fill-opacity": share.isFinite
                ? Number.pixel(0.08 + 0.92 * min(max(share, 0), 1)) : "1",
            ]
          ) { $0.tag("title", text: "\(row), \(column): \(Number.text(value))") }
        }
      }
      let every = max((columns.count + 7) / 8, 1)
      for (c, column) in columns.enumerated() where c % every == 0 {
        out.tag(
          "text",
          [
            "class": "tick", "x": Number.pixel(left + width * (Double(c) + 0.5)),
            "y": Number.pixel(bottom + 16), "text-anchor": "middle",
          ], text: column)
      }
      let ends =
        scale.isLogarithmic ? "" : " (\(Number.text(scale.low)) to \(Number.text(scale.high)))"
      out.tag(
        "text",
        [
          "class": "label", "x": Number.pixel((left + Self.right) / 2),
          "y": Number.pixel(bottom + 36), "text-anchor": "middle",
        ], text: "\(figure.x.label) · colour: \(figure.y.label)\(ends)")
    }
  }
}
