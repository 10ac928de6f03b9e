#!/usr/bin/env bash
# Installs what is missing to build and test trajpack on Debian or Ubuntu. Does nothing where nothing is missing.
#
#   tools/setup.sh                 system packages, .venv, and a look at swift
#   tools/setup.sh --apt-only      system packages only
#   tools/setup.sh --python-only   .venv only
#   tools/setup.sh --frameworks    .venv-frameworks only: torch and what trains with it; exit 3 where it is not to be had
set -euo pipefail

packages=(libhdf5-dev zlib1g-dev libbz2-dev liblzma-dev libzstd-dev liblz4-dev libavformat-dev libavcodec-dev libswscale-dev libavutil-dev
          ffmpeg hdf5-tools pkg-config)
swift_needed=6.2
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

fail() { echo "setup: $1" >&2; exit 1; }

missing_packages() {
  local p
  for p in "${packages[@]}"; do
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$p" 2>/dev/null || true)" = installed ] || echo "$p"
  done
  # A bare Debian has neither; other compilers and Pythons do as well.
  command -v cc >/dev/null || printf '%s\n' gcc libc6-dev
  "${PYTHON:-python3}" -c 'import venv, ensurepip' 2>/dev/null || echo python3-venv
}

install_packages() {
  command -v dpkg-query >/dev/null && command -v apt-get >/dev/null ||
    fail "no apt here; install the equivalents of: ${packages[*]} (then run tools/setup.sh --python-only)"
  local missing as_root=()
  mapfile -t missing < <(missing_packages)
  [ ${#missing[@]} -gt 0 ] || return 0
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null ||
      fail "neither root nor sudo here; ask an administrator to run: apt-get install ${missing[*]}"
    as_root=(sudo)
    # Without a terminal nobody can type a password: say so rather than hang.
    [ -t 0 ] && [ -z "${CI:-}" ] || as_root=(sudo -n)
    "${as_root[@]}" true || fail "sudo was refused; ask an administrator to run: apt-get install ${missing[*]}"
  fi
  echo "setup: installing ${missing[*]}"
  local apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300)
  "${apt[@]}" update </dev/null || echo "setup: apt-get update failed; going on with the package lists at hand" >&2
  "${apt[@]}" install -y --no-install-recommends "${missing[@]}" </dev/null >/dev/null ||
    fail "apt-get could not install ${missing[*]}: see its message above"
}

# A virtual environment with the packages of a file, made where it is not there or another one is wanted.
# install_environment FOLDER REQUIREMENTS; 1 where pip cannot install them.
install_environment() {
  local python=${PYTHON:-python3} folder=$root/$1 requirements=$root/tools/$2
  local stamp=$folder/.requirements
  command -v "$python" >/dev/null || fail "no $python here; install Python 3.11 or newer, or name one with PYTHON=..."
  "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "$("$python" --version) is too old; the pinned packages need 3.11 or newer: name one with PYTHON=..."
  local want
  want=$({ "$python" --version; cat "$requirements"; } | sha256sum | cut -d' ' -f1)
  if [ "$(cat "$stamp" 2>/dev/null || true)" = "$want" ] && "$folder/bin/python" -c '' 2>/dev/null; then
    return 0
  fi
  echo "setup: installing the packages of tools/$2 into $1"
  "$python" -m venv --clear "$folder" ||
    fail "$python could not make $1; on Debian: apt-get install python3-venv"
  "$folder/bin/python" -m pip install --quiet --disable-pip-version-check --no-input \
    --requirement "$requirements" </dev/null || return 1
  echo "$want" >"$stamp"     # last: a setup that was cut short starts again
}

install_python() {
  install_environment .venv requirements.txt || fail "pip could not install tools/requirements.txt: see its message above"
}

install_frameworks() {
  install_environment .venv-frameworks requirements-frameworks.txt && return 0
  rm -rf "$root/.venv-frameworks"
  echo "setup: pip could not install tools/requirements-frameworks.txt from the registries it is configured for: see above" >&2
  exit 3
}

check_swift() {
  command -v swift >/dev/null ||
    fail "no swift here; install $swift_needed or newer from https://www.swift.org/install/linux/"
  local said found
  said=$(swift --version 2>/dev/null || true)
  found=$(grep -oE 'Swift version [0-9]+(\.[0-9]+)+' <<<"$said" | grep -oE '[0-9.]+' | head -n 1 || true)
  [ -n "$found" ] || fail "'swift --version' gives no version; reinstall from https://www.swift.org/install/linux/"
  [ "$(printf '%s\n' "$swift_needed" "$found" | sort -V | head -n 1)" = "$swift_needed" ] ||
    fail "swift $found is too old; install $swift_needed or newer from https://www.swift.org/install/linux/"
}

want_apt=1 want_python=1 want_swift=1 want_frameworks=0
case "${1:-}" in
  "") ;;
  --apt-only) want_python=0 want_swift=0 ;;
  --python-only) want_apt=0 want_swift=0 ;;
  --frameworks) want_apt=0 want_python=0 want_swift=0 want_frameworks=1 ;;
  -h | --help) sed -n '2,7s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;;
  *) fail "no option $1; there are --apt-only, --python-only and --frameworks" ;;
esac
[ $# -le 1 ] || fail "one option at most"

# Two setups at once (parallel CI steps in one checkout): the second waits, then finds all in place.
if command -v flock >/dev/null; then
  mkdir -p "$root/build"
  exec 9>"$root/build/setup.lock"
  flock 9
fi
[ $want_apt = 0 ] || install_packages
[ $want_python = 0 ] || install_python
[ $want_swift = 0 ] || check_swift
[ $want_frameworks = 0 ] || install_frameworks
