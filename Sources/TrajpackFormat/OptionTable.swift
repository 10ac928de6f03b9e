/// A key path that can be written and may cross threads.
package typealias OptionPath<Owner, T> = any WritableKeyPath<Owner, T> & Sendable

/// One option, declared once: what it is called, what values it takes, where its value goes, and what it means. From tables of
/// these come the reading of JSON, the names that are suggested, the comments of the C headers and the help of Python
/// (`tools/python/generate_options.py`).
package struct OptionDeclaration<Owner>: Sendable {
  package let name: String
  /// What it means: sentences for programs in any language, with names and JSON in backticks.
  package let text: String
  /// What they have beside it in C, and in Python.
  package let notes: (c: String, python: String)
  /// Whether another value makes another result, so that what is identified by options has it in its digest.
  package let isInDigest: Bool
  /// The JSON Schema of its values.
  package let schema: JSONValue
  package let defaultValue: @Sendable (Owner) -> JSONValue?
  package let set: @Sendable (inout Owner, OptionReader) throws(TrajpackError) -> Void

  /// An option that sets a property.
  package init<Value>(
    _ name: String, _ path: OptionPath<Owner, Value>, _ form: OptionForm<Value>, _ text: String,
    isInDigest: Bool = false, c: String = "", python: String = ""
  ) {
    (self.name, self.text, notes, schema) = (name, text, (c, python), form.schema)
    self.isInDigest = isInDigest
    defaultValue = { form.json($0[keyPath: path]) }
    set = { (owner, option) throws(TrajpackError) in owner[keyPath: path] = try form.read(option) }
  }

  /// An option that sets a property, which is `nil` without it.
  package init<Value>(
    _ name: String, _ path: OptionPath<Owner, Value?>, _ form: OptionForm<Value>, _ text: String,
    isInDigest: Bool = false, c: String = "", python: String = ""
  ) {
    (self.name, self.text, notes, schema) = (name, text, (c, python), form.schema)
    self.isInDigest = isInDigest
    defaultValue = { $0[keyPath: path].flatMap(form.json) }
    set = { (owner, option) throws(TrajpackError) in owner[keyPath: path] = try form.read(option) }
  }

  /// An option that is set in its own way.
  package init(
    _ name: String, _ schema: JSONValue, default defaultValue: JSONValue? = nil, _ text: String,
    isInDigest: Bool = false, c: String = "", python: String = "",
    set: @escaping @Sendable (inout Owner, OptionReader) throws(TrajpackError) -> Void
  ) {
    (self.name, self.text, notes, self.schema) = (name, text, (c, python), schema)
    self.isInDigest = isInDigest
    self.defaultValue = { _ in defaultValue }
    self.set = set
  }

  /// The same option of something that has an `Owner`: for tables that take some of another's options.
  package func of<Whole>(_ path: OptionPath<Whole, Owner>) -> OptionDeclaration<Whole> {
    OptionDeclaration<Whole>(self, at: path)
  }

  private init<Part>(_ part: OptionDeclaration<Part>, at path: OptionPath<Owner, Part>) {
    (name, text, notes, schema) = (part.name, part.text, part.notes, part.schema)
    isInDigest = part.isInDigest
    defaultValue = { part.defaultValue($0[keyPath: path]) }
    set = { (whole, option) throws(TrajpackError) in try part.set(&whole[keyPath: path], option) }
  }
}

/// The options that an object of JSON may have.
package struct OptionTable<Owner>: Sendable {
  /// Options under the same heading.
  package typealias Group = (heading: String, options: [OptionDeclaration<Owner>])

  package let groups: [Group]
  /// That there is no such one.
  private let unknown: @Sendable (_ name: String) -> String

  package init(
    _ groups: [Group],
    unknown: @escaping @Sendable (_ name: String) -> String = { "there is no option '\($0)'" }
  ) {
    (self.groups, self.unknown) = (groups, unknown)
  }

  package init(
    _ options: [OptionDeclaration<Owner>],
    unknown: @escaping @Sendable (_ name: String) -> String = { "there is no option '\($0)'" }
  ) {
    self.init([("", options)], unknown: unknown)
  }

  package var options: [OptionDeclaration<Owner>] { groups.flatMap(\.options) }

  /// The object that JSON text is.
  ///
  /// - Throws: A usage error where it is none.
  package static func object(
    of text: String, like example: String
  ) throws(TrajpackError) -> JSONValue {
    let value: JSONValue
    do throws(TrajpackError) {
      value = try JSONValue(parsing: text)
    } catch {
      throw TrajpackError(.usage, "the options are no JSON: \(error.message)")
    }
    guard value.members != nil else {
      throw TrajpackError(.usage, "the options must be an object, like \(example)")
    }
    return value
  }

  /// Reads an object into `owner`; a member that is null is as good as absent.
  ///
  /// - Throws: A usage error naming the member that is wrong, and what it may be.
  package func read(_ json: JSONValue, into owner: inout Owner) throws(TrajpackError) {
    let options = options
    let members = json.members ?? []
    for (number, member) in members.enumerated() {
      let place = ErrorPlace(option: member.name)
      guard let option = options.first(where: { $0.name == member.name }) else {
        throw TrajpackError(
          .usage,
          unknown(member.name) + Suggestion.text(for: member.name, among: options.map(\.name)),
          at: place)
      }
      guard !members[..<number].contains(where: { $0.name == member.name }) else {
        throw TrajpackError(
          .usage, "option '\(member.name)' is given twice: give it once", at: place)
      }
      guard member.value != .null else { continue }
      do throws(TrajpackError) {
        try option.set(&owner, OptionReader(name: member.name, value: member.value))
      } catch {
        throw error.at(place)
      }
    }
  }

  /// The JSON Schema of the object. `x-group` is an option's heading, `x-c` and `x-python` say what it has there.
  package func schema(defaults: Owner) -> JSONValue {
    var properties: [JSONValue.Member] = []
    for group in groups {
      for option in group.options {
        var one = option.schema
        one.set("description", .string(option.text))
        one.set("default", option.defaultValue(defaults))
        for (name, text) in [
          ("x-group", group.heading), ("x-c", option.notes.c), ("x-python", option.notes.python),
        ] where !text.isEmpty {
          one.set(name, .string(text))
        }
        properties.append(.init(option.name, one))
      }
    }
    return .record([
      "type": "object", "properties": .object(properties), "additionalProperties": false,
    ])
  }
}
