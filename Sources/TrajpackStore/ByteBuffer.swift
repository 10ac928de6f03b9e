/// Working memory whose address stays.
package final class ByteBuffer {
  package let bytes: UnsafeMutableRawBufferPointer

  package init(_ count: Int) {
    bytes = .allocate(byteCount: count, alignment: 16)
  }

  deinit { bytes.deallocate() }
}
