import TrajpackFormat

/// Errors without the path of the recording before their sentence, which the conversion says itself.
func withoutPath<Result>(
  _ path: String, _ body: () throws(TrajpackError) -> Result
) throws(TrajpackError) -> Result {
  do throws(TrajpackError) {
    return try body()
  } catch {
    guard error.message.hasPrefix("\(path): ") else { throw error }
    throw TrajpackError(
      error.fault, String(error.message.dropFirst(path.count + 2)), at: error.place)
  }
}
