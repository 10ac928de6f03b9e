extension Chart {
  /// The classes that give the series their colours: predictions in turn, truth in ink.
  static func styles(_ series: [Figure.Series]) -> [String] {
    var predictions = 0
    return series.map { series in
      guard series.role == .prediction else { return series.role.rawValue }
      predictions += 1
      return "s\((predictions - 1) % 6)"
    }
  }

  func styled(_ series: [Figure.Series]) -> [(Figure.Series, String)] {
    Array(zip(series, Self.styles(series)))
  }

  func frame(_ x: Scale, _ y: Scale, _ out: inout Markup) {
    horizontalGrid(y, &out)
    for tick in x.ticks {
      let place = Number.pixel(x.place(tick.value))
      out.mark(
        "line",
        [
          "class": "grid", "x1": place, "x2": place, "y1": Number.pixel(Self.top),
          "y2": Number.pixel(Self.bottom),
        ])
      out.tag(
        "text",
        [
          "class": "tick", "x": place, "y": Number.pixel(Self.bottom + 16), "text-anchor": "middle",
        ], text: tick.text)
    }
    axisLabels(&out)
  }

  func horizontalGrid(_ y: Scale, _ out: inout Markup) {
    for tick in y.ticks {
      let place = y.place(tick.value)
      out.mark(
        "line",
        [
          "class": "grid", "x1": Number.pixel(Self.left), "x2": Number.pixel(Self.right),
          "y1": Number.pixel(place), "y2": Number.pixel(place),
        ])
      out.tag(
        "text",
        [
          "class": "tick", "x": Number.pixel(Self.left - 6), "y": Number.pixel(place + 4),
          "text-anchor": "end",
        ], text: tick.text)
    }
  }

  func axisLabels(_ out: inout Markup) {
    out.tag(
      "text",
      [
        "class": "label", "x": Number.pixel((Self.left + Self.right) / 2),
        "y": Number.pixel(Self.height - 6), "text-anchor": "middle",
      ], text: figure.x.label)
    let middle = Number.pixel((Self.top + Self.bottom) / 2)
    out.tag(
      "text",
      [
        "class": "label", "x": "12", "y": middle, "text-anchor": "middle",
        "transform": "rotate(-90 12 \(middle))",
      ], text: figure.y.label)
  }

  /// The line through the points, broken where there is none.
  func curve(
    _ series: Figure.Series, _ style: String, _ x: Scale, _ y: Scale, _ out: inout Markup
  ) {
    var path = ""
    var isDown = false
    for n in series.x.indices {
      let (px, py) = (x.place(series.x[n]), y.place(series.y[n]))
      guard px.isFinite, py.isFinite else {
        isDown = false
        continue
      }
      path += "\(isDown ? "L" : "M")\(Number.pixel(px)) \(Number.pixel(py))"
      isDown = true
    }
    guard !path.isEmpty else { return }
    out.tag("path", ["class": "line \(style)", "d": path]) { $0.tag("title", text: series.name) }
  }

  func band(
    _ series: Figure.Series, _ style: String, _ x: Scale, _ y: Scale, _ out: inout Markup
  ) {
    let shown = series.low.indices.filter {
      x.place(series.x[$0]).isFinite && y.place(series.low[$0]).isFinite
        && y.place(series.high[$0]).isFinite
    }
    guard shown.count > 1 else { return }
    func corner(_ n: Int, _ value: Double) -> String {
      "\(Number.pixel(x.place(series.x[n]))),\(Number.pixel(y.place(value)))"
    }
    let edge = shown.map { corner($0, series.high[$0]) }
    let back = shown.reversed().map { corner($0, series.low[$0]) }
    out.mark("polygon", ["class": "band \(style)", "points": (edge + back).joined(separator: " ")])
  }

  func points(
    _ series: Figure.Series, _ style: String, _ x: Scale, _ y: Scale, _ out: inout Markup,
    _ labels: [String]? = nil
  ) {
    for n in series.x.indices {
      let (px, py) = (x.place(series.x[n]), y.place(series.y[n]))
      guard px.isFinite, py.isFinite else { continue }
      let place = labels.flatMap { labels in
        Int(exactly: series.x[n]).flatMap { labels.indices.contains($0) ? labels[$0] : nil }
      }
      out.tag(
        "circle",
        ["class": "dot \(style)", "cx": Number.pixel(px), "cy": Number.pixel(py), "r": "3"]
      ) {
        $0.tag(
          "title",
          text: "\(series.name), \(place ?? Number.text(series.x[n])): \(Number.text(series.y[n]))")
      }
    }
  }

  func rule(
    _ x: Double, _ y1: Double, _ y2: Double, _ style: String, _ out: inout Markup
  ) {
    guard x.isFinite, y1.isFinite, y2.isFinite else { return }
    out.mark(
      "line",
      [
        "class": "line \(style)", "x1": Number.pixel(x), "x2": Number.pixel(x),
        "y1": Number.pixel(y1), "y2": Number.pixel(y2),
      ])
  }
}
