/// Skeletons side by side: the truth in ink, the prediction in colour, both in one scale.
struct PoseRow {
  let poses: [Figure.Pose]
  private static let side = 180.0

  func draw(into out: inout Markup) {
    out.tag("div", ["class": "poses"]) { out in
      for pose in poses {
        out.tag("div") { out in
          draw(pose, &out)
          out.tag("div", ["class": "tick"], text: pose.title)
        }
      }
    }
  }

  private func draw(_ pose: Figure.Pose, _ out: inout Markup) {
    let joints = (pose.truth + pose.prediction).filter { $0[0].isFinite && $0[1].isFinite }
    let (left, right) = (joints.map { $0[0] }.min() ?? 0, joints.map { $0[0] }.max() ?? 1)
    let (low, high) = (joints.map { $0[1] }.min() ?? 0, joints.map { $0[1] }.max() ?? 1)
    let unit = max(right - left, high - low, 1e-12) / (Self.side - 16)
    func x(_ value: Double) -> Double { Self.side / 2 + (value - left / 2 - right / 2) / unit }
    func y(_ value: Double) -> Double { Self.side / 2 - (value - low / 2 - high / 2) / unit }
    let box = Number.pixel(Self.side)
    out.tag(
      "svg", ["viewBox": "0 0 \(box) \(box)", "role": "img", "aria-label": pose.title]
    ) { out in
      for (joints, style) in [(pose.truth, "truth"), (pose.prediction, "s0")] {
        var path = ""
        for bone in pose.bones {
          let (a, b) = (joints[bone[0]], joints[bone[1]])
          guard (a + b).allSatisfy(\.isFinite) else { continue }
          path +=
            "M\(Number.pixel(x(a[0]))) \(Number.pixel(y(a[1])))"
            + "L\(Number.pixel(x(b[0]))) \(Number.pixel(y(b[1])))"
        }
        if !path.isEmpty { out.mark("path", ["class": "line \(style)", "d": path]) }
        for joint in joints where joint[0].isFinite && joint[1].isFinite {
          out.mark(
            "circle",
            [
              "class": "dot \(style)", "cx": Number.pixel(x(joint[0])),
              "cy": Number.pixel(y(joint[1])), "r": "2",
            ])
        }
      }
    }
  }
}
