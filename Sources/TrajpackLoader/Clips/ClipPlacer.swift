import TrajpackFormat
import TrajpackSignal
import TrajpackStore

/// Finds the rows of clips in datasets.
struct ClipPlacer {
  /// What is refused of one clip, as a sentence that follows its place.
  struct Refusal: Error {
    var text: String
  }

  let list: ClipList
  /// The stream whose rows count.
  let reference: String
  let rounding: StampRounding
  /// Rows of a window before and after its clip.
  var past = 0
  var future = 0

  /// The clips of each dataset that `keeps` keeps, in the order of the list.
  ///
  /// - Throws: A usage error with a sentence for each of the first clips that do not fit; a data error where
  ///   times are damaged.
  func place(
    _ datasets: [OpenDataset], _ views: [[ShardView]],
    keeps: (_ dataset: Int, _ shard: Int, _ episode: Int) throws(TrajpackError) -> Bool
  ) throws(TrajpackError) -> [[PlacedClip]] {
    let homes = episodes(datasets)
    var out = [[PlacedClip]](repeating: [], count: datasets.count)
    var faults = ClipFaults(list.source)
    var readers: [Int: BlockReader] = [:]
    for (number, clip) in list.clips.enumerated() {
      func refuse(_ text: String) { faults.add("\(clip.place) \(text)") }
      guard let home = home(clip, homes, datasets, refuse) else { continue }
      let view = views[home.dataset][home.shard]
      guard try keeps(home.dataset, home.shard, home.episode) else { continue }
      let key = home.dataset << 20 | home.shard
      let reader = readers[key] ?? BlockReader(view.shard)
      if readers.count > 16 { readers.removeAll() }
      readers[key] = reader
      switch try place(clip, view, episode: home.episode, reader) {
      case .success(var placed):
        (placed.number, placed.shard) = (number, home.shard)
        out[home.dataset].append(placed)
      case .failure(let refusal): refuse(refusal.text)
      }
    }
    try faults.check()
    return out
  }

  private typealias Home = (dataset: Int, shard: Int, episode: Int)

  /// Where the episodes of the clips lie.
  private func episodes(_ datasets: [OpenDataset]) -> [String: [Home]] {
    let wanted = Set(list.clips.map(\.episode))
    var out: [String: [Home]] = [:]
    for (d, dataset) in datasets.enumerated() {
      for (s, shard) in dataset.shards.enumerated() {
        for number in 0..<shard.index.episodeCount {
          let id = shard.index.episode(number).id
          if wanted.contains(id) { out[id, default: []].append((d, s, number)) }
        }
      }
    }
    return out
  }

  private func home(
    _ clip: Clip, _ homes: [String: [Home]], _ datasets: [OpenDataset], _ refuse: (String) -> Void
  ) -> Home? {
    if let dataset = clip.dataset, dataset >= datasets.count {
      refuse(
        "is of dataset \(dataset), but there \(datasets.count == 1 ? "is" : "are") "
          + "\(counted(datasets.count, "dataset")), counted from 0")
      return nil
    }
    let all = homes[clip.episode] ?? []
    let own = clip.dataset.map { d in all.filter { $0.dataset == d } } ?? all
    if own.count > 1, own[0].dataset != own[1].dataset {
      refuse(
        "is of episode '\(clip.episode)', which several datasets of the mixture have; say which with 'dataset', "
          + "a number from 0")
      return nil
    }
    guard let home = own.first else {
      var names: [String] = []
      for (d, dataset) in datasets.enumerated() where clip.dataset ?? d == d {
        for shard in dataset.shards where names.count < 10_000 {
          names += (0..<shard.index.episodeCount).map { shard.index.episode($0).id }
        }
      }
      refuse(
        "is of episode '\(clip.episode)', which the dataset does not have"
          + Suggestion.text(for: clip.episode, among: names))
      return nil
    }
    return home
  }

