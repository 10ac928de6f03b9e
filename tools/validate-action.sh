#!/usr/bin/env bash
# What action.yml runs: trajpack validate, with the inputs of the action from the environment.
set -euo pipefail
program=${TRAJPACK_PROGRAM:-trajpack}
if [[ -n "${TRAJPACK_WHEEL:-}" ]]; then
  # The program is one of the wheel's scripts. It needs none of the packages that the wheel's Python asks for.
  [[ -f "$TRAJPACK_WHEEL" ]] || { echo "trajpack: there is no wheel at '$TRAJPACK_WHEEL'" >&2; exit 2; }
  folder=$(mktemp -d "${RUNNER_TEMP:-${TMPDIR:-/tmp}}/trajpack-XXXXXX")
  trap 'rm -rf "$folder"' EXIT
  python3 -m venv "$folder"
  "$folder/bin/python" -m pip install --quiet --disable-pip-version-check --no-index --no-deps "$TRAJPACK_WHEEL"
  program=$folder/bin/trajpack
fi
# Several lines, too.
read -r -d '' -a paths <<< "${TRAJPACK_PATHS:?no paths}" || true
options=(--quiet --format "${TRAJPACK_FORMAT:-github}" --fail-on "${TRAJPACK_FAIL_ON:-error}")
if [[ -n "${TRAJPACK_CONFIG:-}" ]]; then options+=(--config "$TRAJPACK_CONFIG"); fi
if [[ -n "${TRAJPACK_BASELINE:-}" ]]; then options+=(--baseline "$TRAJPACK_BASELINE"); fi
if [[ -n "${TRAJPACK_OUTPUT:-}" ]]; then
  "$program" validate "${options[@]}" -- "${paths[@]}" > "$TRAJPACK_OUTPUT"
else
  "$program" validate "${options[@]}" -- "${paths[@]}"
fi
