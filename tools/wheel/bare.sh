#!/usr/bin/env bash
# Installs a wheel into a bare Debian and uses it there without a network: what `pip install` brings must be enough.
#
#   tools/wheel/bare.sh WHEEL [SUITE]     SUITE: bookworm (Python 3.11), trixie (3.13), ...
#
# The root is made once by debootstrap (minbase, python3-venv), in ${TRAJPACK_CACHE:-~/.cache/trajpack}/bare-SUITE; numpy comes from PyPI.
# Needs root, debootstrap (its package is unpacked where it is not installed) and a network for these, and ffmpeg, with
# which samples.py makes videos of every codec here.
set -euo pipefail
fail() { echo "bare: $1" >&2; exit 1; }
[ $# -ge 1 ] && [ -f "$1" ] || fail "name a wheel: tools/wheel/bare.sh WHEEL [SUITE]"
[ "$(id -u)" = 0 ] || fail "making a root needs root"
wheel=$(realpath "$1")
suite=${2:-bookworm}
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cache=${TRAJPACK_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/trajpack}
bare=$cache/bare-$suite
mkdir -p "$cache"

if [ ! -f "$bare/complete" ]; then
  debootstrap=debootstrap
  if ! command -v debootstrap >/dev/null; then
    (cd "$cache" && apt-get -q -o APT::Sandbox::User=root download debootstrap >&2 && dpkg -x debootstrap_*.deb debootstrap) || fail "no debootstrap here, and it cannot be fetched"
    export DEBOOTSTRAP_DIR=$cache/debootstrap/usr/share/debootstrap
    debootstrap=$cache/debootstrap/usr/sbin/debootstrap
  fi
  echo "bare: making a Debian $suite in $bare" >&2
  rm -rf "$bare"
  "$debootstrap" --variant=minbase --include=python3-venv "$suite" "$bare" http://deb.debian.org/debian >"$cache/debootstrap.log" 2>&1 ||
    fail "debootstrap failed: see $cache/debootstrap.log"
  touch "$bare/complete"
fi
version=$(chroot "$bare" python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
rm -rf "$bare/work" && mkdir -p "$bare/work/wheels"
cp "$wheel" "$bare/work/wheels"
cp "$root/tools/wheel/bare_check.py" "$bare/work"
"$root/.venv/bin/python" "$root/tools/wheel/samples.py" "$bare/work/samples" 2>"$cache/samples.log" || fail "the samples cannot be made: see $cache/samples.log"
"$root/.venv/bin/python" -m pip download --quiet --disable-pip-version-check --only-binary :all: --no-deps --python-version "$version" \
  --dest "$bare/work/wheels" numpy || fail "numpy for Python $version cannot be fetched"

certificates=$bare/etc/ssl/certs/ca-certificates.crt
[ ! -f "$certificates.aside" ] || mv "$certificates.aside" "$certificates"

# A namespace of its own: without a network, with /proc, and nothing of the machine's.
unshare --mount --net --pid --fork --kill-child bash -euo pipefail -c '
  mount -t proc proc "$1/proc"
  ip link set lo up
  exec env -i PATH=/work/venv/bin:/usr/bin:/bin HOME=/root "$(command -v chroot)" "$1" bash -euo pipefail -c "
    cd /work
    ! command -v swift >/dev/null && ! ls /usr/lib/*/libhdf5* /usr/lib/*/libav* >/dev/null 2>&1
    python3 -m venv venv
    venv/bin/pip install --quiet --disable-pip-version-check --no-index --find-links wheels trajpack
    trajpack --version
    trajpack demo tour >tour.txt
    # pip needs the certificates of the machine; without them those of certifi are tried, too.
    ! [ -f /etc/ssl/certs/ca-certificates.crt ] || mv /etc/ssl/certs/ca-certificates.crt{,.aside}
    python bare_check.py tour samples
    echo \"bare: good in Debian $2, Python $3\"
  "' bare "$bare" "$suite" "$version"
