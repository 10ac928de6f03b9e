#!/usr/bin/env bash
# What action.yml runs: trajpack validate, with the inputs of the action from the environment.
set -euo pipefail
read -r -a paths <<< "${TRAJPACK_PATHS:?no paths}"
options=(--quiet --format "${TRAJPACK_FORMAT:-github}" --fail-on "${TRAJPACK_FAIL_ON:-error}")
if [[ -n "${TRAJPACK_CONFIG:-}" ]]; then options+=(--config "$TRAJPACK_CONFIG"); fi
if [[ -n "${TRAJPACK_OUTPUT:-}" ]]; then
  "${TRAJPACK_PROGRAM:-trajpack}" validate "${options[@]}" -- "${paths[@]}" > "$TRAJPACK_OUTPUT"
else
  "${TRAJPACK_PROGRAM:-trajpack}" validate "${options[@]}" -- "${paths[@]}"
fi
