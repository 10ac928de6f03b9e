#!/usr/bin/env bash
# Takes a recording in, proves that it comes out again, damages a copy, opens it with h5py, and draws a picture.
# Every line that begins with $ is run as it stands, in build/demo.
#
#   tools/demo.sh                    all of it (`make demo` builds first)
#   tools/demo.sh --picture OUT.png  the picture only
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export PATH=$root/.build/release:$root/.venv/bin:$PATH
work=$root/build/demo

case "${1:-}" in
  "") picture='' ;;
  --picture) picture=$(realpath -m "${2:?demo: --picture needs a file}") ;;
  *) echo "demo: no option $1; there is --picture" >&2; exit 2 ;;
esac

rm -rf "$work"
mkdir -p "$work"
cp -r "$root/fixtures/wildworld/data_part1" "$work/recordings"
cd "$work"

if [ -n "$picture" ]; then
  trajpack convert --quiet recordings ww >/dev/null
  python "$root/tools/picture.py" ww "$picture" --episode 000002
  exit 0
fi

bold='' dim='' off=''
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then bold=$'\e[1m' dim=$'\e[2m' off=$'\e[0m'; fi
say() { printf '\n%s%s%s\n' "$bold" "$1" "$off"; }
run() { printf '%s$ %s%s\n' "$dim" "$1" "$off"; bash -euo pipefail -c "$1" 2>&1; }
# A command that must find fault.
fails() {
  printf '%s$ %s%s\n' "$dim" "$1" "$off"
  local code=0
  bash -euo pipefail -c "$1" 2>&1 || code=$?
  [ $code = 1 ] || { echo "demo: that should have ended with 1, not $code" >&2; exit 1; }
  printf '%sexit 1%s\n' "$dim" "$off"
}

say "1. Take it in: three recordings of hunters and a beast, with skeletons, camera, rgb and depth video"
run 'trajpack convert recordings ww'

say "2. Look inside"
run 'trajpack info ww | sed -n 1,14p'
run 'trajpack info ww --episode 000002'

say "3. Prove that nothing is lost: every value, and every byte of the videos"
run 'trajpack diff ww recordings'
run 'trajpack export ww back --to wildworld'
run 'for v in recordings/*/*.m??; do cmp "$v" "back/${v#*/}" && echo "same bytes: ${v#*/}"; done'

say "4. Flip one bit in a copy"
run 'cp -r ww damaged'
run "python -c \"f = open('damaged/shard-000000.h5', 'r+b'); f.seek(25000); b = f.read(1)[0]; f.seek(25000); f.write(bytes([b ^ 1]))\""
fails 'trajpack verify damaged'
run 'trajpack verify ww'

say "5. Open it without trajpack"
cat >three_lines.py <<'PYTHON'
import h5py, hdf5plugin
joints = h5py.File("ww/shard-000000.h5")["streams/skeleton/npc/joints"]
print(joints[100:132].shape, joints[100][0])
PYTHON
run 'cat three_lines.py'
run 'python three_lines.py'

say "6. See what is kept"
run "python '$root/tools/picture.py' ww picture.png --episode 000002 && echo \"drawn: $work/picture.png\""

cat <<END

${bold}Next${off}
  Your own recordings    .build/release/trajpack convert path/to/data_part1 ww --video link
  What else there is     .build/release/trajpack help
  A place on your PATH   make install
  How it works           README.md, docs/
END
