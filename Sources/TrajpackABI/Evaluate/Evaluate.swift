import CTrajpack
import Glibc
import TrajpackEvaluate
import TrajpackFormat

/// `tp_evaluate`: scores of one evaluator as JSON.
@c @implementation
public func tp_evaluate(
  _ evaluator: UnsafePointer<CChar>?, _ arrays: UnsafePointer<tp_array>?, _ count: Int64,
  _ options: UnsafePointer<CChar>?,
  _ result: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
) -> Int32 {
  evaluate(evaluator, arrays, count, options, { false }, result)
}

/// `tp_evaluate_until`: the same, and the caller may end it.
@c @implementation
public func tp_evaluate_until(
  _ evaluator: UnsafePointer<CChar>?, _ arrays: UnsafePointer<tp_array>?, _ count: Int64,
  _ options: UnsafePointer<CChar>?,
  _ stop: UnsafePointer<Int32>?,
  _ result: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
) -> Int32 {
  evaluate(evaluator, arrays, count, options, { stop.map { $0.pointee != 0 } ?? false }, result)
}

private func evaluate(
  _ evaluator: UnsafePointer<CChar>?, _ arrays: UnsafePointer<tp_array>?, _ count: Int64,
  _ options: UnsafePointer<CChar>?, _ isInterrupted: @escaping () -> Bool,
  _ result: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
) -> Int32 {
  do throws(TrajpackError) {
    guard let evaluator else { throw TrajpackError(.usage, "no evaluator was named") }
    let name = String(cString: evaluator)
    let found = try Evaluator.named(name)
    let isScore = found.name != name
    let scores = try found.scores(
      of: views(arrays, count), settings(options),
      wanted: { !isScore || $0 == name || $0.hasPrefix("\(name).") || name.hasPrefix("\($0).") },
      isInterrupted: isInterrupted
    ).filter { !isScore || $0.name == name || $0.name.hasPrefix("\(name).") }
    result?.pointee = duplicate(Score.json(scores))
    return 0
  } catch {
    result?.pointee = duplicate(error.message.printable)
    return error.fault.rawValue
  }
}

/// `tp_evaluators`: names, inputs and options.
@c @implementation
public func tp_evaluators() -> UnsafeMutablePointer<CChar>? {
  duplicate(Evaluator.catalogue())
}

private func duplicate(_ text: String) -> UnsafeMutablePointer<CChar>? {
  text.withCString { strdup($0) }
}

/// Lines of `name=value`.
private func settings(
  _ text: UnsafePointer<CChar>?
) throws(TrajpackError) -> [(name: String, value: String)] {
  guard let text else { return [] }
  var settings: [(name: String, value: String)] = []
  for line in String(cString: text).split(separator: "\n") {
    guard let equals = line.firstIndex(of: "=") else {
      throw TrajpackError(.usage, "an option is written name=value, not '\(line)'")
    }
    settings.append((String(line[..<equals]), String(line[line.index(after: equals)...])))
  }
  return settings
}

private func views(
  _ arrays: UnsafePointer<tp_array>?, _ count: Int64
) throws(TrajpackError) -> [ArrayView] {
  guard count > 0 else { return [] }
  guard let arrays, count < 1000 else { throw TrajpackError(.usage, "no arrays were given") }
  var views: [ArrayView] = []
  for index in 0..<Int(count) { views.append(try view(arrays[index])) }
  return views
}

private func view(_ array: tp_array) throws(TrajpackError) -> ArrayView {
  guard let name = array.name, let shape = array.shape, (0...8).contains(array.rank) else {
    throw TrajpackError(.usage, "an array needs a name, a shape and at most 8 axes")
  }
  let label = String(cString: name)
  let lengths = (0..<Int(array.rank)).map { Int(shape[$0]) }
  var elements = 1
  for length in lengths {
    let (product, overflow) = elements.multipliedReportingOverflow(by: length)
    guard length >= 0, !overflow, product < 1 << 44 else {
      throw TrajpackError(.usage, "the array '\(label)' has an impossible shape \(lengths)")
    }
    elements = product
  }
  guard array.data != nil || elements == 0 else {
    throw TrajpackError(.usage, "the array '\(label)' has no elements behind it")
  }
  func buffer<T>(_ type: T.Type) -> UnsafeBufferPointer<T> {
    UnsafeBufferPointer(start: array.data?.assumingMemoryBound(to: T.self), count: elements)
  }
  switch Int(array.type) {
  case TP_ARRAY_FLOAT32:
    return try ArrayView(name: label, shape: lengths, elements: .float(buffer(Float.self)))
  case TP_ARRAY_FLOAT64:
    return try ArrayView(name: label, shape: lengths, elements: .double(buffer(Double.self)))
  case TP_ARRAY_INT64:
    return try ArrayView(name: label, shape: lengths, elements: .integer(buffer(Int64.self)))
  case TP_ARRAY_UINT8:
    return try ArrayView(name: label, shape: lengths, elements: .byte(buffer(UInt8.self)))
  default:
    throw TrajpackError(.usage, "the array '\(label)' has the unknown type \(array.type)")
  }
}
