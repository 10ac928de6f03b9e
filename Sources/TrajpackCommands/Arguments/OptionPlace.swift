import TrajpackFormat

extension TrajpackError {
  /// The same error with the option that its sentence is about as its place, where wrong use has no such place yet: the
  /// option with which the sentence begins (`--scheme names what …`), or which it asks for at its beginning (`give --task, …`),
  /// else the first one in it that was given.
  ///
  /// - Parameters:
  ///   - known: The names of each option of the command.
  ///   - given: The options that were given, as they were spelled: the place has the same spelling.
  func placed(amongOptions known: [[String]], given: [String]) -> TrajpackError {
    guard fault == .usage else { return self }
    if let option = place.option {
      // Options that windows have, too, are called there as Python spells them.
      let name = "--" + option.map { $0 == "_" ? "-" : String($0) }.joined()
      guard known.contains(where: { $0.contains(name) }) else { return self }
      var place = place
      place.option = name
      return TrajpackError(fault, message, at: place)
    }
    func spelled(_ name: String) -> String? {
      guard let names = known.first(where: { $0.contains(name) }) else { return nil }
      return given.first { names.contains($0) }
    }
    let words = Self.words(message)
    var found: String?
    let first = words.first == "give" ? words.dropFirst().first : words.first
    if let first, known.contains(where: { $0.contains(first) }) { found = spelled(first) ?? first }
    guard let option = found ?? words.lazy.compactMap(spelled).first else { return self }
    return at(ErrorPlace(option: option))
  }

  /// The words of a sentence, without the signs around them; what stands in quotes is another command, or data.
  private static func words(_ sentence: String) -> [String] {
    var isQuoted = false
    return sentence.split(separator: " ").compactMap { part in
      let begins = !isQuoted && part.first == "'"
      let isInside = isQuoted || begins
      if isInside {
        let rest = begins ? part.dropFirst() : part
        isQuoted = !(rest.last == "'" || rest.dropLast().last == "'")
        return nil
      }
      let word = part.drop { "([\"".contains($0) }.prefix { !":,;)]\"".contains($0) }
      return String(word.prefix { $0 != "=" })
    }
  }
}
