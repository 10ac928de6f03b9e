import TrajpackFormat
import TrajpackStore

extension SourceFiles {
  /// The files with one of these endings, or named by the user, whose content a format knows as its own.
  func files(_ endings: [String], where recognises: (String) -> Bool) -> [File] {
    named(endings).filter { recognises($0.path) }
  }

  /// Reads files that are no trees one after the other. All files but `own` and those that `used` names beside
  /// each of them are left out by name. Where errors are skipped, a file that is damaged is a failed recording.
  ///
  /// - Throws: A data error where there is no file of the format, and what `body` throws.
  func each(
    of own: [File], _ format: String, _ options: MappingOptions,
    used: (File) -> [String] = { _ in [] },
    _ body: (File, inout MappedSource) throws(TrajpackError) -> [MappedRecording]
  ) throws(TrajpackError) -> MappedSource {
    guard !own.isEmpty else {
      throw TrajpackError(.data, "\(sources.first ?? ""): holds no file of format '\(format)'")
    }
    var source = MappedSource(recordings: [])
    for file in own {
      do throws(TrajpackError) {
        source.recordings += try body(file, &source)
      } catch {
        guard options.skipsErrors, error.fault == .data else { throw error }
        source.recordings.append(MappedRecording(file, id: file.stem, failure: error))
      }
    }
    let read = Set(own.map(\.path) + own.flatMap(used))
    source.leftOut += all.filter { !read.contains($0.path) }.map {
      LeftOut(path: $0.place, why: "is no file of this format")
    }
    return source
  }
}
