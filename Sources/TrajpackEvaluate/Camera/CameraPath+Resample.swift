import Glibc

extension CameraPath {
  /// `count` poses evenly spaced along the way: positions linear, rotations by slerp between the
  /// poses on either side. A path that does not move (less than 1e-8 in all) is sampled evenly in
  /// time, and one of two poses or fewer stays as it is. (WBench, 20 poses a turn.)
  func resampled(_ count: Int) -> CameraPath {
    guard self.count > 2, count > 1 else { return self }
    var way = [0.0]
    for index in 1..<self.count {
      way.append(way[index - 1] + length(centres[index] - centres[index - 1]))
    }
    let last = self.count - 1
    let total = way[last]
    guard total.isFinite else { return self }
    var path = CameraPath(rotations: [], centres: [])
    var place = 0
    for sample in 0..<count {
      let end = sample == count - 1
      guard total >= 1e-8 else {
        let index = end ? last : Int(Double(sample) * (Double(last) / Double(count - 1)))
        path.rotations.append(rotations[index])
        path.centres.append(centres[index])
        continue
      }
      let target = end ? total : Double(sample) * (total / Double(count - 1))
      while place + 1 < last, way[place + 1] < target { place += 1 }
      let step = way[place + 1] - way[place]
      let share = step > 0 ? min(max((target - way[place]) / step, 0), 1) : 0
      let (a, b) = (rotations[place], rotations[place + 1])
      path.rotations.append(a * (a.transposed * b).turned(share))
      path.centres.append(
        centres[place] + share * (centres[place + 1] - centres[place]))
    }
    return path
  }
}

extension Matrix3 {
  /// This rotation by a share of its angle: Rodrigues' formula about its axis.
  fileprivate func turned(_ share: Double) -> Matrix3 {
    let angle = self.angle
    var axis = SIMD3(
      rows.2.y - rows.1.z, rows.0.z - rows.2.x, rows.1.x - rows.0.y)
    if length(axis) < 1e-6, angle > 1 {
      // Half a turn: R = 2aaᵀ − 1, and a lies along the longest column of R + 1.
      let one = Matrix3.identity.rows
      let columns = [rows.0 + one.0, rows.1 + one.1, rows.2 + one.2]
      axis = columns.max { length($0) < length($1) } ?? axis
    }
    let size = length(axis)
    guard size > 0 else { return share < 1 ? .identity : self }
    let (x, c, s) = (axis / size, cos(share * angle), sin(share * angle))
    let cross = Matrix3(SIMD3(0, -x.z, x.y), SIMD3(x.z, 0, -x.x), SIMD3(-x.y, x.x, 0))
    let square = cross * cross
    let one = Matrix3.identity.rows
    return Matrix3(
      one.0 + s * cross.rows.0 + (1 - c) * square.rows.0,
      one.1 + s * cross.rows.1 + (1 - c) * square.rows.1,
      one.2 + s * cross.rows.2 + (1 - c) * square.rows.2)
  }
}
