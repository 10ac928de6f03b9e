"""D_stsp and D_H of GTF's own Lorenz-63 files against what GTF's and AL-RNN's code gives.

    python tools/checks/gtf.py FOLDER

FOLDER holds lorenz63_test.npy and lorenz63_on0.05_train.npy of DurstewitzLab/GTF-shPLRNN
(ICML2023_datasets/Lorenz63); they are not part of this project. The figures are those recorded in
the project's reference notes, to six digits. Exits with 1 if one differs.
"""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from evaluate_native import values

STSP = "attractor.d_stsp"
D_H = "attractor.d_h"
FIGURES = [
    ("halves", STSP, {}, 0.231312),
    ("halves", STSP, {"span": "legacy"}, 0.303803),
    ("halves", STSP, {"span": "alrnn_python"}, 0.253881),
    ("halves", STSP, {"bins": 8}, 0.037984),
    ("halves", D_H, {}, 0.054301),
    ("halves", D_H, {"edge": "mirror"}, 0.054339),
    ("halves", D_H, {"sigma": 0}, 0.477066),
    ("halves", D_H, {"sigma": 1}, 0.266413),
    ("noisy", STSP, {}, 0.118704),
    ("noisy", STSP, {"span": "legacy"}, 0.219101),
    ("noisy", STSP, {"span": "alrnn_python"}, 0.127185),
    ("noisy", D_H, {}, 0.069624),
]


def main(folder):
    test = np.load(folder / "lorenz63_test.npy")
    noisy = np.load(folder / "lorenz63_on0.05_train.npy")
    middle = len(test) // 2
    pairs = {"halves": (test[:middle], test[middle:]), "noisy": (test, noisy)}
    wrong = 0
    for pair, name, options, expected in FIGURES:
        truth, generated = pairs[pair]
        evaluator = STSP if name == STSP else "attractor.spectrum"
        ours = values(evaluator, options, truth=truth, generated=generated)[name]
        wrong += abs(ours - expected) > 1.5e-6
        print(f"{pair:7} {name} {options}: {ours:.6f}, expected {expected:.6f}")
    return 1 if wrong else 0


if len(sys.argv) != 2:
    sys.exit(__doc__)
sys.exit(main(Path(sys.argv[1])))
