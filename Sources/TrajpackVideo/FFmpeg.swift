#if Video
  import CFFmpegShims
  import TrajpackFormat

  /// FFmpeg's libraries, which are loaded when something of a video is first asked for.
  enum FFmpeg {
    /// Loads them unless they are loaded. Every entry to FFmpeg goes through here.
    static func load() throws(TrajpackError) {
      if let why = failure() { throw TrajpackError(.machine, why) }
    }

    /// Whether they are there, for whoever can do without.
    static var isThere: Bool { failure() == nil }

    private static func failure() -> String? {
      withUnsafeTemporaryAllocation(of: CChar.self, capacity: 1024) { text in
        guard let start = text.baseAddress, tpv_load(start, text.count) == 0 else { return nil }
        return String(cString: start)
      }
    }
  }
#endif
