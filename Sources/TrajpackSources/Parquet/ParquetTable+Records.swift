import TrajpackFormat

extension ParquetTable {
  /// A field of a record; numbers are floats.
  enum Field: Equatable, Sendable {
    case text(String)
    case number(Double)
    case texts([String])
  }

  /// The records of a column whose rows are lists of structs with texts, floats and lists of texts; what is absent is no
  /// member.
  func records(_ name: String) throws(TrajpackError) -> [[[String: Field]]] {
    var out = [[[String: Field]]](repeating: [], count: file.rows)
    for (number, leaf) in file.leaves(name).enumerated() {
      guard 1...2 ~= leaf.repetition, leaf.path.count >= 4,
        [.bytes, .float, .double].contains(leaf.physical),
        leaf.repetition == 1 || leaf.physical == .bytes
      else { throw other(name) }
      // NAME.list.element.FIELD, and what is below.
      try add(leaf, leaf.path[3], isFirst: number == 0, to: &out)
    }
    return out
  }

  private func other(_ name: String) -> TrajpackError {
    TrajpackError(
      .data, file: file.path, "column '\(name)' holds no lists of structs of texts and floats")
  }

  private func add(
    _ leaf: ParquetColumn, _ field: String, isFirst: Bool, to out: inout [[[String: Field]]]
  ) throws(TrajpackError) {
    var (row, record) = (-1, -1)
    try file.read(leaf) { (page) throws(TrajpackError) in
      var next = 0
      for i in 0..<page.count {
        let level = page.definition.isEmpty ? leaf.definition : page.definition[i]
        if page.repetition[i] == 0 {
          row += 1
          record = -1
        }
        guard out.indices.contains(row) else { throw other(leaf.path[0]) }
        guard level >= leaf.lists[0] else { continue }
        if page.repetition[i] <= 1 {
          record += 1
          if isFirst { out[row].append([:]) }
        }
        guard out[row].indices.contains(record) else { throw other(leaf.path[0]) }
        if leaf.repetition == 2, level + 1 >= leaf.lists[1], out[row][record][field] == nil {
          out[row][record][field] = .texts([])
        }
        guard level == leaf.definition else { continue }
        let value = value(page, leaf, next)
        next += 1
        if leaf.repetition == 2, case .texts(var texts)? = out[row][record][field],
          case .text(let text) = value
        {
          texts.append(text)
          out[row][record][field] = .texts(texts)
        } else {
          out[row][record][field] = value
        }
      }
    }
    guard row == out.count - 1 else { throw other(leaf.path[0]) }
  }

  private func value(_ page: ParquetPage, _ leaf: ParquetColumn, _ number: Int) -> Field {
    switch leaf.physical {
    case .float:
      .number(
        Double(
          page.values.withUnsafeBytes {
            $0.loadUnaligned(fromByteOffset: 4 * number, as: Float.self)
          }))
    case .double:
      .number(
        page.values.withUnsafeBytes {
          $0.loadUnaligned(fromByteOffset: 8 * number, as: Double.self)
        })
    default: .text(String(decoding: page.values[page.bytes(number)], as: UTF8.self))
    }
  }
}
