/// The power spectrum of a series, for pictures.
public enum PowerSpectrum {
  /// |rfft(x − mean)|² of `series`: ⌊N/2⌋ + 1 bins, of any length N.
  public static func of(_ series: [Double]) -> [Double] {
    let mean = Statistics.mean(series)
    return FourierTransform.power(series.map { $0 - mean })
  }
}
