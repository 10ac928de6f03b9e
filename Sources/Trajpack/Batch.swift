import TrajpackFormat
import TrajpackLoader

/// One array of a batch, without its values.
public struct ArrayDescription: Sendable {
  /// The name: `state/hp`, `observed:state/hp`, `padding:state`.
  public let name: String
  /// The type of its elements.
  public let type: ElementType
  /// `[B, T, (E,) ...]`: windows, rows, entities where there are several, and the shape of the channel.
  public let shape: [Int]
  /// The unit, where all of it has the same.
  public let units: String?

  init(_ output: Output, count: Int? = nil) {
    name = output.name
    type = output.type
    shape = (count.map { [$0] } ?? [output.shape[0]]) + output.shape.dropFirst()
    units = output.units
  }
}

/// Some windows, as arrays that lie in one block of memory.
///
/// The memory goes back to the loader when the last reference to the batch is gone.
public struct Batch: Sendable {
  private let batch: TrajpackLoader.Batch
  private let outputs: [Output]

  init(_ batch: TrajpackLoader.Batch, _ outputs: [Output]) {
    self.batch = batch
    self.outputs = outputs
  }

  /// The number of its windows; the last batch of an epoch may have fewer.
  public var count: Int { batch.count }
  /// The number of each window in its dataset.
  public var windows: [UInt64] { batch.windows }
  /// The dataset of each window.
  public var datasets: [Int] { batch.datasets.map(Int.init) }
  /// Whether its only window is one that another rank has, too, so that this rank's batch is not empty.
  public var isRepeated: Bool { batch.isRepeated }
  /// Its arrays.
  public var arrays: [ArrayDescription] { outputs.map { ArrayDescription($0, count: count) } }

  private func output(_ name: String) throws(TrajpackError) -> Output {
    guard let found = outputs.first(where: { $0.name == name }) else {
      throw TrajpackError(
        .usage,
        "the batch has no array '\(name)'\(Suggestion.text(for: name, among: outputs.map(\.name)))")
    }
    return found
  }

  /// The array of that name: type and shape.
  ///
  /// - Throws: A usage error where there is none.
  public func array(_ name: String) throws(TrajpackError) -> ArrayDescription {
    ArrayDescription(try output(name), count: count)
  }

  /// The values of an array, copied: row-major, `shape` of ``array(_:)``.
  ///
  /// - Throws: A usage error where there is none of that name, or where its type is another one.
  public func values<Element: ArrayElement>(
    _ name: String, as type: Element.Type = Element.self
  ) throws(TrajpackError) -> [Element] {
    try withValues(name, as: type) { Array($0) }
  }

  /// Lets `body` read the values of an array where they lie, without a copy.
  ///
  /// The buffer is valid only within `body`.
  ///
  /// - Throws: A usage error where there is none of that name, or where its type is another one.
  public func withValues<Element: ArrayElement, Result>(
    _ name: String, as type: Element.Type = Element.self,
    _ body: (UnsafeBufferPointer<Element>) -> Result
  ) throws(TrajpackError) -> Result {
    let output = try output(name)
    guard output.type == Element.elementType else {
      throw TrajpackError(
        .usage,
        "the elements of '\(name)' are \(output.type.rawValue), not \(Element.elementType.rawValue); ask for "
          + "them so, or open the windows with {\"dtype\": \"\(Element.elementType.rawValue)\"} in 'more'"
      )
    }
    let elements = output.shape.dropFirst().reduce(count, *)
    let buffer = UnsafeRawBufferPointer(
      start: batch.memory + output.offset, count: elements * output.type.size)
    return withExtendedLifetime(batch) { body(buffer.assumingMemoryBound(to: Element.self)) }
  }
}
