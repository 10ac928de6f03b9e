"""Times TrajpackSignal and its peers side by side, interleaved, and prints ratios of medians.

    python tools/bench/signals.py [--scale 1.0] [--repeat 5] [--only NAME]

Peers that are not installed are left out and said so. Build first: swift build -c release
--product trajpack-c.
"""

import argparse
import importlib
import os
import pathlib
import statistics
import sys
import threading
import time
import warnings

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "python" / "src"))
if "TRAJPACK_BIN" in os.environ:
    os.environ["TRAJPACK_LIBRARY"] = os.path.join(os.environ["TRAJPACK_BIN"], "libtrajpack-c.so")
import trajpack.signal as s  # noqa: E402
from trajpack.signal import Times  # noqa: E402

warnings.simplefilter("ignore")


def compare(name, wanted, ours, peer, repeat):
    times = [[], []]
    for _ in range(repeat):
        for which, run in enumerate((ours, peer)):
            begin = time.perf_counter()
            run()
            times[which].append(time.perf_counter() - begin)
    a, b = map(statistics.median, times)
    ratio = b / a
    print(f"{name:44s} ours {a:9.4f} s  peer {b:9.4f} s  ratio {ratio:8.2f}  wanted {wanted:5.1f}"
          f"  {'ok' if ratio >= wanted else 'SHORT'}", flush=True)


def both(run, parts):
    """Calls run(part) in two threads: ctypes gives up the interpreter's lock."""
    threads = [threading.Thread(target=run, args=(p,)) for p in parts]
    for t in threads:
        t.start()
    for t in threads:
        t.join()


def lorenz(n):
    u, out = np.array([1., 1, 1]), np.empty(n + 2000)
    f = lambda u: np.array([10 * (u[1] - u[0]), u[0] * (28 - u[2]) - u[1], u[0] * u[1] - 8 / 3 * u[2]])  # noqa
    for i in range(n + 2000):
        out[i] = u[0]
        a = f(u)
        b = f(u + .005 * a)
        c = f(u + .005 * b)
        u = u + .01 / 6 * (a + 2 * b + 2 * c + f(u + .01 * c))
    return out[2000:]


