import Testing
import TrajpackFormat
import TrajpackTestSupport

@testable import TrajpackStore

/// Values of recordings: types that join, JSON that gives them back, hostile documents.
@Suite struct ValueTableTests {
  private static func randomField(_ name: String, _ g: inout SeededGenerator) -> ValueField {
    switch ValueType.allCases.randomElement(using: &g) ?? .number {
    case .array:
      return ValueField(
        name, .array, element: Bool.random(using: &g) ? .int64 : .float64,
        shape: (0..<Int.random(in: 1...3, using: &g)).map { _ in Int.random(in: 1...3, using: &g) },
        units: "m")
    case .category: return ValueField(name, .category, categories: ["a", "b", "ü"])
    case let type: return ValueField(name, type, units: Bool.random(using: &g) ? "rad" : nil)
    }
  }

  private static func number(_ g: inout SeededGenerator) -> Double {
    [
      0, -0.0, .leastNonzeroMagnitude, .infinity, -.infinity, 1 / 3,
      Double.random(in: -1e9...1e9, using: &g),
    ]
    .randomElement(using: &g) ?? 0
  }

  private static func randomCell(_ field: ValueField, _ g: inout SeededGenerator) -> EpisodeValue {
    if Int.random(in: 0..<4, using: &g) == 0 { return .missing }
    switch field.type {
    case .number: return .number(number(&g))
    case .integer: return .integer(Int64(bitPattern: g.next()))
    case .text: return .text(["", "x", "zwei\n\"Zeilen\""].randomElement(using: &g) ?? "")
    case .category: return .text(field.categories.randomElement(using: &g) ?? "a")
    case .array:
      let count = field.elements
      return field.element == .int64
        ? .integers((0..<count).map { _ in Int64(bitPattern: g.next()) })
        : .numbers((0..<count).map { _ in number(&g) })
    }
  }

  @Test(arguments: 0..<40) func comesBackFromJSON(seed: Int) throws {
    var g = SeededGenerator(seed: UInt64(seed))
    let count = Int.random(in: 0...6, using: &g)
    var table = ValueTable(count: count)
    for i in 0..<Int.random(in: 0...5, using: &g) {
      let field = Self.randomField("v\(i)", &g)
      table.set(.init(field, (0..<count).map { _ in Self.randomCell(field, &g) }))
    }
    let all = ValueAnnotations(ids: (0..<count).map { "e\($0)" }, table: table, removed: ["gone"])
    let text = all.json.text()
    let back = try ValueAnnotations(json: try JSONValue(parsing: text), at: "it")
    #expect(back.json.text() == text)
    #expect(back == all)
  }

  @Test(arguments: 0..<40) func joiningDoesNotDependOnTheOrder(seed: Int) {
    var g = SeededGenerator(seed: UInt64(seed))
    let fields = (0..<4).map { _ in Self.randomField("v", &g) }
    let types = [fields, fields.reversed()].map { all in
      all.dropFirst().reduce(all[0]) { $0.joined($1) }
    }
    #expect(types[0].type == types[1].type)
    #expect(types[0].shape == types[1].shape)
    #expect(Set(types[0].categories) == Set(types[1].categories))
    // Every value can be given in the type of all.
    for field in fields {
      let cell = Self.randomCell(field, &g).cast(to: types[0])
      switch (types[0].type, cell) {
      case (_, .missing), (.number, .number), (.integer, .integer), (.text, .text),
        (.category, .text), (.array, .numbers), (.array, .integers):
        break
      default: Issue.record("\(cell) is no \(types[0].type)")
      }
    }
  }

  @Test(arguments: [
    (#"{"format": "trajpack values"}"#, "version"),
    (#"{"format": "trajpack values", "version": "2.0", "episodes": [], "values": []}"#, "newer"),
    (
      #"{"format": "trajpack values", "version": "1.0", "episodes": ["a", "a"], "values": []}"#,
      "once"
    ),
    (
      #"{"format": "trajpack values", "version": "1.0", "episodes": ["a"], "values": [{"name": "x", "type": "number", "cells": []}]}"#,
      "one for each"
    ),
    (
      #"{"format": "trajpack values", "version": "1.0", "episodes": ["a"], "values": [{"name": "x", "type": "number", "cells": ["y"]}]}"#,
      "a number or null"
    ),
    (
      #"{"format": "trajpack values", "version": "1.0", "episodes": ["a"], "values": [{"name": "x", "type": "array", "element": "float64", "shape": [9223372036854775807, 2], "cells": [null]}]}"#,
      "sizes from 1"
    ),
    (
      #"{"format": "trajpack values", "version": "1.0", "episodes": ["a"], "values": [{"name": "x", "type": "category", "categories": ["a"], "cells": ["b"]}]}"#,
      "one of the categories"
    ),
    (
      #"{"format": "trajpack values", "version": "1.0", "episodes": [], "values": [{"name": "", "type": "text", "cells": []}]}"#,
      "a name"
    ),
  ])
  func refusesDamage(document: String, sentence: String) throws {
    let json = try JSONValue(parsing: document)
    let error = #expect(throws: TrajpackError.self) { try ValueAnnotations(json: json, at: "it") }
    #expect(error?.message.contains(sentence) == true, "\(error?.message ?? "")")
  }

  @Test func plainJSONIsAValueOfItsType() {
    #expect(EpisodeValue.plain(3, named: "x")?.value == .integer(3))
    #expect(EpisodeValue.plain(true, named: "x")?.value == .integer(1))
    #expect(EpisodeValue.plain("t", named: "x")?.field.type == .text)
    #expect(EpisodeValue.plain([[1, 2], [3, 4.5]], named: "x")?.field.shape == [2, 2])
    #expect(EpisodeValue.plain([[1, 2], [3]], named: "x") == nil)
    #expect(EpisodeValue.plain([], named: "x") == nil)
    #expect(EpisodeValue.plain(["a"], named: "x") == nil)
    #expect(
      EpisodeValue.constant(
        .record(["dtype": "float32", "value": "0x7ff0000000000000"]), named: "x")?.value
        == .number(.infinity))
    #expect(
      EpisodeValue.constant(.record(["dtype": "float64", "value": 3]), named: "x")?.value
        == .number(3))
  }
}
