extension Rule {
  static let containerDamage = Rule(
    "container.damage", .error, "stored bytes are not those that were written",
    reason: """
      A header, an index, a chunk, a packet or a side file does not match its checksum, or a shard that is listed is \
      missing. What lies there cannot be read, and nothing else in the shard is known to be good.
      """,
    example: """
      A bit of a shard has flipped on disk. The finding names shard, stream, episode, chunk and byte. All chunks \
      are compared with their CRC-32C, but not files with the SHA-256 of the manifest: 'trajpack verify' does that.
      """,
    remedy: "Restore the shard from a copy, or convert the source again.",
    check: .container)

  static let containerManifest = Rule(
    "container.manifest", .error, "the manifest or journal disagrees with the shards",
    reason:
      "Programs that read counts or statistics from the manifest get other numbers than the data has.",
    example:
      "The manifest says 7 episodes of a shard that has 6, or a mean that its shards do not give.",
    remedy: "Restore the manifest from a copy, or run 'trajpack repair', which writes it anew.",
    check: .container)

  static let containerOrphan = Rule(
    "container.orphan", .error, "a shard lies in the folder that nothing lists",
    reason: "Its episodes are not read. Either the list has lost it, or it was put there by hand.",
    example: """
      shard-000003.h5 is in the folder, and the manifest ends at shard-000002.h5. A shard that a crash left behind \
      and that others supersede is not reported.
      """,
    remedy: "'trajpack repair' lists it anew; or move it away.",
    check: .container)

  static let containerUnfinished = Rule(
    "container.unfinished", .warning, "the conversion or the writer has not finished",
    reason: "Episodes are missing that somebody meant to be there.",
    example: "A folder with a journal and no manifest.",
    remedy: "Run the same 'trajpack convert' with --resume, or close the writer.",
    check: .container)

  static let containerUnreadable = Rule(
    "container.unreadable", .error, "a recording of a source cannot be read",
    reason: "A conversion would stop there, or leave it out.",
    example: "A table whose rows have different numbers of cells, or an array that is cut.",
    remedy: "The finding says what is wrong in which file; mend that file.",
    check: .container)

  static let containerHDF5 = Rule(
    "container.hdf5", .error, "HDF5's own structures do not agree with the index of a shard",
    reason: """
      trajpack reads a shard by its index, h5py and MATLAB by HDF5's structures. Where the two disagree, both read without \
      an error, and not the same: one file is two datasets.
      """,
    example: """
      h5py says that a dataset has 300 rows, and the index says 200; or a chunk lies elsewhere for HDF5. It is run with \
      --hdf5 alone, because libhdf5 then reads every value, too, in a process that can do nothing else; without it the \
      report says that this was not checked. Damaged chunks are a matter of container.damage and not compared.
      """,
    remedy:
      "Restore the shard from a copy, or convert the source again; who made it must be asked.",
    check: .container)
}
