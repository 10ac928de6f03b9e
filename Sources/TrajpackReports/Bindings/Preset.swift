import TrajpackFormat

/// The conventions of a published benchmark: which scores, and every option that its code or paper decides.
/// What it leaves to the caller (how poses or tracks are estimated, which clips) is not in it.
public struct Preset: Sendable {
  /// The name: `worldscore`.
  public let name: String
  /// Whose conventions they are, and where they are written.
  public let citation: String
  /// The scores it computes where none is asked for.
  let metrics: [String]
  /// `metric.option=value`.
  let settings: [String]

  /// All of them.
  public static let all: [Preset] = [
    Preset(
      name: "wildbench",
      citation:
        "WildWorld, arXiv 2603.23497, section WildBench; its code is not released, so it is WildBench-style: one "
        + "scale fitted about the origin and put on the truth, thresholds of 4, 8, 16 and 32 pixels",
      metrics: [
        "camera.ate", "camera.rpe_translation", "camera.rpe_rotation_degrees",
        "keypoints.state_alignment",
      ],
      settings: [
        "camera.path.alignment=scale", "camera.path.scale_truth=true", "camera.path.delta=1",
        "keypoints.state_alignment.thresholds=4,8,16,32",
      ]),
    Preset(
      name: "wbench",
      citation:
        "WBench, arXiv 2605.25874, github.com/meituan-longcat/WBench: 20 poses along each path, lengths of the "
        + "estimate; the reference paths that it makes of actions are the caller's truth",
      metrics: ["camera.nate_translation", "camera.nate_rotation", "camera.wbench_accuracy"],
      settings: [
        "camera.normalised.samples=20", "camera.normalised.measure=estimate",
        "camera.normalised.alignment=none", "camera.normalised.first_pose=true",
        "camera.normalised.shortest_path=0.5", "camera.normalised.smallest_turn=10",
      ]),
    Preset(
      name: "worldscore",
      citation:
        "WorldScore, github.com/haoyi-duan/WorldScore: one factor of least distances, of any sign, 15° and 0.5 "
        + "score 0",
      metrics: ["camera.worldscore"],
      settings: [
        "camera.normalised.samples=0", "camera.normalised.alignment=scale_l1",
        "camera.normalised.negative_scale=true", "camera.normalised.worst_angle=15",
        "camera.normalised.worst_distance=0.5",
      ]),
    Preset(
      name: "camctrl",
      citation:
        "RotErr, TransErr and CamMC of the CameraCtrl family as CamI2V computes them, github.com/ZGCTroy/CamI2V: "
        + "relative to the first pose, each path by its own largest distance, summed over frames",
      metrics: ["camera.rot_err", "camera.trans_err", "camera.cam_mc"],
      settings: [
        "camera.control.relative=true", "camera.control.translation_scale=own",
        "camera.control.frames=sum",
      ]),
    Preset(
      name: "mind",
      citation:
        "MIND, arXiv 2602.08025, github.com/CSU-JPG/MIND: Sim(3), neighbouring frames, errors above 179° or 1e9 "
        + "dropped, at least 8 pairs; its limit of 200 frames is the caller's",
      metrics: ["camera.rpe_translation", "camera.rpe_rotation_degrees"],
      settings: [
        "camera.path.alignment=sim3", "camera.path.rpe_scale=alignment", "camera.path.delta=1",
        "camera.path.pairs=all", "camera.path.drop_rotation_above=179",
        "camera.path.drop_translation_above=1e9", "camera.path.minimum_pairs=8",
      ]),
    Preset(
      name: "tapvid",
      citation:
        "TAP-Vid, Doersch et al., NeurIPS 2022, compute_tapvid_metrics of github.com/google-deepmind/tapnet: 1, 2, "
        + "4, 8 and 16 pixels of 256 × 256, frames after the query, mean over videos",
      metrics: ["keypoints.tap_vid"],
      settings: [
        "keypoints.tap_vid.thresholds=1,2,4,8,16", "keypoints.tap_vid.query_mode=first",
        "keypoints.tap_vid.clips=mean_of_clips",
      ]),
    Preset(
      name: "gtf",
      citation:
        "D_stsp and D_H of GTF, Hess et al., ICML 2023, github.com/DurstewitzLab/GTF-shPLRNN: 30 bins to 5 "
        + "dimensions, counts of 16 bits, α 1e-5, else 10,000 Gaussians of variance 1; spectra smoothed by 20 bins",
      metrics: ["attractor.d_stsp", "attractor.d_h"],
      settings: [
        "attractor.d_stsp.method=automatic", "attractor.d_stsp.maximum_binned_dimensions=5",
        "attractor.d_stsp.bins=30", "attractor.d_stsp.span=padded", "attractor.d_stsp.padding=0.1",
        "attractor.d_stsp.alpha=1e-5", "attractor.d_stsp.counter=wrapping_16_bit",
        "attractor.d_stsp.variance=1", "attractor.d_stsp.points=10000",
        "attractor.d_stsp.samples=1000", "attractor.spectrum.sigma=20",
        "attractor.spectrum.edge=mirror", "attractor.spectrum.truncate=4",
      ]),
    Preset(
      name: "dysts",
      citation:
        "compute_metrics of dysts 0.96, Gilpin, github.com/williamgilpin/dysts: sMAPE from 0 to 100, 1e-10 added "
        + "below the line, constant channels and true zeros counted so",
      metrics: ["forecast.errors"],
      settings: [
        "forecast.errors.smape_scale=0_100", "forecast.errors.epsilon=1e-10",
        "forecast.errors.keep_constant=true",
      ]),
  ]

  /// The preset of that name.
  ///
  /// - Throws: A usage error that suggests what was meant.
  public static func named(_ name: String) throws(TrajpackError) -> Preset {
    guard let found = all.first(where: { $0.name == name }) else {
      throw TrajpackError(
        .usage,
        "there is no preset '\(name)'; there are \(all.map(\.name).joined(separator: ", "))"
          + Suggestion.text(for: name, among: all.map(\.name)))
    }
    return found
  }
}
