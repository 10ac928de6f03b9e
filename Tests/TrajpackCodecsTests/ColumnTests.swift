import CPlatform
import Testing
import TrajpackTestSupport

/// What one pass over a column tells, and rows turned into columns, against the plain loops that define them.
@Suite struct ColumnTests {
  /// A walk, of which some numbers are missing, infinite, tiny, whole, large or equal to the one before.
  private func column(_ count: Int, _ random: inout SeededGenerator) -> [Double] {
    let sort = Int.random(in: 0..<7, using: &random)
    var x = 0.0
    return (0..<count).map { _ in
      x += Double.random(in: -0.5...0.5, using: &random)
      let isOdd = Int.random(in: 0..<500, using: &random) == 0
      switch sort {
      case 1: return (4 * x).rounded()
      case 2: return isOdd ? .nan : x
      case 3: return isOdd ? (x > 0 ? .infinity : -.infinity) : x
      case 4: return isOdd ? 1e-41 : x
      case 5: return isOdd ? 1e17 * x : 1e13 * x
      case 6: return Bool.random(using: &random) ? 0 : x
      default: return x
      }
    }
  }

  @Test func factsOfAColumn() {
    var random = SeededGenerator(seed: 21)
    for _ in 0..<300 {
      let carry = Int.random(in: 0...2, using: &random)
      let count = Int.random(in: 1...1500, using: &random)
      let all = column(count + 2, &random)
      var facts = tp_column_facts()
      all.withUnsafeBufferPointer {
        tp_column_look($0.baseAddress.unsafelyUnwrapped + 2, carry, count, &facts)
      }
      let values = all[2...]
      let finite = values.filter(\.isFinite)
      #expect(facts.finite == Int64(finite.count))
      #expect(facts.missing == Int64(values.count { $0.isNaN }))
      #expect(facts.infinite == Int64(values.count { $0.isInfinite }))
      #expect(facts.minimum == finite.min() ?? .infinity)
      #expect(facts.maximum == finite.max() ?? -.infinity)
      #expect(
        facts.fractions
          == Int64(finite.count { $0 != $0.rounded() && $0.magnitude < 0x1p51 }))
      #expect(facts.tiny == Int64(finite.count { $0 != 0 && $0.magnitude < 0x1p-126 }))
      // The first row has a step where a row before it is known.
      let steps = ((carry > 0 ? 2 : 3)..<max(all.count, 3)).map { all[$0] - all[$0 - 1] }
      let known = steps.filter(\.isFinite)
      #expect(facts.moves == Int64(known.count) && facts.same == Int64(known.count { $0 == 0 }))
      #expect(facts.step == known.map(\.magnitude).max() ?? 0)
      let size = finite.reduce(0) { $0 + $1.magnitude }
      #expect((facts.sum - finite.reduce(0, +)).magnitude <= 1e-9 * (size + 1))
      #expect((facts.size_sum - size).magnitude <= 1e-9 * (size + 1))
    }
  }

  @Test func rowsBecomeColumns() {
    var random = SeededGenerator(seed: 22)
    for _ in 0..<200 {
      let (count, columns) = (
        Int.random(in: 0...40, using: &random), Int.random(in: 1...19, using: &random)
      )
      let stride = 4 * columns + Int.random(in: 0...7, using: &random)
      let length = count + Int.random(in: 0...3, using: &random)
      var rows = [UInt8](repeating: 0, count: stride * count + 1)
      let values = (0..<count * columns).map { _ in Float.random(in: -1e6...1e6, using: &random) }
      for row in 0..<count {
        for column in 0..<columns {
          withUnsafeBytes(of: values[row * columns + column].bitPattern.littleEndian) {
            for (k, byte) in $0.enumerated() { rows[row * stride + 4 * column + k] = byte }
          }
        }
      }
      var out = [Double](repeating: -7, count: columns * length + 1)
      tp_columns_f32(rows, stride, count, columns, &out, length)
      for column in 0..<columns {
        for row in 0..<length {
          #expect(
            out[column * length + row]
              == (row < count ? Double(values[row * columns + column]) : -7))
        }
      }
    }
  }

  /// Looked at as they lie, columns of rows tell what each tells by itself.
  @Test func factsOfRows() {
    var random = SeededGenerator(seed: 23)
    var told = 0
    for _ in 0..<150 {
      let carry = Int.random(in: 0...2, using: &random)
      let (count, columns) = (
        Int.random(in: 0...700, using: &random), Int.random(in: 1...21, using: &random)
      )
      let width = columns + Int.random(in: 0...3, using: &random)
      let values = (0..<columns).map { _ in column(count + 2, &random).map { Float($0) } }
      var rows = [Float](repeating: .nan, count: (count + 2) * width + 8)
      for (c, column) in values.enumerated() {
        for (r, value) in column.enumerated() { rows[r * width + c] = value }
      }
      var found = [tp_column_facts](repeating: tp_column_facts(), count: columns)
      rows.withUnsafeBufferPointer {
        tp_rows_look_f32(
          $0.baseAddress.unsafelyUnwrapped + 2 * width, 4 * width, carry, count, columns, &found)
      }
      for (c, column) in values.enumerated() {
        var own = tp_column_facts()
        let numbers = column.map(Double.init)
        numbers.withUnsafeBufferPointer {
          tp_column_look($0.baseAddress.unsafelyUnwrapped + 2, carry, count, &own)
        }
        let facts = found[c]
        #expect(facts.finite == own.finite && facts.missing == own.missing)
        #expect(facts.infinite == own.infinite && facts.fractions == own.fractions)
        #expect(facts.tiny == own.tiny && facts.moves == own.moves && facts.same == own.same)
        #expect(facts.minimum == own.minimum && facts.maximum == own.maximum)
        #expect((facts.sum - own.sum).magnitude <= 1e-12 * own.size_sum)
        for (a, b) in [
          (facts.size_sum, own.size_sum), (facts.step_sum, own.step_sum), (facts.step, own.step),
        ] {
          #expect((a - b).magnitude <= 2e-6 * b)
        }
        // Turns are told where a step is far beyond the mean one; there they are no less than that.
        let moves = Double(own.moves)
        let isFar =
          moves >= 8
          && (own.turn * moves > 1.00001 * min(8, 0.4 * moves) * own.step_sum
            || own.turn > 1.00001 * 20 * own.step_sum / moves)
        #expect((facts.turn - own.turn).magnitude <= 2e-6 * own.turn || !isFar)
        #expect(facts.turn <= (1 + 2e-6) * own.turn)
        told += isFar ? 1 : 0
      }
    }
    #expect(told > 20)
  }
}
