import CHDF5
import CHDF5Shims
import TrajpackFormat

/// An identifier of libhdf5 that is closed with its owner.
struct HDF5Handle: ~Copyable {
  /// What the identifier is, which decides how it is closed.
  enum Sort { case file, group, dataset }

  let id: hid_t
  private let sort: Sort

  /// Takes an identifier that libhdf5 gave; a negative one is its way to say that it failed.
  init(_ id: hid_t, _ sort: Sort, _ what: @autoclosure () -> String) throws(TrajpackError) {
    guard id >= 0 else { throw .hdf5(what()) }
    self.id = id
    self.sort = sort
  }

  deinit {
    switch sort {
    case .file: H5Fclose(id)
    case .group: H5Gclose(id)
    case .dataset: H5Dclose(id)
    }
  }

  /// Closes now and says whether it worked. The corresponding C functions are `H5Fclose` and its kin.
  consuming func close(_ what: @autoclosure () -> String) throws(TrajpackError) {
    let (id, sort) = (id, sort)
    discard self
    let status: herr_t
    switch sort {
    case .file: status = H5Fclose(id)
    case .group: status = H5Gclose(id)
    case .dataset: status = H5Dclose(id)
    }
    guard status >= 0 else { throw .hdf5(what()) }
  }
}

extension TrajpackError {
  /// The error of a call of libhdf5 that failed just now.
  static func hdf5(_ what: String) -> TrajpackError {
    var text = [CChar](repeating: 0, count: 256)
    tph5_error(&text, text.count)
    var why = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    // Of a failed system call libhdf5 tells times, pointers and counts; what it was is among them.
    if let start = why.firstRange(of: "error message = '") {
      why = String(why[start.upperBound...].prefix { $0 != "'" })
    }
    let full = why.contains("No space left") || why.contains("Disk quota")
    return TrajpackError(
      .machine,
      "\(what): "
        + (full
          ? "no space is left on the disk; free some and try again"
          : "HDF5 says: \(why)"))
  }
}
