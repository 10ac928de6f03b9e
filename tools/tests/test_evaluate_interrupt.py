"""A signal ends `trajpack evaluate`, and Ctrl-C a call from Python, within seconds, however long the computation."""
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from conftest import ROOT, built

# What each would take at least a minute for, on any machine.
LONG = {
    "forecast.dtw": (150_000, []),
    "attractor.correlation_dimension": (150_000, []),
    "attractor.recurrence": (60_000, []),
    "attractor.lyapunov": (100_000, ["--set", "method=kantz"]),
    "forecast.mutual_information": (2_000_000, []),
}
# A shell that starts the tests in the background has them ignore Ctrl-C, and what they start.
PYTHON = """
import numpy as np, signal, sys, trajpack.evaluate
signal.signal(signal.SIGINT, signal.default_int_handler)
x = np.random.default_rng(0).normal(size=(int(sys.argv[2]), 2))
names = {"forecast.dtw": ("truth", "prediction"), "forecast.mutual_information": ("truth", "prediction")}
print("begins", flush=True)
try:
    trajpack.evaluate.score(sys.argv[1], **{n: x + i for i, n in enumerate(names.get(sys.argv[1], ("series",)))},
                            **({"method": "kantz"} if "lyapunov" in sys.argv[1] else {}))
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


def series(folder, rows):
    np.savez(folder / "a.npz", x=np.random.default_rng(0).normal(size=rows), y=np.random.default_rng(1).normal(size=rows))
    subprocess.run([built("trajpack"), "convert", folder / "a.npz", folder / "ds", "--rate", "100", "--quiet"], check=True)
    return folder / "ds"


# The command measures each channel by itself, which takes mutual information less than two seconds.
@pytest.mark.parametrize("metric", [m for m in LONG if m != "forecast.mutual_information"])
def test_the_command_hears_the_first_signal(metric, tmp_path, start):
    rows, words = LONG[metric]
    source = series(tmp_path, rows)
    report = tmp_path / "report.json"
    process = start([built("trajpack"), "evaluate", source, source, "--metric", metric, *words, "-o", report],
                    stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    time.sleep(2)
    assert process.poll() is None, "it was not long"
    process.send_signal(signal.SIGTERM)
    began = time.monotonic()
    _, said = process.communicate(timeout=60)
    assert time.monotonic() - began < 20
    assert process.returncode == 128 + signal.SIGTERM
    assert "no report was made" in said and not report.exists()


@pytest.mark.parametrize("metric", LONG)
def test_python_hears_ctrl_c(metric, start):
    process = start([sys.executable, "-c", PYTHON, metric, LONG[metric][0]], stdout=subprocess.PIPE,
                    env={**os.environ, "PYTHONPATH": str(ROOT / "tools" / "python" / "src")})
    assert process.stdout.readline() == "begins\n"
    time.sleep(1)
    assert process.poll() is None, "it was not long"
    process.send_signal(signal.SIGINT)
    began = time.monotonic()
    said, _ = process.communicate(timeout=60)
    assert time.monotonic() - began < 20
    assert said == "interrupted\n" and process.returncode == 0
