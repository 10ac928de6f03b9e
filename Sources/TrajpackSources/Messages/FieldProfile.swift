import TrajpackFormat

/// What the messages of a recording have shown of a field.
struct FieldProfile: Sendable {
  /// The most texts that become categories, the most names of a group, and the most bytes of each.
  static let (mostTexts, mostNames, mostTextBytes) = (256, 4096, 256)

  var field: MessageField
  /// Messages that have it.
  var present = 0
  /// Of them, those without items.
  var empty = 0
  /// The least and the most items of the others.
  var items: ClosedRange<Int>?
  /// The least and the greatest of whole numbers.
  var low = Int64.max
  var high = Int64.min
  /// Whether it has unsigned numbers beyond the signed ones.
  var isHuge = false
  /// Different texts, in the order in which they came; `nil` where they are too many.
  var texts: [String]? = []
  private var known: Set<String> = []
  /// The bytes of the last text or list of texts.
  private var last: [UInt8] = []
  private var lastLengths: [UInt8] = []
  private var hasLast = false
  /// Whether every message has the same texts.
  var isConstant = true
  /// Whether all texts are UTF-8.
  var isUTF8 = true
  /// Whether the same text comes twice in one list.
  var hasTwice = false
  /// Whether the messages or the recordings do not agree on what it is.
  var conflicts = false
  /// The types of its numbers.
  private var types: [ElementType] = []
  /// Whether a message has numbers that no one type holds.
  private var isInexact = false

  init(_ field: MessageField) { self.field = field }

  /// A field of a decoder: the number of its profile, and the type of the decoder's items; another channel of the same topic
  /// may have another type.
  struct Place: Sendable {
    let number: Int
    fileprivate let content: MessageField.Content
    fileprivate let isDynamic: Bool

    init(_ number: Int, of field: MessageField) {
      (self.number, content, isDynamic) = (number, field.content, field.isDynamic)
    }
  }

  /// Takes the values of a message in.
  mutating func observe(_ values: MessageRow.Values, of place: Place) {
    guard values.isPresent else { return }
    present += 1
    if values.isBroken {
      conflicts = true
      return
    }
    let count = values.items / max(field.elements, 1)
    if field.isList {
      if count == 0 {
        empty += 1
      } else if let known = items {
        if count < known.lowerBound || count > known.upperBound {
          items = min(known.lowerBound, count)...max(known.upperBound, count)
        }
      } else {
        items = count...count
      }
    }
    switch place.content {
    case .text: observeTexts(values)
    case .number(let type):
      let own = place.isDynamic && type != .bool ? values.type : type
      if types.last != own, !types.contains(own) { types.append(own) }
      if values.isInexact { isInexact = true }
      observe(own, values)
    case .unknown: break
    }
  }

  /// The type that holds all of its numbers; `nil` where none does.
  var numberType: ElementType? {
    guard !isInexact else { return nil }
    guard let first = types.first else {
      if case .number(let type) = field.content { return type }
      return nil
    }
    let wide = types.dropFirst().reduce(Optional(first)) { $0?.widened(with: $1) }
    if let wide { return wide }
    // Whole numbers of 64 bits, with a sign or with numbers that have none: what they are decides.
    if types.contains(where: \.isFloat) { return isExactInDoubles ? .float64 : nil }
    return !isHuge ? .int64 : low >= 0 ? .uint64 : nil
  }

  private mutating func observe(_ type: ElementType, _ values: MessageRow.Values) {
    guard !type.isFloat, type != .bool, !(field.isList && type == .uint8) else { return }
    let bytes = values.data.bytes
    for i in 0..<values.items {
      switch StoredNumber(bytes, i, type) {
      case .whole(let value):
        guard let own = Int64(exactly: value) else {
          isHuge = true
          continue
        }
        low = min(low, own)
        high = max(high, own)
      case .double: break
      }
    }
  }

  private mutating func observeTexts(_ values: MessageRow.Values) {
    let (bytes, lengths) = (values.data.bytes, values.lengths.bytes)
    if hasLast, LastTexts.equal(last, bytes), LastTexts.equal(lastLengths, lengths) { return }
    if hasLast { isConstant = false }
    last = Array(bytes)
    lastLengths = Array(lengths)
    hasLast = true
    var own: Set<String> = []
    var at = 0
    for item in 0..<values.items {
      let length = Int(lengths.loadUnaligned(fromByteOffset: 4 * item, as: UInt32.self))
      let part = UnsafeRawBufferPointer(rebasing: bytes[at..<at + length])
      at += length
      guard let text = String(validating: part, as: UTF8.self) else {
        isUTF8 = false
        texts = nil
        continue
      }
      if field.isKey, !own.insert(text).inserted { hasTwice = true }
      guard texts != nil, !known.contains(text) else { continue }
      if known.count >= (field.isKey ? Self.mostNames : Self.mostTexts)
        || text.utf8.count > Self.mostTextBytes
      {
        texts = nil
        known = []
      } else {
        known.insert(text)
        texts?.append(text)
      }
    }
  }

  /// The texts of the one list that all messages have.
  var constantTexts: [String]? {
    guard field.content == .text, isConstant, hasLast, isUTF8 else { return nil }
    var out: [String] = []
    var at = 0
    for item in 0..<lastLengths.count / 4 {
      let length = lastLengths.withUnsafeBytes {
        Int($0.loadUnaligned(fromByteOffset: 4 * item, as: UInt32.self))
      }
      out.append(String(decoding: last[at..<at + length], as: UTF8.self))
      at += length
    }
    return out
  }

  /// Takes in what another recording or another channel has shown of the same field.
  mutating func merge(_ other: FieldProfile) {
    let isNew = present == 0 && items == nil
    switch (field.content, other.field.content) {
    case (.unknown, _):
      field.content = other.field.content
      if field.shape != other.field.shape, isNew || empty == present {
        field.shape = other.field.shape
      }
    case (_, .unknown): break
    case (.number, .number), (.text, .text): break
    case (.number, .text), (.text, .number): conflicts = true
    }
    if other.field.content != .unknown, field.content != .unknown, field.shape != other.field.shape
    {
      conflicts = true
    }
    if field.isList != other.field.isList { conflicts = true }
    conflicts = conflicts || other.conflicts
    for type in other.types where !types.contains(type) { types.append(type) }
    isInexact = isInexact || other.isInexact
    if field.group != other.field.group { field.group = -1 }
    field.isKey = field.isKey && other.field.isKey && field.group >= 0
    present += other.present
    empty += other.empty
    if let theirs = other.items {
      items =
        items.map {
          min($0.lowerBound, theirs.lowerBound)...max($0.upperBound, theirs.upperBound)
        } ?? theirs
    }
    low = min(low, other.low)
    high = max(high, other.high)
    isHuge = isHuge || other.isHuge
    if other.hasLast {
      if hasLast {
        isConstant =
          isConstant && other.isConstant && last == other.last && lastLengths == other.lastLengths
      } else {
        (last, lastLengths, hasLast) = (other.last, other.lastLengths, true)
        isConstant = other.isConstant
      }
    }
    isUTF8 = isUTF8 && other.isUTF8
    hasTwice = hasTwice || other.hasTwice
    if let theirs = other.texts, texts != nil {
      for text in theirs where known.insert(text).inserted { texts?.append(text) }
      if known.count > (field.isKey ? Self.mostNames : Self.mostTexts) { texts = nil }
    } else {
      texts = nil
    }
  }

  /// Whether doubles hold its whole numbers.
  private var isExactInDoubles: Bool {
    return !isHuge && (low > high || (low >= -(1 << 53) && high <= 1 << 53))
  }
}
