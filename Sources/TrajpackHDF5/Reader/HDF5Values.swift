import CHDF5
import CHDF5Shims
import Glibc

/// Values that libhdf5 has read, as they are sent.
struct HDF5Values {
  let file: hid_t
  let form: ElementForm
  /// The type of the values in the file.
  let type: hid_t

  /// Whether elements have no length of their own.
  var isText: Bool { "sovr".contains(form.sort) }

  /// The texts of elements in memory, as HDF5 lays them.
  func texts(_ bytes: UnsafeRawBufferPointer, _ count: Int, _ body: ([UInt8]) -> Void) {
    let isVariable = H5Tis_variable_str(type) > 0
    for i in 0..<count {
      switch form.sort {
      case "s" where isVariable:
        let text = bytes.loadUnaligned(
          fromByteOffset: i * MemoryLayout<UInt>.size, as: UnsafePointer<CChar>?.self)
        body(text.map { Array(UnsafeRawBufferPointer(start: $0, count: strlen($0))) } ?? [])
      case "s": body(fixed(Array(bytes[i * form.size..<(i + 1) * form.size])))
      case "o": body(Array(bytes[i * form.size..<(i + 1) * form.size]))
      case "v":
        let item = bytes.loadUnaligned(fromByteOffset: i * MemoryLayout<hvl_t>.size, as: hvl_t.self)
        body(item.p.map { Array(UnsafeRawBufferPointer(start: $0, count: item.len)) } ?? [])
      default:
        var name = [CChar](repeating: 0, count: 1024)
        let place = bytes.baseAddress.unsafelyUnwrapped + i * form.size
        let length = tph5_reference_name(file, place, &name, name.count)
        let text = name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
        body(length > 0 ? text : [])
      }
    }
  }

  /// A text of fixed length without what pads it.
  private func fixed(_ bytes: [UInt8]) -> [UInt8] {
    switch H5Tget_strpad(type) {
    case H5T_STR_NULLTERM: return Array(bytes.prefix { $0 != 0 })
    case H5T_STR_SPACEPAD:
      return Array(bytes[..<((bytes.lastIndex { $0 != 0x20 && $0 != 0 } ?? -1) + 1)])
    default: return Array(bytes[..<((bytes.lastIndex { $0 != 0 } ?? -1) + 1)])
    }
  }

  /// Bytes of an element as libhdf5 lays it in memory.
  var memoryBytes: Int {
    switch form.sort {
    case "s": return H5Tis_variable_str(type) > 0 ? MemoryLayout<UInt>.size : form.size
    case "v": return MemoryLayout<hvl_t>.size
    default: return form.bytes
    }
  }

  /// Whether libhdf5 allocates what elements point to.
  var isAllocated: Bool { form.sort == "v" || (form.sort == "s" && H5Tis_variable_str(type) > 0) }
}

/// Attributes of objects, as they are sent.
enum HDF5Attributes {
  /// The most bytes of one.
  private static let most = 16 << 20

  /// All attributes of an object, each a name and a value.
  static func put(_ object: hid_t, in file: hid_t, into out: inout [UInt8]) {
    let names = HDF5Names.attributes(of: object)
    out.put(names.count)
    for name in names {
      out.put(name)
      put(object, name, file, &out)
    }
  }

