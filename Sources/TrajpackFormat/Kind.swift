/// What a channel's numbers mean. It decides how they may be resampled, averaged and augmented.
public enum Kind: String, Sendable, CaseIterable, Codable {
  /// A quantity on a continuous scale: hit points, temperature, voltage.
  case scalar
  /// A point in space, in the units of the channel.
  case position
  /// A direction or an axis; its length carries no meaning.
  case direction
  /// A unit quaternion; its order (`xyzw` or `wxyz`) is a convention of the channel.
  case quaternion
  /// An angle that wraps around; radians or degrees are the units of the channel.
  case angle
  /// A matrix (rotation, transform) in row-major order.
  case matrix
  /// Camera intrinsics.
  case intrinsics
  /// One of a set of names, or an id without order.
  case categorical
  /// An id or count that holds until it changes; not to be averaged.
  case label
  /// Something that happened at a moment.
  case event
  /// Picture elements.
  case image
  /// Distances, or a function of them, a picture element each.
  case depth
  /// A compressed video packet.
  case packet
  /// Text.
  case text
}
