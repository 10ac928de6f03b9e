import CPlatform
import Glibc
import TrajpackFormat
import TrajpackStore

/// Makes values of rows that are not taken as they are: other types, scales, moments between rows; and
/// what says that something was not observed. One thread at a time.
final class RowConverter {
  private let setup: LoaderSetup
  /// What is given out of one or two rows that are pictures, and what scaling works in.
  private var picture = ReusableBuffer()
  private var nextPicture = ReusableBuffer()
  private var middle = ReusableBuffer()
  private var low: [Double] = []
  private var high: [Double] = []

  init(_ setup: LoaderSetup) {
    self.setup = setup
  }

  /// Does what is left for a window.
  func run(_ plan: BatchPlan, window: Int) {
    for i in plan.finishes(ofWindow: window) {
      let finish = plan.finishes[i]
      switch finish.work {
      case .clear(let group):
        for channel in setup.layout.groups[group].channels { clear(channel, finish, plan) }
      case .clearChannel(let channel): clear(channel, finish, plan)
      case .convert(let program):
        program._withUnsafeGuaranteedRef { convert($0, finish, plan) }
      case .blend(let program, let first):
        program._withUnsafeGuaranteedRef { blend($0, first, finish, plan) }
      }
    }
  }

  private func clear(_ channel: Int, _ finish: ConversionTask, _ plan: BatchPlan) {
    let selected = setup.layout.channels[channel]
    for t in Int(finish.outRow)..<Int(finish.outRow + finish.count) {
      let byte = selected.place.byte(Int(finish.window), t, Int(finish.slot))
      memset(plan.memory + byte, 0, selected.rowBytes)
      if let observed = selected.observed {
        let byte = observed.byte(Int(finish.window), t, Int(finish.slot))
        memset(plan.memory + byte, 0, selected.channel.elements)
      }
    }
  }

  private func convert(_ program: GroupProgram, _ finish: ConversionTask, _ plan: BatchPlan) {
    for channel in program.directFinishes {
      let selected = setup.layout.channels[channel.channel]
      if observeInPlace(channel, selected, finish, plan) { continue }
      let group = group(of: selected, window: Int(finish.window), plan)
      for n in 0..<Int(finish.count) {
        let t = Int(finish.outRow) + n
        let out = plan.memory + selected.place.byte(Int(finish.window), t, Int(finish.slot))
        if channel.staging < 0 {
          observe(UnsafeRawPointer(out), channel, selected, finish, t, plan)
        } else if let staging = plan.staging {
          let from = given(
            staging + finish.staging + n * program.directRow + channel.staging, channel, selected,
            Int(finish.window), plan, room: &picture)
          write(from, nil, 0, channel, selected, group: group, Int(finish.window), plan, to: out)
          observe(from, channel, selected, finish, t, plan)
        }
      }
    }
  }

  /// Looks for NaN in all rows at once, where they and their mask lie side by side.
  private func observeInPlace(
    _ channel: ChannelConversion, _ selected: SelectedChannel, _ finish: ConversionTask,
    _ plan: BatchPlan
  ) -> Bool {
    guard channel.staging < 0, channel.missing == .nan, let mask = selected.observed,
      selected.place.rowStride == selected.rowBytes, mask.rowStride == selected.channel.elements
    else { return false }
    let (window, t, slot) = (Int(finish.window), Int(finish.outRow), Int(finish.slot))
    let from = plan.memory + selected.place.byte(window, t, slot)
    let out = (plan.memory + mask.byte(window, t, slot)).assumingMemoryBound(to: UInt8.self)
    let count = Int(finish.count) * selected.channel.elements
    switch channel.stored {
    case .float32: tp_observed_f32(from, count, out)
    case .float64: tp_observed_f64(from, count, out)
    default: return false
    }
    return true
  }

  private func blend(
    _ program: GroupProgram, _ first: Int, _ finish: ConversionTask, _ plan: BatchPlan
  ) {
    guard let staging = plan.staging else { return }
    for channel in program.stagedFinishes {
      let selected = setup.layout.channels[channel.channel]
      let group = group(of: selected, window: Int(finish.window), plan)
      for n in first..<first + Int(finish.count) {
        let map = plan.maps[n]
        let base = staging + finish.staging + channel.staging
        var a = UnsafeRawPointer(base + Int(map.low) * program.stagedRow)
        var b: UnsafeRawPointer?
        if map.rest > 0 {
          let next = UnsafeRawPointer(base + Int(map.high) * program.stagedRow)
          switch selected.blend {
          case .asOf: if map.isDue { a = next }
          case .nearest: if map.rest > 0.5 { a = next }
          default: b = next
          }
        }
        a = given(a, channel, selected, Int(finish.window), plan, room: &picture)
        b = b.map { given($0, channel, selected, Int(finish.window), plan, room: &nextPicture) }
        let out =
          plan.memory + selected.place.byte(Int(finish.window), Int(map.out), Int(finish.slot))
        write(
          a, b, map.rest, channel, selected, group: group, Int(finish.window), plan, to: out)
        guard selected.observed != nil else { continue }
        observe(a, channel, selected, finish, Int(map.out), plan)
        if let b { observe(b, channel, selected, finish, Int(map.out), plan, joins: true) }
      }
    }
  }

