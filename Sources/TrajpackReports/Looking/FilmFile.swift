import Glibc
import TrajpackCodecs
import TrajpackFormat
import TrajpackSources
import TrajpackStore

/// A film as a file: `.mp4` by the program ffmpeg, `.gif`, or one picture as `.png`.
public enum FilmFile {
  /// What a file is, by its name.
  public enum Form: String, CaseIterable, Sendable {
    case mp4, gif, png

    /// - Throws: A usage error for another ending.
    public init(of path: String) throws(TrajpackError) {
      let ending = path.split(separator: ".").last.map { $0.lowercased() } ?? ""
      guard path.contains("."), let form = Form(rawValue: ending) else {
        throw TrajpackError(
          .usage, "\(path): cannot tell what to write: name a file that ends in .mp4, .gif or .png")
      }
      self = form
    }
  }

  /// Writes a film: whole, or not at all.
  ///
  /// - Parameters:
  ///   - rate: Pictures a second.
  ///   - goesOn: Asked before each picture; nothing is left where it says no.
  ///   - done: Called for each picture.
  /// - Returns: Pictures written; `nil` where it was stopped.
  public static func write(
    _ film: EpisodeFilm, to path: String, as form: Form, rate: Double,
    goesOn: () -> Bool = { true },
    done: () -> Void = {}
  ) throws(TrajpackError) -> Int? {
    let name = String(decoding: FileSystem.name(of: path).utf8.prefix(200), as: UTF8.self)
    let temporary =
      "\(FileSystem.parent(of: path))/.tmp-\(String(UInt64.random(in: 0 ... .max), radix: 16))-\(name)"
    let descriptor = open(temporary, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { throw .system("cannot be written", path) }
    defer { close(descriptor) }
    do throws(TrajpackError) {
      guard let count = try fill(film, temporary, descriptor, form, rate, goesOn, done) else {
        unlink(temporary)
        return nil
      }
      try FileSystem.sync(descriptor, temporary)
      try FileSystem.publish(temporary, as: path)
      return count
    } catch {
      unlink(temporary)
      throw error
    }
  }

  /// The program that encodes pictures of RGB, whose sides are even, as H.264.
  ///
  /// - Throws: A machine error with the remedy where there is no such program.
  private static func movie(
    _ film: EpisodeFilm, _ rate: Double, to path: String
  ) throws(TrajpackError) -> FFmpegProcess {
    try FFmpegProgram(for: "mp4", instead: "name a file that ends in .gif or .png", .machine).start(
      [
        "-v", "error", "-nostdin", "-y", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s",
        "\(film.width)x\(film.height)", "-r", "\(Int((rate * 1000).rounded()))/1000", "-i",
        "pipe:0",
        "-c:v", "libx264", "-preset", "medium", "-crf", "18", "-pix_fmt", "yuv420p", "-vf",
        "scale=out_color_matrix=bt709:out_range=tv", "-colorspace", "bt709", "-color_primaries",
        "bt709", "-color_trc", "bt709", "-color_range", "tv", "-movflags", "+faststart", "-f",
        "mp4",
        "file:\(path)",
      ])
  }

  private static func fill(
    _ film: EpisodeFilm, _ path: String, _ descriptor: Int32, _ form: Form, _ rate: Double,
    _ goesOn: () -> Bool, _ done: () -> Void
  ) throws(TrajpackError) -> Int? {
    var count = 0
    switch form {
    case .png:
      try film.draw(goesOn: { count == 0 && goesOn() }) { (picture) throws(TrajpackError) in
        try FileSystem.write(
          PNG.file(picture, width: film.width, height: film.height, samples: 3, bits: 8),
          to: descriptor, path)
        count += 1
        done()
      }
      return count == 1 ? 1 : nil
    case .mp4:
      let movie = try movie(film, rate, to: path)
      try film.draw(goesOn: goesOn) { (picture) throws(TrajpackError) in
        try movie.send(picture)
        count += 1
        done()
      }
      guard count == film.moments.count else { return nil }
      try movie.finish()
      return count
    case .gif:
      // Colours are chosen from eight pictures, as they are drawn.
      let all = film.moments.count
      let samples = try film.samples(
        Set((0..<min(8, all)).map { (2 * $0 + 1) * all / (2 * min(8, all)) }).sorted())
      var gif = GIF(
        width: film.width, height: film.height, delay: max(Int((100 / rate).rounded()), 2),
        samples: samples)
      try film.draw(goesOn: goesOn) { (picture) throws(TrajpackError) in
        gif.add(picture)
        try FileSystem.write(gif.take(), to: descriptor, path)
        count += 1
        done()
      }
      guard count == all else { return nil }
      gif.finish()
      try FileSystem.write(gif.take(), to: descriptor, path)
      return count
    }
  }
}
