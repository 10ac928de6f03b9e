import TrajpackFormat
import TrajpackStore

/// Writes a dataset as a LeRobot dataset of version 3.0: tables of all episodes, and an mp4 an episode and camera, which is
/// taken over as it is.
final class LeRobotExport: DatasetExporter {
  /// What `trajpack formats` says of it.
  static var format: FormatDescription { LeRobot.format }

  private let plan: LeRobotPlan
  private let robot: String?
  private let media: String?
  private let path: String
  private var writer: LeRobotWriter?

  /// - Throws: A usage error where nothing of the dataset can be rows of a LeRobot dataset.
  init(_ request: ExportRequest) throws(TrajpackError) {
    let wanted = Set(request.ids)
    plan = try LeRobotPlan(
      request.dataset, { wanted.isEmpty || wanted.contains($0) }, rate: request.rate,
      names: request.names)
    robot = try request.dataset.shard(0).schema.attributes["robot_type"]?.string
    media = request.media
    path = request.dataset.path
  }

  func begin(in folder: ExportFolder) throws(TrajpackError) {
    for remark in plan.remarks { folder.note(remark) }
    writer = try LeRobotWriter(plan, folder, of: path, media: media)
  }

  func append(
    _ episode: ShardIndex.Episode, of shard: Shard, reader: BlockReader
  ) throws(TrajpackError) {
    try writer?.append(episode, shard, reader)
  }

  func finish() throws(TrajpackError) { try writer?.finish(robot: robot) }
}
