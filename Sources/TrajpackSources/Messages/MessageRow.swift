import Glibc
import TrajpackFormat

/// The values of one message, field by field. A decoder fills it anew for every message, in memory that is kept.
final class MessageRow {
  /// Bytes of a field's items.
  struct Buffer {
    fileprivate(set) var base: UnsafeMutableRawPointer?
    fileprivate(set) var capacity = 0
    /// Bytes that are filled.
    fileprivate(set) var used = 0

    /// The bytes.
    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: base, count: used) }

    /// Room for `count` more bytes, which count as filled; `nil` where the machine has none.
    mutating func room(_ count: Int) -> UnsafeMutableRawPointer? {
      if used + count > capacity {
        let wanted = max(used + count, 2 * capacity, 64)
        guard let more = realloc(base, wanted) else { return nil }
        (base, capacity) = (more, wanted)
      }
      defer { used += count }
      return base.unsafelyUnwrapped + used
    }
  }

  /// A field's values.
  struct Values {
    /// Numbers one after the other, little-endian, or the bytes of texts.
    var data = Buffer()
    /// The lengths of texts, 32 bits each.
    var lengths = Buffer()
    /// Items: numbers of any shape counted singly, texts.
    var items = 0
    /// Whether the message has the field.
    var isPresent = false
    /// Whether an item of a list lacks the field, it is of another kind than in messages before, or it comes twice.
    var isBroken = false
    /// Whether its numbers are not those of the message, which no one type holds.
    var isInexact = false
    /// The type of the numbers, where it is found message by message.
    var type = ElementType.float64

    /// The texts.
    func texts(_ body: (UnsafeRawBufferPointer) throws(TrajpackError) -> Void)
      throws(TrajpackError)
    {
      var at = 0
      for item in 0..<items {
        let length = Int(
          lengths.bytes.loadUnaligned(fromByteOffset: 4 * item, as: UInt32.self))
        try body(UnsafeRawBufferPointer(rebasing: data.bytes[at..<at + length]))
        at += length
      }
    }
  }

  private struct State {
    var values: UnsafeMutablePointer<Values>
    var lacksMemory = false
    var count: Int
    var capacity: Int
  }

  /// Behind a pointer, because Swift checks exclusive access to stored variables of a class at run time.
  private let state: UnsafeMutablePointer<State>

  /// The values of each field.
  var values: UnsafeMutablePointer<Values> {
    @inline(__always) get { state.pointee.values }
  }
  /// Whether the machine had no memory for all of the message, so that its values are not whole.
  var lacksMemory: Bool { state.pointee.lacksMemory }
  /// How many fields there are.
  var count: Int { state.pointee.count }

  /// No values of `count` fields.
  init(_ count: Int) {
    let capacity = max(count, 16)
    let values = UnsafeMutablePointer<Values>.allocate(capacity: capacity)
    values.initialize(repeating: Values(), count: capacity)
    state = .allocate(capacity: 1)
    state.initialize(to: State(values: values, count: count, capacity: capacity))
  }

  deinit {
    for i in 0..<state.pointee.capacity {
      free(values[i].data.base)
      free(values[i].lengths.base)
    }
    values.deallocate()
    state.deallocate()
  }

  /// Adds a field.
  func grow() {
    state.pointee.count += 1
    let capacity = state.pointee.capacity
    guard count > capacity else { return }
    let more = UnsafeMutablePointer<Values>.allocate(capacity: 2 * capacity)
    more.moveInitialize(from: values, count: capacity)
    (more + capacity).initialize(repeating: Values(), count: capacity)
    values.deallocate()
    (state.pointee.values, state.pointee.capacity) = (more, 2 * capacity)
  }

  /// Forgets the last message.
  func clear() {
    state.pointee.lacksMemory = false
    for i in 0..<count {
      values[i].data.used = 0
      values[i].lengths.used = 0
      values[i].items = 0
      values[i].isPresent = false
      values[i].isBroken = false
      values[i].isInexact = false
    }
  }

  /// Room for bytes of a field's values; `nil` where the machine has none, which ``lacksMemory`` says then.
  @inline(__always)
  func room(_ field: Int, _ count: Int) -> UnsafeMutableRawPointer? {
    guard let room = values[field].data.room(count) else {
      state.pointee.lacksMemory = true
      return nil
    }
    return room
  }

  /// Adds numbers of a size, whose bytes are turned where `swaps`.
  @inline(__always)
  func add(_ field: Int, _ from: UnsafeRawPointer, _ count: Int, size: Int, swaps: Bool) {
    values[field].isPresent = true
    values[field].items += count
    guard count > 0 else { return }
    guard let to = room(field, count * size) else { return }
    if !swaps || size == 1 {
      to.copyMemory(from: from, byteCount: count * size)
    } else {
      for i in 0..<count {
        for k in 0..<size {
          to.storeBytes(
            of: from.load(fromByteOffset: i * size + size - 1 - k, as: UInt8.self),
            toByteOffset: i * size + k, as: UInt8.self)
        }
      }
    }
  }

  /// Adds a 64-bit number.
  @inline(__always)
  func add(_ field: Int, bits: UInt64) {
    values[field].isPresent = true
    values[field].items += 1
    room(field, 8)?.storeBytes(of: bits.littleEndian, as: UInt64.self)
  }

  /// Adds a text.
  @inline(__always)
  func add(_ field: Int, text: UnsafeRawBufferPointer) {
    values[field].isPresent = true
    values[field].items += 1
    guard let length = values[field].lengths.room(4) else {
      state.pointee.lacksMemory = true
      return
    }
    length.storeBytes(of: UInt32(text.count), as: UInt32.self)
    guard let from = text.baseAddress, !text.isEmpty else { return }
    room(field, text.count)?.copyMemory(from: from, byteCount: text.count)
  }
}

/// Decodes messages of one type.
protocol MessageDecoder: AnyObject {
  /// The type; a decoder that finds fields in messages adds to it.
  var type: MessageType { get }
  /// The revision of the type, which is asked for at every message.
  var revision: Int { get }

  /// Fills a row that was cleared.
  ///
  /// - Throws: A data error where the bytes are no message of the type.
  func decode(_ bytes: UnsafeRawBufferPointer, into row: MessageRow) throws(TrajpackError)
}
