import TrajpackFormat

extension TrajpackError {
  /// Adds to a usage error the option that its sentence is about, unless it has one: the option that the sentence asks for at
  /// its beginning (`give --task, …`), else the first one in it that was given, else the one with which it begins.
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
    let isAsked = words.first == "give"
    let first = isAsked ? words.dropFirst().first : words.first
    let named = first.flatMap { word in known.contains { $0.contains(word) } ? word : nil }
    let isGiven = words.lazy.compactMap(spelled).first
    let asked = isAsked ? named.map { spelled($0) ?? $0 } : nil
    guard let option = asked ?? isGiven ?? named else { return self }
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
