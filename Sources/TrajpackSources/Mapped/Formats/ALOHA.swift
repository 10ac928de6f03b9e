import TrajpackFormat
import TrajpackStore

/// ALOHA and ACT: a file an episode, `observations/{qpos, qvel, effort, images/CAMERA}` and `action`.
enum ALOHA: MappedFormat {
  static let format = FormatDescription(
    name: "aloha", summary: "ALOHA and ACT episodes (HDF5, a file each)",
    carries:
      "every array; compressed pictures as frames of a video, byte for byte, with a note that red and blue are swapped in them",
    reads: true, writes: false)

  static func recognises(_ files: SourceFiles, _ options: MappingOptions) -> Bool {
    guard !options.isMapping, let tree = files.first else { return false }
    let index = TreeIndex(tree)
    return index.array("/observations/qpos") != nil && index.array("/action") != nil
  }

  static func read(
    _ files: SourceFiles, _ options: MappingOptions
  ) throws(TrajpackError) -> MappedSource {
    var source = MappedSource(recordings: [])
    var isSwapped = false
    source.recordings = try files.recordings(options) { (file, index) throws(TrajpackError) in
      guard let actions = index.array("/action"), let rows = actions.shape.first else {
        throw TrajpackError(.data, file: file.path, "has no /action, as episodes of ALOHA do")
      }
      var recording = MappedRecording(file, id: file.stem)
      var layout = TreeLayout(index.tree, options)
      layout.time = MappedStream.time(rate: options.rate)
      // The lengths of padded pictures are also where their zeros begin.
      var items = try layout.items(index.below("/"), below: "/") { $0 == "compress_len" }
      for i in items.indices where items[i].place.hasPrefix("observations/images/") {
        try PictureArrays.find(&items[i])
        guard items[i].part.isPadded else { continue }
        items[i].conventions.append(
          .init(
            "decoded_channels",
            "bgr: the pictures were given to the JPEG encoder as if red were blue"))
        isSwapped = true
      }
      recording.streams = try layout.streams(items, rows: rows)
      source.leftOut += layout.leftOut
      var facts = TreeFacts()
      if let root = index["/"] { facts.add(root) }
      recording.values = facts.values + layout.values
      recording.streams += facts.streams
      return [recording]
    }
    let hasFrames = TreePictures.take(&source.recordings, options, isSwapped: true)
    if isSwapped {
      source.remarks.append(
        "the pictures are JPEG with red and blue swapped (cv2.imencode was given RGB): what a JPEG decoder calls red is blue; "
          + (hasFrames
            ? "frames have them in their places, as 'channel_order' of their tracks says; the packets are as they were"
            : "the channels' convention 'decoded_channels' says it"))
    }
    if options.rate == nil {
      source.remarks.append(
        "the files do not say how many steps there are in a second; rows are numbered (ALOHA's own code records 50: --rate 50)"
      )
    }
    source.leftOut += files.others()
    return source
  }
}
