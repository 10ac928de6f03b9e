import Glibc

/// The discrete Fourier transform of any length: mixed radix for lengths whose primes are small,
/// Bluestein's chirp (1970) for the rest. Forward, unscaled: X[k] = Σ x[n] e^{−2πikn/N}.
enum FourierTransform {
  /// |X[k]|² for k = 0…⌊N/2⌋ of a real series.
  static func power(_ series: [Double]) -> [Double] {
    let n = series.count
    guard n > 0 else { return [] }
    var re = series
    var im = [Double](repeating: 0, count: n)
    forward(&re, &im)
    return (0...(n / 2)).map { re[$0] * re[$0] + im[$0] * im[$0] }
  }

  /// Transforms in place.
  static func forward(_ re: inout [Double], _ im: inout [Double]) {
    let n = re.count
    guard n > 1 else { return }
    let factors = factorise(n)
    if let largest = factors.max(), largest <= 13 {
      mixedRadix(&re, &im, factors)
    } else {
      bluestein(&re, &im)
    }
  }

  /// The prime factors, with fours taken together.
  private static func factorise(_ length: Int) -> [Int] {
    var rest = length
    var factors: [Int] = []
    while rest % 4 == 0 {
      factors.append(4)
      rest /= 4
    }
    var prime = 2
    while prime * prime <= rest {
      while rest % prime == 0 {
        factors.append(prime)
        rest /= prime
      }
      prime += 1
    }
    if rest > 1 { factors.append(rest) }
    return factors
  }

  /// Stockham's self-sorting transform, one pass a factor.
  private static func mixedRadix(_ re: inout [Double], _ im: inout [Double], _ factors: [Int]) {
    let n = re.count
    let table = roots(n)
    var outRe = [Double](repeating: 0, count: n)
    var outIm = outRe
    var done = 1
    var accRe = [Double](repeating: 0, count: 13)
    var accIm = accRe
    for radix in factors {
      // Before: `done` transforms of interleaved sub-series are finished. Now join `radix` of them.
      let groups = n / (done * radix)
      for group in 0..<groups {
        for k in 0..<done {
          for r in 0..<radix {
            let place = (r * groups + group) * done + k
            let turn = r * k * groups % n
            let (c, s) = (table.re[turn], table.im[turn])
            accRe[r] = re[place] * c - im[place] * s
            accIm[r] = re[place] * s + im[place] * c
          }
          for q in 0..<radix {
            var sumRe = 0.0
            var sumIm = 0.0
            for r in 0..<radix {
              let turn = (q * r % radix) * (n / radix)
              let (c, s) = (table.re[turn], table.im[turn])
              sumRe += accRe[r] * c - accIm[r] * s
              sumIm += accRe[r] * s + accIm[r] * c
            }
            let place = group * done * radix + q * done + k
            outRe[place] = sumRe
            outIm[place] = sumIm
          }
        }
      }
      swap(&re, &outRe)
      swap(&im, &outIm)
      done *= radix
    }
  }

  /// e^{−2πik/n} for k = 0…n−1.
  private static func roots(_ n: Int) -> (re: [Double], im: [Double]) {
    var re = [Double](repeating: 0, count: n)
    var im = re
    for k in 0..<n {
      let angle = -2 * Double.pi * Double(k) / Double(n)
      re[k] = cos(angle)
      im[k] = sin(angle)
    }
    return (re, im)
  }

  /// Any length as a convolution of a power of two.
  private static func bluestein(_ re: inout [Double], _ im: inout [Double]) {
    let n = re.count
    var size = 1
    while size < 2 * n - 1 { size *= 2 }
    var chirpRe = [Double](repeating: 0, count: n)
    var chirpIm = chirpRe
    for k in 0..<n {
      // k² mod 2n keeps the angle exact for large k.
      let square = Int((UInt64(k) &* UInt64(k)) % UInt64(2 * n))
      let angle = -Double.pi * Double(square) / Double(n)
      chirpRe[k] = cos(angle)
      chirpIm[k] = sin(angle)
    }
    var aRe = [Double](repeating: 0, count: size)
    var aIm = aRe
    var bRe = aRe
    var bIm = aRe
    for k in 0..<n {
      aRe[k] = re[k] * chirpRe[k] - im[k] * chirpIm[k]
      aIm[k] = re[k] * chirpIm[k] + im[k] * chirpRe[k]
      bRe[k] = chirpRe[k]
      bIm[k] = -chirpIm[k]
      if k > 0 {
        bRe[size - k] = chirpRe[k]
        bIm[size - k] = -chirpIm[k]
      }
    }
    let factors = factorise(size)
    mixedRadix(&aRe, &aIm, factors)
    mixedRadix(&bRe, &bIm, factors)
    for k in 0..<size {
      let x = aRe[k] * bRe[k] - aIm[k] * bIm[k]
      let y = aRe[k] * bIm[k] + aIm[k] * bRe[k]
      // The inverse transform is the forward one of the conjugate.
      aRe[k] = x
      aIm[k] = -y
    }
    mixedRadix(&aRe, &aIm, factors)
    let scale = 1 / Double(size)
    for k in 0..<n {
      let x = aRe[k] * scale
      let y = -aIm[k] * scale
      re[k] = x * chirpRe[k] - y * chirpIm[k]
      im[k] = x * chirpIm[k] + y * chirpRe[k]
    }
  }
}
