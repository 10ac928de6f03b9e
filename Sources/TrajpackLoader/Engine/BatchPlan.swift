import Glibc
import TrajpackFormat
import TrajpackRemote

/// Rows of one chunk that one window needs.
struct Segment {
  /// The shard, the read and the chunk, so that sorting brings equal ones together, in file order.
  var key: UInt64
  var program: Unmanaged<GroupProgram>
  var row: Int32
  var count: Int32
  var window: Int32
  var slot: Int32
  /// The first of its rows in the window, where they are copied to their place.
  var outRow: Int32
  /// Whether all channels go through the staging area.
  var isStaged: Bool
  /// The byte of the staging area at which its first row is to lie.
  var staging: Int

  static let chunkBits: UInt64 = 40
  static let readBits: UInt64 = 8

  static func key(shard: Int, read: Int, chunk: Int) -> UInt64 {
    UInt64(shard) << (chunkBits + readBits) | UInt64(read) << chunkBits | UInt64(chunk)
  }

  var shard: Int { Int(key >> (Self.chunkBits + Self.readBits)) }
  var read: Int { Int(key >> Self.chunkBits & (1 << Self.readBits - 1)) }
  var chunk: Int { Int(key & (1 << Self.chunkBits - 1)) }
}

/// What is left to do for a window when its rows are there.
struct ConversionTask {
  enum Work {
    /// Rows `outRow ..< outRow + count` of a group hold nothing.
    case clear(group: Int)
    /// Rows of a channel hold nothing.
    case clearChannel(Int)
    /// Staged rows become values, one for one.
    case convert(Unmanaged<GroupProgram>)
    /// Values are made from staged rows by `maps[first ..< first + count]`.
    case blend(Unmanaged<GroupProgram>, first: Int)
  }
  var work: Work
  var window: Int32
  var slot: Int32
  var outRow: Int32
  var count: Int32
  var staging: Int
}

/// Which two staged rows a row of a window lies between.
struct RowInterpolation {
  var out: Int32
  var low: Int32
  var high: Int32
  /// Whether channels that take whole rows take the later one.
  var isDue: Bool
  var rest: Double
}

/// Everything that is to be done for one batch, and how far it has come.
final class BatchPlan: @unchecked Sendable {
  // Made by the thread that plans; then the counters change only under the engine's lock, and threads
  // write to disjoint parts of the memory.
  var memory: UnsafeMutableRawPointer
  var places: [WindowOrder.Reference] = []
  /// The epoch that the windows belong to.
  var epoch: UInt64 = 0
  /// The episode of each window, counted over all datasets; empty where nobody asks.
  var episodes: [Int] = []
  var segments: [Segment] = []
  /// Where each item's segments begin, and one more.
  var items: [Int] = []
  var finishes: [ConversionTask] = []
  /// Where each window's finishes begin, and one more.
  var finishStarts: [Int] = []
  var maps: [RowInterpolation] = []
  /// Which windows are mirrored, and what becomes of pixels in each: a map for each stream of frames that others follow.
  var mirrored: [Bool] = []
  var pixelMaps: [PixelMap] = []
  /// Bytes of remote shards that are on their way, by the shard's number.
  var fetches: [Int: RemoteFetch] = [:]
  private(set) var staging: UnsafeMutableRawPointer?
  private var capacity = 0
  var stagingBytes = 0
  /// Segments that each window waits for.
  var remaining: [Int32] = []
  var failures: [TrajpackError?] = []
  /// How many of the items, the first ones, are frames of videos.
  private(set) var frameItems = 0

  init(memory: UnsafeMutableRawPointer) { self.memory = memory }

  deinit { free(staging) }

  /// Room in the staging area; a multiple of 16 bytes in.
  func stage(_ bytes: Int) -> Int {
    let at = stagingBytes
    stagingBytes += (bytes + 15) / 16 * 16
    return at
  }

  /// Sorts the segments into items and makes the staging area.
  ///
  /// - Throws: A machine error where there is no memory for it.
  func seal() throws(TrajpackError) {
    if segments.contains(where: \.isFrames) {
      segments.sort { ($0.isFrames ? 0 : 1, $0.key) < ($1.isFrames ? 0 : 1, $1.key) }
    } else {
      segments.sort { $0.key < $1.key }
    }
    items.removeAll(keepingCapacity: true)
    frameItems = 0
    var last: UInt64?
    for (i, segment) in segments.enumerated() {
      remaining[Int(segment.window)] += 1
      if segment.key != last {
        items.append(i)
        last = segment.key
        if segment.isFrames { frameItems += 1 }
      }
    }
    items.append(segments.count)
    if stagingBytes > capacity {
      free(staging)
      (staging, capacity) = (nil, 0)
      guard posix_memalign(&staging, 64, stagingBytes) == 0 else {
        throw TrajpackError(
          .machine,
          "there is no memory for \(stagingBytes) bytes of rows of a batch; make 'batch' smaller")
      }
      capacity = stagingBytes
    }
  }

  /// Items to be done.
  var itemCount: Int { max(items.count - 1, 0) }

  func segments(ofItem item: Int) -> Range<Int> { items[item]..<items[item + 1] }
  func finishes(ofWindow window: Int) -> Range<Int> {
    finishStarts[window]..<finishStarts[window + 1]
  }
}