  /// The group by whose statistics a window's values of a channel are normalised.
  private func group(of selected: SelectedChannel, window: Int, _ plan: BatchPlan) -> Int {
    guard let grouping = selected.grouping else { return 0 }
    return max(Int(setup.layout.groupings[grouping].groups[plan.episodes[window]]), 0)
  }

  /// What is given out of a row: itself, or a part of a picture, scaled, mirrored, in another layout.
  private func given(
    _ row: UnsafeRawPointer, _ channel: ChannelConversion, _ selected: SelectedChannel,
    _ window: Int, _ plan: BatchPlan, room: inout ReusableBuffer
  ) -> UnsafeRawPointer {
    guard let rows = selected.picture, rows.isConverted, let frames = setup.frames,
      let out = room.room(selected.channel.elements * channel.stored.size).baseAddress,
      let middle = middle.room(rows.room(channel.stored)).baseAddress
    else { return row }
    rows.write(
      row, of: channel.stored, frames.draw(window, plan), into: out, middle: middle)
    return UnsafeRawPointer(out)
  }

  /// Makes room for the numbers of a row. It grows with what is made numbers of, as a picture that is
  /// copied may be far larger than every row that is not.
  private func makeRoom(_ count: Int) {
    guard low.count < count else { return }
    low = [Double](repeating: 0, count: count)
    high = low
  }

  /// Writes one row of a channel, between rows `a` and `b` where there are two.
  private func write(
    _ a: UnsafeRawPointer, _ b: UnsafeRawPointer?, _ rest: Double, _ finish: ChannelConversion,
    _ selected: SelectedChannel, group: Int, _ window: Int, _ plan: BatchPlan,
    to out: UnsafeMutableRawPointer
  ) {
    if finish.isPlain, b == nil {
      out.copyMemory(from: a, byteCount: selected.rowBytes)
      return
    }
    let count = selected.channel.elements
    makeRoom(count)
    if b == nil, finish.stored == selected.type, finish.decimals == nil, !finish.stored.isFloat,
      selected.following == nil, finish.depth == nil
    {
      // Whole numbers stay exact: only what is missing is written anew.
      out.copyMemory(from: a, byteCount: selected.rowBytes)
      if let fill = selected.fill?.integer, finish.missing == .sentinel {
        ElementWriting.fill(out, count: count, as: selected.type, with: fill)
      }
      return
    }
    let reading = ElementReading(
      type: finish.stored, decimals: finish.decimals, missing: finish.missing)
    low.withUnsafeMutableBufferPointer { low in
      guard let x = low.baseAddress else { return }
      reading.doubles(a, count: count, stride: finish.stored.size, into: x)
      if let b {
        high.withUnsafeMutableBufferPointer { high in
          guard let y = high.baseAddress else { return }
          reading.doubles(b, count: count, stride: finish.stored.size, into: y)
          Blending.blend(x, y, rest, count: count, selected.blend)
        }
      }
      finish.depth?.apply(x, count: count)
      if let following = selected.following {
        follow(following, x, count: count, window, plan)
      }
      if !selected.scale.isEmpty {
        selected.shift.withUnsafeBufferPointer { shift in
          selected.scale.withUnsafeBufferPointer { scale in
            let at = group * count
            for i in 0..<count { x[i] = (x[i] - shift[at + i]) * scale[at + i] }
          }
        }
      }
      if let fill = selected.fill?.number {
        for i in 0..<count where x[i].isNaN { x[i] = fill }
      }
      ElementWriting.write(x, count: count, as: selected.type, to: out)
    }
  }

  /// Changes values as the window's pictures were.
  private func follow(
    _ following: FrameFollowing, _ x: UnsafeMutablePointer<Double>, count: Int, _ window: Int,
    _ plan: BatchPlan
  ) {
    guard let frames = setup.frames, frames.follows else { return }
    var map = PixelMap()
    if case .pixels(let target, _) = following,
      let number = frames.followed.firstIndex(of: target)
    {
      map = plan.pixelMaps[window * frames.followed.count + number]
    }
    following.apply(x, count: count, map, isMirrored: plan.mirrored[window])
  }

  private func observe(
    _ from: UnsafeRawPointer, _ finish: ChannelConversion, _ selected: SelectedChannel,
    _ job: ConversionTask,
    _ t: Int, _ plan: BatchPlan, joins: Bool = false
  ) {
    guard let place = selected.observed else { return }
    let count = selected.channel.elements
    let out = plan.memory + place.byte(Int(job.window), t, Int(job.slot))
    makeRoom(count)
    let reading = ElementReading(
      type: finish.stored, decimals: finish.decimals, missing: finish.missing)
    high.withUnsafeMutableBufferPointer { buffer in
      guard let x = buffer.baseAddress else { return }
      if finish.missing == .never, finish.depth == nil {
        if !joins { memset(out, 1, count) }
        return
      }
      reading.doubles(from, count: count, stride: finish.stored.size, into: x)
      finish.depth?.apply(x, count: count)
      for i in 0..<count {
        let isObserved = !x[i].isNaN && (!joins || out.load(fromByteOffset: i, as: UInt8.self) != 0)
        out.storeBytes(of: isObserved ? 1 : 0, toByteOffset: i, as: UInt8.self)
      }
    }
  }
}