  /// The rows of a clip on the tracks of the reference stream in its episode.
  private func place(
    _ clip: Clip, _ view: ShardView, episode: Int, _ reader: BlockReader
  ) throws(TrajpackError) -> Result<PlacedClip, Refusal> {
    guard let stream = view.schema.stream(named: reference) else {
      return .failure(
        Refusal(text: "is of episode '\(clip.episode)', which has no stream '\(reference)'"))
    }
    do throws(Refusal) {
      try check(units: clip, view.schema.streams[stream].timeUnit)
    } catch { return .failure(error) }
    var refusal = Refusal(
      text: "is of episode '\(clip.episode)', which has no row of '\(reference)'")
    var longest = 0
    let runs = view.index.tracks(ofEpisode: episode).filter {
      let numbers = view.numbers(ofTrack: $0)
      return numbers.stream == stream && numbers.count > 0
    }
    // Those of one entity or of several are no runs of one series of rows.
    let isOne = runs.allSatisfy { view.numbers(ofTrack: $0).entity < 0 }
    let total = runs.reduce(0) { $0 + view.numbers(ofTrack: $1).count }
    if case .row(let row) = clip.start, isOne, row >= total, total > 0 {
      return .failure(
        Refusal(
          text:
            "begins at row \(row), but episode '\(clip.episode)' has \(counted(total, "row")) of "
            + "'\(reference)'"))
    }
    var before = 0
    for track in runs {
      let numbers = view.numbers(ofTrack: track)
      defer { before += isOne ? numbers.count : 0 }
      var clip = clip
      // Rows are counted over all runs of a stream with gaps.
      if case .row(let row) = clip.start, isOne {
        guard row >= before, row < before + numbers.count else { continue }
        clip.start = .row(row - before)
      }
      let own = view.clocks[numbers.clock].rate
      let clock = try view.trackClock(track, reader: reader)
      do throws(Refusal) {
        var placed = try place(clip, clock, rate: own, before: before)
        (placed.track, placed.episode, placed.before) = (track, episode, before)
        let line = placed.grid ?? clock
        let last = placed.anchor + placed.rows - 1
        placed.start = line.instant(placed.anchor) ?? .real(.nan)
        placed.low = line.instant(placed.anchor - past) ?? line.instant(0) ?? placed.start
        placed.high =
          line.instant(last + future) ?? line.instant(line.rows - 1) ?? placed.start
        return .success(placed)
      } catch {
        // Of several tracks, what that lacks in which the clip begins is said, else what the longest one lacks.
        let begins = (try? begin(clip, clock, "")) != nil
        let weight = begins ? Int.max : numbers.count
        if weight > longest { (refusal, longest) = (error, weight) }
      }
    }
    if runs.count > 1, isOne, longest > 0 {
      refusal.text += "; the stream has gaps, and a clip lies in one run of its rows"
    }
    return .failure(refusal)
  }

  private func check(units clip: Clip, _ unit: String) throws(Refusal) {
    func named(_ unit: String) -> String { unit.isEmpty ? "no unit" : "'\(unit)'" }
    if case .seconds = clip.extent, unit != "s" {
      throw Refusal(
        text:
          "has a length in seconds, but stream '\(reference)' counts time in \(named(unit)); give 'rows'"
      )
    }
    var hasTime = clip.rate != nil || clip.unit != nil
    if case .time = clip.start { hasTime = true }
    guard hasTime, clip.unit ?? "s" != unit else { return }
    throw Refusal(
      text:
        "has times in \(named(clip.unit ?? "s")), but stream '\(reference)' counts time in \(named(unit)); "
        + (clip.unit == nil
          ? "say \"unit\": \"\(unit)\" if its times are in that, or give 'start_row'"
          : "give times in \(named(unit))"))
  }

