import CHDF5
import CHDF5Shims

/// What the elements of a dataset or an attribute are, as they are sent.
struct ElementForm {
  /// A member of a record.
  struct Field {
    var name: String
    var form: ElementForm
  }

  /// `i`, `u` and `f`: numbers of ``size`` bytes; `b`: truth values of a byte; `s`: text; `v`: bytes of any length;
  /// `o`: ``size`` bytes; `r`: references to objects; `k`: records of ``fields``; `?`: not read.
  var sort: Character
  var size = 0
  /// Axes that each element adds behind those of the dataset.
  var axes: [Int] = []
  /// Names of the numbers of an enumeration.
  var names: [(name: String, value: Int)] = []
  var fields: [Field] = []
  /// Whether the numbers are the two parts of complex ones.
  var isComplex = false
  /// What it is called where it is not read.
  var note = ""

  /// How a text says what it is, for messages.
  private static func unread(_ note: String) -> ElementForm { ElementForm(sort: "?", note: note) }

  /// The form of a type of a file.
  init(_ type: hid_t, depth: Int = 0) {
    self = .unread("a type that HDF5 does not know")
    guard type >= 0, depth < 3 else { return }
    let size = H5Tget_size(type)
    switch H5Tget_class(type) {
    case H5T_INTEGER:
      guard let width = [1, 2, 4, 8].first(where: { $0 >= size }) else {
        note = "integers of \(size) bytes"
        return
      }
      self = ElementForm(sort: H5Tget_sign(type) == H5T_SGN_NONE ? "u" : "i", size: width)
    case H5T_FLOAT:
      guard size <= 8 else {
        note = "floating-point numbers of \(size) bytes"
        return
      }
      self = ElementForm(sort: "f", size: size <= 4 ? 4 : 8)
    case H5T_ENUM: self = Self.enumeration(type, depth)
    case H5T_STRING: self = ElementForm(sort: "s", size: Int(size))
    case H5T_OPAQUE:
      self = size <= 1 << 20 ? ElementForm(sort: "o", size: Int(size)) : .unread("opaque bytes")
    case H5T_REFERENCE where H5Tequal(type, tph5_memory_reference()) > 0:
      self = ElementForm(sort: "r", size: 8)
    case H5T_REFERENCE: note = "references to regions"
    case H5T_VLEN:
      let base = H5Tget_super(type)
      defer { H5Tclose(base) }
      let form = ElementForm(base, depth: depth + 1)
      if form.sort == "u" || form.sort == "i", form.size == 1 {
        self = ElementForm(sort: "v")
      } else {
        note = "lists of any length"
      }
    case H5T_ARRAY:
      let base = H5Tget_super(type)
      defer { H5Tclose(base) }
      let rank = Int(H5Tget_array_ndims(type))
      guard (1...8).contains(rank) else { return }
      var axes = [hsize_t](repeating: 0, count: rank)
      H5Tget_array_dims2(type, &axes)
      var form = ElementForm(base, depth: depth + 1)
      guard "iufb".contains(form.sort), axes.allSatisfy({ $0 < 1 << 32 }) else {
        note = "arrays of \(form.note)"
        return
      }
      form.axes = axes.map { Int($0) } + form.axes
      self = form
    case H5T_COMPOUND: self = Self.compound(type, depth)
    default: note = "a type that is not read"
    }
  }

  init(sort: Character, size: Int = 0, note: String = "") {
    (self.sort, self.size, self.note) = (sort, size, note)
  }

  private static func enumeration(_ type: hid_t, _ depth: Int) -> ElementForm {
    let base = H5Tget_super(type)
    defer { H5Tclose(base) }
    var form = ElementForm(base, depth: depth + 1)
    let count = H5Tget_nmembers(type)
    guard "iu".contains(form.sort), count >= 0, count <= 65536 else {
      return .unread("an enumeration")
    }
    let width = H5Tget_size(base)
    let order = H5Tget_order(base)
    for i in 0..<UInt32(count) {
      var value = [UInt8](repeating: 0, count: max(Int(width), 8))
      guard let name = H5Tget_member_name(type, i), H5Tget_member_value(type, i, &value) >= 0 else {
        continue
      }
      var bytes = Array(value.prefix(Int(width)))
      if order == H5T_ORDER_BE { bytes.reverse() }
      var number = bytes.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
      if form.sort == "i", width < 8, bytes.last.map({ $0 & 0x80 != 0 }) == true {
        number |= ~0 << (8 * UInt64(width))
      }
      form.names.append((String(cString: name), Int(truncatingIfNeeded: number)))
      H5free_memory(name)
    }
    // How h5py writes truth values.
    if form.size == 1, form.names.map(\.name) == ["FALSE", "TRUE"],
      form.names.map(\.value) == [0, 1]
    {
      return ElementForm(sort: "b", size: 1)
    }
    return form
  }

  private static func compound(_ type: hid_t, _ depth: Int) -> ElementForm {
    let count = H5Tget_nmembers(type)
    guard count > 0, count <= 1024 else { return .unread("records") }
    var out = ElementForm(sort: "k")
    for i in 0..<UInt32(count) {
      guard let name = H5Tget_member_name(type, i) else { continue }
      let member = H5Tget_member_type(type, i)
      out.fields.append(
        Field(name: String(cString: name), form: ElementForm(member, depth: depth + 1)))
      H5Tclose(member)
      H5free_memory(name)
    }
    let names = out.fields.map { $0.name.lowercased() }
    if names == ["r", "i"] || names == ["real", "imag"],
      out.fields.allSatisfy({ $0.form.sort == "f" && $0.form.axes.isEmpty }),
      out.fields[0].form.size == out.fields[1].form.size
    {
      out.sort = "f"
      out.size = out.fields[0].form.size
      out.axes = [2]
      out.isComplex = true
    }
    return out
  }

  /// Bytes of an element in memory.
  var bytes: Int { axes.reduce(max(size, 1), *) }

  /// The type in memory; to be closed.
  func memory(of type: hid_t) -> hid_t {
    switch sort {
    case "i", "u", "b", "f":
      let letter = CChar(bitPattern: (sort == "b" ? "u" : sort).asciiValue ?? 0)
      let base = tph5_memory_type(letter, size)
      if isComplex {
        let both = H5Tcreate(H5T_COMPOUND, 2 * size)
        for (i, field) in fields.enumerated() { H5Tinsert(both, field.name, i * size, base) }
        return both
      }
      if axes.isEmpty { return H5Tcopy(base) }
      return H5Tarray_create2(base, UInt32(axes.count), axes.map { hsize_t($0) })
    case "s": return H5Tis_variable_str(type) > 0 ? tph5_memory_text(type) : H5Tcopy(type)
    case "r": return H5Tcopy(tph5_memory_reference())
    default: return H5Tcopy(type)
    }
  }

  /// As it is sent.
  func put(into out: inout [UInt8]) {
    out.append(sort.asciiValue ?? 0)
    out.put(size)
    out.put(axes.count)
    for axis in axes { out.put(axis) }
    out.put(names.count)
    for name in names {
      out.put(name.name)
      out.put(name.value)
    }
    out.append(isComplex ? 1 : 0)
    out.put(note)
  }
}
