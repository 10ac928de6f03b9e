import TrajpackFormat

/// What options of windows alone are.
extension OptionReader {
  /// What stands in place of a value that was not observed.
  func fill() throws(TrajpackError) -> LoaderOptions.Fill {
    let number = try number()
    return LoaderOptions.Fill(number: number, integer: value.int ?? Int(exactly: number))
  }

  /// A type of numbers that batches can have.
  func elementType() throws(TrajpackError) -> ElementType {
    if let name = value.string, ["float16", "bfloat16"].contains(name) {
      throw TrajpackError(
        .usage,
        "option '\(self.name)' is \(name), which batches do not have: take float32, and make it \(name) on the "
          + "device (tensor.to(torch.\(name)), or array.astype)")
    }
    let type: ElementType = try choice()
    guard type != .bytes else { throw wrong("a type of numbers") }
    return type
  }

  /// One type for all, or an object of types by pattern, or of "float", "int" and "bool" for all of a sort.
  func types() throws(TrajpackError) -> LoaderOptions.TypeRules {
    var rules = LoaderOptions.TypeRules()
    guard let members = value.members else {
      rules.otherwise = try elementType()
      return rules
    }
    for member in members {
      let reader = self.member(member)
      let target: LoaderOptions.TypeTarget
      switch member.name {
      case "float": target = .floats
      case "int": target = .integers
      case "bool": target = .booleans
      default: target = .pattern(Pattern(member.name))
      }
      rules.rules.append((target, try reader.elementType()))
    }
    return rules
  }

  func offset() throws(TrajpackError) -> LoaderOptions.Offset {
    if let rows = value.int {
      guard rows.magnitude <= LoaderOptions.limit else {
        throw wrong("nearer than \(LoaderOptions.limit) rows")
      }
      return .rows(rows)
    }
    guard let seconds = rational() else {
      throw wrong("a list of rows (integers) or seconds (fractions)")
    }
    return .seconds(seconds)
  }

  /// Height and width of frames.
  func frameSize() throws(TrajpackError) -> [Int] {
    guard value.array?.isEmpty == false else { throw wrong("[height, width]") }
    let size = try list { (o) throws(TrajpackError) in try o.integer(1...1 << 15) }
    guard size.count == 2 else { throw wrong("[height, width]") }
    return size
  }

  /// What is cut out of frames: [height, width], or [top, left, height, width].
  func frameCrop() throws(TrajpackError) -> [Int] {
    let crop = try list { (o) throws(TrajpackError) in try o.integer(0...1 << 15) }
    guard crop.count == 2 || crop.count == 4, crop.suffix(2).allSatisfy({ $0 > 0 }) else {
      throw wrong("[height, width], or [top, left, height, width]")
    }
    return crop
  }

  /// How depth is wanted: for all depth, or an object by pattern. An encoding is an object that names it.
  func depths() throws(TrajpackError) -> Rules<DepthRequest> {
    if value["encoding"] != nil {
      var rules = Rules<DepthRequest>()
      rules.otherwise = try DepthRequest(name, value)
      return rules
    }
    return try rules { (o) throws(TrajpackError) in try DepthRequest(o.name, o.value) }
  }

  func condition(_ member: JSONValue.Member) throws(TrajpackError) -> LoaderOptions.Condition {
    switch member.value {
    case .array(let values): return .oneOf(values)
    case .object(let bounds):
      guard !bounds.isEmpty,
        bounds.allSatisfy({ ["min", "max"].contains($0.name) && $0.value.double != nil })
      else {
        throw self.member(member).wrong("a value, a list of values, or {\"min\": x, \"max\": y}")
      }
      return .range(
        member.value["min"]?.double ?? -.infinity, member.value["max"]?.double ?? .infinity)
    default: return .oneOf([member.value])
    }
  }
}