def module(name):
    try:
        return importlib.import_module(name)
    except ImportError:
        print(f"{name} is not installed: left out")
        return None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    samples = int(1e7 * options.scale)
    tests = {}

    def test(function):
        tests[function.__name__] = function

    from scipy import interpolate, signal, spatial

    @test
    def splines():
        rows = samples // 64
        t = np.cumsum(rng.uniform(.5, 1.5, rows))
        x = rng.normal(size=(rows, 64))
        q = np.linspace(t[0], t[-1], rows)
        source, target = Times.floats(t), Times.floats(q)
        for name, peer in (("natural", lambda: interpolate.CubicSpline(t, x, bc_type="natural")(q)),
                           ("not-a-knot", lambda: interpolate.CubicSpline(t, x)(q)),
                           ("pchip", lambda: interpolate.PchipInterpolator(t, x)(q)),
                           ("makima", lambda: interpolate.Akima1DInterpolator(t, x, method="makima")(q))):
            compare(f"{name}, 64 channels of {rows}", 3, lambda: s.resample(x, source, target, name),
                    peer, min(options.repeat, 3))

    @test
    def spline_one_channel():
        x = rng.normal(size=samples)
        t = np.cumsum(rng.uniform(.5, 1.5, samples))
        q = np.linspace(t[0], t[-1], samples)
        compare(f"natural, 1 channel of {samples}", 3,
                lambda: s.resample(x, Times.floats(t), Times.floats(q), "natural"),
                lambda: interpolate.CubicSpline(t, x, bc_type="natural")(q), min(options.repeat, 3))

    @test
    def polyphase():
        x = rng.normal(size=samples)
        y = x.reshape(-1, 64)[:samples // 64]
        for up, down in ((1, 4), (3, 2), (160, 147)):
            compare(f"polyphase {up}/{down}, 1 channel", 1.5, lambda: s.polyphase(x, up, down, edges="zero"),
                    lambda: signal.resample_poly(x, up, down), options.repeat)
            compare(f"polyphase {up}/{down}, 64 channels", 1.5, lambda: s.polyphase(y, up, down, edges="zero"),
                    lambda: signal.resample_poly(y, up, down, axis=0), options.repeat)

    @test
    def slerp():
        n = samples // 10
        r = spatial.transform.Rotation.random(n, random_state=0)
        t, key = np.arange(float(n)), r.as_quat()
        for factor in (1, 4):
            q = np.sort(rng.uniform(0, n - 1, n * factor))
            compare(f"slerp, {n} knots to {n * factor}", 10,
                    lambda: s.resample(key, Times.floats(t), Times.floats(q), "slerp"),
                    lambda: spatial.transform.Slerp(t, r)(q).as_quat(), options.repeat)

    @test
    def mutual_information():
        x = lorenz(50_000)
        neurokit = module("neurokit2")
        if neurokit:
            compare("AMI 100 lags, n 50000, neurokit2", 20, lambda: s.mutual_information(x, 100),
                    lambda: neurokit.complexity_delay(x, delay_max=100, method="fraser1986", show=False),
                    min(options.repeat, 3))
        teaspoon = module("teaspoon.parameter_selection.MI_delay")
        if teaspoon:
            short = x[:10_000]
            compare("AMI 100 lags, n 10000, teaspoon basic", 5, lambda: s.mutual_information(short, 100),
                    lambda: teaspoon.MI_for_delay(short, plotting=False, method="basic",
                                                  h_method="standard", k=2, ranking=False), 3)
        long = np.tile(x, samples // len(x)) + rng.normal(size=samples // len(x) * len(x)) * .01
        halves = (long[:len(long) // 2], long[len(long) // 2:])

        def numpy_ami(lags):
            for k in lags:
                np.histogram2d(long[:len(long) - k], long[k:], 64)

        # Two lags of the plain definition stand for a hundred.
        compare(f"AMI 2 lags of numpy x 50 / 100 lags, n {len(long)}", 20 / 50,
                lambda: s.mutual_information(long, 100), lambda: numpy_ami([1, 2]), 1)
        compare("  the same, two threads (an episode each)", 20 / 50,
                lambda: both(lambda h: s.mutual_information(h, 100), halves), lambda: numpy_ami([1, 2]), 1)

    @test
    def neighbours():
        x = lorenz(50_000)
        lag, top = 17, 8

        def kdtree(window, metric, workers):
            for m in range(1, top + 2):
                n = len(x) - m * lag
                y = np.stack([x[k * lag:k * lag + n] for k in range(m)], 1)
                last = x[m * lag:]
                tree = spatial.cKDTree(y)
                left, k = np.arange(n), 2 if window == 0 else 8
                near, gap = np.zeros(n, int), np.full(n, np.inf)
                while len(left):
                    d, j = tree.query(y[left], k, p=metric, workers=workers)
                    ok = (np.abs(j - left[:, None]) > window) & (d > 0)
                    found = ok.any(1)
                    first = ok.argmax(1)
                    rows = np.flatnonzero(found)
                    near[left[rows]] = j[rows, first[rows]]
                    gap[left[rows]] = d[rows, first[rows]]
                    left = left[~found]
                    k = min(2 * k, n)
                e = np.maximum(gap, np.abs(last - last[near])) / gap
                e.mean(), np.abs(last - last[near]).mean()

        for window in (0, 50):
            for workers in (1, 2):
                compare(f"Cao d 1..8, n 50000, window {window}, {workers} thr.", 5,
                        lambda: s.cao(x, lag, top, window, threads=workers), lambda: kdtree(window, np.inf, workers), 3)
            compare(f"FNN d 1..9, n 50000, window {window}, 2 thr.", 5,
                    lambda: s.false_neighbours(x, lag, top + 1, window, threads=2), lambda: kdtree(window, 2, 2), 3)

    @test
    def coefficients():
        torchcde, torch = module("torchcde"), module("torch")
        if not torchcde:
            return
        torch.set_num_threads(2)
        t = np.cumsum(rng.uniform(.5, 1.5, 200))
        x = rng.normal(size=(16, 200, 8))
        x[rng.random(x.shape) < .3] = np.nan
        tt, tx = torch.tensor(t), torch.tensor(x)
        times = Times.floats(t)
        compare("natural cubic coefficients with NaN", 10,
                lambda: [s.path("natural", times, y) for y in x],
                lambda: torchcde.natural_cubic_coeffs(tx, tt), options.repeat)

    for name, function in tests.items():
        if options.only in name:
            function()


if __name__ == "__main__":
    main()