/// Values between two rows.
enum Blending {
  /// Moves each of `x` the share `rest` of the way to `y`.
  ///
  /// Angles go the short way round; quaternions along the great circle (Shoemake 1985), a row's elements
  /// being one or more of four.
  static func blend(
    _ x: UnsafeMutablePointer<Double>, _ y: UnsafeMutablePointer<Double>, _ rest: Double,
    count: Int,
    _ blend: Blend
  ) {
    switch blend {
    case .asOf, .nearest: return
    case .linear: for i in 0..<count { x[i] += (y[i] - x[i]) * rest }
    case .degrees, .radians:
      let turn = blend == .degrees ? 360 : 2 * Double.pi
      for i in 0..<count {
        var way = fmod(y[i] - x[i], turn)
        if way > turn / 2 { way -= turn }
        if way < -turn / 2 { way += turn }
        x[i] += way * rest
      }
    case .slerp:
      for q in stride(from: 0, to: count - 3, by: 4) {
        var dot = 0.0
        for i in q..<q + 4 { dot += x[i] * y[i] }
        let sign = dot < 0 ? -1.0 : 1.0
        // Half the angle between two of one length, exact for small ones where acos is not (Kahan).
        var (apart, along) = (0.0, 0.0)
        for i in q..<q + 4 {
          let (less, more) = (x[i] - sign * y[i], x[i] + sign * y[i])
          apart += less * less
          along += more * more
        }
        let angle = 2 * atan2(apart.squareRoot(), along.squareRoot())
        var (a, b) = (1 - rest, rest * sign)
        // Below that, a straight line is as near as a double can say.
        if angle > 1e-5 {
          a = sin((1 - rest) * angle) / sin(angle)
          b = sin(rest * angle) / sin(angle) * sign
        }
        var norm = 0.0
        for i in q..<q + 4 {
          x[i] = a * x[i] + b * y[i]
          norm += x[i] * x[i]
        }
        norm = norm.squareRoot()
        if norm > 0 { for i in q..<q + 4 { x[i] /= norm } }
      }
    }
  }
}

/// Doubles as elements of a type.
package enum ElementWriting {
  /// Puts `value` in place of each smallest integer, which says that nothing was observed.
  static func fill(
    _ out: UnsafeMutableRawPointer, count: Int, as type: ElementType, with value: Int
  ) {
    func each<T: FixedWidthInteger>(_ type: T.Type) {
      let (missing, value) = (T.min.littleEndian, T(truncatingIfNeeded: value).littleEndian)
      for i in 0..<count {
        let byte = i * MemoryLayout<T>.size
        if out.load(fromByteOffset: byte, as: T.self) == missing {
          out.storeBytes(of: value, toByteOffset: byte, as: T.self)
        }
      }
    }
    switch type {
    case .int8: each(Int8.self)
    case .int16: each(Int16.self)
    case .int32: each(Int32.self)
    case .int64: each(Int64.self)
    default: break  // the others have no number that says so
    }
  }

  /// Writes `count` elements. NaN becomes the smallest integer of an integer type; numbers beyond a type
  /// become its nearest.
  package static func write(
    _ x: UnsafePointer<Double>, count: Int, as type: ElementType, to out: UnsafeMutableRawPointer
  ) {
    func integers<T: FixedWidthInteger>(_ type: T.Type) {
      for i in 0..<count {
        let value = x[i].rounded(.towardZero)
        let integer = value.isNaN ? .min : T(exactly: value) ?? (value < 0 ? T.min : T.max)
        out.storeBytes(of: integer.littleEndian, toByteOffset: i * MemoryLayout<T>.size, as: T.self)
      }
    }
    switch type {
    case .float32:
      for i in 0..<count {
        out.storeBytes(
          of: Float(x[i]).bitPattern.littleEndian, toByteOffset: i * 4, as: UInt32.self)
      }
    case .float64:
      for i in 0..<count {
        out.storeBytes(of: x[i].bitPattern.littleEndian, toByteOffset: i * 8, as: UInt64.self)
      }
    case .bool:
      for i in 0..<count {
        out.storeBytes(of: x[i] != 0 && !x[i].isNaN ? 1 : 0, toByteOffset: i, as: UInt8.self)
      }
    case .int8: integers(Int8.self)
    case .int16: integers(Int16.self)
    case .int32: integers(Int32.self)
    case .int64: integers(Int64.self)
    case .uint8: integers(UInt8.self)
    case .uint16: integers(UInt16.self)
    case .uint32: integers(UInt32.self)
    case .uint64: integers(UInt64.self)
    case .bytes: break
    }
  }
}
