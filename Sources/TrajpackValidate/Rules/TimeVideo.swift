extension Rule {
  static let videoFrames = Rule(
    "time.frames", .error, "frames of a video do not decode",
    reason:
      "The video has rows for which there is no picture. A loader stops there, or shows another picture beside the state of this row.",
    example: """
      A video of 300 rows of which 298 decode, because a packet was cut. Looked at with --frames only, which decodes every frame of the dataset; \
      whether decoded pixels are those of the conversion is told by 'trajpack verify --frames'.
      """,
    remedy: "Convert the recording again from a whole video, or leave the episode out.",
    check: .container)

  static let videoMotion = Rule(
    "time.video-shift", .warning, "a video is shifted against the motion of its camera",
    reason: """
      Off by one frame, a model sees effects before their causes: the picture beside each row is that of another moment.
      """,
    example: """
      A camera that shakes, and pictures that change two rows later. Looked at with --frames only: how much neighbouring pictures differ is compared with how far the camera \
      (its pose, or position and rotation, of a stream with the video's clock; else the first position) moved, at shifts of up to 8 rows. Reported where what changes from step to step correlates by 0.6 or more at the same \
      shift in each third of an episode, and by 0.1 more than without a shift; 193 rows or more are needed. A camera that moves evenly or not at all tells nothing, \
      and a picture that changes by itself is no motion of the camera.
      """,
    remedy: "Shift the video's clock in the source, or find the frame that was lost or doubled.",
    check: .container)
}
