#!/usr/bin/env bash
# Installs what is missing to build and test trajpack on Debian or Ubuntu. Does nothing where nothing is missing.
#
#   tools/setup.sh                 system packages, .venv, and Swift where there is none
#   tools/setup.sh --apt-only      system packages only
#   tools/setup.sh --python-only   .venv only
#   tools/setup.sh --swift-only    Swift only: swift.org's archive, checked by its signature, into ~/.local/share/trajpack/swift
#   tools/setup.sh --wheel         .venv-wheel only: what `make wheel` builds with
#   tools/setup.sh --engines       .venv-engines only: Ray, Dask, Spark, Beam, datatrove; exit 3 where they are not to be had
#   tools/setup.sh --frameworks    .venv-frameworks only: torch and what trains with it; exit 3 where it is not to be had
#
# A mirror of swift.org is named by TRAJPACK_SWIFT_SERVER (download.swift.org) and TRAJPACK_SWIFT_KEYS (the file of keys);
# archives must be signed by the key whose fingerprint is below, or in TRAJPACK_SWIFT_KEY. TRAJPACK_SWIFT_HOME: where to.
set -euo pipefail

packages=(libhdf5-dev zlib1g-dev libbz2-dev liblzma-dev libzstd-dev liblz4-dev libavformat-dev libavcodec-dev libswscale-dev libavutil-dev libcurl4-openssl-dev
          ffmpeg hdf5-tools pkg-config)
swift_needed=6.2
# What is fetched where there is no Swift, and what its compiler and package manager need.
swift_version=6.3.1
swift_packages=(binutils g++ libc6-dev libcurl4 libedit2 libncurses6 libsqlite3-0 libxml2 tzdata git gnupg curl ca-certificates)
swift_key=${TRAJPACK_SWIFT_KEY:-52BB7E3DE28A71BE22EC05FFEF80A866B47A981F}   # Swift 6.x Release Signing Key
swift_server=${TRAJPACK_SWIFT_SERVER:-https://download.swift.org}
swift_keys=${TRAJPACK_SWIFT_KEYS:-https://www.swift.org/keys/all-keys.asc}
swift_home=${TRAJPACK_SWIFT_HOME:-$HOME/.local/share/trajpack/swift}
export PATH=$PATH:/opt/swift/usr/bin:$HOME/.local/share/swiftly/bin:$swift_home/usr/bin
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
  [ $want_swift = 0 ] || command -v swift >/dev/null || for p in "${swift_packages[@]}"; do
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$p" 2>/dev/null || true)" = installed ] || echo "$p"
  done
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

install_engines() {
  install_environment .venv-engines requirements-engines.txt && return 0
  rm -rf "$root/.venv-engines"
  echo "setup: pip could not install tools/requirements-engines.txt from the registries it is configured for: see above" >&2
  exit 3
}

install_wheel_tools() {
  install_environment .venv-wheel requirements-wheel.txt ||
    fail "pip could not install tools/requirements-wheel.txt: see its message above"
}

# swift.org's archive for this distribution, checked by its signature, into a folder of its own.
install_swift() {
  local by_hand="install $swift_needed or newer from https://www.swift.org/install/linux/"
  local system='' machine='' tool
  case "$(. /etc/os-release 2>/dev/null && echo "${ID:-}${VERSION_ID:-}")" in
    debian12) system=debian12 ;;
    ubuntu22.04) system=ubuntu22.04 ;;
    ubuntu24.04) system=ubuntu24.04 ;;
    *) fail "no swift here, and swift.org's archives that this script knows are for Debian 12, Ubuntu 22.04 and 24.04; $by_hand" ;;
  esac
  case "$(uname -m)" in
    x86_64) ;;
    aarch64) machine=-aarch64 ;;
    *) fail "no swift here, and none from swift.org for $(uname -m)" ;;
  esac
  for tool in curl gpg tar; do command -v $tool >/dev/null || fail "no swift here, and no $tool to fetch it; $by_hand"; done
  local name=swift-$swift_version-RELEASE-$system$machine
  local url=$swift_server/swift-$swift_version-release/${system/./}$machine/swift-$swift_version-RELEASE/$name.tar.gz
  local work=$swift_home.part
  echo "setup: no swift here; fetching Swift $swift_version (about 1 GB, 4 GB unpacked) from $url into $swift_home"
  rm -rf "$work"
  mkdir -p "$work/keys" && chmod 700 "$work/keys"
  local get=(curl --fail --silent --show-error --location --retry 3)
  "${get[@]}" -o "$work/archive" "$url" && "${get[@]}" -o "$work/signature" "$url.sig" && "${get[@]}" -o "$work/all-keys" "$swift_keys" ||
    { rm -rf "$work"; fail "Swift could not be fetched: see above; $by_hand"; }
  local gpg=(gpg --homedir "$work/keys" --batch --quiet --no-autostart)
  "${gpg[@]}" --import "$work/all-keys" 2>/dev/null || true
  # The last word of VALIDSIG is the fingerprint of the signing key's owner: any other key is as bad as no signature.
  "${gpg[@]}" --status-fd 1 --verify "$work/signature" "$work/archive" 2>/dev/null | grep -q "^\[GNUPG:\] VALIDSIG .*$swift_key\$" ||
    { rm -rf "$work"; fail "what came from $url is not signed by the key $swift_key; nothing was installed"; }
  mkdir "$work/tree"
  tar -xzf "$work/archive" -C "$work/tree" --strip-components=1 && [ -x "$work/tree/usr/bin/swift" ] ||
    { rm -rf "$work"; fail "the archive from $url cannot be unpacked into $work/tree, or has no usr/bin/swift: is the disk full?"; }
  rm -rf "$swift_home"
  mv "$work/tree" "$swift_home"
  rm -rf "$work"
  hash -r
  echo "setup: Swift is in $swift_home; 'make' finds it there, for yourself add $swift_home/usr/bin to PATH"
}

check_swift() {
  command -v swift >/dev/null || install_swift
  local said found
  said=$(swift --version 2>/dev/null || true)
  found=$(grep -oE 'Swift version [0-9]+(\.[0-9]+)+' <<<"$said" | grep -oE '[0-9.]+' | head -n 1 || true)
  [ -n "$found" ] || fail "'swift --version' gives no version; reinstall from https://www.swift.org/install/linux/"
  [ "$(printf '%s\n' "$swift_needed" "$found" | sort -V | head -n 1)" = "$swift_needed" ] ||
    fail "swift $found is too old; install $swift_needed or newer from https://www.swift.org/install/linux/"
}

want_apt=1 want_python=1 want_swift=1 want_frameworks=0 want_wheel=0 want_engines=0
case "${1:-}" in
  "") ;;
  --apt-only) want_python=0 want_swift=0 ;;
  --python-only) want_apt=0 want_swift=0 ;;
  --swift-only) want_apt=0 want_python=0 ;;
  --wheel) want_apt=0 want_python=0 want_swift=0 want_wheel=1 ;;
  --engines) want_apt=0 want_python=0 want_swift=0 want_engines=1 ;;
  --frameworks) want_apt=0 want_python=0 want_swift=0 want_frameworks=1 ;;
  -h | --help) sed -n '2,13s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;;
  *) fail "no option $1; there are --apt-only, --python-only, --swift-only, --wheel, --engines and --frameworks" ;;
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
[ $want_wheel = 0 ] || install_wheel_tools
[ $want_engines = 0 ] || install_engines
[ $want_frameworks = 0 ] || install_frameworks
