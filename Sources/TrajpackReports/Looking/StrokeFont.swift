/// Letters as strokes, for pictures that must be drawn where no font is: any size, one look everywhere.
///
/// A glyph is strokes of points, each two digits: x from 0 to 4, y from 0 (the lowest) to 8, with the baseline at 2, the
/// top of small letters at 6 and that of capitals at 8. A single point is a dot.
enum StrokeFont {
  /// From the baseline to the top of capitals, in units of the grid.
  static let capital = 6.0

  /// The strokes of a character and how far the next one is.
  static func glyph(_ scalar: Unicode.Scalar) -> (strokes: [[SIMD2<Double>]], advance: Double) {
    table[scalar] ?? table["\u{25A1}"] ?? ([], 3)
  }

  /// How wide a text is, in units of the grid.
  static func width(_ text: String) -> Double {
    text.unicodeScalars.reduce(0) { $0 + glyph($1).advance }
  }

  private static let table: [Unicode.Scalar: (strokes: [[SIMD2<Double>]], advance: Double)] = {
    var out: [Unicode.Scalar: (strokes: [[SIMD2<Double>]], advance: Double)] = [" ": ([], 3)]
    for line in source.split(separator: "\n") {
      let words = line.split(separator: " ", maxSplits: 1)
      guard words.count == 2, let scalar = words[0].unicodeScalars.first else { continue }
      var strokes: [[SIMD2<Double>]] = []
      for stroke in words[1].split(separator: ",") {
        let points = stroke.split(separator: " ").compactMap { word -> SIMD2<Double>? in
          guard let number = Int(word) else { return nil }
          return SIMD2(Double(number / 10), Double(number % 10))
        }
        if !points.isEmpty { strokes.append(points) }
      }
      let all = strokes.joined()
      let left = all.map(\.x).min() ?? 0
      // Narrow letters take less room.
      out[scalar] = (
        strokes.map { $0.map { SIMD2($0.x - left, $0.y) } },
        (all.map(\.x).max() ?? 0) - left + 1.7
      )
    }
    return out
  }()

  private static let source = """
    A 02 28 42,14 34
    B 02 08 38 47 46 35 05,35 44 43 32 02
    C 47 38 18 07 03 12 32 43
    D 02 08 28 47 43 22 02
    E 48 08 02 42,05 35
    F 48 08 02,05 35
    G 47 38 18 07 03 12 32 43 45 25
    H 02 08,42 48,05 45
    I 18 38,28 22,12 32
    J 38 33 22 12 03
    K 02 08,48 05 42
    L 08 02 42
    M 02 08 25 48 42
    N 02 08 42 48
    O 18 38 47 43 32 12 03 07 18
    P 02 08 38 47 46 35 05
    Q 18 38 47 43 32 12 03 07 18,24 42
    R 02 08 38 47 46 35 05,25 42
    S 47 38 18 07 06 15 35 44 43 32 12 03
    T 08 48,28 22
    U 08 03 12 32 43 48
    V 08 22 48
    W 08 12 26 32 48
    X 08 42,02 48
    Y 08 25 48,25 22
    Z 08 48 02 42
    a 46 42,45 36 16 05 03 12 32 43
    b 08 02,05 16 36 45 43 32 12 03
    c 45 36 16 05 03 12 32 43
    d 48 42,45 36 16 05 03 12 32 43
    e 04 44 45 36 16 05 03 12 32 43
    f 38 27 22,16 36
    g 46 41 30 10 01,45 36 16 05 03 12 32 43
    h 08 02,05 16 36 45 42
    i 26 22,28
    j 26 21 10,28
    k 08 02,46 04 42
    l 28 23 32
    m 02 06,05 16 25 22,25 36 45 42
    n 02 06,05 16 36 45 42
    o 16 36 45 43 32 12 03 05 16
    p 00 06,05 16 36 45 43 32 12 03
    q 40 46,45 36 16 05 03 12 32 43
    r 12 16,15 26 36
    s 45 36 16 05 14 34 43 32 12 03
    t 18 13 22 32,06 36
    u 06 03 12 32 43,46 42
    v 06 22 46
    w 06 12 25 32 46
    x 06 42,02 46
    y 06 22,46 22 10
    z 06 46 02 42
    0 18 38 47 43 32 12 03 07 18,13 37
    1 17 28 22
    2 07 18 38 47 46 02 42
    3 07 18 38 47 46 35 15,35 44 43 32 12 03
    4 32 38 04 44
    5 48 08 05 35 44 43 32 12 03
    6 38 18 07 03 12 32 43 44 35 05
    7 08 48 12
    8 15 06 07 18 38 47 46 35 15 04 03 12 32 43 44 35
    9 45 15 06 07 18 38 47 43 32 12
    . 22
    , 22 11
    : 22,25
    ; 22 11,25
    - 14 34
    + 04 44,22 26
    = 03 43,05 45
    _ 01 41
    / 01 48
    \\ 08 41
    | 21 28
    ! 28 24,22
    ? 07 18 38 47 46 25 24,22
    ( 28 17 13 22
    ) 18 27 23 12
    [ 28 18 12 22
    ] 18 28 22 12
    { 38 27 26 15 24 23 32
    } 18 27 26 35 24 23 12
    < 46 04 42
    > 06 44 02
    ' 28 26
    " 18 16,38 36
    # 12 18,32 38,04 44,06 46
    % 02 48,08 17,33 42
    & 42 06 07 18 27 04 03 12 22 44
    * 23 27,04 46,06 44
    @ 34 25 14 23 34 43 47 38 18 07 03 12 32
    $ 47 38 18 07 06 15 35 44 43 32 12 03,28 22
    ^ 06 28 46
    ` 18 27
    ~ 04 15 34 45
    \u{D7} 03 45,05 43
    \u{B7} 25
    \u{B0} 18 28 27 17 18
    \u{2013} 04 44
    \u{2026} 02,22,42
    \u{B5} 00 06,03 12 32 43,46 42
    \u{25A1} 02 08 48 42 02
    """
}
