import Glibc

/// The order in which a quaternion's four numbers are stored.
public enum QuaternionOrder: Sendable, Hashable {
  /// Vector part first, as scipy and glTF.
  case xyzw
  /// Scalar part first, as MuJoCo and Eigen's constructor.
  case wxyz
  /// Not recorded; what needs the algebra of quaternions refuses.
  case unknown
}

/// sin of both lanes for angles from 0 to π/2: the Taylor polynomial to degree 21, whose remainder
/// there is below 1.3e-18.
@inline(__always)
func quarterSine(_ x: SIMD2<Double>) -> SIMD2<Double> {
  let y = x * x
  var p = SIMD2<Double>(repeating: 1 / 51_090_942_171_709_440_000)
  p = p * y - 1 / 121_645_100_408_832_000
  p = p * y + 1 / 355_687_428_096_000
  p = p * y - 1 / 1_307_674_368_000
  p = p * y + 1 / 6_227_020_800
  p = p * y - 1 / 39_916_800
  p = p * y + 1 / 362_880
  p = p * y - 1 / 5_040
  p = p * y + 1 / 120
  p = p * y - 1 / 6
  return x + x * y * p
}

/// Four numbers of a quaternion whose scalar part is last.
typealias Quaternion = SIMD4<Double>

@inline(__always) func dot(_ a: Quaternion, _ b: Quaternion) -> Double { (a * b).sum() }

@inline(__always) func length(_ a: Quaternion) -> Double { dot(a, a).squareRoot() }

/// Hamilton product, scalar part last.
func product(_ a: Quaternion, _ b: Quaternion) -> Quaternion {
  Quaternion(
    a.w * b.x + a.x * b.w + a.y * b.z - a.z * b.y,
    a.w * b.y - a.x * b.z + a.y * b.w + a.z * b.x,
    a.w * b.z + a.x * b.y - a.y * b.x + a.z * b.w,
    a.w * b.w - a.x * b.x - a.y * b.y - a.z * b.z)
}

func conjugate(_ q: Quaternion) -> Quaternion { Quaternion(-q.x, -q.y, -q.z, q.w) }

/// Logarithm of a unit quaternion: half its rotation vector, in the first three places.
func logarithm(_ q: Quaternion) -> Quaternion {
  let vector = Quaternion(q.x, q.y, q.z, 0)
  let size = length(vector)
  if size == 0 { return .zero }
  return vector * (atan2(size, q.w) / size)
}

/// Inverse of ``logarithm(_:)``.
func exponential(_ v: Quaternion) -> Quaternion {
  let size = length(v)
  if size == 0 { return Quaternion(0, 0, 0, 1) }
  let part = v * (sin(size) / size)
  return Quaternion(part.x, part.y, part.z, cos(size))
}

/// The arc between two unit vectors, ready for many fractions.
struct Arc {
  let a: Quaternion
  let b: Quaternion
  let angle: Double
  private let inverseSine: Double

  @inline(__always) init(_ a: Quaternion, _ b: Quaternion) {
    self.a = a
    self.b = b
    let (apart, together) = (length(a - b), length(a + b))
    // |a − b| = 2 sin(θ/2) and |a + b| = 2 cos(θ/2): accurate near 0 and π (Kahan).
    angle = 2 * atan2(apart, together)
    inverseSine = 2 / (apart * together)
  }

  /// Whether no arc is the shortest one: opposite ends.
  var isUndefined: Bool { angle > .pi - 1e-9 }

  /// Shoemake (SIGGRAPH 1985): sin((1-u)θ)/sinθ · a + sin(uθ)/sinθ · b; below 1e-6 the chord.
  @inline(__always) func point(_ u: Double) -> Quaternion {
    if angle < 1e-6 {
      let chord = a + (b - a) * u
      return chord / length(chord)
    }
    let angles = SIMD2((1 - u) * angle, u * angle)
    if angle <= 1.5707963267948968, u >= 0, u <= 1 {
      let w = quarterSine(angles) * inverseSine
      return a * w.x + b * w.y
    }
    return a * (sin(angles.x) * inverseSine) + b * (sin(angles.y) * inverseSine)
  }
}
