"""ctypes face of the signal functions of libtrajpack for the outside-truth checks and the benchmark."""

import ctypes as ct
import os
import pathlib
from fractions import Fraction

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDERS = [os.environ["TRAJPACK_BIN"]] if "TRAJPACK_BIN" in os.environ else [
    ROOT / ".build" / "release", ROOT / ".build" / "debug"]
BUILT = [p for p in (pathlib.Path(f) / "libtrajpack-c.so" for f in FOLDERS) if p.exists()]
if not BUILT:
    raise RuntimeError("libtrajpack-c.so is not built; run 'swift build', or set TRAJPACK_BIN")
lib = ct.CDLL(str(max(BUILT, key=lambda p: p.stat().st_mtime)))


class Error(ct.Structure):
    _fields_ = [("message", ct.c_char * 504)]


class CTimes(ct.Structure):
    _fields_ = [("form", ct.c_int32), ("count", ct.c_int64), ("a_num", ct.c_int64),
                ("a_den", ct.c_int64), ("b_num", ct.c_int64), ("b_den", ct.c_int64),
                ("values", ct.c_void_p)]


class Input(ct.Structure):
    _fields_ = [("dtype", ct.c_int32), ("rows", ct.c_int64), ("components", ct.c_int64),
                ("values", ct.c_void_p), ("observed", ct.c_void_p)]


class Output(ct.Structure):
    _fields_ = [("rows", ct.c_int64), ("values", ct.c_void_p), ("mask", ct.c_void_p)]


class SignalError(Exception):
    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


def call(name, *arguments):
    error = Error()
    code = getattr(lib, name)(*arguments, ct.byref(error))
    if code:
        raise SignalError(code, error.message.decode())


class Times:
    """regular(start, rate, count), ticks(array, unit) or floats(array)."""

    def __init__(self, form, count, a=Fraction(0), b=Fraction(1), values=None):
        self.keep = values
        self.count = count
        self.c = CTimes(form, count, a.numerator, a.denominator, b.numerator, b.denominator,
                        None if values is None else values.ctypes.data)

    @staticmethod
    def regular(rate, count, start=0):
        return Times(0, count, Fraction(start), Fraction(rate))

    @staticmethod
    def ticks(values, unit):
        values = np.ascontiguousarray(values, np.int64)
        return Times(1, len(values), b=Fraction(unit), values=values)

    @staticmethod
    def floats(values):
        values = np.ascontiguousarray(values, np.float64)
        return Times(2, len(values), values=values)


def pointer(array):
    return None if array is None else array.ctypes.data_as(ct.c_void_p)


def packed(x, observed=None):
    x = np.ascontiguousarray(x)
    components = int(np.prod(x.shape[1:]))
    dtype = {"float32": 0, "float64": 1}[x.dtype.name]
    mask = None if observed is None else np.ascontiguousarray(observed, np.uint8)
    c = Input(dtype, len(x), components, pointer(x), pointer(mask))
    return c, (x, mask)


def result(x, rows):
    shape = (rows,) + np.shape(x)[1:]
    out = np.empty(shape, np.asarray(x).dtype)
    mask = np.empty(shape, np.uint8)
    return out, mask, Output(rows, pointer(out), pointer(mask))


METHODS = {"previous": 0, "next": 1, "nearest": 2, "nearest-up": 3, "linear": 4, "hermite": 5,
           "natural": 6, "not-a-knot": 7, "clamped": 8, "pchip": 9, "akima": 10, "makima": 11,
           "counter": 12, "slerp": 20, "squad-xyzw": 21, "squad-wxyz": 22, "directions": 23,
           "squad-unknown": 24}
EDGES = {"missing": 0, "hold": 1, "extrapolate": 2, "reflect": 3}
FILTER_EDGES = {"zero": 0, "hold": 1, "reflect": 2, "line": 3, "mean": 4}
STATISTICS = {"mean": 0, "sum": 1, "min": 2, "max": 3, "first": 4, "last": 5, "count": 6}


def resample(source, target, method, x, observed=None, edges="missing", gap=-1.0, breaks=(),
             angle=None):
    i, keep = packed(x, observed)
    out, mask, o = result(x, target.count)
    rows = np.array(breaks, np.int64)
    turn = None if angle is None else np.array(angle, np.float64)
    call("tp_signal_resample", ct.byref(source.c), ct.byref(target.c), METHODS[method], EDGES[edges],
         ct.c_double(gap), pointer(rows), ct.c_int64(len(rows)), pointer(turn), ct.byref(i),
         ct.byref(o))
    return out, mask