  private static func put(
    _ object: hid_t, _ name: String, _ file: hid_t, _ out: inout [UInt8]
  ) {
    let attribute = H5Aopen(object, name, hid_t(0))
    guard attribute >= 0 else { return unread("is damaged", &out) }
    defer { H5Aclose(attribute) }
    let (type, space) = (H5Aget_type(attribute), H5Aget_space(attribute))
    defer {
      H5Tclose(type)
      H5Sclose(space)
    }
    var shape: [Int] = []
    let rank = H5Sget_simple_extent_ndims(space)
    if rank > 0 {
      var sizes = [hsize_t](repeating: 0, count: Int(rank))
      H5Sget_simple_extent_dims(space, &sizes, nil)
      shape = sizes.map { Int(clamping: $0) }
    }
    let total = H5Sget_simple_extent_npoints(space)
    var form = ElementForm(type)
    // Lists of references, as dimension scales have them: the first of each.
    let isList = form.sort == "?" && H5Tget_class(type) == H5T_VLEN && isOfReferences(type)
    if isList { form = ElementForm(sort: "v") }
    let values = HDF5Values(file: file, form: form, type: type)
    guard rank >= 0, rank <= 32, total >= 0, "iufbsovr".contains(form.sort) else {
      return unread(form.note.isEmpty ? "a record" : form.note, &out)
    }
    let (size, isOver) = Int(total).multipliedReportingOverflow(by: values.memoryBytes)
    guard !isOver, size <= most else { return unread("\(total) elements", &out) }
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: max(size, 16), alignment: 16)
    buffer.initializeMemory(as: UInt8.self, repeating: 0)
    defer { buffer.deallocate() }
    let memory = isList ? H5Tcopy(type) : form.memory(of: type)
    defer { H5Tclose(memory) }
    guard total == 0 || H5Aread(attribute, memory, buffer.baseAddress) >= 0 else {
      return unread("is damaged", &out)
    }
    out.append((values.isText ? "s" : form.sort).asciiValue ?? 0)
    out.put(form.size)
    shape += form.axes
    out.put(shape.count)
    for axis in shape { out.put(axis) }
    let bytes = UnsafeRawBufferPointer(rebasing: buffer[..<size])
    if isList {
      for i in 0..<Int(total) {
        let item = bytes.loadUnaligned(fromByteOffset: i * MemoryLayout<hvl_t>.size, as: hvl_t.self)
        guard let place = item.p, item.len > 0 else {
          out.put("")
          continue
        }
        HDF5Values(file: file, form: ElementForm(sort: "r", size: 8), type: type).texts(
          UnsafeRawBufferPointer(start: place, count: 8), 1
        ) { out.put($0) }
      }
    } else if values.isText {
      values.texts(bytes, Int(total)) { out.put($0) }
    } else {
      out.append(contentsOf: bytes)
    }
    if values.isAllocated, total > 0 {
      H5Dvlen_reclaim(memory, space, hid_t(0), buffer.baseAddress)
    }
  }

  private static func isOfReferences(_ type: hid_t) -> Bool {
    let base = H5Tget_super(type)
    defer { H5Tclose(base) }
    return ElementForm(base).sort == "r"
  }

  private static func unread(_ why: String, _ out: inout [UInt8]) {
    out.append(UInt8(ascii: "?"))
    out.put(why)
  }
}

/// Names that libhdf5 tells one by one.
enum HDF5Names {
  private final class Box { var names: [String] = [] }

  /// The links of a group: in the order in which they were made where the group keeps it, else by name.
  static func links(of group: hid_t) -> [String]? {
    let box = Box()
    var index = H5_INDEX_NAME
    let creation = H5Gget_create_plist(group)
    var order: UInt32 = 0
    if H5Pget_link_creation_order(creation, &order) >= 0, order & UInt32(H5P_CRT_ORDER_INDEXED) != 0
    {
      index = H5_INDEX_CRT_ORDER
    }
    H5Pclose(creation)
    let context = Unmanaged.passUnretained(box).toOpaque()
    let status = H5Literate(
      group, index, H5_ITER_INC, nil,
      { _, name, _, context in
        guard let name, let context else { return -1 }
        Unmanaged<Box>.fromOpaque(context).takeUnretainedValue().names.append(
          String(cString: name))
        return 0
      }, context)
    return status < 0 ? nil : box.names
  }

  static func attributes(of object: hid_t) -> [String] {
    let box = Box()
    let context = Unmanaged.passUnretained(box).toOpaque()
    H5Aiterate2(
      object, H5_INDEX_NAME, H5_ITER_INC, nil,
      { _, name, _, context in
        guard let name, let context else { return -1 }
        Unmanaged<Box>.fromOpaque(context).takeUnretainedValue().names.append(
          String(cString: name))
        return 0
      }, context)
    return box.names
  }
}
