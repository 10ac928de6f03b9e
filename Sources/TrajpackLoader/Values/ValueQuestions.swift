import TrajpackCodecs
import TrajpackFormat
import TrajpackStore

extension LoaderOptions {
  /// The values of recordings that episodes and windows are chosen by.
  var valuesAskedFor: Set<String> {
    var names = Set(conditions.map(\.path))
    for question in windowTest?.questions ?? [] where question.measure.isValue {
      names.insert(question.measure.path)
    }
    if case .question(let question) = windowWeights, question.measure.isValue {
      names.insert(question.measure.path)
    }
    return names
  }
}

extension OpenDataset {
  /// A digest of what was set or removed of some values after the dataset was written; `nil` where nothing was.
  func digest(ofValues names: Set<String>) throws(TrajpackError) -> String? {
    guard !names.isEmpty, let all = try annotations() else { return nil }
    let columns = all.table.columns.filter { names.contains($0.field.name) }
    let removed = all.removed.filter { names.contains($0) }
    guard !columns.isEmpty || !removed.isEmpty else { return nil }
    var table = ValueTable(count: all.ids.count)
    for column in columns { table.set(column) }
    let text = ValueAnnotations(ids: all.ids, table: table, removed: removed).json.text()
    return Array(text.utf8).withUnsafeBytes { SHA256.of($0) }
  }
}

extension Loader.Chooser {
  /// The question with the numbers that the episodes of a dataset have, where it is about a value.
  ///
  /// - Throws: A usage error where no dataset has the value, or it cannot be compared so.
  func valued(
    _ question: WindowQuestion, _ dataset: Int, _ option: String
  ) throws(TrajpackError) -> WindowQuestion {
    guard question.measure.isValue else { return question }
    let name = question.measure.path
    var tables: [ValueTable] = []
    for dataset in datasets { tables.append(try dataset.values()) }
    let fields = tables.compactMap { $0[name]?.field }
    guard let field = fields.first else {
      throw tables[dataset].unknown(name, "option '\(option)'")
    }
    var out = question
    guard let column = tables[dataset][name] else {
      out.measure.numbers = [Double](repeating: .nan, count: tables[dataset].count)
      return out
    }
    guard field.type != .array else {
      throw TrajpackError(
        .usage, option: option,
        "the value '\(name)' is \(field.typeText), which is no one number to compare"
      )
    }
    out.measure.numbers = column.numbers
    let isText = field.type == .text || field.type == .category
    guard case .named(let wanted) = question.rule else {
      guard !isText else {
        throw TrajpackError(
          .usage, option: option,
          "the value '\(name)' is a \(field.type.rawValue), which is compared with text"
        )
      }
      return out
    }
    guard isText else {
      throw TrajpackError(
        .usage, option: option,
        "the value '\(name)' is a number, and is compared with '\(wanted[0])'")
    }
    let codes = column.codes
    let all = tables.compactMap { $0[name] }.flatMap(\.names)
    for text in wanted where !all.contains(text) {
      throw TrajpackError(
        .usage, option: option,
        "no recording has the \(name) '\(text)'"
          + Suggestion.text(for: text, among: all))
    }
    out.rule = .oneOf(wanted.compactMap { codes[$0].map(Double.init) })
    return out
  }
}
