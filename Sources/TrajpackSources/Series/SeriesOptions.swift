import TrajpackFormat

/// What the command line says of how series are to be read.
public struct SeriesOptions: Sendable, Equatable {
  /// Which column or array holds the times.
  public enum Time: Sendable, Equatable {
    /// The first that is called time, date, t, timestamp or datetime and holds dates or numbers; else the
    /// only column of dates, where it is the first.
    case auto
    /// None: rows lie at the steps of a rate.
    case none
    /// The one of that name; it must be there.
    case named(String)
  }

  /// Whether a table begins with the names of its columns.
  public enum Header: String, Sendable, CaseIterable {
    /// It does where a cell of the first record is text and the cell below it is none, or where
    /// every cell of it is text.
    case auto
    case yes
    case no
  }

  /// What the first axis of an array counts.
  public enum LeadingAxis: String, Sendable, CaseIterable {
    /// Time for arrays of one or two axes, recordings for those of three or more.
    case auto
    /// Rows of one recording.
    case time
    /// Recordings; the second axis is time.
    case batch
  }

  /// The column or array of times.
  public var time = Time.auto
  /// Rows in a unit of time, for series that have no times of their own; 1 where `nil`.
  public var rate: Rational?
  /// The unit of times that are numbers or steps; where `nil`, `time` for numbers, whose unit a
  /// file does not say, `s` for the steps of a given rate, `step` for others. Dates are in seconds.
  public var timeUnit: String?
  /// The column of a table by whose text its rows are cut into episodes.
  public var episodeColumn: String?
  /// Rows after which a recording is cut; the last piece may be shorter.
  public var segment: Int?
  /// Whether tables begin with a header.
  public var header = Header.auto
  /// What separates cells; found by looking where `nil`.
  public var delimiter: UInt8?
  /// Whether runs of spaces and tabs separate cells; found by looking where `nil`.
  public var separatesByBlanks: Bool?
  /// Words that stand for missing values among numbers, beside ``CellReader/usualWords``.
  public var missing: [String] = []
  /// The sign before the digits of a fraction, a point or a comma; found by looking where `nil`.
  public var decimal: UInt8?
  /// The sign between thousands; none where `nil`.
  public var thousands: UInt8?
  /// The byte from which on a line is a comment; where `nil`, `#` in files that begin with such lines.
  public var comment: UInt8?
  /// Lines before a table.
  public var skippedRows = 0
  /// Whether the row below the header has the units of the columns.
  public var hasUnitsRow = false
  /// How dates are written: `dmy`, `mdy`, `ymd`, or as `strptime` has it; found by looking where `nil`.
  public var timeFormat: String?
  /// Whether the files of a folder are the streams of one episode; where `nil`, they are if at least two
  /// folders have files of the same names.
  public var groupsFolders: Bool?
  /// What the first axis of an array counts.
  public var leadingAxis = LeadingAxis.auto
  /// Patterns of the members of an archive that are read; all where empty.
  public var members: [String] = []
  /// Patterns of the members of an archive that are left out.
  public var excludedMembers: [String] = []
  /// Patterns of arrays that are values of a whole recording, and have no rows.
  public var constants: [String] = []
  /// Arrays, or columns of tables, whose true rows end an episode.
  public var terminals: [String] = []
  /// The array of the rows behind which episodes end, counted from the start.
  public var episodeEnds: String?
  /// The kind of a channel, by its name.
  public var kinds: [String: Kind] = [:]
  /// The units of a channel, by its name.
  public var units: [String: String] = [:]

  /// Whether files that cannot be read are recordings that fail, instead of stopping the conversion. It changes
  /// nothing of what is written.
  public var skipsErrors = false

  /// The defaults.
  public init() {}

  /// Whether a column or array of that name may hold the times. A capital `T` is a temperature to many.
  func mayBeTime(_ name: String) -> Bool {
    switch time {
    case .auto:
      return name == "t"
        || ["time", "date", "timestamp", "timestamps", "datetime"].contains(name.lowercased())
    case .none: return false
    case .named(let wanted): return name == wanted
    }
  }

  /// The clock of rows that have no times.
  var stepClock: Clock { .regular(start: .zero, rate: rate ?? .one) }

  /// The unit of the steps of ``stepClock``.
  var stepUnit: String { timeUnit ?? (rate == nil ? "step" : "s") }
}
