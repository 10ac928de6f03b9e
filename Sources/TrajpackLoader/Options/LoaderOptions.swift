import TrajpackFormat
import TrajpackSignal

/// What a loader is asked for; ``table`` declares each option.
public struct LoaderOptions: Sendable {
  /// Which channels.
  enum Selector: Sendable {
    case pattern(Pattern)
    case kind(Kind)
  }

  /// How rows of another clock are found.
  public enum Alignment: String, Sendable, CaseIterable {
    case auto, nearest, asof, linear, native
  }

  /// What happens at the ends of a recording.
  public enum Edge: String, Sendable, CaseIterable { case drop, pad, clamp }

  /// One place of a channel in relation to the window's start.
  enum Offset: Sendable, Equatable {
    case rows(Int)
    case seconds(Rational)
  }

  /// How long a row counts after its time where no other follows.
  public enum Hold: String, Sendable, CaseIterable {
    /// Labels, categories, events and text of explicit times as `end`, all else as `interval`.
    case auto
    /// As long as the interval before it.
    case interval
    /// To the end of the episode.
    case end
  }

  /// What stands in place of a value that was not observed.
  struct Fill: Sendable {
    var number: Double
    /// The number, where it is whole.
    var integer: Int?
  }

  /// The type of channels that a rule is for: by pattern, or of all floats, integers or booleans.
  enum TypeTarget: Sendable {
    case pattern(Pattern)
    case floats, integers, booleans

    func matches(stream: String, channel: Channel) -> Bool {
      switch self {
      case .pattern(let pattern): pattern.matches(stream: stream, channel: channel.name)
      case .floats: channel.type.isFloat
      case .booleans: channel.type == .bool
      case .integers: !channel.type.isFloat && channel.type != .bool && channel.type != .bytes
      }
    }
  }

  /// Types by ``TypeTarget``; the first that matches counts.
  struct TypeRules: Sendable {
    var rules: [(target: TypeTarget, type: ElementType)] = []
    var otherwise: ElementType?

    func value(stream: String, channel: Channel) -> ElementType? {
      rules.first { $0.target.matches(stream: stream, channel: channel) }?.type ?? otherwise
    }
  }

  /// What an episode's metadata must be.
  enum Condition: Sendable {
    case oneOf([JSONValue])
    case range(Double, Double)
  }

  var channels: [Selector] = [.pattern(Pattern("*"))]
  var exclude: [Pattern] = []
  var length: Int?
  var duration: Rational?
  var stride = 1
  var past = 0
  var future = 0
  var offsets = Rules<[Offset]>()
  var plan: Plan?
  var reference: String?
  var rate: Rational?
  var align = Rules<Alignment>()
  /// How far a row may lie from a moment and count as its own, in time; `nil` for the usual.
  var tolerance: Double?
  var hold = Rules<Hold>()
  var staleness = Rules<Rational>()
  var edge = Edge.drop
  var entities = Rules<Int>()
  var type = TypeRules()
  var normalize = Rules<NormalizationRule>()
  var normalizeSplit: String?
  var features: [(name: String, patterns: [Pattern])] = []
  var fill = Rules<Fill>()
  var observed = true
  var present = true
  var padding = true
  var time = false
  var meta = false
  /// Height and width of frames, their samples and how these lie; bytes of decoded pictures to keep.
  var size = Rules<[Int]>()
  var pixels = Rules<Pixels>()
  var layout = Rules<FrameLayout>()
  /// The part of pictures that is taken, [height, width] or [top, left, height, width]; how likely a window is mirrored, and by
  /// what values of the world are multiplied then; whose pixels channels hold.
  var crop = Rules<[Int]>()
  var flip = 0.0
  var flipWorld = Rules<[Double]>()
  var pixelsOf = Rules<String>()
  var frameCache: Int?
  /// Depth as distances.
  var depth = Rules<DepthRequest>()
  /// Values of recordings that batches carry.
  var values: [String] = []

  var clips: ClipChoice?
  var splits: [String]?
  /// The split scheme that 'split' names parts of; `nil` for the one that counts where none is named.
  var scheme: String?
  /// The fold that is the test, of a scheme of folds.
  var fold: Int?
  var episodes: [Pattern]?
  var conditions: [(path: String, condition: Condition)] = []
  var windowTest: WindowTest<WindowQuestion>?
  /// Weights of windows: a number of each, or given later by the caller.
  enum WindowWeights: Sendable {
    case given
    case question(WindowQuestion)
  }
  var windowWeights: WindowWeights?
  var cacheFolder: String?
  var order = Order.global
  var blockWindows = 64
  var blockCount = 64
  var seed: UInt64 = 0
  var epoch: UInt64 = 0
  var batch = 32
  var dropLast = true
  var rank = 0
  var world = 1
  var weights: [Double]?
  var epochWindows: UInt64?
  var replacement: Bool?

  /// The names of orders.
  enum Order: String, Sendable, CaseIterable { case global, block, none }
  var shuffle: WindowOrder.Shuffle {
    switch order {
    case .global: .global
    case .none: .none
    case .block: .block(windows: blockWindows, count: blockCount)
    }
  }

  /// What becomes of windows that touch damaged data.
  enum ErrorRule: String, Sendable, CaseIterable { case raise, skip }
  var skipsErrors: Bool { onError == .skip }

  /// When the checksum of a chunk is compared with its bytes.
  public enum Verification: String, Sendable, CaseIterable { case always, first, never }
  var verify = Verification.always
  /// Whether shards are mapped into memory instead of read.
  var mapsFiles = false

  var threads = 0
  var prefetch = 4
  var cache: Int?
  var onError = ErrorRule.raise

  /// Whether channels are not chosen.
  var isAll: Bool { json["channels"] ?? .null == .null }

  /// The options as they were given.
  public var json: JSONValue = .object([])

  /// The defaults.
  public init() {}

  /// The most windows of a batch and rows of a window; beyond, it is a mistake.
  static let limit = 1 << 24
}
