import Glibc
import TrajpackCodecs
import TrajpackFormat

extension ShardWriter {
  /// Hands a chunk of a blob to the pool, the last one of `rows` bytes.
  func send(blob number: Int, _ chunk: ByteBuffer, rows: Int) throws(TrajpackError) {
    try send(
      ChunkJob(
        stream: schema.blocks[number].stream, number: (rows - 1) / schema.blocks[number].chunkRows,
        blocks: [(number, ChunkBytes(chunk))], spans: [], first: 0))
  }

  /// Bytes of rows that wait for a thread or for being written.
  private static let maximumQueue = 32 << 20

  /// Queues a job; small ones travel together, so that threads are not woken for a few kilobytes.
  func send(_ job: ChunkJob) throws(TrajpackError) {
    waiting.append(job)
    waitingBytes += job.bytes
    if waitingBytes >= 256 << 10 { try flush() }
  }

  private func flush() throws(TrajpackError) {
    guard !waiting.isEmpty else { return }
    let (jobs, bytes) = (waiting, waitingBytes)
    let (schema, compressors, gatherer) = (schema, compressors, gatherer)
    waiting = []
    waitingBytes = 0
    queuedBytes += bytes
    queue.append(
      (
        pool.run { () throws(TrajpackError) in
          var outcomes: [ChunkJob.Outcome] = []
          for job in jobs { outcomes.append(try job.run(schema, compressors, gatherer)) }
          return outcomes
        }, bytes
      ))
    // Each item has 256 KiB of rows or one larger chunk: enough for every thread to have work while one is
    // written.
    while queue.count > 4 * pool.count + 8 || (queuedBytes > Self.maximumQueue && queue.count > 1) {
      try writeNext()
    }
  }

  /// Writes all that was handed to the pool.
  func drain() throws(TrajpackError) {
    if queue.isEmpty {
      // This thread would only wait for the other.
      let jobs = waiting
      (waiting, waitingBytes) = ([], 0)
      var outcomes: [ChunkJob.Outcome] = []
      for job in jobs { outcomes.append(try job.run(schema, compressors, gatherer)) }
      return try write(outcomes)
    }
    try flush()
    while !queue.isEmpty { try writeNext() }
  }

  private func writeNext() throws(TrajpackError) {
    let next = queue.removeFirst()
    queuedBytes -= next.bytes
    try write(try next.jobs.value())
  }

  private func write(_ outcomes: [ChunkJob.Outcome]) throws(TrajpackError) {
    for outcome in outcomes {
      for packed in outcome.packed {
        try packed.bytes.withUnsafeBytesThrowing { (bytes) throws(TrajpackError) in
          try write(
            bytes, chunk: packed.number, block: packed.block, raw: packed.raw,
            filterMask: packed.filterMask, crc: packed.crc)
        }
      }
      if let statistics = outcome.statistics { gatherer.merge(statistics) }
    }
  }

  /// Writes a compressed chunk, the next of its block.
  func write(
    _ bytes: UnsafeRawBufferPointer, chunk: Int, block: Int, raw: Int, filterMask: UInt32,
    crc: UInt32
  ) throws(TrajpackError) {
    let offset = try backend.write(bytes, chunk: chunk, block: block, filterMask: filterMask)
    chunks[block] += [
      Int64(offset), Int64(bytes.count), Int64(raw), Int64(filterMask), Int64(crc),
    ]
  }
}