  /// A clip on one track.
  ///
  /// - Parameter before: The rows of the stream before the track, for sentences.
  func place(
    _ clip: Clip, _ own: TrackClock, rate ownRate: Rational?, before: Int
  ) throws(Refusal) -> PlacedClip {
    guard let first = own.instant(0), let last = own.instant(own.rows - 1) else {
      throw Refusal(text: "is of episode '\(clip.episode)', which has no row of '\(reference)'")
    }
    let ends =
      "episode '\(clip.episode)' has rows of '\(reference)' from \(Self.shown(first)) to \(Self.shown(last))"
    let (start, row, isOnRow) = try begin(clip, own, ends)
    func count(_ rate: Rational) throws(Refusal) -> Int {
      switch clip.extent {
      case .rows(let rows): return rows
      case .seconds(let seconds):
        let rows = (Instant(seconds) * Instant(rate)).value.rounded()
        guard rows >= 1, rows <= Double(Clip.mostRows) else {
          throw Refusal(
            text: "lasts \(seconds.value) s, which is no number of rows at \(rate) a second")
        }
        return Int(rows)
      }
    }
    let takesRows = clip.rate == nil || clip.rate == ownRate
    if takesRows, isOnRow || ownRate == nil {
      let rows: Int
      if let ownRate {
        rows = try count(ownRate)
      } else if case .rows(let given) = clip.extent {
        rows = given
      } else if case .seconds(let seconds) = clip.extent {
        rows = max(own.first(near: start + Instant(seconds), rounding) - row, 1)
        guard !(last < start + Instant(seconds)) || rows == own.rows - row else {
          throw Refusal(text: "lasts \(seconds.value) s from \(Self.shown(start)) on, but \(ends)")
        }
      } else {
        rows = 1
      }
      guard rows <= own.rows - row else {
        throw Refusal(
          text: "has \(counted(rows, "row")) from row \(before + row) on, but "
            + (before > 0
              ? "the rows of '\(reference)' without a gap end at row \(before + own.rows - 1)"
              : "episode '\(clip.episode)' has \(counted(own.rows, "row")) of '\(reference)'"))
      }
      return PlacedClip(
        number: 0, shard: 0, episode: 0, track: 0, row: row, rows: rows, rate: ownRate, anchor: row,
        grid: nil, clockRows: own.rows)
    }
    guard let rate = clip.rate ?? ownRate else {
      throw Refusal(text: "has no 'rate', and neither has stream '\(reference)'")
    }
    let rows = try count(rate)
    let period = Instant(periodOf: rate)
    let (whole, rest) = ((last - start) * Instant(rate)).split
    let isNext = (1 - rest) * period.value <= rounding.limit(interval: period.value) * (1 + 1e-9)
    let free = max(whole, -1) + (isNext ? 2 : 1)
    guard rows <= free, free < TrackClock.maximumGrid else {
      throw Refusal(
        text:
          "has \(counted(rows, "row")) at \(rate) a unit of time from \(Self.shown(start)) on, up to "
          + "\(Self.shown(start + .exact(Int128(rows - 1), 1) * period)), but \(ends)")
    }
    let anchor = max(((start - first) * Instant(rate)).split.whole, 0)
    return PlacedClip(
      number: 0, shard: 0, episode: 0, track: 0, row: row, rows: rows, rate: rate, anchor: anchor,
      grid: TrackClock(
        start: start - .exact(Int128(anchor), 1) * period, rate: rate, rows: anchor + free),
      clockRows: anchor + free)
  }

  /// The moment of a clip's start, the nearest row, and whether it lies on that row.
  private func begin(
    _ clip: Clip, _ own: TrackClock, _ ends: String
  ) throws(Refusal) -> (Instant, Int, Bool) {
    switch clip.start {
    case .row(let row):
      guard let moment = own.instant(row), row < own.rows else {
        throw Refusal(
          text:
            "begins at row \(row), but episode '\(clip.episode)' has \(counted(own.rows, "row")) of "
            + "'\(reference)'")
      }
      return (moment, row, true)
    case .time(let time):
      let moment = Instant(time)
      guard let position = own.position(moment) else { break }
      // Times that were rounded to milliseconds are those of their rows.
      func isNear(_ distance: Double, _ interval: Double) -> Bool {
        distance <= rounding.limit(interval: interval) * (1 + 1e-9)
          + (own.isExact(at: moment) ? 0 : moment.value.magnitude * 4 * Double.ulpOfOne)
      }
      func on(_ row: Int) -> (Instant, Int, Bool) { (own.instant(row) ?? moment, row, true) }
      switch position {
      case .before(let early, let interval): if isNear(early, interval) { return on(0) }
      case .inside(let row, let rest, let interval):
        if isNear(rest * interval, interval) { return on(row) }
        if isNear((1 - rest) * interval, interval) { return on(row + 1) }
        return (moment, rest > 0.5 ? row + 1 : row, false)
      case .after(let late, let interval): if isNear(late, interval) { return on(own.rows - 1) }
      }
      throw Refusal(text: "begins at \(ClipNumber.text(time)), but \(ends)")
    }
    throw Refusal(text: "begins nowhere: \(ends)")
  }

  private static func shown(_ moment: Instant) -> String {
    let value = (moment.value * 1e6).rounded() / 1e6
    return value == value.rounded() && value.magnitude < 1e15 ? String(Int(value)) : "\(value)"
  }
}