def polyphase(x, up, down, edges="hold", observed=None, bridge=0):
    i, keep = packed(x, observed)
    out, mask, o = result(x, -(-len(x) * up // down))
    call("tp_signal_polyphase", ct.c_int64(up), ct.c_int64(down), FILTER_EDGES[edges],
         ct.c_int64(bridge), ct.byref(i), ct.byref(o))
    return out, mask


def moving_mean(source, target, width, x, observed=None, gap=-1.0):
    i, keep = packed(x, observed)
    out, mask, o = result(x, target.count)
    call("tp_signal_moving_mean", ct.byref(source.c), ct.byref(target.c), ct.c_double(width),
         ct.c_double(gap), ct.byref(i), ct.byref(o))
    return out, mask


def bins(source, clock, statistic, x, observed=None):
    i, keep = packed(x, observed)
    out, mask, o = result(x, clock.count)
    call("tp_signal_bins", ct.byref(source.c), ct.byref(clock.c), STATISTICS[statistic], ct.byref(i),
         ct.byref(o))
    return out, mask


def align(stream, reference, direction, tolerance=None, same=True):
    rows = np.empty(reference.count, np.int32)
    offsets = np.empty(reference.count)
    exact = tolerance if isinstance(tolerance, Fraction) else Fraction(0)
    den = exact.denominator if isinstance(tolerance, Fraction) else 0
    number = -1.0 if tolerance is None or den else float(tolerance)
    call("tp_signal_align", ct.byref(stream.c), ct.byref(reference.c),
         ["backward", "forward", "nearest", "exact"].index(direction), ct.c_double(number),
         ct.c_int64(exact.numerator), ct.c_int64(den), int(same), pointer(rows), pointer(offsets))
    return rows, offsets


class CSeries(ct.Structure):
    _fields_ = [("values", ct.c_void_p), ("rows", ct.c_int64), ("components", ct.c_int64),
                ("channel", ct.c_int64), ("episodes", ct.c_void_p), ("episode_count", ct.c_int64)]


def series(x, channel=0, episodes=None):
    x = np.ascontiguousarray(x, np.float64)
    runs = None if episodes is None else np.array(episodes, np.int64).reshape(-1, 2)
    c = CSeries(pointer(x), len(x), int(np.prod(x.shape[1:])), channel, pointer(runs),
                0 if runs is None else len(runs))
    c.keep = (x, runs)
    return c


def integer(value):
    return ct.c_int64(int(value))


def autocorrelation(x, max_lag, **options):
    out = np.empty(max_lag + 1)
    call("tp_signal_autocorrelation", ct.byref(series(x, **options)), integer(max_lag), pointer(out))
    return out


def mutual_information(x, max_lag, estimator="bins", parameter=64, **options):
    out, bins_ = np.empty(max_lag + 1), ct.c_int64()
    code = ["bins", "bisection", "ksg"].index(estimator)
    call("tp_signal_mutual_information", ct.byref(series(x, **options)), integer(max_lag), code,
         integer(parameter), pointer(out), ct.byref(bins_))
    return out, bins_.value


def false_neighbours(x, lag, max_dimension, window, ratio=10., size=2., threads=1, **options):
    out = np.empty((3, max_dimension))
    call("tp_signal_false_neighbours", ct.byref(series(x, **options)), integer(lag),
         integer(max_dimension), integer(window), threads, ct.c_double(ratio), ct.c_double(size),
         pointer(out))
    return out


def cao(x, lag, max_dimension, window, metric="maximum", threads=1, **options):
    out = np.empty((2, max_dimension))
    call("tp_signal_cao", ct.byref(series(x, **options)), integer(lag), integer(max_dimension),
         integer(window), threads, ["maximum", "euclidean"].index(metric), pointer(out))
    return out


def chosen(name, x, *arguments):
    coordinates, figures, count = np.empty((64, 2), np.int64), np.full(64, np.nan), ct.c_int64()
    call(name, ct.byref(series(x)), *arguments, pointer(coordinates), pointer(figures),
         integer(64), ct.byref(count))
    return coordinates[:count.value], figures[:max(count.value - 1, 0)]


def mdop(x, max_lag, window=1, ratio=2., threshold=.05, max_cycles=50):
    return chosen("tp_signal_mdop", x, integer(max_lag), integer(window), ct.c_double(ratio),
                  ct.c_double(threshold), integer(max_cycles))


def pecuzal(x, max_lag, window=0, threshold=0., economic=False):
    return chosen("tp_signal_pecuzal", x, integer(max_lag), integer(window), ct.c_double(threshold),
                  int(economic))


def noise_amplification(x, max_horizon, k=3, window=1):
    value = ct.c_double()
    call("tp_signal_noise_amplification", ct.byref(series(x)), integer(max_horizon), integer(k),
         integer(window), ct.byref(value))
    return value.value


def augmented_covariance(x, order, lag, centred=False):
    size = order * int(np.prod(np.shape(x)[1:]))
    out = np.empty((size, size))
    call("tp_signal_augmented_covariance", ct.byref(series(x)), integer(order), integer(lag),
         int(centred), pointer(out))
    return out


def embed(x, coordinates, backward=False, skips_short=False, **options):
    coordinates, count = np.array(coordinates, np.int64).reshape(-1, 2), ct.c_int64()
    head = (ct.byref(series(x, **options)), pointer(coordinates), integer(len(coordinates)),
            int(backward), int(skips_short))
    call("tp_signal_embed", *head, None, ct.byref(count))
    out = np.empty((count.value, len(coordinates)))
    call("tp_signal_embed", *head, pointer(out), ct.byref(count))
    return out


MECHANISMS = ["entries", "exact", "rows", "kept-rows", "listed", "blocks", "channels", "drivers",
              "value", "above"]


def mask(mechanism, amount, x, observed=None, numbers=None, weights=None, seed=0, stream=0):
    i, keep = packed(x)
    out = np.ones(np.shape(x), np.uint8) if observed is None else np.array(observed, np.uint8)
    ns = None if numbers is None else np.array(numbers, np.int64)
    ws = None if weights is None else np.array(weights, np.float64)
    count = len(ns) if ns is not None else len(ws) if ws is not None else 0
    call("tp_signal_mask", MECHANISMS.index(mechanism), ct.c_double(amount), pointer(ns), pointer(ws),
         integer(count), ct.c_uint64(seed), ct.c_uint64(stream), ct.byref(i), pointer(out))
    return out


def random_words(seed, stream, count):
    out = np.empty(count, np.uint64)
    call("tp_signal_random", ct.c_uint64(seed), ct.c_uint64(stream), integer(count), pointer(out))
    return out


def time_since(times, observed, dtype=np.float64):
    i, keep = packed(np.zeros(np.shape(observed), dtype), observed)
    out = np.empty(np.shape(observed), dtype)
    call("tp_signal_time_since", ct.byref(times.c), ct.byref(i), pointer(out))
    return out


def coefficients(kind, times, x, queries=()):
    i, keep = packed(x)
    c = int(np.prod(x.shape[1:]))
    out = np.empty((len(x) - 1, 4 * c), x.dtype)
    q = np.array(queries, np.float64)
    path, slope = np.empty((len(q), c), x.dtype), np.empty((len(q), c), x.dtype)
    call("tp_signal_coefficients", ["natural", "hermite"].index(kind), ct.byref(times.c), ct.byref(i),
         pointer(out), pointer(q), integer(len(q)), pointer(path), pointer(slope))
    return out, path, slope


def rectilinear(x, time_component, look_ahead=False):
    i, keep = packed(x)
    out, _, o = result(x, 2 * len(x) - 1)
    call("tp_signal_rectilinear", ct.byref(i), integer(time_component), int(look_ahead), ct.byref(o))
    return out


def quantise(times, quantum, x):
    i, keep = packed(x)
    out, seen, o = result(x, len(x))
    ticks, rows = np.empty(len(x), np.int64), ct.c_int64()
    call("tp_signal_quantise", ct.byref(times.c), ct.c_double(quantum), ct.byref(i), pointer(ticks),
         ct.byref(o), ct.byref(rows))
    n = rows.value
    return ticks[:n], out[:n], seen[:n]
