#!/usr/bin/env bash
# Format and lint Swift, build with warnings as errors, and check C, shell and Python. Says nothing of what is well.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

swift format lint --strict --parallel -r Sources Tests Package.swift
swift build --quiet --build-tests           # Package.swift makes every warning of Swift an error

mapfile -t flags < <(pkg-config --cflags hdf5 zlib libzstd liblz4 libavformat libavcodec libswscale libavutil | tr ' ' '\n' | grep . || true)
for file in Sources/C*/*.c; do
  clang -fsyntax-only -std=gnu17 -Wall -Wextra -Werror "${flags[@]}" -I Sources/CLazyLoading/include -I "$(dirname "$file")/include" "$file"
done
for script in tools/*.sh tools/wheel/*.sh .ci/run; do bash -n "$script"; done
.venv/bin/python - tools fixtures <<'PYTHON'
import ast, pathlib, sys
for path in sorted(p for root in sys.argv[1:] for p in pathlib.Path(root).rglob("*.py")):
    ast.parse(path.read_text(), str(path))
PYTHON
.venv/bin/python tools/python/generate_bindings.py --check
.venv/bin/python tools/python/generate_options.py --check --library .build/debug/libtrajpack-c.so
.venv/bin/ruff check --quiet --config tools/python/pyproject.toml tools/python/src
(cd tools/python && ../../.venv/bin/mypy --no-error-summary --cache-dir ../../build/mypy)
echo "check: good"
