import TrajpackSignal

extension PlanStream {
  /// The streams of several layouts by name, each with every channel that one of them has, in the order in
  /// which they are first seen.
  package static func merged(_ layouts: [[(stream: PlanStream, time: Int?)]]) -> [PlanStream] {
    var all: [PlanStream] = []
    for (stream, _) in layouts.joined() {
      guard let at = all.firstIndex(where: { $0.name == stream.name }) else {
        all.append(stream)
        continue
      }
      let known = Set(all[at].channels.map(\.name))
      all[at].channels += stream.channels.filter { !known.contains($0.name) }
    }
    return all
  }
}
