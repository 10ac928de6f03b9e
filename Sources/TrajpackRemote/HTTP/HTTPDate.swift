import Glibc

/// Times of HTTP's headers: `Sun, 29 Nov 2026 13:00:00 GMT`.
enum HTTPDate {
  private static let months = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
  ]

  /// Seconds since 1970; `nil` for another text.
  static func seconds(_ text: String?) -> Double? {
    let words = (text ?? "").split(whereSeparator: { " :".contains($0) })
    guard words.count == 8, let day = Int32(words[1]), let year = Int32(words[3]),
      let month = months.firstIndex(of: String(words[2])), let hour = Int32(words[4]),
      let minute = Int32(words[5]), let second = Int32(words[6]), (1900...9999).contains(year),
      (1...31).contains(day), (0...23).contains(hour), (0...59).contains(minute),
      (0...60).contains(second)
    else { return nil }
    var time = tm()
    (time.tm_year, time.tm_mon, time.tm_mday) = (year - 1900, Int32(month), day)
    (time.tm_hour, time.tm_min, time.tm_sec) = (hour, minute, second)
    return Double(timegm(&time))
  }
}
