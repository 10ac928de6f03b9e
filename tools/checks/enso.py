"""Recomputes the published phase-space table of the ENSO sonification from its trajectories.

    python tools/checks/enso.py FOLDER

FOLDER holds phase_space_metrics.csv and state_variables_<mode>.csv.gz (or .csv) of the repository
sandyherho/suppl-enso-javanese-sonification; they are not part of this project. Every row of the
table must come out to 1e-9. Exits with 1 if one does not, with 2 if there is nothing to check.
"""

import csv
import gzip
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from evaluate_native import values

COLUMNS = {
    "area": "hull_area",
    "path_length": "path_length",
    "centroid_brightness": "centroid_0",
    "centroid_energy": "centroid_1",
    "spread_brightness": "spread_0",
    "spread_energy": "spread_1",
    "correlation": "correlation",
    "revisit_rate": "revisit_rate",
    "exploration_index": "exploration",
}


def trajectory(path):
    opened = gzip.open(path, "rt") if path.suffix == ".gz" else open(path)
    with opened as file:
        rows = list(csv.DictReader(file))
    names = ("spectral_centroid_smooth_norm", "rms_energy_smooth_norm")
    return np.array([[float(row[name]) for name in names] for row in rows])


def main(folder):
    table = folder / "phase_space_metrics.csv"
    if not table.exists():
        print(f"{table} does not exist", file=sys.stderr)
        return 2
    wrong = 0
    with open(table) as file:
        for row in csv.DictReader(file):
            found = sorted(folder.glob(f"state_variables_{row['mode']}.csv*"))
            if not found:
                print(f"{row['mode']}: its trajectory is not in {folder}")
                wrong += 1
                continue
            ours = values("attractor.geometry", series=trajectory(found[0]))
            off = 0.0
            for column, name in COLUMNS.items():
                published = float(row[column])
                off = max(off, abs(ours[f"attractor.{name}"] / published - 1))
            wrong += off > 1e-9
            print(f"{row['mode']}: largest relative difference {off:.1e}")
    return 1 if wrong else 0


if len(sys.argv) != 2:
    sys.exit(__doc__)
sys.exit(main(Path(sys.argv[1])))
