import TrajpackFormat
import TrajpackSignal
import TrajpackStore

/// Everything about a loader that never changes while it runs.
final class LoaderSetup: Sendable {
  let sources: [WindowSource]
  /// All shards of all datasets, by number.
  let shards: [LoadedShard]
  let layout: Layout
  let options: LoaderOptions
  /// Rows of a window before and after its start, on the reference clock.
  let past: Int
  let length: Int
  /// How the windows of each dataset were chosen; `nil` where all are.
  let choices: [WindowChoice]?
  /// The rates of streams that have one.
  let rates: [String: Rational]
  /// The clips that windows are; `nil` where they are none.
  let clips: PlacedClips?
  /// The values of recordings that batches carry.
  let values: LoaderValues
  /// Which splits windows lie in, where batches say it.
  let splits: SplitLookup?
  /// Whether some shard lies on a server.
  let hasRemote: Bool
  /// What pictures need, frames of videos and arrays of pixels; `nil` where none are wanted.
  let frames: FrameSetup?

  init(
    sources: [WindowSource], layout: Layout, options: LoaderOptions, past: Int, length: Int,
    choices: [WindowChoice]? = nil, rates: [String: Rational] = [:],
    values: LoaderValues = LoaderValues(), splits: SplitLookup? = nil,
    clips: PlacedClips? = nil, frames: FrameSetup? = nil
  ) {
    self.clips = clips
    self.values = values
    self.splits = splits
    self.frames = frames
    self.rates = rates
    self.choices = choices
    self.sources = sources
    shards = sources.flatMap(\.shards)
    hasRemote = shards.contains(where: \.isRemote)
    self.layout = layout
    self.options = options
    self.past = past
    self.length = length
  }
}
