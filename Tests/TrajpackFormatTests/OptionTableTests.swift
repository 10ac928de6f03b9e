import Testing
import TrajpackFormat

private struct Sample {
  enum Mode: String, CaseIterable { case fast, exact }
  var count = 3
  var name: String?
  var mode = Mode.fast
  var rates = Rules<Rational>()

  static let table = OptionTable<Self>([
    (
      "First",
      [
        OptionDeclaration(
          "count", \.count, .integer(1...8), "How many.", c: "In C.", python: "In Python."),
        OptionDeclaration("name", \.name, .text, "What it is called.", isInDigest: true),
      ]
    ),
    (
      "Then",
      [
        OptionDeclaration("mode", \.mode, .choice, "How."),
        OptionDeclaration("rates", \.rates, .rules(.positive), "How often."),
      ]
    ),
  ])
}

@Suite("Tables of options")
struct OptionTableTests {
  private func read(_ text: String) throws -> Sample {
    var sample = Sample()
    try Sample.table.read(try OptionTable<Sample>.object(of: text, like: "{}"), into: &sample)
    return sample
  }

  @Test("values go where the table says, null leaves the default")
  func reads() throws {
    let sample = try read(
      #"{"count": 8.0, "name": "x", "mode": "exact", "rates": {"a/*": "30000/1001", "b": 0.1}}"#)
    #expect(sample.count == 8 && sample.name == "x" && sample.mode == .exact)
    #expect(sample.rates.value(stream: "a", channel: "c") == Rational(30000, 1001))
    #expect(sample.rates.value(stream: "b", channel: "c") == Rational(1, 10))
    let empty = try read(#"{"count": null, "name": null}"#)
    #expect(empty.count == 3 && empty.name == nil)
  }

  @Test(
    "what is wrong is said, with the option's name as the place",
    arguments: [
      (#"{"count": 9}"#, "option 'count' is 9, but must be an integer from 1 to 8", "count"),
      (#"{"cout": 1}"#, "there is no option 'cout'; did you mean 'count'?", "cout"),
      (#"{"cout": null}"#, "there is no option 'cout'; did you mean 'count'?", "cout"),
      (#"{"mode": "slow"}"#, "option 'mode' is \"slow\", but must be 'fast', 'exact'", "mode"),
      (
        #"{"rates": {"a/*": -1}}"#,
        "option 'rates.a/*' is -1, but must be a positive number, or exact text like \"30000/1001\"",
        "rates"
      ),
      ("[1]", "the options must be an object, like {}", nil),
    ])
  func refuses(_ text: String, _ sentence: String, _ option: String?) throws {
    let error = #expect(throws: TrajpackError.self) { try read(text) }
    #expect(error?.message == sentence)
    #expect(error?.place.option == option)
  }

  @Test(
    "an option that is given twice is refused: a program can make such an object, though no JSON text is one"
  )
  func twice() throws {
    let error = #expect(throws: TrajpackError.self) {
      var sample = Sample()
      try Sample.table.read(
        .object([.init("name", "a"), .init("name", "b")]), into: &sample)
    }
    #expect(error?.message == "option 'name' is given twice: give it once")
    #expect(error?.place.option == "name")
  }

  @Test("the schema has types, ranges, names, defaults, meanings and notes in the table's order")
  func schema() throws {
    let properties = Sample.table.schema(defaults: Sample())["properties"]
    #expect(properties?.members?.map(\.name) == ["count", "name", "mode", "rates"])
    #expect(
      properties?["count"]?.text()
        == #"{"type":"integer","minimum":1,"maximum":8,"description":"How many.","default":3,"x-group":"First","#
        + #""x-c":"In C.","x-python":"In Python."}"#)
    #expect(properties?["name"]?["default"] == nil)
    #expect(properties?["mode"]?["enum"] == ["fast", "exact"])
    #expect(properties?["mode"]?["default"] == "fast")
    #expect(Sample.table.options.filter(\.isInDigest).map(\.name) == ["name"])
  }

  @Test("a path that is no option is named as it is")
  func path() throws {
    let reader = OptionReader(path: "steps[0].rate", value: .object([.init("a", 0)]))
    let error = #expect(throws: TrajpackError.self) {
      try reader.member(.init("a", 0)).integer(1...2)
    }
    #expect(error?.message == "steps[0].rate.a is 0, but must be an integer from 1 to 2")
  }
}
