import Synchronization
import TrajpackFormat
import TrajpackStore

extension Channel.Missing {
  /// What to do about a column with nulls that has the number that would stand for them.
  static let remedy = "fill the nulls of the column, or write it as int64 or float64"
}

/// The decoded columns of a table: each is decoded when it is first asked for, and kept in a temporary file where it is
/// long.
final class ColumnSpools: Sendable {
  /// Texts or bytes, one after the other.
  struct Texts: Sendable {
    let spool: RowSpool
    /// Where each ends in the spool.
    let ends: [Int]
    /// The rows that have none.
    var absent: Set<Int> = []

    /// Hands over the texts of some rows.
    func forEach(
      _ rows: Range<Int>, _ body: ([UInt8]?) throws(TrajpackError) -> Void
    ) throws(TrajpackError) {
      for row in rows {
        if absent.contains(row) {
          try body(nil)
          continue
        }
        let start = row == 0 ? 0 : ends[row - 1]
        var bytes = [UInt8](repeating: 0, count: ends[row] - start)
        try bytes.withUnsafeMutableBufferPointer { (buffer) throws(TrajpackError) in
          try spool.read(at: start, into: UnsafeMutableRawBufferPointer(buffer))
        }
        try body(bytes)
      }
    }
  }

  private let numbers = Mutex<[String: RowSpool]>([:])
  private let texts = Mutex<[String: Texts]>([:])
  /// The tables whose columns were asked for last, of a folder of many.
  private static let recent = RecentlyUsed<ColumnSpools>(most: 2) { table in
    table.numbers.withLock { $0 = [:] }
    table.texts.withLock { $0 = [:] }
  }

  /// The numbers of a column.
  func numbers(
    _ name: String, _ make: () throws(TrajpackError) -> RowSpool
  ) throws(TrajpackError) -> RowSpool {
    Self.recent.use(self)
    return try numbers.withLock { (known) throws(TrajpackError) in
      if let found = known[name] { return found }
      let made = try make()
      known[name] = made
      return made
    }
  }

  /// The texts of a column.
  func texts(
    _ name: String, _ make: () throws(TrajpackError) -> Texts
  ) throws(TrajpackError) -> Texts {
    Self.recent.use(self)
    return try texts.withLock { (known) throws(TrajpackError) in
      if let found = known[name] { return found }
      let made = try make()
      known[name] = made
      return made
    }
  }
}

/// A tree whose arrays are the columns of a table.
protocol ColumnTree: TreeFile {
  /// How many rows the table has.
  var rows: Int { get }
  /// The texts or bytes of some rows; `nil` where there is none.
  func texts(
    _ node: TreeNode, _ rows: Range<Int>, _ body: ([UInt8]?) throws(TrajpackError) -> Void
  ) throws(TrajpackError)
}

extension ColumnTree {
  func readTexts(
    _ node: TreeNode, _ part: [Range<Int>], _ body: ([UInt8]) throws(TrajpackError) -> Void
  ) throws(TrajpackError) {
    try texts(node, part[0]) { (text) throws(TrajpackError) in
      guard let text else {
        throw TrajpackError(
          .data, file: path,
          "column '\(node.name)' has rows without text; without options of mapping they are told apart"
        )
      }
      try body(text)
    }
  }
}
